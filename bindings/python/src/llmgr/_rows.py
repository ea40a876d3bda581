# SPDX-License-Identifier: MIT
"""The library's structures as Python values."""
from __future__ import annotations

import dataclasses
import datetime
import decimal
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ._errors import InvalidError
from ._native import (
    NULL, Handle, check, ffi, from_optional, from_text, lib, names_of, new_error, to_id, to_text)
from ._types import (
    Alias, Cell, KeyTest, Model, Platform, PlatformKey, PlatformTest, Resolved, Route, RouteTarget,
    Token, Usage, UsageAttempt, UsageSum)

KEY_ROOM = 4097  # what llmgr_llm_key promises to be enough


def to_json(name: str, value: object) -> bytes:
    """A dict argument as JSON; b'' for None or {}."""
    if value is None:
        return b''
    if not isinstance(value, Mapping):
        raise TypeError(f'{name} must be a dict, not {type(value).__name__}')
    if not value:
        return b''
    return json.dumps(dict(value), ensure_ascii=False, allow_nan=False).encode('utf-8')


KINDS = names_of('llmgr_model_kind', 'LLMGR_MODEL_')
TOKENS_MAX: int = lib.LLMGR_MODEL_TOKENS_MAX


def to_kind(kind: object) -> int:
    """A name of a kind of models as its number; None: unknown."""
    wanted = 'unknown' if kind is None else to_text('kind', kind).decode()
    if wanted not in KINDS:
        raise InvalidError(f'kind must be {", ".join(KINDS[:-1])} or {KINDS[-1]}, not {kind!r}')
    return KINDS.index(wanted)


def kind_name(kind: int) -> str:
    """The name of an llmgr_model_kind."""
    return KINDS[kind]


def seed_model(row: Any) -> dict[str, Any]:
    """A struct llmgr_model as the seed's dict."""
    return {
        'platform_id': row.platform_id,
        'platform_name': from_text(row.platform_name),
        'platform_is_sys': row.platform_is_sys,
        'platform_hide': row.platform_hide,
        'base_url': from_text(row.base_url),
        'api_key_set': row.api_key_set,
        'model_id': row.model_id,
        'model_name': from_text(row.model_name),
        'display_name': from_text(row.display_name),
    }


def model(row: Any) -> Model:
    """A struct llmgr_model."""
    extra_body = from_optional(row.extra_body)
    return Model(id=row.model_id, platform_id=row.platform_id,
                 model_name=from_text(row.model_name), display_name=from_text(row.display_name),
                 extra_body=json.loads(extra_body) if extra_body else None, hide=row.model_hide,
                 kind=kind_name(row.kind), managed=from_text(row.managed),
                 context_tokens=row.context_tokens or None,
                 max_output_tokens=row.max_output_tokens or None)


def model_spec(kept: list[Any], kind: object, tokens: Mapping[str, object],
               **texts: bytes | None) -> Any:
    """A struct llmgr_model_spec; None is not given. What it points to is in `kept`.

    tokens: "context_tokens" and "max_output_tokens", of which 0 is not known.
    texts: The other members, as C has them.
    """
    spec = ffi.new('struct llmgr_model_spec *')
    lib.llmgr_model_spec_init(spec)
    if kind is not None:
        spec.kind = to_kind(kind)
    for member, text in texts.items():
        if text is not None:
            kept.append(ffi.new('char[]', text))
            setattr(spec, member, kept[-1])
    for member, count in tokens.items():
        if count is not None:
            setattr(spec, member, to_tokens(member, count))
    return spec


def to_tokens(name: str, count: object) -> int:
    """A number of tokens, 0 if it is not known."""
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f'{name} must be an int, not {type(count).__name__}')
    if not 0 <= count <= TOKENS_MAX:
        raise InvalidError(f'{name} must be 1 to {TOKENS_MAX}, or 0 if it is not known')
    return count


def platform(row: Any, user_id: str) -> Platform:
    """A struct llmgr_platform of this owner."""
    return Platform(id=row.platform_id, name=from_text(row.platform_name),
                    base_url=from_text(row.base_url), user_id=user_id,
                    is_sys=row.platform_is_sys, hide=row.platform_hide,
                    api_key_set=row.api_key_set,
                    key_fingerprint=from_optional(row.key_fingerprint),
                    payer=from_optional(row.payer),
                    no_stream_options_until_ms=row.no_stream_options_until_ms or None,
                    native_paths=from_optional(row.native_paths),
                    headers=from_optional(row.headers),
                    fixed_headers=from_optional(row.fixed_headers),
                    missing_headers=from_optional(row.missing_headers),
                    managed=from_text(row.managed), protocol=from_text(row.protocol))


