# SPDX-License-Identifier: MIT
"""The operator's guide is true: its commands run, and what it names stands in the sources."""
import re
import subprocess

import pytest

from conftest import PROGRAM, SOURCE
from test_gateway_log import FIELDS

PAGES = ['OPERATING.md', 'OPERATING.zh-CN.md']
OPTION = re.compile(r'LC_OPTION\(\w+,\s*\w+,\s*"(\w+)",[^()]*?,\s*(?:DATABASE|SERVE|NETWORK),'
                    r'\s*(LIVE|START),\s*("[^"]*"|NULL),')


def page(name):
    return (SOURCE / 'docs' / name).read_text(encoding='utf-8')


def source(pattern):
    """All sources of a kind, their texts in one piece each."""
    files = sorted((SOURCE / 'src').rglob(pattern))
    return re.sub(r'"\s*\n\s*"', '', '\n'.join(file.read_text(encoding='utf-8') for file in files))


def table(text, columns):
    """The rows of tables with so many columns whose first cell is code."""
    rows = [[cell.strip() for cell in line.strip('|').split(' | ')]
            for line in text.splitlines() if line.startswith('| ')]
    return [row for row in rows if len(row) == columns and row[0].startswith('`')]


@pytest.mark.parametrize('name', PAGES)
def test_its_commands_run(tmp_path, name):
    env = {'HOME': str(tmp_path), 'PATH': f'{PROGRAM.parent}:/usr/bin:/bin', 'LC_ALL': 'C.UTF-8'}
    commands = re.findall(r'^\$ (.*)$', page(name), re.M)
    assert len(commands) > 5
    for command in commands:
        done = subprocess.run(['sh', '-c', command], cwd=tmp_path, env=env, capture_output=True,
                              text=True, timeout=60, check=False)
        assert done.returncode == 0, f'{command}\n{done.stderr}'


@pytest.mark.parametrize('name', PAGES)
def test_its_limits_are_the_options(name):
    text = (SOURCE / 'src/config/options.def').read_text(encoding='utf-8')
    options = {key: (default.strip('"'), taken) for key, taken, default in OPTION.findall(text)}
    rows = table(page(name), 4)
    assert len(rows) > 15
    for key, default, _, when in rows:
        key = key.strip('`')
        assert options[key] == (default.strip('`'), 'LIVE' if when == 'reload' else 'START'), key
    # Reasoning models say nothing for minutes; clients give up after 20 s of silence, or 600 s.
    assert [options[key][0] for key in ('first_byte_timeout', 'idle_timeout')] == ['600s', '600s']
    assert options['ping_interval'][0] == '10s'


@pytest.mark.parametrize('name', PAGES)
def test_its_metrics_fields_and_messages_exist(name):
    text, metrics = page(name), source('*.def') + source('health.c')
    for metric in re.findall(r'\b(?:llmgr|gen_ai)_[a-z_]+?(?=_bucket|\[|\{|`| )', text):
        if not metric.startswith('gen_ai_token_type'):
            assert f'"{metric}"' in metrics, metric
    for field in FIELDS:
        assert f'`{field}`' in text, field
    code = source('*.c')
    messages = [row[0].strip('`') for row in table(text, 2)]
    assert len(messages) > 10
    for message in messages:
        assert message.split("'")[0] in code, message


def test_both_pages_say_the_same():
    first, second = (page(name) for name in PAGES)
    assert re.findall(r'^\$ .*$', first, re.M) == re.findall(r'^\$ .*$', second, re.M)
    assert [row[:2] for row in table(first, 4)] == [row[:2] for row in table(second, 4)]
    assert [row[0] for row in table(first, 2)] == [row[0] for row in table(second, 2)]
    assert re.findall(r'^#+', first, re.M) == re.findall(r'^#+', second, re.M)


# Numbers of the guides that are no option's default: what stands around them in each language, the
# constant of the sources, and how many of its units one of the guide's is.
NUMBERS = [
    (r'Fixed: (\d+) KiB', r'请求头 (\d+) KiB', '.head', 1024),
    (r'and (\d+) fields of head', r'、(\d+) 个字段', 'LH_FIELDS', 1),
    (r'(\d+) levels of JSON', r'JSON (\d+) 层', 'LJ_DEPTH_MAX', 1),
    (r'(\d+) look-ups of unknown tokens', r'同时 (\d+) 次未知令牌查询', 'LOOK_UPS_MAX', 1),
    (r'a buffer of (\d+) MiB', r'有 (\d+) MiB 的缓冲区', 'LB_LOG_RING', 1 << 20),
    (r'up to (\d+) ms of lines', r'最多缺少 (\d+) 毫秒的行', 'LB_LOG_MS', 1),
    (r'are (\d+) nicer', r'unit 中的 `Nice=`）高 (\d+)', 'BACKGROUND_NICE', 1),
    (r'reserve` \((\d+) MiB', r'reserve`（(\d+) MiB', 'LS_RESERVE_SIZE', 1 << 20),
]


def constants(code):
    """Those whose value is a number, or one shifted or multiplied."""
    found = {}
    for name, value in re.findall(
            r'(\.head|\b[A-Z][A-Z0-9_]+) = ([1-9]\d*(?: (?:<<|\*) \d+)*)\b', code):
        found.setdefault(name, set()).add(eval(value))  # digits and two operators
    return found


def test_its_numbers_are_the_sources():
    known = constants(source('*.h') + source('*.c'))
    for column, name in enumerate(PAGES):
        text = page(name)
        for row in NUMBERS:
            said = re.findall(row[column], text.replace('\n', ' ' if column == 0 else ''))
            assert len(said) == 1, (name, row[column])
            assert known[row[2]] == {int(said[0]) * row[3]}, (name, row)
    # What is new in such a sentence belongs into the table.
    sentence = re.search(r'Fixed: .*?\. ', page(PAGES[0]).replace('\n', ' ')).group(0)
    assert len(re.findall(r'\b\d+\b', sentence)) == 5  # four, and the status 429
