# SPDX-License-Identifier: MIT
"""What the memory of a gateway that has worked still holds: no key and no token of a request that
has ended, and nothing of the master key or the data keys that a core dump would take along. And
there is no core dump but the one that an administrator takes by force: that is searched as well."""
import asyncio
import ctypes
import ctypes.util
import dataclasses
import json
import os
import pathlib
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

import pytest

from conftest import PATIENCE_S, PROGRAM
from serving import Serving
from stress import SANITIZED, Client, settled
from test_gateway_stress_secrets import canary, furnished, walk
from test_walk_secrets import forms

pytestmark = [pytest.mark.stress,
              pytest.mark.skipif(bool(SANITIZED),
                                 reason='sanitizers keep freed memory, and look inside')]


@dataclasses.dataclass
class Region:
    """A readable mapping. `dumped`: a core would hold it (it is not marked MADV_DONTDUMP)."""
    start: int
    data: bytes
    dumped: bool


def regions(pid):
    """All memory of the process; skips the test where that may not be read."""
    found = []
    try:
        with open(f'/proc/{pid}/mem', 'rb', 0) as memory, \
                open(f'/proc/{pid}/smaps', encoding='utf-8') as maps:
            for line in maps:
                first = line.split()[0]
                if not first.endswith(':'):
                    start, end = (int(word, 16) for word in first.split('-'))
                    readable = line.split()[1].startswith('r') and '[v' not in line
                elif first == 'VmFlags:' and readable:
                    memory.seek(start)
                    found.append(Region(start, memory.read(end - start), ' dd' not in line))
    except PermissionError:
        pytest.skip('reading the memory of a process without core dumps needs root')
    return found


def environment(pid):
    """Where the kernel put what the operator gave as the environment."""
    fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return range(int(fields[47]), int(fields[48]))


def hits(pid, wanted, dumped_only=False, searched=None):
    """[(name, address)] of each form of each of the wanted; not in the environment. `searched`:
    regions of a core of the process, instead of its memory."""
    found, given = [], environment(pid)
    for region in regions(pid) if searched is None else searched:
        if dumped_only and not region.dumped:
            continue
        for name, some in wanted.items():
            for form in some:
                at = region.data.find(form)
                while at >= 0:
                    if region.start + at not in given:
                        found.append((name, hex(region.start + at)))
                    at = region.data.find(form, at + 1)
    return found


def none_left(pid, wanted, take=lambda: None):
    """Searches memory, or what `take` takes of it, and returns that. Threads that are about to end
    their work get time to."""
    end = time.monotonic() + PATIENCE_S
    while (found := hits(pid, wanted, searched=(taken := take()))) and time.monotonic() < end:
        time.sleep(0.2)
    assert not found, found
    return taken


def data_keys(llmgr, master):
    """The data keys in clear, unwrapped as the vault does (src/vault/vault.c)."""
    select = 'SELECT id, purpose, master_id, {} FROM llm_data_keys'
    if llmgr.kind == 'sqlite':
        with sqlite3.connect(llmgr.url.removeprefix('sqlite:')) as database:
            rows = database.execute(select.format('hex(wrapped)')).fetchall()
    else:
        rows = [line.split('|') for line in subprocess.run(
            ['psql', '-qXAt', '-F', '|', '-c', select.format("encode(wrapped, 'hex')"), llmgr.url],
            check=True, capture_output=True, text=True).stdout.splitlines()]
    sodium = ctypes.CDLL(ctypes.util.find_library('sodium') or 'libsodium.so.23')
    keys = []
    for number, purpose, master_id, wrapped in rows:
        wrapped, key = bytes.fromhex(wrapped), ctypes.create_string_buffer(32)
        bound = (b'llmgr ring' + wrapped[:2] + int(number).to_bytes(4, 'big') +
                 purpose.encode().ljust(16, b'\0') + master_id.encode().ljust(9, b'\0'))
        assert sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
            key, None, None, wrapped[26:], ctypes.c_ulonglong(len(wrapped) - 26), bound,
            ctypes.c_ulonglong(len(bound)), wrapped[2:26], master) == 0
        keys.append(key.raw)
    return keys


def raw_keys(llmgr):
    """What the vault holds: the master key and the data keys."""
    master = bytes.fromhex(next(llmgr.folder.rglob('master.key')).read_text().strip())
    raw = {'master key': {master, master.hex().encode()}}
    raw |= {f'data key {i}': {key} for i, key in enumerate(data_keys(llmgr, master))}
    assert len(raw) > 1
    return raw


async def worked(serving, llmgr, upstream, hidden, tokens):
    """All kinds of requests have ended; the forms of each key and token that was in them. The
    proxy's password is configuration in use; prompts are no keys."""
    made, _ = await walk(serving.port, hidden, tokens)
    assert made.status == 201, made.body
    await walk(serving.port, hidden, tokens)  # now with the platform made by the first
    client = await Client(serving.port).open()
    client.send('/api/tokens', {'kind': 'user', 'name': 'n'},
                'Authorization: Bearer ' + tokens['admin'], 'Idempotency-Key: made')
    hidden['token made'] = (await client.answer()).json['token']
    client.close()
    await settled(llmgr, 1, 10 * len(upstream.received))
    arrived = ' '.join(json.dumps(fields) for _, fields, _ in upstream.received)
    assert hidden['user'] in arrived and hidden['private'] in arrived, 'nothing was tried'
    return {name: forms(value) for name, value in hidden.items()
            if name not in ('proxy', 'prompt', 'wrong')}