def platform_spec(kept: list[Any], **members: object) -> Any:
    """A struct llmgr_platform_spec; None is not given. What it points to is in `kept`."""
    spec = ffi.new('struct llmgr_platform_spec *')
    lib.llmgr_platform_spec_init(spec)
    for member, text in members.items():
        if text is not None:
            kept.append(ffi.new('char[]', to_text(member, text)))
            setattr(spec, member, kept[-1])
    return spec


def platform_key(row: Any) -> PlatformKey:
    """A struct llmgr_platform_key."""
    return PlatformKey(position=row.position, usable=row.usable,
                       fingerprint=from_optional(row.fingerprint),
                       health_id=from_optional(row.health_id), payer=from_text(row.payer),
                       weight=row.weight, account=from_optional(row.account),
                       key_env=from_optional(row.key_env))


def cell(row: Any) -> Cell:
    """A struct llmgr_cell."""
    return Cell(cell_id=from_text(row.cell_id), scope=from_text(row.scope), is_own=row.is_own,
                platform_id=row.platform_id, platform_name=from_optional(row.platform_name),
                model_id=row.model_id or None, display_name=from_optional(row.display_name),
                state=from_text(row.state), reason=from_text(row.reason),
                upstream_status=row.upstream_status or None, since_ms=row.since_ms,
                until_ms=row.until_ms, streak=row.streak, is_hard=row.is_hard)


def key_test(row: Any) -> KeyTest:
    """A struct llmgr_key_test."""
    return KeyTest(fingerprint=from_text(row.fingerprint), payer=from_text(row.payer),
                   model_name=from_text(row.model_name), reachable=row.reachable,
                   key_state=from_text(row.key_state), reason=from_text(row.reason),
                   status=from_text(lib.llmgr_status_name(row.status)),
                   message=from_text(row.message), upstream_status=row.upstream_status or None,
                   first_byte_ms=row.first_byte_ms if row.first_byte_ms >= 0 else None)


def platform_test(rows: Any) -> PlatformTest:
    """A struct llmgr_key_test_list."""
    return PlatformTest(keys=[key_test(rows.items[i]) for i in range(rows.count)],
                        untested=rows.untested)


def alias(row: Any) -> Alias:
    """A struct llmgr_alias."""
    return Alias(name=from_text(row.name), target=from_text(row.target), is_sys=row.is_sys)


TOKEN_KINDS = names_of('llmgr_token_kind', 'LLMGR_TOKEN_')


def token(row: Any) -> Token:
    """A struct llmgr_token."""
    return Token(id=row.token_id, kind=TOKEN_KINDS[row.kind], name=from_text(row.name),
                 user=from_optional(row.user), prefix=from_optional(row.prefix),
                 created_at_ms=row.created_at_ms,
                 revoked_at_ms=row.revoked_at_ms if row.revoked else None,
                 note=from_optional(row.note), expires_at_ms=row.expires_at_ms or None,
                 platforms=from_optional(row.platforms), models=from_optional(row.models),
                 routes=from_optional(row.routes), networks=from_optional(row.networks),
                 last_used_at_ms=row.last_used_at_ms or None)


def _names(member: str, given: str | Iterable[str] | None) -> bytes | None:
    """A list as the library takes it: names with commas between; None is not given."""
    if given is None or isinstance(given, str):
        return None if given is None else to_text(member, given)
    names = [to_text(member, name) for name in given]
    if any(b',' in name or not name.strip() for name in names):
        raise InvalidError(f'{member} cannot hold a name that is empty or has a comma')
    return b', '.join(names)


def token_spec(kept: list[Any], expires_at_ms: int | None,
               lists: Mapping[str, str | Iterable[str] | None], **texts: str | None) -> Any:
    """A struct llmgr_token_spec; None is not given. What it points to is in `kept`."""
    spec = ffi.new('struct llmgr_token_spec *')
    lib.llmgr_token_spec_init(spec)
    if expires_at_ms is not None:
        spec.expires_at_ms = to_id('expires_at_ms', expires_at_ms)
    given = {member: _names(member, names) for member, names in lists.items()}
    given |= {member: None if text is None else to_text(member, text)
              for member, text in texts.items()}
    for member, value in given.items():
        if value is not None:
            kept.append(ffi.new('char[]', value))
            setattr(spec, member, kept[-1])
    return spec


def token_kind(kind: object) -> int:
    """A name of a kind of tokens as its number."""
    if kind not in TOKEN_KINDS:
        raise InvalidError(
            f'kind must be {", ".join(TOKEN_KINDS[:-1])} or {TOKEN_KINDS[-1]}, not {kind!r}')
    return TOKEN_KINDS.index(str(kind))


