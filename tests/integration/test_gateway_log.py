# SPDX-License-Identifier: MIT
"""The access log: what a line says, rotation, a disk that is full; and what a reload can change."""
import json
import os
import signal
import time

import pytest

from conftest import PATIENCE_S
from serving import ASK, Serving, configure

FIELDS = ['time', 'request_id', 'peer', 'method', 'route', 'status', 'duration_ms',
          'first_byte_ms', 'bytes_in', 'bytes_out', 'token_id', 'platform_id', 'model_id', 'payer',
          'attempts', 'upstream_status', 'end']


@pytest.fixture(name='configured')
def configured_fixture(llmgr, mockllm):
    configure(llmgr, mockllm.base_url)
    return llmgr


def until(happened, what):
    end = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def lines(path, count):
    """The first `count` lines, once they are there."""
    def read():
        return path.read_text(encoding='ascii').splitlines() if path.exists() else []
    until(lambda: len(read()) >= count, f'{count} lines in {path}')
    return [json.loads(line) for line in read()]


def test_a_line_says_what_it_may_and_nothing_else(configured):
    path = configured.folder / 'access.log'
    server = Serving(configured, '--access-log', 'access.log')
    whole = server.chat(fields={'X-Canary': 'canary-7', 'Authorization': 'Bearer canary-8'})
    stream = server.chat(stream=True)
    server.chat('canary-9')
    server.ask('/canary-10?canary-11', method='GET')
    rows = lines(path, 4)
    server.stop()
    assert [list(row) for row in rows] == [FIELDS] * 4
    by_id = {row['request_id']: row for row in rows}
    row = by_id[whole.fields['x-request-id']]
    assert row['status'] == 200 and row['end'] == 'completed' and row['payer'] == 'system'
    assert row['route'] == '/v1/chat/completions' and row['method'] == 'POST'
    assert row['peer'] == '127.0.0.1' and row['bytes_out'] == len(whole.body)
    assert row['first_byte_ms'] >= 0 and row['upstream_status'] == 200
    assert by_id[stream.fields['x-request-id']]['attempts'] == 1
    assert sorted(row['status'] for row in rows) == [200, 200, 404, 404]
    assert [row['end'] for row in rows if row['status'] == 404] == ['own', 'own']
    assert 'canary' not in path.read_text(encoding='ascii')
    assert path.stat().st_mode & 0o777 == 0o640


def test_it_is_off_by_default_and_can_go_to_standard_output(configured):
    server = Serving(configured)
    assert server.chat().status == 200
    assert '"request_id"' not in server.log
    server.stop()
    server = Serving(configured, '--access-log', '-')
    server.chat()
    assert list(json.loads(server.process.stdout.readline())) == FIELDS
    server.stop()


def test_it_is_opened_anew_after_a_rotation(configured):
    path, old = configured.folder / 'access.log', configured.folder / 'access.log.1'
    server = Serving(configured, '--access-log', 'access.log')
    server.chat()
    lines(path, 1)
    path.rename(old)
    server.signal(signal.SIGHUP)
    until(path.exists, 'a new file')
    until(lambda: 'read anew' in server.log, 'the reload')
    server.chat()
    lines(path, 1)
    server.stop()
    assert len(lines(old, 1)) == 1


def test_a_full_disk_loses_nothing_that_fits_and_stops_nobody(configured, mockllm):
    configure(configured, mockllm.base_url, extra='access_log: /dev/full\n')
    server = Serving(configured)
    for _ in range(20):
        assert server.chat().status == 200
    until(lambda: 'the access log cannot be written' in server.log, 'a word about it')
    configure(configured, mockllm.base_url, extra='access_log: access.log\n')
    server.signal(signal.SIGHUP)
    assert len(lines(configured.folder / 'access.log', 20)) == 20
    server.stop()
    assert server.log.count('the access log cannot be written') == 1


def test_a_pipe_that_nobody_reads_stops_nobody(configured):
    fifo = configured.folder / 'pipe'
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    server = Serving(configured, '--access-log', 'pipe')
    for _ in range(400):
        assert server.ask('/healthz', method='GET').status == 200
    server.stop()
    text = b''
    while data := os.read(reader, 65536):
        text += data
    os.close(reader)
    rows = text.split(b'\n')
    assert len(rows) > 100 and all(list(json.loads(row)) == FIELDS for row in rows[:-1])


def test_a_log_that_cannot_be_opened_is_an_error_at_the_start_and_at_a_reload(configured, mockllm):
    message = configured.fails(1, '--mode', 'single', 'serve', '--access-log', 'no/where')
    assert 'no/where' in message
    server = Serving(configured)
    configure(configured, mockllm.base_url, extra='access_log: no/where\n')
    server.signal(signal.SIGHUP)
    until(lambda: 'stays as it was' in server.log and 'no/where' in server.log, 'a word about it')
    assert server.chat().status == 200
    server.stop()


# ---- What a reload changes -----------------------------------------------------------------------

def test_a_reload_says_what_has_to_wait_for_the_next_start(configured, mockllm):
    server = Serving(configured)
    configure(configured, mockllm.base_url, extra='auto_key: false\nworkers: 7\nbody_max: 1KiB\n'
              'log_level: debug\nwrite_timeout: 9s\n')
    server.signal(signal.SIGHUP)
    until(lambda: 'read anew' in server.log, 'the reload')
    for name in ('auto_key', 'log_level'):
        assert f"'{name}' has changed: it takes effect at the next start" in server.log
    for name in ('workers', 'body_max', 'write_timeout', 'mode', 'master_key', 'database'):
        assert f"'{name}'" not in server.log  # given by a flag, taken over, or as it was
    until(lambda: server.ask(body={**ASK, 'x': 'x' * 2000}).status == 413, 'the new limit')
    server.stop()


def test_the_drains_limit_of_a_reload_counts(configured, mockllm):
    server = Serving(configured)
    configure(configured, mockllm.base_url, extra='drain_timeout: 200ms\n')
    server.signal(signal.SIGHUP)
    until(lambda: 'read anew' in server.log, 'the reload')
    wire = server.wire()
    body = json.dumps({**ASK, 'model': 'Stall', 'stream': True})
    wire.send('POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n'
              f'Content-Length: {len(body)}\r\n\r\n{body}')
    wire.until(b'data: ')
    server.signal(signal.SIGTERM)
    while wire.more():
        pass
    assert b'"error"' in wire.rest
    server.stop()
