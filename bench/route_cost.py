#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What it costs to ask a route of three healthy targets instead of naming the model.

usage: route_cost.py BUILD [REQUESTS]

Counts the instructions of `llmgr serve` outside the kernel (valgrind --tool=callgrind) for the same
requests by model and by route, whole and streamed, and prints the difference per request; then the
same for routes by weight over 3 and over 1 000 targets. Wanted: at most 500 more; and by weight, a
thousand targets at most twice what three cost more than the model.
"""
import http.client
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

MODELS = 1000


def start(command, folder):
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True,
                               env={'HOME': str(folder), 'PATH': '/usr/bin:/bin'})
    line = process.stdout.readline()
    return process, int(re.search(r'127\.0\.0\.1:(\d+)', line)[1])


def configure(folder, port):
    many = ', '.join(f'A/M{i}' for i in range(MODELS))
    models = '\n'.join(f'      M{i}: plain-{i}' for i in range(MODELS))
    platforms = ''.join(f'  {name}:\n    base_url: http://127.0.0.1:{port}/v1/{name}\n'
                        '    api_key: sk-bench-0001\n'
                        f'    models:\n{models if name == "A" else "      M0: plain-0"}\n'
                        for name in 'ABC')
    (folder / 'llmgr.yaml').write_text(
        f'mode: single\nplatforms:\n{platforms}routes:\n'
        '  three: {targets: [A/M0, B/M0, C/M0]}\n'
        '  weighed: {pick: weight, targets: [A/M0, B/M0, C/M0]}\n'
        f'  many: {{pick: weight, targets: [{many}]}}\n')


def instructions(build, folder, model, stream, count):
    """Of the worker's thread, per request, once all is warm."""
    out = folder / f'callgrind.{model.replace("/", "-")}.{stream}'
    process, port = start(['valgrind', '--tool=callgrind', f'--callgrind-out-file={out}', '-q',
                           '--separate-threads=yes', build / 'src/llmgr', 'serve', '--workers', '1',
                           '--listen', '127.0.0.1:0'], folder)
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=120)
    body = json.dumps({'model': model, 'stream': stream,
                       'messages': [{'role': 'user', 'content': 'hi'}]})

    def ask(times):
        for _ in range(times):
            connection.request('POST', '/v1/chat/completions', body,
                               {'Content-Type': 'application/json'})
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            answer.read()

    def control(what):
        subprocess.run(['callgrind_control', what, str(process.pid)], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    ask(100)
    control('-z')
    ask(count)
    control('-d')
    process.send_signal(signal.SIGTERM)
    process.wait(120)
    totals = [int(re.search(r'^totals: (\d+)', path.read_text(), re.MULTILINE)[1])
              for path in folder.glob(out.name + '.1*')]
    return max(totals) / count


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        upstream, port = start([build / 'tests/mockllm/mockllm', '--port', '0'], folder)
        configure(folder, port)
        for stream in (False, True):
            plain = instructions(build, folder, 'A/M0', stream, count)
            print(f'{"stream" if stream else "whole"}: {plain:.0f} instructions by model')
            for route in ('three', 'weighed', 'many'):
                more = instructions(build, folder, route, stream, count) - plain
                print(f'  by route {route:8} {more:+.0f}')
        upstream.terminate()
        upstream.wait()


if __name__ == '__main__':
    main()