PICKS = names_of('llmgr_pick', 'LLMGR_PICK_')
STICKIES = names_of('llmgr_sticky', 'LLMGR_STICKY_')
EXHAUSTED = names_of('llmgr_exhausted', 'LLMGR_EXHAUSTED_')


def _route_target(row: Any) -> RouteTarget:
    """A struct llmgr_route_target."""
    return RouteTarget(model=from_text(row.model), weight=row.weight,
                       first_byte_timeout=row.first_byte_timeout_ms / 1000 or None,
                       missing=row.missing, api_key_set=row.api_key_set)


def route(row: Any) -> Route:
    """A struct llmgr_route."""
    return Route(id=row.route_id, name=from_text(row.name),
                 display_name=from_text(row.display_name), is_sys=row.is_sys,
                 managed=from_text(row.managed), hide=row.route_hide, pick=PICKS[row.pick],
                 sticky=STICKIES[row.sticky], on_exhausted=EXHAUSTED[row.on_exhausted],
                 attempts=row.attempts, deadline=row.deadline_ms / 1000,
                 targets=tuple(_route_target(row.targets[i]) for i in range(row.target_count)),
                 api_key_set=row.api_key_set, created_at_ms=row.created_at_ms)


def _choice(name: str, value: object, names: tuple[str, ...]) -> int:
    """The number of one of these names; None is not given."""
    if value is None:
        return -1
    if value not in names:
        raise ValueError(f'{name} must be {", ".join(names[:-1])} or {names[-1]}, not {value!r}')
    return names.index(str(value))


def _milliseconds(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f'{name} must be a number of seconds, not {type(value).__name__}')
    return round(value * 1000)


def _targets(kept: list[Any], targets: object) -> Any:
    """Texts and RouteTargets as an array; what must outlive the call goes into `kept`."""
    if isinstance(targets, (str, bytes)) or not isinstance(targets, Iterable):
        raise TypeError(f'targets must be a list, not {type(targets).__name__}')
    rows = [RouteTarget(item) if isinstance(item, str) else item for item in targets]
    array = ffi.new('struct llmgr_route_target[]', len(rows) + 1)
    kept.append(array)
    for made, given in zip(array, rows):
        if not isinstance(given, RouteTarget):
            raise TypeError(f'a target must be a str or RouteTarget, not {type(given).__name__}')
        kept.append(ffi.new('char[]', to_text('model', given.model)))
        made.model, made.weight = kept[-1], to_id('weight', given.weight)
        if given.first_byte_timeout is not None:
            made.first_byte_timeout_ms = _milliseconds('first_byte_timeout',
                                                       given.first_byte_timeout)
    return array, len(rows)


def route_spec(kept: list[Any], *, name: object = None, targets: object = None,
               display_name: object = None, pick: object = None, sticky: object = None,
               on_exhausted: object = None, attempts: object = None, deadline: object = None,
               is_sys: bool = False) -> Any:
    """A struct llmgr_route_spec; None is not given. What it points to is in `kept`."""
    spec = ffi.new('struct llmgr_route_spec *')
    lib.llmgr_route_spec_init(spec)
    for member, text in (('name', name), ('display_name', display_name)):
        if text is not None:
            kept.append(ffi.new('char[]', to_text(member, text)))
            setattr(spec, member, kept[-1])
    spec.pick = _choice('pick', pick, PICKS)
    spec.sticky = _choice('sticky', sticky, STICKIES)
    spec.on_exhausted = _choice('on_exhausted', on_exhausted, EXHAUSTED)
    if attempts is not None:
        spec.attempts = to_id('attempts', attempts)
    if deadline is not None:
        spec.deadline_ms = _milliseconds('deadline', deadline)
    if targets is not None:
        spec.targets, spec.target_count = _targets(kept, targets)
    spec.is_sys = bool(is_sys)
    return spec


def selection(row: Any) -> dict[str, Any]:
    """A struct llmgr_selection as the seed's dict."""
    return {
        'platform': from_text(row.platform),
        'platform_id': row.platform_id,
        'platform_is_sys': row.platform_is_sys,
        'base_url': from_text(row.base_url),
        'model_display_name': from_text(row.model_display_name),
        'model_id': row.model_id,
        'model_name': from_text(row.model_name),
        'api_key_set': row.api_key_set,
    }


