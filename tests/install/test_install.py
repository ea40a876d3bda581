# SPDX-License-Identifier: MIT
"""What `meson install` leaves is usable by strangers: header, library, pkg-config file, program.

Everything here sees only the staged installation (DESTDIR in the build folder), never the tree.
"""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
BUILD = pathlib.Path(os.environ['LLMGR_BUILD'])
CC = os.environ['LLMGR_CC'].split()
CXX = ['clang++'] if 'clang' in CC[-1] else ['c++']
FLAGS = os.environ['LLMGR_HOST_FLAGS'].split()
EXAMPLES = sorted((SOURCE / 'examples').glob('*.c'))


def run(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, f'{command}\n{done.stdout}{done.stderr}'
    return done.stdout


@pytest.fixture(scope='session', name='stage')
def stage_fixture():
    """The root of a fresh staged installation."""
    stage = BUILD / 'tests' / 'install' / 'stage'
    shutil.rmtree(stage, ignore_errors=True)
    run(['meson', 'install', '-C', BUILD, '--no-rebuild', '--quiet', '--destdir', stage])
    return stage


def one(stage, pattern):
    found = sorted(stage.rglob(pattern))
    assert found, f'nothing like {pattern} was installed'
    return found[0]


@pytest.fixture(scope='session', name='pkg_config')
def pkg_config_fixture(stage):
    """Asks pkg-config about llmgr as a program on the installed system would."""
    env = dict(os.environ, PKG_CONFIG_SYSROOT_DIR=str(stage),
               PKG_CONFIG_LIBDIR=str(one(stage, 'llmgr.pc').parent))
    return lambda *flags: run(['pkg-config', *flags, 'llmgr'], env=env).split()


def build_host(compiler, source, target, pkg_config):
    run([*compiler, '-Wall', '-Wextra', '-pedantic', '-Werror', *FLAGS, source, '-o', target,
         *pkg_config('--cflags', '--libs')])
    return target


def run_host(stage, *command):
    folder = one(stage, 'libllmgr.so').parent
    return run(command, env=dict(os.environ, LD_LIBRARY_PATH=str(folder)))


def test_the_library_exports_the_public_functions_and_nothing_else(stage):
    lines = run(['nm', '-D', '--defined-only', one(stage, 'libllmgr.so')]).splitlines()
    names = {line.split()[2].split('@')[0] for line in lines if line.split()[1] != 'A'}
    strangers = {name for name in names if not name.startswith(('llmgr_', '__'))}
    assert not strangers
    assert 'llmgr_status_name' in names


def test_the_library_carries_its_soversion(stage):
    dynamic = run(['readelf', '-d', one(stage, 'libllmgr.so')])
    assert 'Library soname: [libllmgr.so.0]' in dynamic
    assert 'TEXTREL' not in dynamic


def test_every_declared_function_is_exported(stage):
    header = one(stage, 'llmgr.h').read_text(encoding='utf-8')
    code = re.sub(r'/\*.*?\*/', '', header, flags=re.S)
    declared = set(re.findall(r'\b(llmgr_\w+)\s*\([^;{}]*\)\s*;', code))
    exported = {line.split()[2].split('@')[0] for line in
                run(['nm', '-D', '--defined-only', one(stage, 'libllmgr.so')]).splitlines()}
    assert declared - exported == set()


@pytest.mark.parametrize('standard', ['c99', 'c11', 'c17'])
def test_a_c_program_builds_on_the_installed_library(stage, pkg_config, tmp_path, standard):
    host = build_host([*CC, f'-std={standard}'], HERE / 'hosts' / 'host.c', tmp_path / 'host',
                      pkg_config)
    version = pkg_config('--modversion')[0]
    assert run_host(stage, host) == f'{version} ERR_NOT_FOUND\n'


@pytest.mark.parametrize('standard', ['c++11', 'c++20'])
def test_a_cpp_program_builds_on_the_installed_library(stage, pkg_config, tmp_path, standard):
    host = build_host([*CXX, f'-std={standard}', '-x', 'c++'], HERE / 'hosts' / 'host.c',
                      tmp_path / 'host', lambda *flags: ['-x', 'none', *pkg_config(*flags)])
    assert 'ERR_NOT_FOUND' in run_host(stage, host)


@pytest.fixture(scope='session', name='examples')
def examples_fixture(pkg_config, tmp_path_factory):
    """Every example, built on the installed library: name -> program."""
    folder = tmp_path_factory.mktemp('examples')
    return {source.stem: build_host([*CC, '-std=gnu17'], source, folder / source.stem, pkg_config)
            for source in EXAMPLES}


@pytest.fixture(name='platform')
def platform_fixture(tmp_path):
    """A configuration whose one platform is the scripted upstream."""
    with subprocess.Popen([BUILD / 'tests' / 'mockllm' / 'mockllm', '--port', '0'],
                          stdout=subprocess.PIPE, text=True) as upstream:
        url = upstream.stdout.readline().split()[-1]
        config = tmp_path / 'llmgr.yaml'
        config.write_text(f'platforms:\n  House:\n    base_url: {url}\n    models:\n'
                          '      Small: mock\n', encoding='utf-8')
        yield config
        upstream.terminate()


def test_an_administrator_and_a_user_choose(stage, examples, tmp_path):
    out = run_host(stage, examples['choose'], f'sqlite:{tmp_path}/a.db', tmp_path / 'key')
    assert 'alice can choose from\n  House / House small\n' in out
    assert 'and is served by Mine / My model\nbob can' in out
    assert out.endswith('and is served by House / House small\n')


def test_a_stream_is_printed_and_can_be_cut_short(stage, examples, tmp_path, platform):
    config = platform.read_text(encoding='utf-8')
    platform.write_text(config.replace('    models', '    api_key: sk-site\n    models'),
                        encoding='utf-8')
    command = [examples['stream'], f'sqlite:{tmp_path}/a.db', tmp_path / 'key', platform, 'Hello']
    assert '[stop, ' in run_host(stage, *command)
    slow = platform.read_text(encoding='utf-8').replace('Small: mock', 'Small: mock-slow')
    platform.write_text(slow, encoding='utf-8')
    folder = one(stage, 'libllmgr.so').parent
    done = subprocess.run([*command, '1'], capture_output=True, text=True, check=False,
                          env=dict(os.environ, LD_LIBRARY_PATH=str(folder)))
    assert done.returncode == 1 and 'cancelled' in done.stderr


def test_many_tenants_ask_at_once_each_with_their_own_key(stage, examples, tmp_path, platform):
    out = run_host(stage, examples['tenants'], f'sqlite:{tmp_path}/a.db', tmp_path / 'key',
                   platform, '16')
    assert sorted(out.splitlines()) == sorted(f'user-{i}: success, paid by user'
                                              for i in range(16))


def test_the_program_and_its_papers_are_installed(stage):
    one(stage, 'bin/llmgr')
    one(stage, 'man1/llmgr.1')
    one(stage, 'bash-completion/completions/llmgr')
    one(stage, 'zh_CN/LC_MESSAGES/llmgr.mo')


def test_the_installed_unit_is_confined(stage):
    unit = one(stage, 'llmgr.service')
    assert '@bindir@' not in unit.read_text(encoding='utf-8')
    # Exposure in tenths: SECURITY asks for at most 2.0.
    run(['systemd-analyze', 'security', '--offline=true', '--threshold=20', unit])
    one(stage, 'llmgr.socket')
