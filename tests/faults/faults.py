# SPDX-License-Identifier: MIT
"""The other side of faults.c: which call of a program fails, how, and how many it saw.

LLMGR_FAULT_POINTS is how many calls of each sweep fail in turn (0: every one); they are spread
evenly over the calls that the program makes, the place in each part drawn by LLMGR_FAULT_SEED. Of a
broken number the rest is a chance: with 0.15 every seventh sweep fails one call, as in `make test`.
"""
import concurrent.futures
import dataclasses
import errno
import mmap
import os
import pathlib
import random
import struct

from conftest import BUILD

LIBRARY = BUILD / 'tests' / 'faults' / 'libfaults.so'
SUPPRESSIONS = pathlib.Path(__file__).parent / 'leaks.supp'
POINTS = float(os.environ.get('LLMGR_FAULT_POINTS', '0.15'))
SEED = int(os.environ.get('LLMGR_FAULT_SEED', '1'))

KINDS = ('memory', 'map', 'read', 'write', 'sync', 'extend', 'make', 'descriptor', 'connect',
         'receive', 'send')
OFF, ON, AT_MAIN = range(3)
HEAD = struct.Struct('=IIIiQQQ')  # struct page, but for its `each`
EACH = struct.Struct(f'={len(KINDS)}Q')
PATH_SIZE = 256

if not LIBRARY.exists():  # else nothing would fail, and a test see no difference
    raise FileNotFoundError(LIBRARY)


@dataclasses.dataclass(frozen=True)
class Fault:
    """A way to fail: calls of these kinds with this error, one of them or all from there on.

    `harmless`: who knows how to repeat a call does not notice.
    """
    name: str
    kinds: tuple
    error: int
    forever: bool = False
    harmless: bool = False

    def calls(self, each):
        return sum(each[kind] for kind in self.kinds)


MEMORY = Fault('memory', ('memory', 'map'), errno.ENOMEM)
MEMORY_GONE = Fault('memory-gone', ('memory', 'map'), errno.ENOMEM, forever=True)
READ = Fault('read', ('read',), errno.EIO)
WRITE = Fault('write', ('write',), errno.EIO)
SYNC = Fault('sync', ('sync',), errno.EIO)
DISK_GONE = Fault('disk-gone', ('read', 'write', 'sync', 'extend', 'make'), errno.EIO, forever=True)
FULL_ONCE = Fault('full-once', ('write', 'extend', 'make'), errno.ENOSPC)
FULL = Fault('full', ('write', 'extend', 'make'), errno.ENOSPC, forever=True)
DESCRIPTORS = Fault('descriptors', ('descriptor', 'make'), errno.EMFILE)
DESCRIPTORS_GONE = Fault('descriptors-gone', ('descriptor', 'make'), errno.EMFILE, forever=True)
INTERRUPTED = Fault('interrupted', ('read', 'write', 'receive', 'send'), errno.EINTR,
                    harmless=True)
SHORT = Fault('short', ('read', 'write', 'receive', 'send'), 0, harmless=True)
CONNECT = Fault('connect', ('connect',), errno.ECONNREFUSED)
CONNECT_GONE = Fault('connect-gone', ('connect',), errno.ENETUNREACH, forever=True)
RECEIVE = Fault('receive', ('receive',), errno.ECONNRESET)
SEND = Fault('send', ('send',), errno.EPIPE)

ON_FILES = (MEMORY, MEMORY_GONE, READ, WRITE, SYNC, DISK_GONE, FULL_ONCE, FULL, DESCRIPTORS,
            DESCRIPTORS_GONE, INTERRUPTED, SHORT)
ON_SOCKETS = (CONNECT, CONNECT_GONE, RECEIVE, SEND, INTERRUPTED, SHORT)


class Page:
    """The page that one program under test maps; `env` makes it do so."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.write_bytes(bytes(4096))
        with open(self.path, 'r+b') as file:
            self.map = mmap.mmap(file.fileno(), 4096)

    @property
    def env(self):
        found = {'LLMGR_FAULTS': str(self.path), 'LD_PRELOAD': str(LIBRARY)}
        if 'ASAN_OPTIONS' in os.environ:  # ours goes before AddressSanitizer's, and calls it
            found['ASAN_OPTIONS'] = os.environ['ASAN_OPTIONS'] + ':verify_asan_link_order=0'
            found['LSAN_OPTIONS'] = f'print_suppressions=0:suppressions={SUPPRESSIONS}'
        return found

    def arm(self, fault, nth, armed=ON, path=''):
        """Calls are counted from here on, and the nth fails (0: none); of files only those with
        this in their path."""
        kinds = sum(1 << KINDS.index(kind) for kind in fault.kinds)
        self.map[4:HEAD.size + EACH.size] = (
            HEAD.pack(0, kinds, fault.forever, fault.error, nth, 0, 0)[4:] + bytes(EACH.size))
        at = HEAD.size + EACH.size
        self.map[at:at + PATH_SIZE] = path.encode().ljust(PATH_SIZE, b'\0')
        self.map[0:4] = struct.pack('=I', armed)

    def disarm(self):
        self.map[0:4] = struct.pack('=I', OFF)

    @property
    def seen(self):
        return HEAD.unpack_from(self.map)[5]

    @property
    def failed(self):
        return HEAD.unpack_from(self.map)[6]

    @property
    def each(self):
        """How many calls of each kind there were, whatever was to fail."""
        return dict(zip(KINDS, EACH.unpack_from(self.map, HEAD.size)))


def points(count, name, most=POINTS):
    """Which of `count` calls fail: all, or `most` of them, one in each part of the way."""
    chance = random.Random(f'{SEED} {name}')
    most = int(most) + (chance.random() < most % 1) if most else count
    if most == 0:
        return []
    if count <= most:
        return list(range(1, count + 1))
    edges = [i * count // most for i in range(most + 1)]
    return [chance.randint(low + 1, high) for low, high in zip(edges, edges[1:])]


def side_by_side(jobs):
    """The results of the calls, as many at once as there are processors."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(lambda job: job(), jobs))
