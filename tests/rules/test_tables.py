# SPDX-License-Identifier: MIT
"""Where one list must repeat another, because neither may include the other, they agree."""
import pathlib
import re

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]


def source(path):
    """A file whose adjacent strings are one."""
    text = (TOP / path).read_text(encoding='utf-8')
    return re.sub(r'"[ \t]*\\?\n[ \t]*"', '', text)


USAGE = source('src/ledger/usage.def')
STATEMENTS = source('src/store/statements_usage.def')
HEADER = source('include/llmgr.h')
# What the database calls some members of an attempt.
COLUMNS = {'time_ms': 'created_at', 'user': 'user_id'}
# The letter of a value (store/driver.h): capital ones may be null.
LETTERS = {'always': 't', 'maybe': 'T', 'time': 'i', 'id': 'I', 'tokens': 'I', 'amount': 'I',
           'money': 'I', 'nth': 'i', 'http': 'I'}


def attempt_rows(usage):
    """(column, letter) of each member of an attempt, in the order of the table."""
    rows = []
    for kind, arguments in re.findall(r'^LL_(TEXT|COUNT|NUMBER|KIND)\(([^()]*)\)', usage, re.M):
        name, *more = [argument.strip() for argument in arguments.split(',')]
        letter = ('T' if name == 'payer' else 't') if kind == 'KIND' else LETTERS[more[-1]]
        rows.append((COLUMNS.get(name, name), letter))
    return rows


def added(statements):
    """The same of the statement that adds a row."""
    letters, columns, values = re.search(
        r'LS_STATEMENT\(USAGE_ADD, "(\w+)", "",\s*"INSERT INTO llm_usage \(([^)]*)\) '
        r'VALUES \(([^)]*)\)', statements).groups()
    columns = columns.split(', ')
    assert values.split(', ') == [f'?{i + 1}' for i in range(len(columns))]
    return list(zip(columns, letters, strict=True))


def sums(usage):
    """The members of a sum that are columns: all but who paid, which is a part of the key."""
    return re.findall(r'^LL_(?:TALLY|SUMMED)\((\w+)', usage, re.M)


def test_a_row_of_usage_has_the_members_of_an_attempt_in_their_order():
    assert len(attempt_rows(USAGE)) > 20
    assert added(STATEMENTS) == attempt_rows(USAGE)


def test_a_row_with_another_order_or_type_is_noticed():
    assert added(STATEMENTS) != attempt_rows(USAGE.replace('LL_COUNT(token_id', 'LL_COUNT(other'))
    assert added(STATEMENTS) != attempt_rows(USAGE.replace('LL_SLOT_MAX, maybe', 'x').replace(
        'slot, LM_SLOT_MAX, maybe', 'slot, LM_SLOT_MAX, always'))
    assert added(STATEMENTS.replace('latency_ms, first_byte_ms', 'first_byte_ms, latency_ms')) != \
        attempt_rows(USAGE)


def test_the_sums_by_the_hour_have_the_members_of_a_sum_in_their_order():
    names = sums(USAGE)
    assert len(names) > 8
    inserted = re.search(r'"INSERT INTO llm_usage_sums \(" HOUR_KEY\s+\\\s*", ([^)]*)\) "',
                         STATEMENTS).group(1)
    assert inserted.split(', ')[-len(names):] == names
    read = re.search(r'"([^"]*) FROM llm_usage_sums UNION ALL', STATEMENTS).group(1)
    assert read == ', ' + inserted
    made = re.search(r'#define HOUR_COLUMNS\s+\\?\s*"(.*?)"\n', STATEMENTS).group(1)
    assert [part.split()[-1] for part in re.split(r', (?![^(]*\))', made)][-len(names):] == names
    added_up = re.search(r'#define HOUR_ADD\s(.*?)\n/\*', STATEMENTS, re.S).group(1)
    assert re.findall(r'ADD(?:_KNOWN)?\("(\w+)"\)', added_up) == names
    rolled_up = re.search(r'LS_STATEMENT\(USAGE_ROLL_UP,.*?SELECT (.*?) FROM \(SELECT', STATEMENTS,
                          re.S).group(1)
    assert re.findall(r'SUM\((\w+)\)', rolled_up) == names


