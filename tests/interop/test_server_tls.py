# SPDX-License-Identifier: MIT
"""TLS of our server as OpenSSL's client (here Python's) sees it: versions, resumption on whichever
worker answers, protocols offered, a private authority."""
import socket
import ssl

import pytest
from peers import PATIENCE_S


@pytest.fixture(name='gateway')
def gateway_fixture(gateways):
    return gateways('secret')


@pytest.fixture(name='context', params=['1.2', '1.3'])
def context_fixture(gateway, request):
    context = ssl.create_default_context(cafile=gateway.authority)
    version = ssl.TLSVersion.TLSv1_2 if request.param == '1.2' else ssl.TLSVersion.TLSv1_3
    context.minimum_version = context.maximum_version = version
    return context


def visit(gateway, context, session=None, name='good.test'):
    """One request on a connection of its own: was it resumed, and its session."""
    with socket.create_connection(('127.0.0.1', gateway.port), PATIENCE_S) as plain, \
            context.wrap_socket(plain, server_hostname=name, session=session) as wire:
        wire.sendall(b'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
        said = b''
        while data := wire.recv(4096):
            said += data
        assert said.startswith(b'HTTP/1.1 200 '), said
        return wire.session_reused, wire.session, wire.selected_alpn_protocol()


def test_a_session_is_resumed_whichever_worker_answers(gateway, context):
    reused, session, _ = visit(gateway, context)
    assert not reused
    for _ in range(12):
        reused, session, _ = visit(gateway, context, session)
        assert reused


def test_only_http_1_1_is_agreed_on(gateway, context):
    context.set_alpn_protocols(['h2', 'http/1.1'])
    assert visit(gateway, context)[2] == 'http/1.1'


def test_a_client_without_our_protocol_is_served_all_the_same(gateway, context):
    context.set_alpn_protocols(['h2'])
    assert visit(gateway, context)[2] is None


def test_old_versions_are_refused(gateway):
    context = ssl.create_default_context(cafile=gateway.authority)
    context.set_ciphers('DEFAULT:@SECLEVEL=0')
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        visit(gateway, context)


def test_the_system_does_not_trust_a_private_authority(gateway):
    with pytest.raises(ssl.SSLCertVerificationError):
        visit(gateway, ssl.create_default_context())
