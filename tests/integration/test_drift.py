# SPDX-License-Identifier: MIT
"""What is said in two places is the same in both: options in the table, the manual, the sample file
and the documents; routes in the table and the API's document. Each comparison is also shown
something that has drifted, which it must notice."""
import json
import pathlib
import re
import subprocess

import pytest
from conftest import PROGRAM, SOURCE
from gateway_api import Api

C_STRING = r'(?:NULL|(?:"(?:[^"\\]|\\.)*"\s*)+)'
DOCUMENTS = ['README.md', 'README.zh-CN.md', 'docs/API.md', 'docs/API.zh-CN.md', 'SECURITY.md',
             'docs/THREAT-MODEL.md', 'systemd/llmgr.service.in']


def unquoted(text):
    return None if text == 'NULL' else ''.join(re.findall(r'"((?:[^"\\]|\\.)*)"', text))


def option_rows(table):
    """(key, environment, flag) of each LC_OPTION; None where there is none."""
    head = rf'^LC_OPTION\((\w+),\s*\w+,\s*({C_STRING}),\s*({C_STRING}),\s*{C_STRING},' \
           rf"\s*(?:0|'.'),\s*({C_STRING}),"
    found = re.findall(head, table, re.M)
    assert len(found) == len(re.findall(r'^LC_OPTION\(', table, re.M))
    return [tuple(unquoted(text.strip()) for text in row[1:]) for row in found]


def manual_rows(manual):
    """The same of each paragraph of the manual's OPTIONS."""
    section = manual.split('\n.SH OPTIONS\n')[1].split('\n.SH ')[0].replace('\\-', '-')
    rows = []
    for entry in section.split('\n.TP\n')[1:]:
        head = entry.splitlines()[0]
        flag = re.search(r'(--[a-z-]+)', head)
        key = re.search(r'^In llmgr\.yaml: \\fB(\w+)\\fR', entry, re.M)
        env = re.search(r'^Environment: \\fB(\w+)\\fR', entry, re.M)
        rows.append(tuple(found.group(1) if found else None for found in (key, env, flag)))
    return rows


def strangers(text, rows):
    """Names of options in a text that no row has: variables, and keys of a YAML file's lines."""
    known = {env for _, env, _ in rows}
    return {name for name in re.findall(r'\bLLMGR_[A-Z][A-Z_]*[A-Z]\b', text) if name not in known}


def sample_keys(sample):
    """Top-level keys of the sample, those that are commented out too (one word behind them)."""
    found = re.findall(r'^([a-z_]+):|^# ([a-z_]+): \S+$', sample, re.M)
    return {here or commented_out for here, commented_out in found} - {'platforms'}


def route_rows(table):
    """(method, path) of each documented route: one with a tag."""
    found = re.findall(rf'^LY_ROUTE\((\w+), "([^"]*)",\s*\w+,\s*\w+,\s*\w+,\s*({C_STRING}),', table,
                       re.M)
    assert len(found) == len(re.findall(r'^LY_ROUTE\(', table, re.M))
    return {(method, path) for method, path, tag in found if tag.strip() != 'NULL'}


def document_rows(document):
    return {(method.upper(), path) for path, item in document['paths'].items()
            for method in item if method in ('get', 'post', 'put', 'patch', 'delete')}


@pytest.fixture(scope='module', name='table')
def table_fixture():
    return option_rows((SOURCE / 'src/config/options.def').read_text(encoding='utf-8'))


@pytest.fixture(scope='module', name='manual')
def manual_fixture():
    return subprocess.run([PROGRAM, 'help', '--man'], check=True, capture_output=True, text=True,
                          env={'PATH': '/usr/bin:/bin', 'LC_ALL': 'C.UTF-8'}).stdout


@pytest.fixture(scope='module', name='sample')
def sample_fixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp('sample')
    subprocess.run([PROGRAM, 'init'], cwd=folder, check=True, capture_output=True,
                   env={'PATH': '/usr/bin:/bin', 'HOME': str(folder), 'LC_ALL': 'C.UTF-8'})
    return (folder / 'llmgr.yaml').read_text(encoding='utf-8')


def test_the_manual_has_every_option_and_no_other(table, manual):
    assert sorted(map(str, manual_rows(manual))) == sorted(map(str, table))


def test_an_option_that_is_missing_or_different_in_the_manual_is_noticed(table, manual):
    assert manual_rows(manual.replace('Environment: \\fBLLMGR_DB\\fR', '')) != table
    assert sorted(map(str, manual_rows(manual.replace('\\-\\-db ', '\\-\\-database ')))) != \
        sorted(map(str, table))
    more = option_rows('LC_OPTION(a, INT, "a_key", "LLMGR_A", NULL, 0, "--a", "N", GLOBAL, NULL,\n')
    assert sorted(map(str, manual_rows(manual))) != sorted(map(str, table + more))


def test_the_sample_file_names_only_options_that_exist(table, sample):
    assert sample_keys(sample) >= {'mode', 'auto_key', 'database', 'allow_cidr'}
    assert sample_keys(sample) <= {key for key, _, _ in table}
    assert not strangers(sample, table)
    flags = {flag for _, _, flag in table}
    assert set(re.findall(r'(?<![\w-])--[a-z][a-z-]+', sample)) <= flags


def test_a_name_in_the_sample_that_no_option_has_is_noticed(table, sample):
    assert not sample_keys(sample.replace('auto_key:', 'autokey:')) <= {key for key, _, _ in table}
    assert not sample_keys(sample.replace('# allow_cidr:', '# allow_cidrs:')) <= \
        {key for key, _, _ in table}
    assert strangers(sample.replace('LLMGR_DB', 'LLMGR_DATABASE'), table) == {'LLMGR_DATABASE'}


def test_the_sample_works_with_all_that_is_commented_out(sample, tmp_path):
    whole = re.sub(r'^# ([a-z_]+: \S+)$', r'\1', sample, flags=re.M)
    assert whole != sample
    (tmp_path / 'llmgr.yaml').write_text(whole, encoding='utf-8')
    done = subprocess.run([PROGRAM, 'sync', '--dry-run'], cwd=tmp_path, capture_output=True,
                          text=True, check=False,
                          env={'PATH': '/usr/bin:/bin', 'HOME': str(tmp_path), 'LC_ALL': 'C.UTF-8'})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize('document', DOCUMENTS)
def test_the_documents_name_only_variables_that_exist(table, document):
    path = pathlib.Path(SOURCE / document)
    # Those of the build and of tests are not the program's.
    others = {'LLMGR_BUILD', 'LLMGR_LOCALEDIR'}
    assert not strangers(path.read_text(encoding='utf-8'), table) - others


def test_the_apis_document_has_every_route_and_no_other(llmgr, mockllm):
    routes = route_rows((SOURCE / 'src/paths/routes.def').read_text(encoding='utf-8'))
    server = Api(llmgr, mockllm)
    try:
        document = json.loads(json.dumps(server.document))
    finally:
        server.stop()
    assert len(routes) > 30
    plain = {(method, path.replace('...}', '}')) for method, path in routes}
    assert document_rows(document) == plain
    document['paths'].pop('/api/me')
    assert document_rows(document) != plain
    document['paths']['/api/me'] = {'get': {}, 'post': {}}
    assert document_rows(document) - plain == {('POST', '/api/me')}
