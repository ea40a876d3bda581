# SPDX-License-Identifier: MIT
"""Prices: the library's integers as decimals, and decimals as its integers. Nothing is a float."""
from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ._errors import InvalidError
from ._native import (
    Handle, check, ffi, from_optional, from_text, lib, names_of, new_error, to_count, to_flag,
    to_id, to_text)
from ._rows import time_ms
from ._types import Price

UNITS = names_of('llmgr_price_unit', 'LLMGR_PRICE_UNIT_')


def rates_of(values: Any) -> dict[str, Decimal]:
    """By unit what it has a rate of."""
    text = ffi.new('char[]', lib.LLMGR_RATE_TEXT_SIZE)
    rates = {}
    for unit, name in enumerate(UNITS):
        if values[unit] != lib.LLMGR_UNSET:
            lib.llmgr_rate_format(values[unit], lib.llmgr_price_unit_per(unit), text)
            rates[name] = Decimal(from_text(text))
    return rates


def price(row: Any) -> Price:
    """A struct llmgr_price."""
    return Price(id=row.price_id, platform_id=row.platform_id or None,
                 platform_name=from_optional(row.platform_name), model=from_text(row.model),
                 currency=from_text(row.currency), rates=rates_of(row.rates), from_ms=row.from_ms,
                 until_ms=row.until_ms or None, above_tokens=row.above_tokens,
                 service_tier=from_optional(row.service_tier), hours=from_optional(row.hours),
                 time_zone=from_optional(row.time_zone), source=from_text(row.source),
                 created_at_ms=row.created_at_ms)


def _rate(name: str, value: object) -> int:
    """A rate as the library keeps it. What is no exact decimal is refused."""
    if isinstance(value, bool) or not isinstance(value, (Decimal, int, str)):
        raise TypeError(f'rates[{name!r}] must be a Decimal, an int or a str, which are exact, not '
                        f'{type(value).__name__}')
    rate, error = ffi.new('int64_t *'), new_error()
    per = lib.llmgr_price_unit_per(UNITS.index(name))
    try:
        check(lib.llmgr_rate_parse(to_text(name, str(value)), per, rate, error), error)
    except InvalidError as wrong:
        raise InvalidError(f'rates[{name!r}]: {wrong}') from None
    return int(rate[0])


def price_spec(kept: list[Any], rates: Mapping[str, Decimal | int | str], *, since: object,
               until: object, above_tokens: object, platform_id: object, **texts: object) -> Any:
    """A struct llmgr_price_spec; None is not given. What it points to is in `kept`."""
    if not isinstance(rates, Mapping):
        raise TypeError(f'rates must be a dict, not {type(rates).__name__}')
    spec = ffi.new('struct llmgr_price_spec *')
    lib.llmgr_price_spec_init(spec)
    for name, value in rates.items():
        if name not in UNITS:
            raise InvalidError(f'rates has no {name!r}; there are {", ".join(UNITS)}')
        spec.rates[UNITS.index(name)] = _rate(name, value)
    for member, text in texts.items():
        if text is not None:
            kept.append(ffi.new('char[]', to_text(member, text)))
            setattr(spec, member, kept[-1])
    spec.platform_id = to_count('platform_id', platform_id)
    spec.above_tokens = to_id('above_tokens', above_tokens)
    spec.from_ms, spec.until_ms = time_ms('since', since), time_ms('until', until)
    return spec


def prices(handle: Handle, user: Any, *, platform_id: object = None, model: object = None,
           source: object = None, ended: object = False, after: int = 0,
           limit: int = 0) -> list[Price]:
    """All pages of llmgr_prices; with `limit` the first alone."""
    query, kept = ffi.new('struct llmgr_price_query *'), []
    lib.llmgr_price_query_init(query)
    for member, text in (('model', model), ('source', source)):
        if text is not None:
            kept.append(ffi.new('char[]', to_text(member, text)))
            setattr(query, member, kept[-1])
    query.platform_id = to_count('platform_id', platform_id)
    query.ended, query.after, query.limit = to_flag('ended', ended), after, limit
    found: list[Price] = []
    while True:
        page, error = ffi.new('struct llmgr_price_list *'), new_error()
        with handle as manager:
            check(lib.llmgr_prices(manager, user, query, page, error), error)
        try:
            found += [price(page.items[i]) for i in range(page.count)]
            more = page.more
        finally:
            lib.llmgr_price_list_clear(page)
        if limit or not more:
            return found
        query.after = found[-1].id