def resolved(llm: Any, error: Any) -> Resolved:
    """What a struct llmgr_llm holds; the key's buffer is wiped."""
    chosen = ffi.new('struct llmgr_selection *')
    room = ffi.new('char[]', KEY_ROOM)
    lib.llmgr_llm_selection(llm, chosen)
    check(lib.llmgr_llm_key(llm, room, KEY_ROOM, error), error)
    key = from_text(room)
    lib.llmgr_wipe(room, KEY_ROOM)
    return Resolved(chosen.platform_id, from_text(chosen.platform), from_text(chosen.base_url),
                    chosen.model_id, from_text(chosen.model_name),
                    from_text(chosen.model_display_name),
                    from_optional(lib.llmgr_llm_extra_body(llm)),
                    from_text(lib.llmgr_llm_payer(llm)), key)


# ---- Usage --------------------------------------------------------------------------------------

GROUPS = names_of('llmgr_usage_by', 'LLMGR_USAGE_BY_')


def _group(by: object) -> int:
    wanted = to_text('by', by).decode().lower()
    if wanted not in GROUPS:
        raise ValueError(f'by must be {", ".join(GROUPS[:-1])} or {GROUPS[-1]}, not {by!r}')
    return GROUPS.index(wanted)


def time_ms(name: str, value: object) -> int:
    """A datetime as ms since 1970; None is 0, not given."""
    if value is None:
        return 0
    if not isinstance(value, datetime.datetime):
        raise TypeError(f'{name} must be a datetime, not {type(value).__name__}')
    return max(1, int(value.timestamp() * 1000))


def _sum(row: Any) -> UsageSum:
    """A struct llmgr_usage_sum, whose members UsageSum has by the same names."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(UsageSum):
        value = getattr(row, field.name)
        if field.name == 'costs':
            values['costs'] = {from_text(value[i].currency): _money(value[i].nano)
                               for i in range(row.cost_count)}
        elif isinstance(value, int):
            values[field.name] = None if value < 0 else value
        else:
            values[field.name] = from_text(value)
    return UsageSum(**values)


def _money(nano: int) -> decimal.Decimal:
    """Nano-units of a currency, exactly."""
    return decimal.Decimal(f'{nano // 10**9}.{nano % 10**9:09}'.rstrip('0').rstrip('.'))


PROVENANCES = names_of('llmgr_provenance', 'LLMGR_PROVENANCE_')
ENDS = names_of('llmgr_end_state', 'LLMGR_END_')


def usage_attempt(row: Any) -> UsageAttempt:
    """A struct llmgr_usage_record as it was read."""
    made: dict[str, Any] = {
        'time': datetime.datetime.fromtimestamp(row.time_ms / 1000, datetime.timezone.utc),
        'cost': None if row.cost_nano < 0 else _money(row.cost_nano),
        'reported_cost': (None if row.reported_cost_nano < 0
                          else _money(row.reported_cost_nano)),
        'provenance': PROVENANCES[row.provenance], 'end_state': ENDS[row.end_state],
    }
    for field in dataclasses.fields(UsageAttempt):
        if field.name in made:
            continue
        value = getattr(row, field.name)
        if not isinstance(value, int):
            made[field.name] = from_optional(value)
        elif field.name.endswith('_id') or field.name == 'upstream_status':
            made[field.name] = value or None
        else:
            made[field.name] = None if value < 0 else value
    return UsageAttempt(**made)


def usage_request(handle: Handle, user: Any, request_id: object, since: object,
                  until: object) -> list[UsageAttempt]:
    """llmgr_usage_request."""
    out, error = ffi.new('struct llmgr_usage_attempts *'), new_error()
    name = to_text('request_id', request_id)
    begin, end = time_ms('since', since), time_ms('until', until)
    with handle as manager:
        check(lib.llmgr_usage_request(manager, user, name, begin, end, out, error), error)
    try:
        return [usage_attempt(out.items[i]) for i in range(out.count)]
    finally:
        lib.llmgr_usage_attempts_clear(out)


def usage(handle: Handle, user: Any, by: object, since: object, until: object) -> Usage:
    """All pages of llmgr_usage_query."""
    query = ffi.new('struct llmgr_usage_query *')
    lib.llmgr_usage_query_init(query)
    query.by = _group(by)
    query.since_ms, query.until_ms = time_ms('since', since), time_ms('until', until)
    kept = ffi.new('char[]', user) if user != NULL else NULL
    query.user = kept
    items: list[UsageSum] = []
    while True:
        page, error = ffi.new('struct llmgr_usage_list *'), new_error()
        with handle as manager:
            check(lib.llmgr_usage_query(manager, query, page, error), error)
        try:
            items += [_sum(page.items[i]) for i in range(page.count)]
            total, more = _sum(page.total), page.more
        finally:
            lib.llmgr_usage_list_clear(page)
        if not more:
            return Usage(items, total)
        after = ffi.new('char[]', items[-1].key.encode())
        query.after = after
