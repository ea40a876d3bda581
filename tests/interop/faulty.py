#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The scripted peer with one planted fault, for test_detect.py.

usage: faulty.py FAULT PLAIN TLS12 TLS13 CERT KEY SECOND EXPIRED LOOSE

The faults are the methods below (of TLS: see `contexts`); LOOSE is a certificate for every name.
"""
import ssl
import sys

import canned
from canned import CHAT, EVENTS, LARGE, MODELS

BYTES = 'application/octet-stream'


class Faulty(canned.Handler):
    """Each fault spoils the answers of one path and leaves the others alone."""

    def flip(self):
        """One bit of a megabyte."""
        if self.path == '/v1/large':
            self.answer(200, LARGE[:-1] + bytes([LARGE[-1] ^ 1]), BYTES)
            return True
        return False

    def swap_chunks(self):
        if self.path == '/v1/large-chunked':
            self.chunks([LARGE[5000:10000], LARGE[:5000], LARGE[10000:]], BYTES)
            return True
        return False

    def lose_event(self):
        if self.path == '/v1/stream':
            self.body()
            self.chunks(EVENTS[:7] + EVENTS[8:], 'text/event-stream')
            return True
        return False

    def no_reuse(self):
        self.answer(200, MODELS)
        self.close_connection = True
        return True

    def hide_cut(self):
        """Half of it, and a head that says so."""
        if self.path == '/v1/cut':
            self.answer(200, LARGE[:50000])
            return True
        return False

    def hide_cut_chunked(self):
        if self.path == '/v1/cut-chunked':
            self.chunks([LARGE[:50000]], BYTES)
            return True
        return False

    def short_upload(self):
        if self.path == '/v1/upload':
            size = len(self.body()) - 1
            self.answer(200, b'{"size": %d, "sha256": ""}' % size)
            return True
        return False

    def body_of_204(self):
        """Which is no body, but the beginning of what should be the next answer."""
        if self.path == '/v1/empty':
            self.wfile.write(b'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 500 No\r\n\r\n')
            return True
        return False

    def interim_only(self):
        if self.path == '/v1/interim':
            self.raw(b'HTTP/1.1 103 Early Hints\r\n\r\n')
            return True
        return False

    def stray_after_trailers(self):
        if self.path == '/v1/trailers':
            self.chunks([CHAT], 'application/json', b'X-Checksum: 42\r\n\r\nstray')
            return True
        return False

    def ok_for_errors(self):
        if self.path.startswith('/v1/status/'):
            self.answer(200, b'{"error": {"message": "canned 429"}}')
            return True
        return False

    def mute_close(self):
        """Closes without a word where an answer was due."""
        if self.path == '/v1/close':
            self.close_connection = True
            return True
        return False

    def do_GET(self):
        if not getattr(self, FAULT, lambda: False)():
            super().do_GET()

    def do_POST(self):
        if not getattr(self, FAULT, lambda: False)():
            super().do_POST()


def new_context(version, certs, key):
    """canned.new_context with what is wrong in TLS."""
    good, second, expired, loose = certs
    certs = {'one_name': (good, good, expired), 'any_name': (loose, second, expired),
             'never_expires': (good, second, loose)}.get(FAULT, (good, second, expired))
    context = PLAIN_CONTEXT(version, certs, key)
    if FAULT == 'no_tickets':
        context.num_tickets = 0
    if FAULT == 'no_tickets_12':
        context.options |= ssl.OP_NO_TICKET
    return context


FAULT = sys.argv.pop(1).replace('-', '_') if __name__ == '__main__' else ''
PLAIN_CONTEXT = canned.new_context

if __name__ == '__main__':
    canned.new_context = new_context
    canned.main(Faulty)
