# SPDX-License-Identifier: MIT
"""Turns the rounds of run.py into bench/RESULTS.md: medians, extremes, ratios with intervals."""
import random
import statistics

# What is judged: (title, workload, figure, peer, at most or at least, limit, aim).
TARGETS = [
    ('CPU per request, 8 connections', 'c8', 'cpu', 'nginx', 1.0, 0.85),
    ('CPU per request, 64 connections', 'c64', 'cpu', 'nginx', 1.0, 0.85),
    ('CPU per piece of a stream', 'frames', 'cpu', 'nginx', 1.0, 0.75),
    ('CPU per piece of a stream', 'frames', 'cpu', 'HAProxy', 1.0, 0.75),
    ('CPU per request, 10 KB prompt', '10k', 'cpu', 'HAProxy', 1.5, 1.2),
    ('CPU per request, 100 KB prompt', '100k', 'cpu', 'HAProxy', 1.5, 1.2),
    ('requests per second, 64 connections', 'c64', 'rate', 'nginx', 1.0, 1.12),
    ('CPU per request, 8 connections', 'c8', 'cpu', 'Portkey', 1 / 50, 1 / 85),
]


def figure(row, name):
    """One figure of one measurement; None if there is none."""
    if row['count'] == 0:
        return None
    if name == 'cpu':
        return row['cpu_ns'] / row['count'] / 1000 or None
    if name == 'rate':
        return row['count'] / row['seconds']
    kind, part = name.split('.')
    return row[kind][part]


def spread(values, decimals=1):
    values = [value for value in values if value is not None]
    if not values:
        return '–'
    middle = statistics.median(values)
    digits = 0 if middle >= 1000 else decimals
    text = f'{middle:.{digits}f}'
    return text + (f' [{min(values):.{digits}f}–{max(values):.{digits}f}]'
                   if len(values) > 1 else '')


def interval(values):
    """The bootstrap interval of the median, 95 %."""
    draw = random.Random(1)
    medians = sorted(statistics.median(draw.choices(values, k=len(values)))
                     for _ in range(2000))
    return medians[50], medians[1949]


def ratios(results, workload, name, peer):
    """llmgr's figure over the peer's, within each round."""
    ours, theirs = (results[workload].get(who, []) for who in ('llmgr', peer))
    pairs = [(figure(a, name), figure(b, name)) for a, b in zip(ours, theirs)]
    return [a / b for a, b in pairs if a and b]


def table(heads, rows):
    lines = ['| ' + ' | '.join(heads) + ' |', '|---' + '|--:' * (len(heads) - 1) + '|']
    return lines + ['| ' + ' | '.join(row) + ' |' for row in rows] + ['']


def figures_table(workloads, results, names, title, name, keep):
    rows = []
    for load in workloads:
        if not keep(load):
            continue
        rows.append([load.title] + [spread([figure(row, name) for row in results[load.key][peer]])
                                    for peer in names])
    return [f'### {title}', ''] + table([''] + names, rows)


def added(results, workload, kind, part, peer):
    """What the peer adds to asking directly, within each round."""
    pairs = zip(results[workload].get(peer, []), results[workload].get('direct', []))
    return [a[kind][part] - b[kind][part] for a, b in pairs]


def latency_table(results, names):
    rows = []
    for title, workload, kind in [
            ('5 000 requests/s', 'open5k', 'whole'), ('20 000 requests/s', 'open20k', 'whole'),
            ('first frame of a stream', 'frames', 'first'),
            ('between two frames', 'frames', 'gap')]:
        for part in ('p50', 'p99'):
            direct = [row[kind][part] for row in results[workload].get('direct', [])]
            rows.append([f'{title}, {part}', spread(direct)] +
                        [spread(added(results, workload, kind, part, name)) for name in names])
    return (['### Added latency, µs (direct: the whole)', ''] +
            table(['', 'direct'] + names, rows))


