# SPDX-License-Identifier: MIT
"""Importing catalogues of prices: the library's report as dataclasses."""
from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ._native import Handle, check, ffi, from_optional, from_text, lib, names_of, new_error, to_flag
from ._native import to_text
from ._prices import rates_of
from ._types import ImportedPrice, PathLike, PriceImport, PriceStrange

RESULTS = names_of('llmgr_price_import_result', 'LLMGR_PRICE_IMPORT_')
_BYTES_MAX = 16 * 1024 * 1024


def read_text(source: PathLike | bytes) -> tuple[bytes, str]:
    """A catalogue's bytes and what errors call them."""
    if isinstance(source, bytes):
        return source, 'prices'
    path = os.fspath(source)
    with open(path, 'rb') as file:  # one byte more: the library says what is too large
        return file.read(_BYTES_MAX + 1), path


def _item(row: Any) -> ImportedPrice:
    price = row.price
    return ImportedPrice(
        result=RESULTS[row.result], price_id=price.price_id or None,
        platform_id=price.platform_id or None, platform_name=from_optional(price.platform_name),
        model=from_text(price.model), currency=from_text(price.currency),
        rates=rates_of(price.rates), above_tokens=price.above_tokens,
        service_tier=from_optional(price.service_tier), hours=from_optional(price.hours),
        time_zone=from_optional(price.time_zone), former_id=row.former_id or None,
        former_currency=from_optional(row.former_currency),
        former_rates=rates_of(row.former_rates) if row.former_id else None)


def _strange(row: Any) -> PriceStrange:
    return PriceStrange(name=from_text(row.name), model=from_text(row.model), count=row.count)


def report(row: Any) -> PriceImport:
    """A struct llmgr_price_import_report."""
    return PriceImport(
        form=from_text(row.form), dry_run=bool(row.dry_run), model_count=row.model_count,
        taken_count=row.taken_count, new_count=row.new_count, changed_count=row.changed_count,
        same_count=row.same_count, kept_count=row.kept_count,
        prices=tuple(_item(row.items[i]) for i in range(row.item_count)),
        not_understood=tuple(_strange(row.strange[i]) for i in range(row.strange_count)),
        not_understood_others=row.strange_others)


def _maps(kept: list[Any], providers: Mapping[str, str]) -> Any:
    """An array of struct llmgr_price_map."""
    if not isinstance(providers, Mapping):
        raise TypeError(f'providers must be a dict, not {type(providers).__name__}')
    maps = ffi.new('struct llmgr_price_map[]', max(len(providers), 1))
    for row, (platform, provider) in zip(maps, providers.items()):
        kept += [ffi.new('char[]', to_text('providers', platform)),
                 ffi.new('char[]', to_text('providers', provider))]
        row.platform, row.provider = kept[-2:]
    return maps


def import_prices(handle: Handle, user: Any, text: bytes, name: str, *,
                  providers: Mapping[str, str], all_models: object, replace_hand: object,
                  dry_run: object, source: str | None) -> PriceImport:
    """llmgr_price_import."""
    kept: list[Any] = [ffi.new('char[]', to_text('name', name))]
    options = ffi.new('struct llmgr_price_import_options *')
    lib.llmgr_price_import_options_init(options)
    options.name = kept[0]
    if source is not None:
        kept.append(ffi.new('char[]', to_text('source', source)))
        options.source = kept[-1]
    maps = _maps(kept, providers)
    options.maps, options.map_count = maps, len(providers)
    options.all_models = to_flag('all_models', all_models)
    options.replace_hand = to_flag('replace_hand', replace_hand)
    options.dry_run = to_flag('dry_run', dry_run)
    made, error = ffi.new('struct llmgr_price_import_report *'), new_error()
    with handle as manager:
        check(lib.llmgr_price_import(manager, user, ffi.from_buffer(text), len(text), options, made,
                                     error), error)
    try:
        return report(made)
    finally:
        lib.llmgr_price_import_report_clear(made)
