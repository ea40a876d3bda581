# SPDX-License-Identifier: MIT
"""The binding and the library's public header cannot drift apart."""
import dataclasses
import inspect
import pathlib
import re
import subprocess
import sys

import pytest

import llmgr
from llmgr import _errors, _native, _prices, _rows
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


TABLES = re.findall(r'#define LLMGR_(\w+)_MAP\(XX\)', CODE)


def rows_of(table):
    """(name, number, text) of a table of the header; of statuses the text is a sentence."""
    body = re.search(rf'#define LLMGR_{table}_MAP\(XX\)((?:.*\\\n)*.*)', CODE).group(1)
    rows = re.findall(r'XX\((\w+), (\d+),[^"]*"([^"]*)"[,)]', body)
    assert rows
    return [(name, int(number), text) for name, number, text in rows]


def prefix_of(table):
    """What stands before the names of a table: LLMGR_USAGE_BY_."""
    return re.search(rf'#define LLMGR_{table}_ENUM\(name, .*?\)\s+(\w*?)##name', CODE).group(1)


def test_no_table_of_the_header_is_left_out():
    assert {'STATUS', 'MODE', 'CHANGE', 'SYNC', 'TOKEN_KIND', 'PROVENANCE', 'END',
            'USAGE_BY', 'PICK', 'STICKY', 'EXHAUSTED', 'PRICE_UNIT', 'PRICE_IMPORT_RESULT'} <= set(TABLES)


@pytest.mark.parametrize('table', TABLES)
def test_every_row_of_the_headers_tables_has_its_number(table):
    for name, number, _ in rows_of(table):
        assert getattr(lib, prefix_of(table) + name) == number


@pytest.mark.parametrize('table', sorted(set(TABLES) - {'STATUS'}))
def test_the_names_of_a_table_are_those_of_its_enumeration(table):
    """_native.names_of makes them of the enumeration, which has no texts."""
    enumeration = re.search(rf'LLMGR_{table}_MAP\(LLMGR_{table}_ENUM\)\s+#undef \w+\s+}} (\w+);',
                            CODE).group(1)
    assert list(_native.names_of(enumeration, prefix_of(table))) == [
        text for _, _, text in rows_of(table)]


# What Python does not show of a structure; `memory` and `size` are never shown.
HIDDEN = {'model': {'platform_name', 'platform_is_sys', 'platform_hide', 'base_url',
                    'api_key_set'},
          'selection': {'slot', 'is_default', 'repaired', 'route'},
          'seed_model': {'extra_body', 'model_hide', 'kind', 'managed', 'context_tokens',
                         'max_output_tokens'}}


@pytest.mark.parametrize('reader, structure', [
    (_rows.platform, 'platform'), (_rows.model, 'model'), (_rows.seed_model, 'model'),
    (_rows.selection, 'selection'), (_rows.route, 'route'), (_rows.key_test, 'key_test'),
    (_rows.cell, 'cell'), (_rows.token, 'token'), (_rows._route_target, 'route_target'),
    (_prices.price, 'price')])
def test_a_member_of_a_structure_is_shown_or_left_out_on_purpose(reader, structure):
    members = {name for name, _ in ffi.typeof(f'struct llmgr_{structure}').fields} - {'memory'}
    shown = set(re.findall(r'\brow\.(\w+)', inspect.getsource(reader)))
    hidden = HIDDEN.get(reader.__name__, set())
    assert shown | hidden == members
    assert not shown & hidden


def test_a_sum_has_the_members_of_the_librarys():
    fields = {field.name: field.type for field in dataclasses.fields(llmgr.UsageSum)}
    # Costs are a dictionary, which knows how many they are.
    assert list(fields) == [name for name, _ in ffi.typeof('struct llmgr_usage_sum').fields
                            if name != 'cost_count']
    table = (TOP / 'src/ledger/usage.def').read_text(encoding='utf-8')
    unknown = {name for name, kind in fields.items() if 'None' in kind}
    assert unknown == set(re.findall(r'^LL_SUMMED\((\w+)', table, re.M))
    for name in fields:  # each is explained
        assert f'        {name}: ' in inspect.getdoc(llmgr.UsageSum).replace('    ', '        ')


def test_an_attempt_that_is_read_has_the_members_of_the_librarys():
    fields = [field.name for field in dataclasses.fields(llmgr.UsageAttempt)]
    renamed = {'time': 'time_ms', 'cost': 'cost_nano', 'reported_cost': 'reported_cost_nano'}
    assert [renamed.get(name, name) for name in fields] == [
        name for name, _ in ffi.typeof('struct llmgr_usage_record').fields if name != 'size']
    for name in fields:  # each is explained
        assert re.search(rf'^ +[\w, ]*\b{name}\b[\w, ]*: ', llmgr.UsageAttempt.__doc__, re.M)


def test_an_attempt_is_written_by_names_that_the_table_has():
    members = {name for name, _ in ffi.typeof('struct llmgr_usage_record').fields} - {'size'}
    table = (TOP / 'src/ledger/usage.def').read_text(encoding='utf-8')
    assert members == set(re.findall(r'^LL_(?:TEXT|COUNT|NUMBER|KIND)\((\w+)', table, re.M))


def test_every_status_has_its_exception():
    names = {name for name, _, _ in rows_of('STATUS')} - {'OK'}
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