def frames_per_piece(results, peer):
    """More than one where the peer, short of CPU, read several frames at once."""
    return spread([row['events'] / row['pieces'] for row in results['frames'][peer]
                   if row['pieces']], 2)


def verdicts(results):
    rows = []
    for title, workload, name, peer, limit, aim in TARGETS:
        values = ratios(results, workload, name, peer)
        if not values:
            continue
        middle, (low, high) = statistics.median(values), interval(values)
        more = name == 'rate'
        met = middle >= limit if more else middle <= limit
        sign, verdict = '≥' if more else '≤', 'yes' if met else '**no**'
        rows.append([f'{title} / {peer}', f'{middle:.3f}', f'{low:.3f} – {high:.3f}',
                     f'{sign} {limit:.3g}', f'{sign} {aim:.3g}', verdict])
    for part, title in (('open5k', '5 000/s'), ('open20k', '20 000/s')):
        ours, theirs = (added(results, part, 'whole', 'p99', who) for who in ('llmgr', 'nginx'))
        if ours and theirs:
            a, b = statistics.median(ours), statistics.median(theirs)
            rows.append([f'added p99 at {title}, µs', f'{a:.0f}', f'nginx: {b:.0f}', '≤ nginx', '',
                         'yes' if a <= b else '**no**'])
    hold, start = results['hold'], results['start']
    if 'llmgr' in hold:
        rows.append(['memory per idle stream, bytes', f'{hold["llmgr"][0]:.0f}', '', '≤ 4096',
                     '≤ 1536', 'yes' if hold['llmgr'][0] <= 4096 else '**no**'])
    if 'llmgr' in start and 'nginx' in start:
        values = [a / b for a, b in zip(start['llmgr'], start['nginx'])]
        low, high = interval(values)
        middle = statistics.median(values)
        rows.append(['start to first answer / nginx', f'{middle:.2f}', f'{low:.2f} – {high:.2f}',
                     '≤ 3', '', 'yes' if middle <= 3 else '**no**'])
    if not rows:
        return []
    return ['### Wanted', ''] + table(['llmgr / peer', 'median', '95 %', 'limit', 'aim', 'met'],
                                      rows)


def write(workloads, results, facts):
    names = list(results['c8'])
    proxies = [name for name in names if name != 'direct']
    quick = [name for name in results['hold'] if name in proxies]
    lines = ['# The gateway beside others', '',
             'Written by `make bench` (bench/gateway/run.py); bench/README.md has the method.', '']
    lines += [f'- {line}' for line in facts['machine']]
    lines += [f'- {name}: {version}' for name, version in facts['peers']]
    lines += [f'- left out: {line}' for line in facts['missing']]
    lines += [f'- {facts["when"]}; {facts["rounds"]} rounds of {facts["seconds"]:g} s in turns; '
              f'median [least–greatest]; llmgr with token, resolve and ledger for '
              f'{facts["users"]} users drawn at random',
              f'- other processes used {facts["disturbance"]:.0%} of the machine meanwhile' +
              (': **the machine was not quiet**' if facts['disturbance'] > 0.05 else ''), '']
    lines += verdicts(results)
    lines += figures_table(workloads, results, proxies, 'CPU, µs per request or piece', 'cpu',
                           lambda load: True)
    lines[-1:] = ['| frames in a piece | ' + ' | '.join(
        frames_per_piece(results, name) if results['frames'][name] else '–'
        for name in proxies) + ' |', '']
    lines += figures_table(workloads, results, names, 'Requests per second', 'rate',
                           lambda load: not load.rate and load.count == 'requests')
    lines += latency_table(results, quick)
    lines += ['### Memory and start', ''] + table([''] + proxies, [
        [f'bytes per stream, {facts["hold"]} open'] +
        [spread(results['hold'].get(name, [])) for name in proxies],
        ['start to first answer, ms'] +
        [spread(results['start'].get(name, [])) for name in proxies]])
    return '\n'.join(lines).rstrip() + '\n'
