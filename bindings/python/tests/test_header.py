# SPDX-License-Identifier: MIT
"""The binding and the library's public header cannot drift apart."""
import inspect
import pathlib
import re
import subprocess
import sys

import pytest

import llmgr
from llmgr import _errors
from llmgr._llmgr import ffi, lib

TOP = pathlib.Path(__file__).resolve().parents[3]
HEADER = (TOP / 'include' / 'llmgr.h').read_text(encoding='utf-8')
SOURCES = sorted(pathlib.Path(inspect.getfile(llmgr)).parent.glob('*.py'))
CODE = re.sub(r'/\*.*?\*/', '', HEADER, flags=re.S)


def functions_of(code):
    return set(re.findall(r'\b(llmgr_\w+)\(', re.sub(r'\(\*\w+\)\([^)]*\)', '', code)))


def functions_of_the_binding():
    return {name for name in dir(lib) if name.startswith('llmgr_')
            and not name.startswith('llmgr_py_')}


def test_every_function_of_the_header_is_there():
    assert len(functions_of(CODE)) > 60
    assert functions_of(CODE) == functions_of_the_binding()


def test_a_function_that_only_one_of_them_has_is_noticed():
    assert functions_of(CODE + 'int llmgr_drifted(void);') - functions_of_the_binding() == {
        'llmgr_drifted'}
    assert functions_of_the_binding() - functions_of(CODE.replace('llmgr_models(', 'models(')) == {
        'llmgr_models'}


@pytest.mark.parametrize('table, prefix', [
    ('STATUS', ''), ('TOKEN_KIND', 'TOKEN_'), ('PROVENANCE', 'PROVENANCE_'), ('END', 'END_'),
    ('USAGE_BY', 'USAGE_BY_')])
def test_every_row_of_the_headers_tables_has_its_number(table, prefix):
    body = re.search(rf'#define LLMGR_{table}_MAP\(XX\)((?:.*\\\n)*.*)', CODE).group(1)
    rows = re.findall(r'XX\((\w+), (\d+),', body)
    assert rows
    for name, number in rows:
        assert getattr(lib, f'LLMGR_{prefix}{name}') == int(number)


def test_every_status_has_its_exception():
    body = re.search(r'#define LLMGR_STATUS_MAP\(XX\)((?:.*\\\n)*.*)', CODE).group(1)
    names = set(re.findall(r'XX\((\w+),', body)) - {'OK'}
    assert names == set(_errors.CLASSES)
    assert set(vars(llmgr)) >= {made.__name__ for made in _errors.CLASSES.values()}


def test_every_structure_has_the_compilers_size(tmp_path):
    names = sorted(set(re.findall(r'^struct (llmgr_\w+) \{', CODE, re.M)))
    lines = ''.join(f'printf("%zu\\n", sizeof(struct {name}));' for name in names)
    source = tmp_path / 'sizes.c'
    source.write_text(f'#include <stdio.h>\n#include "llmgr.h"\nint main(void) {{ {lines} }}\n')
    subprocess.run(['cc', '-I', TOP / 'include', source, '-o', tmp_path / 'sizes'], check=True)
    sizes = subprocess.run([tmp_path / 'sizes'], check=True, capture_output=True, text=True).stdout
    assert [ffi.sizeof(f'struct {name}') for name in names] == list(map(int, sizes.split()))


def test_the_package_uses_only_names_that_exist():
    for path in SOURCES:
        used = set(re.findall(r'\blib\.(\w+)', path.read_text(encoding='utf-8')))
        assert used <= set(dir(lib)), path.name


def test_the_versions_are_one():
    texts = [re.search(r"version\s*[=:]\s*['\"]([\d.]+)", (TOP / name).read_text()).group(1)
             for name in ('bindings/python/pyproject.toml', 'bindings/python/meson.build',
                          'meson.build')]
    assert set(texts) == {llmgr.__version__}


def test_the_types_are_strict():
    done = subprocess.run([sys.executable, '-m', 'mypy', '--strict', '--cache-dir=/dev/null',
                           '-p', 'llmgr'], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_program_that_uses_the_package_is_checked_against_its_types(tmp_path):
    program = tmp_path / 'program.py'
    program.write_text('from llmgr import LLM_Manager\n'
                       'LLM_Manager.delete_model("u", "7")\n'
                       'reveal_type(LLM_Manager.get_user_llm("u"))\n'
                       'reveal_type(LLM_Manager.add_platform("a", "b").id)\n')
    done = subprocess.run([sys.executable, '-m', 'mypy', '--strict', '--cache-dir=/dev/null',
                           program], capture_output=True, text=True, check=False)
    assert 'incompatible type "str"; expected "int"' in done.stdout
    assert 'ChatOpenAI"' in done.stdout and '"int"' in done.stdout and done.returncode == 1


def test_every_public_thing_is_documented():
    things = [getattr(llmgr, name) for name in llmgr.__all__ if name not in (
        'DEFAULT_PLATFORM_CONFIGS', 'LLM_AUTO_KEY', 'SYSTEM_USER_ID', 'USE_SYS_LLM_CONFIG')]
    things += [member for name, member in vars(llmgr.AIManager).items()
               if not name.startswith('_') and callable(member)]
    assert all(inspect.getdoc(thing) for thing in things)
