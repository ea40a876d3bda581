# SPDX-License-Identifier: MIT
"""The frame of the integration tests: the built program in a clean room, real databases, a scripted
upstream.

    llmgr      runs the program in a temporary folder with an empty environment, once on SQLite and
               once on PostgreSQL: each test that asks for it runs on both, on a fresh database
    mockllm    the scripted upstream on a free port of 127.0.0.1, and what it received
    database   only the URL, for tests that need no program; what concerns one kind of database
               alone is marked @on_sqlite or @on_postgres, and is no test of the other
    postgres   the session's private PostgreSQL server (tools/test-postgres), for its URL

What the programs have to offer for this:

    BUILD/src/llmgr                                  as documented in its manual; looks for its
        catalogues in $LLMGR_LOCALEDIR before the installed ones
    BUILD/tests/mockllm/mockllm --port 0 --record FILE
        prints "mockllm listening on http://127.0.0.1:PORT/v1", then serves; appends one JSON object
        per received request to FILE: method, path, headers (names in lower case), body (text)
    tools/test-postgres start FOLDER | stop FOLDER
        "start" prints the server's URL as its last line and returns when it accepts connections
"""
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get('LLMGR_BUILD', SOURCE / 'build'))
PROGRAM = BUILD / 'src' / 'llmgr'
MOCKLLM = BUILD / 'tests' / 'mockllm' / 'mockllm'
TEST_POSTGRES = SOURCE / 'tools' / 'test-postgres'
PATIENCE_S = 30  # a bound for what takes milliseconds; never a measurement

# What a test's environment keeps of the caller's: only how sanitizers report.
SANITIZERS = ('ASAN_OPTIONS', 'UBSAN_OPTIONS', 'LSAN_OPTIONS', 'TSAN_OPTIONS')


@dataclasses.dataclass
class Result:
    """What one run of the program left: exit code and both outputs as text."""
    code: int
    out: str
    err: str

    @property
    def json(self):
        """The one JSON document that --json prints; trailing text is an error."""
        return json.loads(self.out)


on_sqlite = pytest.mark.parametrize('database', ['sqlite'], indirect=True)
on_postgres = pytest.mark.parametrize('database', ['postgres'], indirect=True)


def pytest_configure(config):
    """The tags by which tools/test-deep takes tests; an unknown one is an error."""
    config.addinivalue_line('markers', 'kills: kills at random, LLMGR_TEST_ROUNDS times')
    config.addinivalue_line('markers', 'stress: puts stress on the gateway, LLMGR_ROUNDS times')


