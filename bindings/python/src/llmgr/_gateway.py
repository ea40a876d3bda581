# SPDX-License-Identifier: MIT
"""A running `llmgr serve`: where it is, and what it is asked beside LLMs (/api/health/cells)."""
from __future__ import annotations

import dataclasses
import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from ._native import failure, lib
from ._types import Cell

_TIMEOUT_S = 30
_PAGES_MAX = 1000  # of a hundred cells; more than a gateway's table holds

Named = tuple[str | None, str | None]  # address and token as AIManager was given them


def is_gateway(via: object) -> bool:
    """Judges the argument `via`."""
    if via not in (None, 'gateway'):
        raise ValueError(f'via must be None or "gateway", not {via!r}')
    return via is not None


def place(named: Named) -> tuple[str, str]:
    """Its address, without the /v1 at which clients begin, and the token it is shown."""
    url = named[0] or os.environ.get('LLMGR_GATEWAY_URL')
    token = named[1] or os.environ.get('LLMGR_GATEWAY_TOKEN')
    if not url or not token:
        missing = ('gateway_token or LLMGR_GATEWAY_TOKEN' if url else
                   'gateway_url or LLMGR_GATEWAY_URL')
        raise ValueError(f'via="gateway" needs {missing}: the address of `llmgr serve`, and a '
                         'token of `llmgr token create`')
    return url.rstrip('/').removesuffix('/v1'), token


class _Stay(urllib.request.HTTPRedirectHandler):
    """The token goes to nobody else."""

    def redirect_request(self, *_args: Any, **_more: Any) -> None:
        return None


def _refused(base: str, refusal: urllib.error.HTTPError) -> Exception:
    """What a problem document says, as the exception of its code."""
    try:
        problem = json.loads(refusal.read(1 << 20))
        code, detail = problem['code'], problem['detail']
    except (ValueError, KeyError, TypeError):
        return failure(lib.LLMGR_ERR_PROTOCOL, f'{base} answers with HTTP {refusal.code}, but not '
                       'as `llmgr serve` does')
    return failure(getattr(lib, f'LLMGR_{code}', lib.LLMGR_ERR_INTERNAL),
                   f'the gateway says: {detail}')


def _ask(named: Named, method: str, path: str, **query: str | None) -> Any:
    """The document that it answers with; None: none."""
    base, token = place(named)
    asked = urllib.parse.urlencode({name: text for name, text in query.items() if text is not None})
    request = urllib.request.Request(f'{base}/api{path}?{asked}', method=method,
                                     headers={'Authorization': f'Bearer {token}'})
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=_TIMEOUT_S) as answer:
            text = answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            raise _refused(base, refusal) from None
    except (OSError, http.client.HTTPException) as trouble:
        raise failure(lib.LLMGR_ERR_UNREACHABLE,
                      f'no gateway answers at {base}: {trouble}') from trouble
    try:
        return json.loads(text) if text else None
    except ValueError:
        raise failure(lib.LLMGR_ERR_PROTOCOL,
                      f'{base} does not answer as `llmgr serve` does') from None


def cells(named: Named, user: str | None) -> list[Cell]:
    """All of GET /api/health/cells."""
    found: list[Cell] = []
    after: str | None = None
    for _ in range(_PAGES_MAX):
        page = _ask(named, 'GET', '/health/cells', user=user, after=after, limit='100')
        try:
            found += [Cell(**{field.name: row[field.name] for field in dataclasses.fields(Cell)})
                      for row in page['data']]
            after = page['next']
        except (KeyError, TypeError):
            raise failure(lib.LLMGR_ERR_PROTOCOL, 'the gateway\'s list is none') from None
        if after is None:
            break
    return found


def reset_cell(named: Named, user: str | None, cell_id: str) -> None:
    """DELETE /api/health/cells/{cell_id}."""
    _ask(named, 'DELETE', '/health/cells/' + urllib.parse.quote(cell_id, safe=''), user=user)
