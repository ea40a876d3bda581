# SPDX-License-Identifier: MIT
"""Runs the client tests in an environment of their own: run.py FOLDER [pytest option]...

Below FOLDER it makes a Python virtual environment from requirements.txt and a node_modules from
package-lock.json, with pip and npm as they are configured here, and makes them anew only if those
files have changed. If that fails (no network, no Node.js), the part says why and is skipped: exit
code 77. With LLMGR_CLIENTS=required, as in continuous integration, that is a failure.
"""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).resolve().parent
INSTALL_S = 600  # a bound, not an expectation: it takes half a minute
SKIP = 77


def digest(*names):
    """What an installation was made of; the interpreter's version is part of it."""
    text = sys.version.encode() + b''.join((HERE / name).read_bytes() for name in names)
    return hashlib.sha256(text).hexdigest()


def install(home, stamp, command):
    """Empties `home`, runs the commands there; returns a complaint or None."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    try:
        command(home)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, 'stderr', None) or b''
        return f'{error}\n{said.decode(errors="replace")[-2000:]}'
    (home / 'stamp').write_text(stamp)
    return None


def run(home, *argv):
    subprocess.run(argv, cwd=home, check=True, capture_output=True, timeout=INSTALL_S,
                   stdin=subprocess.DEVNULL)


def make_python(home):
    venv.create(home, with_pip=True)
    run(home, home / 'bin' / 'pip', 'install', '--quiet', '--only-binary', ':all:',
        '-r', HERE / 'requirements.txt')


def make_node(home):
    for name in ('package.json', 'package-lock.json', '.npmrc'):
        shutil.copy(HERE / name, home)
    run(home, 'npm', 'ci', '--ignore-scripts')


def ready(home, make, *names):
    """Is the environment there, perhaps made just now? Says why if not."""
    wanted, stamp = digest(*names), home / 'stamp'
    if stamp.exists() and stamp.read_text() == wanted:
        return True
    complaint = install(home, wanted, make)
    if complaint:
        print(f'clients: cannot install {names[0]}: {complaint}', file=sys.stderr)
    return complaint is None


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    missing = SKIP if os.environ.get('LLMGR_CLIENTS') != 'required' else 1
    python, node = folder / 'python', folder / 'node'
    if not ready(python, make_python, 'requirements.txt'):
        print('clients: nothing is run', file=sys.stderr)
        return missing
    env = {**os.environ}
    have_node = ready(node, make_node, 'package.json', 'package-lock.json')
    if have_node:
        env['LLMGR_NODE_HOME'] = str(node)
    elif missing == 1:
        return missing
    else:
        print('clients: the cases in Node.js are skipped', file=sys.stderr)
    argv = [python / 'bin' / 'python', '-m', 'pytest', '-q', '-p', 'no:cacheprovider',
            '--rootdir', HERE, *sys.argv[2:], HERE]
    return subprocess.run(argv, env=env, check=False).returncode


if __name__ == '__main__':
    sys.exit(main())
