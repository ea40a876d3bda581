#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What it costs to ask a route of three healthy targets instead of naming the model.

usage: route_cost.py BUILD [REQUESTS]

Counts the instructions of the worker of `llmgr serve` outside the kernel (valgrind
--tool=callgrind) for the same requests by model and by route, whole and streamed, and prints the
difference per request: where there are three models, and where there are a thousand, there also
for a route over all of them. Wanted: at most 500 more for a route of three; and by weight, a
thousand targets at most twice what three cost more than the model. Two runs differ by some 50.
"""
import http.client
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile

MODELS = 1000


def start(command, folder):
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True,
                               env={'HOME': str(folder), 'PATH': '/usr/bin:/bin'})
    line = process.stdout.readline()
    return process, int(re.search(r'127\.0\.0\.1:(\d+)', line)[1])


def configure(folder, port, models):
    targets = {'list': '[A/M0, B/M0, C/M0]', 'draw': '[A/M0, B/M0, C/M0], pick: weight'}
    if models > 1:
        targets['many'] = f'[{", ".join(f"A/M{i}" for i in range(models))}], pick: weight'
    lines = ['mode: single', 'platforms:']
    for name in 'ABC':
        lines += [f'  {name}:', f'    base_url: http://127.0.0.1:{port}/v1/{name}',
                  '    api_key: sk-bench-0001', '    models:']
        lines += [f'      M{i}: plain-{i}' for i in range(models if name == 'A' else 1)]
    lines += ['routes:', *(f'  {name}: {{targets: {text}}}' for name, text in targets.items())]
    (folder / 'llmgr.yaml').write_text('\n'.join(lines) + '\n')
    return targets


def instructions(build, folder, model, stream, count):
    """Of the worker's thread, per request, once all is warm."""
    out = folder / f'callgrind.{model.replace("/", "-")}.{stream}'
    process, port = start(['valgrind', '--tool=callgrind', f'--callgrind-out-file={out}', '-q',
                           '--separate-threads=yes', build / 'src/llmgr', 'serve', '--workers', '1',
                           '--listen', '127.0.0.1:0'], folder)
    wire = socket.create_connection(('127.0.0.1', port), 120)
    body = json.dumps({'model': model, 'stream': stream,
                       'messages': [{'role': 'user', 'content': 'hi'}]})
    head = ('POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: identity\r\n'
            f'Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n')

    def ask(times):
        for _ in range(times):
            wire.sendall((head + body).encode())  # at once, lest some come in two parts
            answer = http.client.HTTPResponse(wire)
            answer.begin()
            said = answer.read()
            assert answer.status == 200, said

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


def compare(build, folder, port, models, count):
    routes = configure(folder, port, models)
    for stream in (False, True):
        plain = instructions(build, folder, 'A/M0', stream, count)
        print(f'{models + 2} models, {"stream" if stream else "whole"}: '
              f'{plain:.0f} instructions by model', flush=True)
        for route in routes:
            more = instructions(build, folder, route, stream, count) - plain
            print(f'  by route {route:8} {more:+.0f}', flush=True)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    upstream, port = start([build / 'tests/mockllm/mockllm', '--port', '0'], pathlib.Path())
    for models in (1, MODELS):
        with tempfile.TemporaryDirectory() as folder:
            compare(build, pathlib.Path(folder), port, models, count)
    upstream.terminate()
    upstream.wait()


if __name__ == '__main__':
    main()
