#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What an outage of one of a route's three platforms costs the callers of the others.

usage: outages.py BUILD [SECONDS [OUTAGE...]]

`llmgr serve` of BUILD on SQLite, and with LLMGR_TEST_POSTGRES (tools/with-postgres) on PostgreSQL,
gets 200 requests a second, half of them streams, through a route of three platforms in order. For
each outage: SECONDS (4) of calm, the first platform fails, SECONDS in which that is learnt, 18 in
which it is known and probed, and it is well again: until it is asked by most again, two minutes at
most. With 2 for SECONDS it takes some 12 minutes on both.
Printed are
    errors     callers that heard of it although another platform could have answered: wanted 0
    p50, p99   of the time to the whole answer, in ms, calm and once it is known: wanted at most
               1.2 times the calm p99
    probes     the most requests that it had at once while it was known to fail: wanted 1 at most
    back       seconds from its recovery to most of the traffic; wanted at most two intervals (soft
               cells: 15 s doubling to 120 s). A refused key is probed after 30 min: "-"
A target has a second to its first content. Where the two that are well did not keep to it either,
the machine was too busy for the test: how many of their attempts failed stands below the line, and
errors are then no fault of the route's. Times are those of this machine with whatever else it does:
compare within a line.
"""
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'tests/integration'))
from vendors import Call, FAILURES, FIRST, Server, Vendor, cut_before  # noqa: E402

RATE, KNOWN_S, BACK_MAX_S = 200, 18, 120  # a soft cell is probed after 15 s


class Phase:
    """How many requests that began in it there were at once."""

    def __init__(self):
        self.at_once = self.most = 0


class Platform(Vendor):
    """A vendor that counts what it has at once, and can be away."""

    def __init__(self, name):
        super().__init__(name)
        self.lock, self.phase, self.fails = threading.Lock(), Phase(), None
        self.address = self.server.server_address
        self.play = self.counted

    def counted(self, call):
        with self.lock:
            phase = self.phase  # what still hangs when another begins is none of that one's
            phase.at_once += 1
            phase.most = max(phase.most, phase.at_once)
        try:
            (self.fails or Call.answer)(call)
        finally:
            with self.lock:
                phase.at_once -= 1

    def come_back(self):
        self.server = Server(self.address, self.server.RequestHandlerClass)
        self.server.vendor = self
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def cut_after(call):
    if not call.stream:
        cut_before(call)
        return
    call.begin()
    call.say(FIRST + call.vendor.name)
    call.cut()


OUTAGES = {
    'refused': None,
    'hangs before the head': Call.hang,
    'hangs before content': FAILURES['silence'],
    '500': FAILURES['500'],
    '429': FAILURES['429'],
    '429, Retry-After': lambda call: call.refuse(429, Retry_After=5),
    '401': FAILURES['401'],
    'cut before content': FAILURES['a cut'],
    'cut after content': cut_after,
    'an error in a 200': FAILURES['an error in a 200'],
}
WITHOUT_END = ('401',)


class Gateway:
    def __init__(self, build, folder, platforms, database):
        lines = ['mode: single', 'platforms:']
        for platform in platforms:
            lines += [f'  {platform.name}:', f'    base_url: {platform.base_url}',
                      '    api_key: sk-bench-0001', '    models: {M: m}']
        targets = ', '.join(f'{{model: {platform.name}/M, first_byte_timeout: 1s}}'
                            for platform in platforms)
        lines += ['routes:', f'  smart: {{targets: [{targets}]}}']
        (folder / 'llmgr.yaml').write_text('\n'.join(lines) + '\n')
        env = {'HOME': str(folder), 'PATH': os.environ['PATH'], 'LLMGR_USER_MAX': '0',
               'LLMGR_FIRST_CONTENT_TIMEOUT': '1s', 'LLMGR_LOG_LEVEL': 'error',
               **({'LLMGR_DB': database} if database else {})}
        self.process = subprocess.Popen([build / 'src/llmgr', 'serve', '--listen', '127.0.0.1:0'],
                                        cwd=folder, stdout=subprocess.PIPE, text=True, env=env)
        self.port = int(re.search(r'127\.0\.0\.1:(\d+)', self.process.stdout.readline())[1])
        self.wires = threading.local()

    def ask(self, stream):
        """(seconds, status, body)"""
        begun = time.monotonic()
        if not hasattr(self.wires, 'one'):
            self.wires.one = http.client.HTTPConnection('127.0.0.1', self.port, timeout=120)
        body = json.dumps({'model': 'smart', 'stream': stream,
                           'messages': [{'role': 'user', 'content': 'hi'}]})
        try:
            self.wires.one.request('POST', '/v1/chat/completions', body)
            answer = self.wires.one.getresponse()
            text = answer.read().decode()
            if '"error"' in text:
                self.wires.one.close()  # behind a stream that was cut no other answer follows
            return time.monotonic() - begun, answer.status, text
        except (http.client.HTTPException, OSError) as trouble:
            self.wires.one.close()
            return time.monotonic() - begun, 0, str(getattr(trouble, 'partial', trouble))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def is_preventable(answer, first):
    """An error of which nothing of the first platform's content was seen before."""
    _, status, body = answer
    is_whole = status == 200 and FIRST in body and ('"error"' not in body)
    return not is_whole and FIRST + first.name not in body


