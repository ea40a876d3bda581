# SPDX-License-Identifier: MIT
"""The frame of the package's tests: a clean room, the scripted upstream, managers that are closed.

    mockllm    the scripted upstream of the integration tests, and what it received
    database   the URL of a fresh database, once of SQLite and once of PostgreSQL
    open_      opens an AIManager on it
    manager    one with the platform "Mock" of the upstream, mode "custom"
    script     runs Python code in an interpreter of its own, which must end well and silently
"""
import functools
import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

import llmgr

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[2]
MODELS = ['mock', 'mock-reasoning', 'mock-tools', 'mock-no-usage', 'mock-401', 'mock-500',
          'mock-cut-300', 'mock-slow-20', 'mock-echo']


def load(name, path):
    """A module of another test folder."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


FRAME = load('llmgr_integration_frame', TOP / 'tests' / 'integration' / 'conftest.py')


SERVER = os.environ.get('LLMGR_TEST_POSTGRES')  # before a test's environment is cleaned


@functools.cache
def postgres():
    """The session's PostgreSQL server, for its fresh()."""
    if SERVER:
        os.environ['LLMGR_TEST_POSTGRES'] = SERVER
    return FRAME.Postgres()


def pytest_sessionfinish():
    if postgres.cache_info().currsize:
        postgres().stop()


@pytest.fixture(autouse=True, name='room')
def room_fixture(tmp_path, monkeypatch):
    """A folder to work in that is home too, and an environment without settings of ours."""
    for name in list(os.environ):
        if name.startswith(('LLMGR_', 'OPENAI_', 'LANGCHAIN_', 'LANGSMITH_')) or name.lower() in (
                'http_proxy', 'https_proxy', 'all_proxy', 'no_proxy', 'xdg_config_home'):
            monkeypatch.delenv(name)
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    if postgres.cache_info().currsize:
        postgres().drop()


@pytest.fixture(name='mockllm')
def mockllm_fixture(tmp_path):
    upstream = FRAME.Mockllm(tmp_path)
    yield upstream
    upstream.stop()


def platforms(url):
    """The platforms of most tests."""
    return {'Mock': {'base_url': url, 'api_key': 'sk-server',
                     'models': {**{name: name for name in MODELS},
                                'Extra': {'model_name': 'mock-echo+chunks-4',
                                          'extra_body': {'top_k': 5, 'seed': 1}}}}}


@pytest.fixture(params=['sqlite', 'postgres'], name='database')
def database_fixture(request, room):
    return f'sqlite:{room}/test.db' if request.param == 'sqlite' else postgres().fresh()


@pytest.fixture(name='open_')
def open_fixture(database):
    opened = []
    usual = database

    def open_(config, database=None, **more):
        made = llmgr.AIManager(database or usual, config, **more)
        opened.append(made)
        return made
    yield open_
    for made in opened:
        made.close()


@pytest.fixture(name='manager')
def manager_fixture(open_, mockllm):
    return open_({'mode': 'custom', 'platforms': platforms(mockllm.base_url)})


@pytest.fixture(name='choose')
def choose_fixture(manager):
    """Selects a model of "Mock" by its display name."""
    rows = {row['display_name']: row for row in manager.get_platform_models(None)}

    def choose(user, display_name, slot='main'):
        row = rows[display_name]
        manager.save_user_selection(user, row['platform_id'], row['model_id'], slot)
    return choose


@pytest.fixture(name='script')
def script_fixture(room):
    def script(code, *arguments, code_wanted=0, quiet=True, env=None):
        done = subprocess.run([sys.executable, '-X', 'dev', '-c', code, *map(str, arguments)],
                              cwd=room, capture_output=True, text=True, timeout=120, check=False,
                              env={**os.environ, **(env or {})})
        assert done.returncode == code_wanted, f'{done.returncode}\n{done.stdout}\n{done.stderr}'
        if quiet:
            assert done.stderr == '', done.stderr
        return done.stdout
    return script
