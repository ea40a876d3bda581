# SPDX-License-Identifier: MIT
"""The canned answers as an ASGI application, for uvicorn."""
import hashlib
import json

import canned


async def read(receive):
    whole, more = b'', True
    while more:
        message = await receive()
        whole += message.get('body', b'')
        more = message.get('more_body', False)
    return whole


async def app(scope, receive, send):
    """One request; fields with a length are sent whole, the others in chunks."""
    if scope['type'] != 'http':
        return
    body = await read(receive)
    name = scope['path'].removeprefix('/v1/')
    status, pieces, fields = 200, [canned.MODELS], []
    if name == 'chat':
        pieces = [canned.CHAT]
    elif name == 'stream':
        pieces = canned.EVENTS
    elif name == 'large':
        pieces = [canned.LARGE]
    elif name == 'large-chunked':
        pieces = [canned.LARGE[i:i + 5000] for i in range(0, len(canned.LARGE), 5000)]
    elif name == 'upload':
        pieces = [json.dumps({'size': len(body),
                              'sha256': hashlib.sha256(body).hexdigest()}).encode()]
    elif name == 'empty':
        status, pieces = 204, [b'']
    elif name == 'redirect':
        status, fields = 302, [(b'location', b'/v1/models')]
    elif name == 'close':
        fields = [(b'connection', b'close')]
    elif name.startswith('status/'):
        status = int(name.removeprefix('status/'))
        pieces = [json.dumps({'error': {'message': f'canned {status}'}}).encode()]
        fields = [(b'retry-after', b'7')] if status == 429 else []
    elif name in ('cut', 'cut-chunked'):
        pieces = [canned.LARGE[:50000], None]
        fields = [(b'content-length', b'100000')] if name == 'cut' else []
    fields.append((b'content-type', b'application/json'))
    if len(pieces) == 1 and status != 204:
        fields.append((b'content-length', str(len(pieces[0])).encode()))
    await send({'type': 'http.response.start', 'status': status, 'headers': fields})
    for piece in pieces:
        if piece is None:
            raise EOFError('cut')
        await send({'type': 'http.response.body', 'body': piece, 'more_body': True})
    await send({'type': 'http.response.body', 'body': b''})