def load(pool, gateway, seconds, number=0):
    """The answers to RATE requests a second for so long."""
    begun, asked = time.monotonic(), []
    while (due := len(asked) / RATE) < seconds:
        delay = begun + due - time.monotonic()
        if delay > 0:
            time.sleep(delay)
        asked.append(pool.submit(gateway.ask, (number + len(asked)) % 2 == 0))
    return [one.result() for one in asked]


def times(answers):
    cuts = statistics.quantiles([1000 * answer[0] for answer in answers], n=100)
    return cuts[49], cuts[98]


def back_after(pool, gateway, first):
    """Seconds until most of a quarter of a second's requests are answered by the first platform."""
    begun = time.monotonic()
    while time.monotonic() < begun + BACK_MAX_S:
        answers = load(pool, gateway, 0.25)
        if sum(FIRST + first.name in body for _, _, body in answers) > len(answers) / 2:
            return f'{time.monotonic() - begun:.1f} s'
    return 'never'


def outage(pool, gateway, platforms, name, seconds):
    first = platforms[0]
    load(pool, gateway, 1)
    calm = load(pool, gateway, seconds)
    if OUTAGES[name] is None:
        first.close()
    first.fails = OUTAGES[name]
    learning = load(pool, gateway, seconds)
    with first.lock:
        first.phase = Phase()
    known = load(pool, gateway, KNOWN_S)
    probes = first.phase.most
    if OUTAGES[name] is None:
        first.come_back()
    first.fails = None
    back = '-' if name in WITHOUT_END else back_after(pool, gateway, first)
    errors = [answer for answer in calm + learning + known if is_preventable(answer, first)]
    (calm_50, calm_99), (known_50, known_99) = times(calm), times(known)
    print(f'  {name:22} errors {len(errors):3}   p50 {calm_50:6.1f} {known_50:6.1f}   '
          f'p99 {calm_99:6.1f} {known_99:6.1f} ({known_99 / calm_99:4.2f})   '
          f'probes {probes}   back {back}', flush=True)
    for said in sorted({f'{status} {body}' for _, status, body in errors})[:3]:
        print(f'    {said[:300]!r}', flush=True)


def fresh_database(url, number):
    """One for each outage, for nodes share what they know of keys; None: SQLite's file."""
    if url is None:
        return None
    name = f'outages_{os.getpid()}_{number}'
    subprocess.run(['psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-c', f'CREATE DATABASE {name}', url],
                   check=True)
    return re.sub(r'^(postgres://[^/]*)/[^?]*', rf'\1/{name}', url)


def late(database, folder, first):
    """How many attempts at the platforms that are well did not end well."""
    query = ('SELECT COUNT(*) FROM llm_usage WHERE end_state <> \'completed\''
             f' AND platform_name <> \'{first.name}\'')
    if database is None:
        with contextlib.closing(sqlite3.connect(folder / 'llmgr.db')) as rows:
            return rows.execute(query).fetchone()[0]
    return int(subprocess.run(['psql', '-qXAtc', query, database], check=True,
                              capture_output=True).stdout)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 4
    names = sys.argv[3:] or list(OUTAGES)
    for title, url in (('SQLite', None), ('PostgreSQL', os.environ.get('LLMGR_TEST_POSTGRES'))):
        if title != 'SQLite' and url is None:
            continue
        print(f'outages: {RATE} requests/s, three platforms, {title}', flush=True)
        for number, name in enumerate(names):
            platforms = [Platform(letter) for letter in 'ABC']
            with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
                database = fresh_database(url, number)
                gateway = Gateway(build, pathlib.Path(folder), platforms, database)
                stack.callback(gateway.stop)
                with concurrent.futures.ThreadPoolExecutor(256) as pool:
                    outage(pool, gateway, platforms, name, seconds)
                stack.pop_all().close()  # what was asked is recorded by then
                missed = late(database, pathlib.Path(folder), platforms[0])
                if missed:
                    print(f'    too busy: {missed} attempts at platforms that are well failed',
                          flush=True)
            for platform in platforms:
                platform.close()


if __name__ == '__main__':
    main()