def test_who_looks_for_a_request_reads_all_that_was_entered():
    letters, columns = re.search(
        r'LS_STATEMENT\(USAGE_REQUEST, "\w+", "(\w+)",\s*"SELECT (.*?) FROM', STATEMENTS).groups()
    assert list(zip(columns.split(', '), letters, strict=True)) == attempt_rows(USAGE)


def options(sections):
    """(member, LIVE or START) of the options of these sections."""
    table = source('src/config/options.def')
    return re.findall(rf'^LC_OPTION\((\w+),[^()]*?\b(?:{sections}),\s*(LIVE|START)\b', table, re.M)


def test_a_running_server_takes_over_what_is_live_and_nothing_else():
    """fill_settings makes what workers get at a reload; two more are the process's own."""
    text = (TOP / 'src/cli/serve.c').read_text(encoding='utf-8')
    settings = text[text.index('static llmgr_status fill_settings('):]
    settings = settings[:settings.index('\n}\n')]
    taken = set(re.findall(r'\bfrom->(\w+)', settings)) | {'access_log', 'drain_timeout_ms'}
    rows = options('SERVE|NETWORK')
    assert len(rows) > 30
    assert taken == {member for member, reload in rows if reload == 'LIVE'}


def names_of(table):
    body = re.search(rf'#define LLMGR_{table}_MAP\(XX\)((?:.*\\\n)*.*)', HEADER).group(1)
    return re.findall(r'XX\(\w+, \d+, "(\w+)"\)', body)


@pytest.mark.parametrize('flag, table', [('by', 'USAGE_BY'), ('kind', 'TOKEN_KIND')])
def test_the_help_names_all_that_a_flag_may_be(flag, table):
    flags = source('src/cli/flags.def')
    said = re.search(rf'^CLI_FLAG\({flag}, .*?\)\)$', flags, re.M | re.S).group(0)
    assert names_of(table)
    assert [name for name in names_of(table) if name not in said] == []


def test_the_architecture_walks_the_steps_of_a_request():
    body = re.search(r'#define LG_STEP_MAP\(XX\)((?:.*\\\n)*.*)',
                     source('src/gateway/request.h')).group(1)
    text = (TOP / 'docs/ARCHITECTURE.md').read_text(encoding='utf-8')
    told = re.findall(r'^\| ((?:[A-Z]+, )*[A-Z]+) \|', text[text.index('| ACCEPT, MATCH |'):], re.M)
    assert ', '.join(told).split(', ') == re.findall(r'XX\((\w+),', body)


@pytest.mark.parametrize('document', ['docs/OPERATING.md', 'docs/OPERATING.zh-CN.md'])
def test_the_guide_names_each_code_of_a_limit_of_ours(document):
    text = (TOP / document).read_text(encoding='utf-8')
    limits = re.findall(r'XX\((ERR_\w+), 7\d, (\d+), ', HEADER)
    assert len(limits) >= 4
    for name, http in limits:
        code = re.search(rf'LLMGR_{name}, TEXT\("(\w+)"\)', source('src/dialect/error_write.c'))
        assert f'`{name}`' in text, name
        assert re.search(rf'`{code.group(1)}`\s?[（(]{http}[)）]', text), name


def test_metrics_of_one_name_have_one_help():
    table = source('src/gateway/metrics.def')
    helps = {}
    for name, text in re.findall(r'LG_METRIC\(\w+, \w+, "(\w+)", "(?:[^"\\]|\\.)*",\s*"([^"]*)"\)',
                                 table):
        assert helps.setdefault(name, text) == text, name
    assert len(helps) > 10


def test_every_table_of_the_schema_is_backed_up_and_checked():
    """LS_TABLES is what backups copy and `db check` reads."""
    made = set(re.findall(r'CREATE TABLE (\w+)', source('src/store/migrations.def')))
    text = source('src/store/migrate.c')
    listed = re.findall(r'"(\w+)"', re.search(r'LS_TABLES\[\] = \{(.*?)\};', text, re.S)[1])
    assert len(listed) == len(set(listed))
    assert made - set(listed) == set() and set(listed) - made <= {'llm_migrations'}
