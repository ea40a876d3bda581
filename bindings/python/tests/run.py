# SPDX-License-Identifier: MIT
"""Runs the package's tests in an environment of their own: run.py FOLDER [pytest option]...

Below FOLDER it makes a Python virtual environment from requirements.txt, with pip as it is
configured here and anew only if that file has changed; then it builds the wheel, of which Ninja
compiles only what changed, and installs it there. Nothing goes into the system's Python. If no
registry can be reached it says why on its last line and is skipped: exit code 77, which
tools/test-summary names and, in continuous integration, counts as a failure. A wheel that does not
build is always one. With --script FILE it runs that instead of the tests.
"""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE = HERE.parent
INSTALL_S = 900  # a bound, not an expectation: it takes half a minute
SKIP = 77


def pip(home, *arguments):
    subprocess.run([home / 'bin' / 'pip', '--disable-pip-version-check', 'install', '--quiet',
                    *arguments], check=True, capture_output=True, timeout=INSTALL_S, cwd=home,
                   stdin=subprocess.DEVNULL,
                   env={**os.environ, 'PATH': f'{home}/bin{os.pathsep}{os.environ["PATH"]}'})


def ready(home):
    """Makes the environment unless it is there already; returns a complaint of a line or None."""
    content = sys.version.encode() + (HERE / 'requirements.txt').read_bytes()
    wanted, stamp = hashlib.sha256(content).hexdigest(), home / 'stamp'
    if stamp.exists() and stamp.read_text() == wanted:
        return None
    shutil.rmtree(home, ignore_errors=True)
    venv.create(home, with_pip=True)
    try:
        pip(home, '--only-binary', ':all:', '-r', HERE / 'requirements.txt')
    except subprocess.SubprocessError as error:
        said = (error.stderr or b'').decode(errors='replace').strip()
        print(f'{error}\n{said[-2000:]}', file=sys.stderr)
        return ' '.join((said.splitlines() or [str(error)])[-1].split())
    stamp.write_text(wanted)
    return None


def install_package(home, folder):
    """The wheel, as `pip install ./bindings/python` makes it, in a build folder that is kept."""
    try:
        pip(home, '--no-build-isolation', '--no-deps', '--force-reinstall',
            '--config-settings', f'build-dir={folder / "wheel"}', PACKAGE)
    except subprocess.CalledProcessError as error:
        sys.exit(f'the wheel does not build:\n{error.stderr.decode(errors="replace")}')


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    home = folder / 'venv'
    complaint = ready(home)
    if complaint:
        print(f'requirements.txt cannot be installed: {complaint}', file=sys.stderr)
        return SKIP
    install_package(home, folder)
    python = home / 'bin' / 'python'
    if sys.argv[2:3] == ['--script']:
        return subprocess.run([python, *sys.argv[3:]], check=False).returncode
    # A test that passed leaves nothing: they would pile up in what may be memory.
    return subprocess.run([python, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-o',
                           'tmp_path_retention_policy=failed', '--rootdir', PACKAGE, *sys.argv[2:],
                           HERE], cwd=folder, check=False).returncode


if __name__ == '__main__':
    sys.exit(main())
