# SPDX-License-Identifier: MIT
"""PostgreSQL servers of a test's own, of which one may follow another, and a door before them that
leads to whichever the test says."""
import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from conftest import PATIENCE_S


def find_bin():
    found = sorted(pathlib.Path('/usr/lib/postgresql').glob('*/bin'), reverse=True)
    for folder in [*found, pathlib.Path('/usr/local/pgsql/bin')]:
        if (folder / 'pg_basebackup').exists() and (folder / 'initdb').exists():
            return folder
    program = shutil.which('initdb')
    return pathlib.Path(program).parent if program else None


BIN = find_bin()
OPTIONS = ('-F', '-c', "listen_addresses=", '-c', 'shared_buffers=16MB', '-c', 'max_connections=60',
           '-c', 'wal_level=replica', '-c', 'max_wal_senders=4', '-c', 'autovacuum=off',
           '-c', 'dynamic_shared_memory_type=mmap')  # goes with the folder, however it dies


def server_user():
    """Words before a command that a server runs: it runs not as root."""
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name for entry in pwd.getpwall()}
    return ['setpriv', f'--reuid={"postgres" if "postgres" in names else "nobody"}',
            '--regid=' + str(pwd.getpwnam('postgres' if 'postgres' in names else 'nobody').pw_gid),
            '--clear-groups', '--']


class Server:
    """One server, on a Unix socket in a folder of its own."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix='llmgr-pg-')
        self.process = None
        if os.geteuid() == 0:
            shutil.chown(self.folder, server_user()[1].split('=')[1])

    def tool(self, name, *args):
        done = subprocess.run([*server_user(), BIN / name, *map(str, args)], cwd=self.folder,
                              capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, f'{name}: {done.stdout}{done.stderr}'

    def make(self):
        self.tool('initdb', '-D', f'{self.folder}/data', '-U', 'llmgr', '-A', 'trust', '-E', 'UTF8',
                  '--locale=C.UTF-8', '--no-sync', '--no-instructions')

    def follow(self, leader):
        """Becomes its standby."""
        self.tool('pg_basebackup', '-D', f'{self.folder}/data', '-h', leader.folder, '-U', 'llmgr',
                  '-R', '-c', 'fast', '--no-sync')

    def start(self):
        with open(f'{self.folder}/log', 'ab') as log:
            self.process = subprocess.Popen(
                [*server_user(), BIN / 'postgres', '-D', f'{self.folder}/data', '-k', self.folder,
                 *OPTIONS], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait(lambda: self.asks('SELECT 1') == '1')

    def wait(self, holds):
        end = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end, pathlib.Path(f'{self.folder}/log').read_text('utf-8')
            time.sleep(0.02)

    def asks(self, sql, database='postgres'):
        """One value, or None if it cannot be had."""
        done = subprocess.run([BIN / 'psql', '-qXAt', '-h', self.folder, '-U', 'llmgr', '-c', sql,
                               database], capture_output=True, text=True, check=False, timeout=60)
        return done.stdout.strip() if done.returncode == 0 else None

    def sql(self, sql, database='postgres'):
        value = self.asks(sql, database)
        assert value is not None, sql
        return value

    def has_all_of(self, leader):
        """Waits until all that the leader has written has been taken in."""
        where = leader.sql('SELECT pg_current_wal_lsn()')
        self.wait(lambda: self.asks(
            f"SELECT pg_last_wal_replay_lsn() >= '{where}'::pg_lsn") == 't')

    def cut_off(self):
        """A standby that hears no more of its leader."""
        self.sql("ALTER SYSTEM SET primary_conninfo = ''")
        self.sql('SELECT pg_reload_conf()')
        self.wait(lambda: self.asks('SELECT COUNT(*) FROM pg_stat_wal_receiver') == '0')

    def promote(self):
        self.sql('SELECT pg_promote()')
        self.wait(lambda: self.asks('SELECT pg_is_in_recovery()') == 'f')

    def children(self):
        """Process numbers of all that the server has started."""
        pids = []
        for entry in pathlib.Path('/proc').glob('[0-9]*/stat'):
            try:
                fields = entry.read_text('utf-8').rsplit(')', 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == self.process.pid:
                pids.append(int(entry.parent.name))
        return pids

    def signal(self, number):
        """To the server, and to all it has started. The server first: one that is stopped starts
        nothing more that would not be."""
        self.process.send_signal(number)
        if number == signal.SIGSTOP:
            self.wait(self.is_stopped)
        for pid in self.children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def is_stopped(self):
        stat = pathlib.Path(f'/proc/{self.process.pid}/stat').read_text('utf-8')
        return stat.rsplit(')', 1)[1].split()[0] == 'T'

    def die(self):
        """At once, as by a power cut."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(PATIENCE_S)
            self.process = None

    def remove(self):
        self.die()
        shutil.rmtree(self.folder)


class Door:
    """A port of 127.0.0.1 that leads to a server's socket."""

    def __init__(self, server):
        self.server = server
        self.pairs = []
        self.deaf = False  # takes what comes, and passes nothing on
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(f'{self.server.folder}/.s.PGSQL.5432')
            except OSError:
                client.close()
                continue
            self.pairs.append((client, server))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self.carry, args=(source, sink), daemon=True).start()

    def carry(self, source, sink):
        try:
            while data := source.recv(65536):
                while self.deaf:
                    time.sleep(0.05)
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def lead_to(self, server):
        """From now on; connections that there are stay where they lead."""
        self.server = server

    def close(self):
        self.listener.close()
        for pair in self.pairs:
            for end in pair:
                end.close()