def until(seen):
    """Waits for what `seen` returns to be true, and returns it; or the test fails."""
    end = time.monotonic() + PATIENCE_S
    while not (result := seen()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return result


STARTED = []  # process numbers of Llmgr.start


class Llmgr:
    """The program, in `folder` (its working directory and home), on the database `url`.

    `env` is the whole environment of each run and may be changed by the test.
    """

    def __init__(self, folder, url):
        self.folder = folder
        self.url = url
        self.env = {
            'HOME': str(folder), 'PATH': '/usr/bin:/bin', 'LC_ALL': 'C.UTF-8', 'LLMGR_DB': url,
            'LLMGR_LOCALEDIR': str(BUILD / 'po'),  # the catalogues of this build, not the system's
            **{name: os.environ[name] for name in SANITIZERS if name in os.environ},
        }

    @property
    def kind(self):
        """'sqlite' or 'postgres'."""
        return self.url.split(':')[0]

    def write(self, name, text):
        """Writes a file into the folder; returns its path."""
        path = self.folder / name
        path.write_text(text, encoding='utf-8')
        return path

    def run(self, *args, stdin='', env=None, timeout=PATIENCE_S):
        """Runs `llmgr ARGS...` whatever comes of it; `env` is added to the environment."""
        done = subprocess.run([PROGRAM, *map(str, args)], cwd=self.folder, input=stdin.encode(),
                              capture_output=True, env={**self.env, **(env or {})},
                              timeout=timeout, check=False)
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def ok(self, *args, **more):
        """Runs it and expects exit code 0; returns what it printed."""
        result = self.run(*args, **more)
        assert result.code == 0, f'llmgr {args} ended with {result.code}\n{result.err}'
        return result.out

    def json(self, *args, **more):
        """Runs `llmgr --json ARGS...`, expects exit code 0; returns the document."""
        return json.loads(self.ok('--json', *args, **more))

    def fails(self, code, *args, **more):
        """Runs it and expects this exit code and a message; returns the message of stderr."""
        result = self.run(*args, **more)
        assert result.code == code, f'llmgr {args}: {result.code}\n{result.out}{result.err}'
        assert result.err.strip(), 'a failure without a message'
        return result.err

    def sql(self, statement):
        """Runs one statement beside the program; its rows, as lists of text."""
        if self.kind == 'sqlite':
            path = self.url.removeprefix('sqlite:')
            with contextlib.closing(sqlite3.connect(path, timeout=PATIENCE_S)) as rows, rows:
                return [[str(value) for value in row] for row in rows.execute(statement)]
        told = subprocess.run(['psql', '-qXAt', '-v', 'ON_ERROR_STOP=1', '-c', statement, self.url],
                              check=True, capture_output=True, text=True, timeout=60).stdout
        return [line.split('|') for line in told.splitlines()]

    def start(self, *args, env=None, **more):
        """Starts `llmgr ARGS...` and returns its Popen; the test ends it."""
        process = subprocess.Popen([PROGRAM, *map(str, args)], cwd=self.folder,
                                   env={**self.env, **(env or {})}, **more)
        STARTED.append(process.pid)
        return process


@dataclasses.dataclass
class Request:
    """One request as mockllm received it."""
    method: str
    path: str
    headers: dict
    body: str

    @property
    def key(self):
        """The API key it carried, or None."""
        scheme, _, key = self.headers.get('authorization', '').partition(' ')
        return key if scheme == 'Bearer' else None

    @property
    def json(self):
        return json.loads(self.body)


class Mockllm:
    """The running scripted upstream: `base_url` to configure, `requests()` to ask."""

    def __init__(self, folder, *args):
        self.record = folder / 'mockllm.jsonl'
        self.record.touch()
        self.process = subprocess.Popen(
            [MOCKLLM, '--port', '0', '--record', self.record, *args], stdout=subprocess.PIPE,
            text=True)
        line = self.process.stdout.readline()
        found = re.search(r'(http://[^/]*:(\d+)/v1)\s*$', line)
        assert found, f'mockllm did not say where it listens: {line!r}'
        self.base_url, self.port = found.group(1), int(found.group(2))

    def requests(self):
        """All requests so far, oldest first."""
        lines = self.record.read_text(encoding='utf-8').splitlines()
        return [Request(row['method'], row['path'], row['headers'], row.get('body', ''))
                for row in map(json.loads, lines)]

    def last(self):
        received = self.requests()
        assert received, 'mockllm received nothing'
        return received[-1]

    def wait_for(self, count):
        """Waits until `count` requests have arrived; returns them."""
        end = time.monotonic() + PATIENCE_S
        while len(self.requests()) < count and time.monotonic() < end:
            time.sleep(0.01)
        received = self.requests()
        assert len(received) >= count, f'{len(received)} of {count} requests arrived'
        return received

    def stop(self):
        """Ends it; a crash or a sanitizer's report fails the test that used it."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        assert code in (0, -signal.SIGTERM), f'mockllm ended with {code}'


EMPTY = """DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()) THEN
        RAISE EXCEPTION 'somebody is connected';
    END IF;
    SET LOCAL client_min_messages = warning;
    DROP SCHEMA public CASCADE;
    CREATE SCHEMA public;
END $$"""


class Postgres:
    """The session's server: `url` of its first database, `fresh()` for an empty one, `drop()` of
    those made so far."""

    def __init__(self):
        self.count = 0
        self.made, self.empty = [], []
        self.folder = None
        self.url = os.environ.get('LLMGR_TEST_POSTGRES')
        if self.url:  # tools/with-postgres started one for the whole run
            return
        # As root the server runs as another user, who could not enter pytest's own folders.
        self.folder = tempfile.mkdtemp(prefix='llmgr-pg-')
        started = subprocess.run([TEST_POSTGRES, 'start', self.folder], capture_output=True,
                                 text=True, check=False, timeout=120)
        assert started.returncode == 0, started.stdout + started.stderr
        self.url = started.stdout.splitlines()[-1]

    def fresh(self):
        """The URL of an empty database."""
        if self.empty:
            name = self.empty.pop()
        else:
            self.count += 1
            name = f'pytest_{os.getpid()}_{self.count}'
            self.run(self.url, f'CREATE DATABASE {name}')
        self.made.append(name)
        return self.url_of(name)

    def drop(self):
        """Empties what fresh() gave, for the next test, which takes a quarter of the time of making
        one; removes it if something is still connected. An empty one takes 8 MiB."""
        while self.made:
            name = self.made.pop()
            if self.run(self.url_of(name), EMPTY, check=False).returncode == 0:
                self.empty.append(name)
            else:
                self.run(self.url, f'DROP DATABASE IF EXISTS {name} WITH (FORCE)')

    def url_of(self, name):
        return re.sub(r'^(postgres://[^/]*)/[^?]*', rf'\1/{name}', self.url)

    @staticmethod
    def run(url, statement, check=True):
        return subprocess.run(['psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-c', statement, url],
                              check=check, timeout=60, stderr=None if check else subprocess.DEVNULL)

    def stop(self):
        if self.folder is None:
            return
        subprocess.run([TEST_POSTGRES, 'stop', self.folder], check=True, timeout=60,
                       stdout=subprocess.DEVNULL)
        os.rmdir(self.folder)


@pytest.fixture(scope='session', autouse=True)
def nothing_stays():
    """A test that fails half-way leaves what it started; it must not outlive the run."""
    yield
    for pid in STARTED:
        with contextlib.suppress(ChildProcessError):  # ended, and somebody waited for it
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


@pytest.fixture(scope='session', name='servers_of_databases')
def servers_of_databases_fixture():
    """The PostgreSQL server once something asked for it, else nothing."""
    servers = []
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture(scope='session', name='postgres')
def postgres_fixture(servers_of_databases):
    """Started on first use, once per session."""
    servers_of_databases.append(Postgres())
    return servers_of_databases[0]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Notes of a test that something of it failed."""
    report = (yield).get_result()
    item.broken = getattr(item, 'broken', False) or report.failed


