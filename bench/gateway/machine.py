# SPDX-License-Identifier: MIT
"""The machine a run is on: its name, who else used it meanwhile, and Portkey's gateway on it."""
import os
import pathlib
import platform
import resource
import subprocess
import time

import peers

TICKS = os.sysconf('SC_CLK_TCK')


class Busy:
    """CPU time that others took since it was made; ours is known when our children have ended."""

    def __init__(self):
        self.begin, self.busy, self.own = time.monotonic(), self.all_busy(), self.all_own()

    @staticmethod
    def all_busy():
        names = pathlib.Path('/proc/stat').read_text().split('\n')[0].split()[1:]
        user, nice, system, _, _, irq, softirq, steal = map(int, names[:8])
        return (user + nice + system + irq + softirq + steal) / TICKS

    @staticmethod
    def all_own():
        return sum(sum(resource.getrusage(who)[:2])
                   for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    def others(self):
        """The share of all cores, 0 to 1."""
        room = (time.monotonic() - self.begin) * (os.cpu_count() or 1)
        used = self.all_busy() - self.busy - (self.all_own() - self.own)
        return max(0.0, used / room)


def describe(source):
    """Lines about hardware, system and what was built."""
    model = 'unknown processor'
    for line in pathlib.Path('/proc/cpuinfo').read_text().split('\n'):
        if line.startswith('model name'):
            model = line.partition(':')[2].strip()
            break
    system = platform.freedesktop_os_release().get('PRETTY_NAME', '')
    revision = peers.first_line('git', '-C', str(source), 'describe', '--always', '--dirty')
    return [f'{model}, {os.cpu_count()} CPUs',
            f'{platform.system()} {platform.release()}, {system}',
            peers.first_line('cc', '--version'), f'llmgr at {revision}']


def portkey(source, build):
    """The node_modules with Portkey's gateway, installed below the build folder; None: not here."""
    home = build / 'bench' / 'portkey'
    modules = home / 'node_modules'
    pinned = source / 'bench' / 'gateway' / 'portkey'
    wanted = (pinned / 'package-lock.json').read_text()
    stamp = home / 'stamp'
    if stamp.exists() and stamp.read_text() == wanted:
        return modules
    if not peers.find('npm') or not peers.find('node'):
        return None
    home.mkdir(parents=True, exist_ok=True)
    for name in ('package.json', 'package-lock.json', '.npmrc'):
        (home / name).write_text((pinned / name).read_text())
    try:
        done = subprocess.run(['npm', 'ci', '--ignore-scripts', '--omit=dev'], cwd=home,
                              capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode != 0:
        print(f'gateway: Portkey is left out, npm said: {done.stderr.strip()[-300:]}')
        return None
    stamp.write_text(wanted)
    return modules
