# SPDX-License-Identifier: MIT
"""Runs the client tests in an environment of their own: run.py FOLDER [pytest option]...

Below FOLDER it makes three Python virtual environments, of the libraries in requirements.txt, of
the programs in requirements-tools.txt (with a newer Node.js than the distribution's) and of aider,
and two node_modules, from package-lock.json and from that of tools/; with pip and npm as they are
configured here, all at once, and anew only if those files have changed. If no registry can be
reached it says why on its last line and is skipped: exit code 77, which tools/test-summary names
and, in continuous integration, counts as a failure.
"""
import concurrent.futures
import functools
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


class Unreachable(Exception):
    """What was wanted of a registry could not be had."""


def run(home, *argv):
    """Runs a command that asks a registry; that there is no such command is no excuse."""
    try:
        subprocess.run(argv, cwd=home, check=True, capture_output=True, timeout=INSTALL_S,
                       stdin=subprocess.DEVNULL)
    except subprocess.SubprocessError as error:
        said = (error.stderr or b'').decode(errors='replace').strip()
        print(f'{error}\n{said[-2000:]}', file=sys.stderr)
        raise Unreachable(' '.join((said.splitlines() or [str(error)])[-1].split())) from error


def make_python(name, home):
    venv.create(home, with_pip=True)
    run(home, home / 'bin' / 'pip', 'install', '--quiet', '--only-binary', ':all:',
        '-r', HERE / name)


def make_node(folder, home):
    for name in ('package.json', 'package-lock.json', '.npmrc'):
        shutil.copy(folder / name, home)
    run(home, 'npm', 'ci', '--ignore-scripts')


def ready(home, make, *names):
    """None if the environment is there, perhaps made just now; else why not."""
    wanted, stamp = digest(*names), home / 'stamp'
    if stamp.exists() and stamp.read_text() == wanted:
        return None
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    try:
        make(home)
    except Unreachable as error:
        return f'{names[0]} cannot be installed: {error}'
    stamp.write_text(wanted)
    return None


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    wanted = [
        ('python', functools.partial(make_python, 'requirements.txt'), 'requirements.txt'),
        ('node', functools.partial(make_node, HERE), 'package.json', 'package-lock.json'),
        ('tools', functools.partial(make_node, HERE / 'tools'), 'tools/package.json',
         'tools/package-lock.json'),
        ('tools-python', functools.partial(make_python, 'requirements-tools.txt'),
         'requirements-tools.txt'),
        ('aider', functools.partial(make_python, 'requirements-aider.txt'),
         'requirements-aider.txt'),
    ]
    with concurrent.futures.ThreadPoolExecutor(len(wanted)) as pool:
        complaints = list(pool.map(lambda row: ready(folder / row[0], *row[1:]), wanted))
    complaint = '; '.join(filter(None, complaints))
    if complaint:
        print(complaint, file=sys.stderr)
        return SKIP
    python = folder / 'python'
    env = {**os.environ, 'LLMGR_NODE_HOME': str(folder / 'node'),
           'LLMGR_TOOLS_HOME': str(folder / 'tools'),
           'LLMGR_TOOLS_PYTHON': str(folder / 'tools-python'),
           'LLMGR_AIDER': str(folder / 'aider' / 'bin' / 'aider')}
    argv = [python / 'bin' / 'python', '-m', 'pytest', '-q', '-p', 'no:cacheprovider',
            '--rootdir', HERE, *sys.argv[2:], HERE]
    return subprocess.run(argv, env=env, check=False).returncode


if __name__ == '__main__':
    sys.exit(main())