@pytest.fixture(autouse=True)
def nothing_piles_up(request, servers_of_databases):
    """What a test wrote goes with it: its databases, and its folder if it passed. A run would leave
    tens of gigabytes, and CI's disk ends before its tests do. Set up first, so done last."""
    yield
    for server in servers_of_databases:
        server.drop()
    folder = request.node.funcargs.get('tmp_path')
    if folder and not request.node.broken:
        shutil.rmtree(folder, ignore_errors=True)  # a process may still write


@pytest.fixture(params=['sqlite', 'postgres'], name='database')
def database_fixture(request, tmp_path):
    """The URL of a fresh database of each kind in turn."""
    if request.param == 'sqlite':
        return f'sqlite:{tmp_path}/llmgr.db'
    return request.getfixturevalue('postgres').fresh()


@pytest.fixture(name='llmgr')
def llmgr_fixture(tmp_path, database):
    return Llmgr(tmp_path, database)


@pytest.fixture(name='mockllm')
def mockllm_fixture(tmp_path):
    upstream = Mockllm(tmp_path)
    yield upstream
    upstream.stop()


@pytest.fixture(name='api')
def api_fixture(llmgr, mockllm):
    """A gateway in mode custom, for the callers admin, ann and ben."""
    from gateway_api import Api  # which needs this file

    server = Api(llmgr, mockllm)
    server.token('admin', '--kind', 'admin')
    server.token('ann', '-u', 'ann')
    server.token('ben', '-u', 'ben')
    yield server
    server.stop()


class Site(Llmgr):
    """The program with system platforms: Alpha at the scripted upstream, with a server key and the
    models One, Two and Three; Beta, the same server under another name, with no key; Empty, with no
    model. `upstream` is the scripted upstream."""

    def __init__(self, folder, url, upstream):
        super().__init__(folder, url)
        self.upstream = upstream
        self.base_url = upstream.base_url
        self.beta_url = upstream.base_url.replace('127.0.0.1', 'localhost')
        self.env['ALPHA_KEY'] = 'sk-alpha-server-0001'
        self.configure()

    def configure(self, *lines, platforms=None):
        """Writes llmgr.yaml: option lines, then the platforms (YAML text; None: the usual ones)."""
        self.write('llmgr.yaml', '\n'.join(lines) + '\nplatforms:\n' + (platforms or f'''
  Alpha:
    base_url: {self.base_url}
    api_key: "{{ALPHA_KEY}}"
    models:
      One: mock
      Two: {{model_name: mock-echo, extra_body: {{top_k: 20}}}}
      Three: mock-reasoning
  Beta:
    base_url: {self.beta_url}
    api_key: "{{BETA_KEY}}"
    models:
      贝塔: mock-beta
  Empty:
    base_url: https://empty.example/v1
    models: {{}}
'''))

    def allow_private(self):
        """Users' private platforms may be at this machine over http."""
        self.env.update({'LLMGR_ALLOW_CIDR': '127.0.0.0/8', 'LLMGR_ALLOW_HTTP': 'true'})

    def models(self, user='-1'):
        """The flat list of a user by display name."""
        return {row['display_name']: row for row in self.json('-u', user, 'model', 'list')}

    def platforms(self, user='-1'):
        return {row['platform_name']: row for row in self.json('-u', user, 'platform', 'list')}

    def add_platform(self, user, name, base_url='https://api.example.com/v1', key=None):
        more = {'stdin': key + '\n'} if key else {}
        return self.json('-u', user, 'platform', 'add', '--name', name, '--base-url', base_url,
                         *(['--key-stdin'] if key else []), **more)['platform_id']

    def add_model(self, user, platform_id, name, *more):
        return self.json('-u', user, 'model', 'add', '--platform', platform_id, '--name', name,
                         *more)['model_id']

    def select(self, user, display, *more):
        row = self.models(user)[display]
        return self.json('-u', user, 'select', '--platform', row['platform_id'], '--model',
                         row['model_id'], *more)

    def set_key(self, user, platform_id, key):
        return self.json('-u', user, 'platform', 'set-key', platform_id, '--key-stdin',
                         stdin=key + '\n')


@pytest.fixture(name='site')
def site_fixture(tmp_path, database, mockllm):
    return Site(tmp_path, database, mockllm)
