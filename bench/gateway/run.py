# SPDX-License-Identifier: MIT
"""llmgr serve beside nginx, HAProxy, Portkey's gateway and no proxy at all, in one run.

usage: run.py BUILD [--peers A,B,...]

    core 0    the proxies; one of them works at a time
    core 1    bench_upstream, and bench_load which asks and measures

Every round takes every workload past every peer, in an order that turns from round to round, so
that a disturbed machine disturbs all alike. Told are medians over the rounds, with the least and
the greatest, and ratios within a round with a bootstrap interval of 95 %.

    BENCH_SECONDS   of one measurement (3); below 2 the figures are shown and not written
    BENCH_ROUNDS    (7)
    BENCH_USERS     that have a token, an own key and a choice in llmgr (1000)
    BENCH_STREAMS   open at once, for the cost of a frame (400) and, times five, for memory
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import machine
import peers
import report

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SECONDS = float(os.environ.get('BENCH_SECONDS', '3'))
ROUNDS = int(os.environ.get('BENCH_ROUNDS', '7'))
USERS = int(os.environ.get('BENCH_USERS', '1000'))
STREAMS = int(os.environ.get('BENCH_STREAMS', '400'))
HOLD = 5 * STREAMS
SLOW_S = 8  # how long the streams that cost memory are kept open
WARM_S = min(0.5, SECONDS / 2)  # before anything counts
SETTLE_S = 6  # in which a ledger writes what it knows: its caches belong to no stream
STARTS = 11
PROXY_CORE, LOAD_CORE = 0, (os.cpu_count() or 1) - 1


def request(size, **members):
    """The body of a chat request of about `size` bytes."""
    body = {'model': 'auto', **members, 'messages': [
        {'role': 'system', 'content': 'You are terse.'}, {'role': 'user', 'content': ''}]}
    # 中 is three bytes, as most of a Chinese prompt.
    missing = max(0, size - len(dump(body)))
    words = 'The quick brown fox of 中国 jumps over a \\"lazy\\" dog.\\n'
    text = words * (missing // len(words.encode()) + 1)
    text = text.encode()[:missing].decode(errors='ignore').rstrip('\\')
    return dump(body).replace(b'"content":""', b'"content":"' + text.encode() + b'"')


def dump(body):
    return json.dumps(body, separators=(',', ':')).encode()


class Workload:
    """One way of asking; `count` is what a run of it counts, `ramp` over how long it begins."""

    def __init__(self, key, title, body, connections, rate=0, ramp=0.0, count='requests'):
        self.key, self.title, self.body, self.count = key, title, body, count
        self.connections, self.rate, self.ramp = connections, rate, ramp


WORKLOADS = [
    Workload('c8', '256-byte requests, 8 connections', request(256), 8),
    Workload('c64', '256-byte requests, 64 connections', request(256), 64),
    Workload('frames', f'{STREAMS} streams of 66 frames, one per 20 ms',
             request(256, stream=True, seed=20), STREAMS, ramp=1.32, count='pieces'),
    Workload('10k', '10 KB prompts, 8 connections', request(10000), 8),
    Workload('100k', '100 KB prompts, 8 connections', request(100000), 8),
    Workload('open5k', '5 000 requests/s, as they come', request(256), 64, rate=5000),
    Workload('open20k', '20 000 requests/s, as they come', request(256), 64, rate=20000),
]
SLOW_PEERS = {'Portkey': ('c8', 'c64')}  # what else would take minutes and tell nothing


class Bench:
    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        self.tokens_file = folder / 'tokens'
        self.bodies = {}
        for load in WORKLOADS:
            self.bodies[load.key] = folder / f'body-{load.key}'
            self.bodies[load.key].write_bytes(load.body)
        self.bodies['hold'] = folder / 'body-hold'
        self.bodies['hold'].write_bytes(request(256, stream=True, seed=1000))
        self.port = peers.free_port()
        self.upstream = subprocess.Popen(
            [build / 'bench/gateway/bench_upstream', str(self.port)], stdout=subprocess.PIPE,
            preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CORE}))
        self.upstream.stdout.readline()

    def load(self, peer, key, connections, rate=0.0, ramp=0.0, seconds=SECONDS):
        """One measurement: what bench_load says."""
        argv = [self.build / 'bench/gateway/bench_load', '--port', peer.port, '--connections',
                connections, '--rate', rate, '--warm', ramp + WARM_S, '--ramp', ramp,
                '--seconds', seconds, '--path', peer.path, '--body', self.bodies[key],
                '--tokens', self.tokens_file,
                '--pids', ','.join(map(str, peer.pids())) or ',']
        for field in peer.fields:
            argv += ['--field', field]
        done = subprocess.run(list(map(str, argv)), capture_output=True, text=True,
                              timeout=ramp + seconds + 60, check=False,
                              preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CORE}))
        if done.returncode != 0:
            raise RuntimeError(f'bench_load at {peer.name}: {done.stderr}')
        found = json.loads(done.stdout)
        if found['errors'] or found['bad_status'] or not found['requests'] + found['events']:
            print(f'  {peer.name}, {key}: {found["errors"]} errors, {found["bad_status"]} answers'
                  f' not 2xx, {found["requests"]} good {done.stderr.strip()}', flush=True)
        return found

    def idle_memory(self, peer):
        """Bytes of own memory per slow stream, of a process freshly started."""
        peer.stop()
        peer.start()
        self.load(peer, 'c8', 8, seconds=1)
        time.sleep(SETTLE_S)
        before = self.load(peer, 'c8', 1, seconds=0.2)['memory']
        during = self.load(peer, 'hold', HOLD, ramp=1, seconds=SLOW_S)['memory']
        return (during - before) / HOLD

    def close(self):
        self.upstream.terminate()
        self.upstream.wait()


def choose(build, bench, wanted):
    """The peers that are there, as (peers, lines about those that are not)."""
    tokens, missing = ['none'], []
    shared = (bench.folder, bench.port, PROXY_CORE, tokens)
    chosen = []
    peers.Llmgr.build, peers.Llmgr.users = build, USERS
    peers.Portkey.modules = machine.portkey(SOURCE, build) if 'Portkey' in wanted else None
    available = {
        'llmgr': (build / 'bench/gateway/bench_plant').exists(),
        'direct': True, 'nginx': peers.find('nginx'), 'HAProxy': peers.find('haproxy'),
        'Portkey': peers.Portkey.modules,
    }
    kinds = {kind.name: kind for kind in
             (peers.Peer, peers.Llmgr, peers.Nginx, peers.Haproxy, peers.Portkey)}
    for name in ['llmgr', 'direct', 'nginx', 'HAProxy', 'Portkey']:
        if name not in wanted:
            continue
        try:
            if not available[name]:
                raise RuntimeError('not installed')
            peer = kinds[name](*shared)
            peer.start()
            chosen.append(peer)
        except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
            missing.append(f'{name}: {error}')
    bench.tokens_file.write_text('\n'.join(tokens) + '\n')
    return chosen, missing


def measure(bench, chosen):
    """{workload: {peer: [a dictionary per round]}}, with 'hold' and 'start' for the two extras."""
    results = {load.key: {peer.name: [] for peer in chosen} for load in WORKLOADS}
    for turn in range(ROUNDS):
        for load in WORKLOADS:
            present = [peer for peer in chosen
                       if load.key in SLOW_PEERS.get(peer.name, (load.key,))]
            shift = turn % len(present)
            for peer in present[shift:] + present[:shift]:
                found = bench.load(peer, load.key, load.connections, load.rate, load.ramp)
                # A frame is never cut, so more pieces than frames are something else's.
                found['pieces'] = min(found['pieces'], found['events'])
                found['count'] = found[load.count]
                results[load.key][peer.name].append(found)
        print(f'  round {turn + 1} of {ROUNDS}', flush=True)
    proxies = [peer for peer in chosen if peer.argv]
    quick = [peer for peer in proxies if peer.name not in SLOW_PEERS]
    results['hold'] = {peer.name: [bench.idle_memory(peer)] for peer in quick}
    results['start'] = {peer.name: [] for peer in proxies}
    for _ in range(STARTS if SECONDS >= 2 else 3):
        for peer in proxies:
            peer.stop()
            results['start'][peer.name].append(peer.start())
    return results


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument('build', type=pathlib.Path)
    parser.add_argument('--peers', default='llmgr,direct,nginx,HAProxy,Portkey')
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix='llmgr-bench-'))
    bench, chosen = Bench(args.build.resolve(), folder), []
    begin, about = machine.Busy(), machine.describe(SOURCE)
    try:
        chosen, missing = choose(args.build.resolve(), bench, args.peers.split(','))
        print('gateway: ' + ', '.join(peer.name for peer in chosen), flush=True)
        results = measure(bench, chosen)
    finally:
        for peer in chosen:
            peer.stop()
        bench.close()
        shutil.rmtree(folder, ignore_errors=True)
    text = report.write(WORKLOADS, results, {
        'machine': about,
        'disturbance': begin.others(),
        'peers': [(peer.name, peer.version) for peer in chosen if peer.version],
        'missing': missing, 'seconds': SECONDS, 'rounds': ROUNDS, 'users': USERS,
        'hold': HOLD, 'streams': STREAMS, 'when': time.strftime('%Y-%m-%d'),
    })
    print(text)
    if SECONDS >= 2:
        (SOURCE / 'bench' / 'RESULTS.md').write_text(text, encoding='utf-8')
    return 1 if any(line.startswith('llmgr:') for line in missing) else 0


if __name__ == '__main__':
    sys.exit(main())
