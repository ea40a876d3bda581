#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A small user beside large bodies: what 50 bodies of 31 MiB do to the time of his chats.

usage: bodies.py PROGRAM [BODIES] [MIB]

One `llmgr serve` with its defaults. A user sends a chat of 256 bytes after another on one
connection, first alone, then while as many large bodies as told, full of small values, are sent
at once. Who sends and takes the large ones stands for other machines: these processes give way
(nice). Prints both, how the large ones ended,
and the most memory that the server had.
"""
import json
import multiprocessing
import os
import pathlib
import re
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

ANSWER = json.dumps({'id': 'x', 'object': 'chat.completion', 'choices': [
    {'index': 0, 'finish_reason': 'stop', 'message': {'role': 'assistant', 'content': 'yes'}}],
    'usage': {'prompt_tokens': 1, 'completion_tokens': 1, 'total_tokens': 2}}).encode()
WHOLE = (b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n'
         % len(ANSWER)) + ANSWER
CALM_S = 4


class Sink(socketserver.BaseRequestHandler):
    """Reads whole requests and answers each with the same."""

    def handle(self):
        room, rest = bytearray(1 << 18), b''
        while True:
            while b'\r\n\r\n' not in rest:
                got = self.request.recv(65536)
                if not got:
                    return
                rest += got
            head, _, rest = rest.partition(b'\r\n\r\n')
            left = int(re.search(rb'(?i)content-length: *(\d+)', head).group(1)) - len(rest)
            while left > 0:
                got = self.request.recv_into(room, min(left, len(room)))
                if got == 0:
                    return
                left -= got
            rest = b''
            self.request.sendall(WHOLE)


class Sinks(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 256


def sink(pipe, nicer):
    os.nice(nicer)
    server = Sinks(('127.0.0.1', 0), Sink)
    pipe.send(server.server_address[1])
    server.serve_forever()


def head(size):
    return (f'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n'
            f'Content-Length: {size}\r\n\r\n').encode()


def answer(wire):
    got = b''
    while b'\r\n\r\n' not in got:
        more = wire.recv(65536)
        if not more:
            return 0
        got += more
    top, _, body = got.partition(b'\r\n\r\n')
    left = int(re.search(rb'(?i)content-length: *(\d+)', top).group(1)) - len(body)
    while left > 0:
        left -= len(wire.recv(65536))
    return int(top[9:12])


def flood(port, bodies, size, pipe):
    os.nice(19)
    start = b'{"model":"Large","n":['
    body = start + b'1,' * ((size - len(start) - 4) // 2) + b'1]}'
    ends = []

    def one():
        try:
            wire = socket.create_connection(('127.0.0.1', port))
            wire.sendall(head(len(body)))
            wire.sendall(body)
            ends.append(answer(wire))
        except OSError:
            ends.append(answer_or_none(wire))
    threads = [threading.Thread(target=one) for _ in range(bodies)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pipe.send(ends)


def answer_or_none(wire):
    try:
        return answer(wire)
    except OSError:
        return 0


def chats(port, until):
    """Milliseconds of each chat, sorted."""
    body = json.dumps({'model': 'Small', 'messages': [{'role': 'user', 'content': 'x' * 180}]})
    wire = socket.create_connection(('127.0.0.1', port))
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    times = []
    while not until():
        before = time.monotonic()
        wire.sendall(head(len(body)) + body.encode())
        assert answer(wire) == 200
        times.append((time.monotonic() - before) * 1000)
        time.sleep(0.001)
    return sorted(times)


def figures(times):
    return f'{len(times):6} chats, p50 {times[len(times) // 2]:7.2f} ms, ' \
           f'p99 {times[len(times) * 99 // 100]:7.2f} ms, most {times[-1]:7.2f} ms'


def memory(pid, field):
    text = pathlib.Path(f'/proc/{pid}/status').read_text(encoding='utf-8')
    return int(re.search(rf'{field}:\s*(\d+)', text).group(1)) // 1024


def run(folder, program, bodies, size):
    ours, theirs = multiprocessing.Pipe()
    lines, platforms = 'platforms:\n', []
    for model, nicer in (('Small', 0), ('Large', 19)):
        platforms.append(multiprocessing.Process(target=sink, args=(theirs, nicer), daemon=True))
        platforms[-1].start()
        lines += (f'  {model}:\n    base_url: http://127.0.0.1:{ours.recv()}/v1\n'
                  f'    api_key: "{{SINK_KEY}}"\n    models:\n      {model}: {model}\n')
    (folder / 'llmgr.yaml').write_text(lines, encoding='utf-8')
    server = subprocess.Popen(
        [program, '--mode', 'single', 'serve', '--listen', '127.0.0.1:0'], cwd=folder, text=True,
        stdout=subprocess.PIPE, env={**os.environ, 'SINK_KEY': 'sk-0123456789abcdef0123'})
    try:
        port = int(re.search(r':(\d+)', server.stdout.readline().partition('//')[2]).group(1))
        end = time.monotonic() + CALM_S
        calm = chats(port, lambda: time.monotonic() > end)
        before = memory(server.pid, 'VmRSS')
        crowd = multiprocessing.Process(target=flood, args=(port, bodies, size, theirs))
        crowd.start()
        crowded = chats(port, lambda: ours.poll())
        ends = ours.recv()
        crowd.join()
        time.sleep(1)
        print(f'bodies: {bodies} of {size >> 20} MiB beside one small user')
        print(f'  calm     {figures(calm)}')
        print(f'  crowded  {figures(crowded)}')
        ratio = crowded[len(crowded) * 99 // 100] / calm[len(calm) * 99 // 100]
        print(f'  p99 {ratio:.1f} times the calm one, wanted at most 5')
        counted = ', '.join(f'{ends.count(end)} with {end}' for end in sorted(set(ends)))
        print(f'  the large ones ended: {counted}')
        print(f'  memory: {before} MiB before, {memory(server.pid, "VmHWM")} at most, '
              f'{memory(server.pid, "VmRSS")} a second after')
    finally:
        server.terminate()
        server.wait(40)
        for platform in platforms:
            platform.terminate()


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    bodies = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    size = (int(sys.argv[3]) if len(sys.argv) > 3 else 31) << 20
    with tempfile.TemporaryDirectory(prefix='llmgr-bench-') as folder:
        run(pathlib.Path(folder), program, bodies, size)


if __name__ == '__main__':
    main()
