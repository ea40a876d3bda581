# SPDX-License-Identifier: MIT
"""Asking an address for its models."""
from __future__ import annotations

import json
from typing import Any

from ._errors import InvalidError
from ._native import Handle, check, ffi, from_text, lib, new_error, to_ms, to_text
from ._rows import kind_name


def probe(handle: Handle, user: Any, base_url: object, api_key: object,
          timeout: object) -> list[dict[str, Any]]:
    """As AIManager.probe_platform_models with raise_on_error."""
    url, key, timeout_ms = to_text('base_url', base_url), to_text('api_key', api_key), to_ms(
        'timeout', timeout)
    if not url or not key:
        raise InvalidError(f'{"api_key" if url else "base_url"} must not be empty')
    out, error = ffi.new('struct llmgr_probe *'), new_error()
    with handle.waiting() as manager:
        check(lib.llmgr_probe_url(manager, user, url, key, timeout_ms, out, error), error)
    try:
        models = [out.models[i] for i in range(out.count)]
        return [{'id': from_text(model.id), 'raw': json.loads(from_text(model.raw)),
                 'kind': kind_name(model.kind),
                 'context_tokens': model.context_tokens or None,
                 'max_output_tokens': model.max_output_tokens or None}
                for model in models]
    finally:
        lib.llmgr_probe_clear(out)