def test_memory_holds_no_key_and_no_token_of_a_request_that_ended(llmgr):
    async def test(upstream, hidden, tokens):
        serving = Serving(llmgr, mode='custom')
        pid = serving.process.pid
        keys = await worked(serving, llmgr, upstream, hidden, tokens)
        await asyncio.to_thread(none_left, pid, keys)
        # A core would have to leave out what is needed all the time.
        raw = raw_keys(llmgr)
        assert not (found := hits(pid, raw, dumped_only=True)), found
        assert {name for name, _ in hits(pid, raw)} - {'master key'}, 'the search finds no key'
        await asyncio.to_thread(serving.stop)
    furnished(llmgr, test)


# ---- A core by force -------------------------------------------------------------------------


def core(pid, folder):
    """The core that root's debugger writes of a running process, which the kernel itself would not:
    what was in its segments (ELF-64, program headers of type PT_LOAD)."""
    done = subprocess.run(['gcore', '-o', folder / 'core', str(pid)], capture_output=True,
                          text=True, timeout=4 * PATIENCE_S, check=False)
    path = folder / f'core.{pid}'
    if done.returncode != 0 or not path.exists():
        if 'ptrace' in done.stderr + done.stdout:
            pytest.skip('tracing a process without core dumps needs root')
        raise AssertionError(done.stdout + done.stderr)
    data = path.read_bytes()
    path.unlink()
    assert data[:5] == b'\x7fELF\x02'
    table, = struct.unpack_from('=Q', data, 32)
    size, count = struct.unpack_from('=HH', data, 54)
    found, first = [], len(data)
    for at in range(table, table + size * count, size):
        kind, _, offset, address, _, length = struct.unpack_from('=IIQQQQ', data, at)
        if kind == 1:
            found.append(Region(address, data[offset:offset + length], True))
            first = min(first, offset)
    return found + [Region(0, data[:first], True)]  # with notes: registers, the command line


def test_a_core_taken_by_force_holds_no_key_and_no_token(llmgr):
    """Of keys, it may hold what the operator gave as the environment."""
    async def test(upstream, hidden, tokens):
        serving = Serving(llmgr, mode='custom')
        pid = serving.process.pid
        keys = await worked(serving, llmgr, upstream, hidden, tokens)
        wanted = keys | raw_keys(llmgr)
        taken = await asyncio.to_thread(none_left, pid, wanted,
                                        lambda: core(pid, llmgr.folder))
        kept = hits(pid, {'proxy': {hidden['proxy'].encode(),
                                    hidden['proxy'].replace('/', '%2F').encode()}}, searched=taken)
        assert kept, 'the core lacks what the process certainly holds'
        await asyncio.to_thread(serving.stop)
    furnished(llmgr, test)


HOLDER = 'import sys, time; held = bytes.fromhex(sys.stdin.readline()); print(flush=True); ' \
         'time.sleep(600)'


def test_the_search_finds_what_a_process_holds(tmp_path):
    held = canary('held').encode()
    with subprocess.Popen([sys.executable, '-c', HOLDER], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        try:
            process.stdin.write(held.hex().encode() + b'\n')
            process.stdin.flush()
            process.stdout.readline()
            assert hits(process.pid, {'held': {held}}, dumped_only=True)
            assert hits(process.pid, {'held': {held}}, searched=core(process.pid, tmp_path))
        finally:
            process.kill()


def owner_seen(command, folder, **more):
    """Who owns /proc/PID/mem of a running command: the kernel gives it to root if there would be no
    core and nobody else may look inside, whatever limits are raised afterwards."""
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, env={'HOME': str(folder), 'PATH': '/usr/bin'},
                          **more) as process:
        try:
            end = time.monotonic() + PATIENCE_S
            owner = os.stat(f'/proc/{process.pid}/mem').st_uid
            while owner != 0 and time.monotonic() < end and process.poll() is None:
                time.sleep(0.01)
                owner = os.stat(f'/proc/{process.pid}/mem').st_uid
                if command[0] == 'cat':
                    break
            assert process.poll() is None, 'it ended before it was looked at'
            return owner
        finally:
            process.kill()


def test_the_program_is_closed_to_dumps_and_to_other_processes_of_its_user():
    user = os.geteuid() or 65534
    more = {} if os.geteuid() else {'user': user}
    with tempfile.TemporaryDirectory() as folder:  # not pytest's: those are root's alone
        program = pathlib.Path(folder) / 'llmgr'
        shutil.copy(PROGRAM, program)
        if more:
            os.chown(folder, user, -1)
        waits = [program, 'probe', '--base-url', 'http://127.0.0.1:9/v1', '--key-stdin']
        assert owner_seen(waits, folder, **more) == 0
        assert owner_seen(['cat'], folder, **more) == user, 'this would not have been noticed'
