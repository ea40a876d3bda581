# SPDX-License-Identifier: MIT
"""What the manager hands out, where the seed hands out rows and where it has nothing."""
from __future__ import annotations

import dataclasses
import datetime
import decimal
import os
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Union

PathLike = Union[str, 'os.PathLike[str]']


@dataclasses.dataclass(frozen=True)
class Platform:
    """A platform as one user sees it.

    Attributes:
        id: Its number, for every other call.
        name: What people see.
        base_url: Its address, as written.
        user_id: Whose private platform it is; of a system platform the system user.
        is_sys: A system platform, defined by the administrator?
        hide: Did this user hide it?
        api_key_set: Is there a key that this user may use?
        key_fingerprint: Tells keys apart, such as "key:1a2b3c4d"; None without a key.
        payer: "user", "system", or None without a key.
        no_stream_options_until_ms: It rejects stream_options: until when (since 1970) streams are
            not asked for usage; None: they are.
        native_paths: What the operator has opened under the server's key besides the usual.
        headers: Names of a caller's header fields that are passed on to it besides the usual.
        fixed_headers: Names of those that it gets with values of its own, which are never shown.
        missing_headers: Names of those left out, and the variables that each waits for.
        managed: "file": changed in llmgr.yaml; "database": by calls.
        protocol: What it speaks: "openai", "anthropic", "azure" or "gemini".
    """

    id: int
    name: str
    base_url: str
    user_id: str
    is_sys: bool
    hide: bool
    api_key_set: bool
    key_fingerprint: str | None
    payer: str | None
    no_stream_options_until_ms: int | None = None
    native_paths: str | None = None
    headers: str | None = None
    fixed_headers: str | None = None
    missing_headers: str | None = None
    managed: str = 'database'
    protocol: str = 'openai'


@dataclasses.dataclass(frozen=True)
class PlatformKey:
    """One of several keys for a platform; never the key itself.

    Attributes:
        position: Its place among the keys of who pays, from 1.
        usable: False: it is missing, or does not open for the platform's address.
        fingerprint: "key:1a2b3c4d", which names it; None unless it is usable.
        health_id: By which the health of keys speaks of it.
        payer: "user": the user's own; "system": the server's.
        weight: How often it is used beside others, 1-1000.
        account: Label of the account at the vendor; keys of one account share its limits.
        key_env: The variable that a key of the server's comes from.
    """

    position: int
    usable: bool
    fingerprint: str | None
    health_id: str | None
    payer: str
    weight: int
    account: str | None
    key_env: str | None


@dataclasses.dataclass(frozen=True)
class Cell:
    """Something that routes and pools of keys let alone for a while.

    Attributes:
        cell_id: Its number, the same in every process on one database.
        scope: What it is of: "key", "account", "model", "platform".
        is_own: Of this user alone; else of all who use it.
        platform_id: The platform's number.
        platform_name: Its name; None: it is gone.
        model_id: The model's number, of a model; else None.
        display_name: That model's name; None: it is gone.
        state: "cooled": nobody goes there; "half_open": one request at a time finds out.
        reason: Why: "limit", "key", "billing", "failed", …
        upstream_status: HTTP status of the platform; None: none came.
        since_ms, until_ms: Since and until when, in milliseconds since 1970.
        streak: How often in a row.
        is_hard: A refused key, or no money: waiting may not help.
    """

    cell_id: str
    scope: str
    is_own: bool
    platform_id: int
    platform_name: str | None
    model_id: int | None
    display_name: str | None
    state: str
    reason: str
    upstream_status: int | None
    since_ms: int
    until_ms: int
    streak: int
    is_hard: bool


@dataclasses.dataclass(frozen=True)
class KeyTest:
    """What came of one cheap real request with one key.

    Attributes:
        fingerprint: Of the key, as platform_keys() tells it.
        payer: "user": the user's own key; "system": the server's.
        model_name: The platform's name of the model that was asked.
        reachable: An HTTP answer came, whatever it says.
        key_state: "good", "refused", or "unknown": what came says nothing of the key.
        reason: Why it ended so: "answered", "key", "billing", "limit", "unreachable", …
        status: "OK" if it was answered, else the error's name: "ERR_KEY_REFUSED", …
        message: For people; empty if it was answered.
        upstream_status: HTTP status of the platform; None: none came.
        first_byte_ms: Milliseconds to the head of the answer; None: none came.
    """

    fingerprint: str
    payer: str
    model_name: str
    reachable: bool
    key_state: str
    reason: str
    status: str
    message: str
    upstream_status: int | None
    first_byte_ms: int | None


@dataclasses.dataclass(frozen=True)
class PlatformTest:
    """What came of asking a platform with each key.

    Attributes:
        keys: A KeyTest for each key that was asked with, in their order.
        untested: Keys that were not: the platform does not answer, or a minute was over.
    """

    keys: list[KeyTest]
    untested: int


@dataclasses.dataclass(frozen=True)
class Alias:
    """A name that clients insist on.

    Attributes:
        name: One "*" in it is anything.
        target: The slot or model it stands for.
        is_sys: Is it the operator's? The user's own is asked before it.
    """

    name: str
    target: str
    is_sys: bool


@dataclasses.dataclass(frozen=True)
class Token:
    """A token of the gateway as it is remembered; the token itself is not.

    Attributes:
        id: Its number.
        kind: "user" (acts as its user), "app" (names the user of each request) or "admin".
        name: For people; "" if none was given.
        user: Whose it is, if it is a user's.
        prefix: An application's users begin with it; None: any user.
        created_at_ms: Since 1970, as all times here.
        revoked_at_ms: None: it is not.
        note: For people.
        expires_at_ms: It is refused from then on; None: never.
        platforms: Names of the platforms that it may use, ", " between; None: all.
        models: Likewise models, as requests name them.
        routes: Likewise routes.
        networks: Addresses and ranges from which it may be used; None: anywhere.
        last_used_at_ms: The beginning of the hour of its last use; None: none is known.
    """

    id: int
    kind: str
    name: str
    user: str | None
    prefix: str | None
    created_at_ms: int
    revoked_at_ms: int | None
    note: str | None
    expires_at_ms: int | None
    platforms: str | None
    models: str | None
    routes: str | None
    networks: str | None
    last_used_at_ms: int | None


@dataclasses.dataclass(frozen=True)
class RouteTarget:
    """A model that a route names.

    Attributes:
        model: "platform/model": the name of a platform, then a display name or model name. It need
            not be there.
        weight: How often it is picked beside the others, 1 to 1000.
        first_byte_timeout: Seconds that an attempt at it waits, 1 to 600; None: no limit of its own.
        missing: Told by AIManager.routes: there is no such model for this user now.
        api_key_set: Likewise: there is a key that this user may use.
    """

    model: str
    weight: int = 1
    first_byte_timeout: float | None = None
    missing: bool = False
    api_key_set: bool = False


@dataclasses.dataclass(frozen=True)
class Route:
    """A named list of models with a policy, asked for like a model.

    Attributes:
        id: Its number, for every other call.
        name: What requests call it.
        display_name: What people see.
        is_sys: Is it the operator's, and so everybody's?
        managed: "file": changed in llmgr.yaml; "database": by calls.
        hide: Did this user hide it?
        pick: "order", "weight" or "fastest": which target is asked first.
        sticky: "none", "user" or "conversation": what keeps to one account where it can.
        on_exhausted: "reject" or "least_bad": what a request gets when no target may be asked.
        attempts: Of a request, in all.
        deadline: Of a request, to its first byte, in seconds.
        targets: In order.
        api_key_set: One of them is there and has a key that this user may use.
        created_at_ms: Since 1970.
    """

    id: int
    name: str
    display_name: str
    is_sys: bool
    managed: str
    hide: bool
    pick: str
    sticky: str
    on_exhausted: str
    attempts: int
    deadline: float
    targets: tuple[RouteTarget, ...]
    api_key_set: bool
    created_at_ms: int


@dataclasses.dataclass(frozen=True)
class Price:
    """What attempts cost, from when until when. It is never changed, only followed by another.

    Attributes:
        id: Its number, which the ledger names.
        platform_id: Of this system platform alone; None: of all platforms, private ones too.
        platform_name: Its name; None too if it is gone.
        model: The model name that the platform is asked for; one "*" in it is anything.
        currency: ISO 4217: "USD".
        rates: By unit ("input", "cached_input", "cache_write", "cache_write_1h", "audio_input",
            "image_input", "output", "reasoning", "audio_output": for a million tokens; "request",
            "tool_call", "image", "second": for one), exact. What has none is not there.
        from_ms: In force from here, since 1970.
        until_ms: And before this; None: it has no end.
        above_tokens: If there are more prompt tokens than this, cached ones included.
        service_tier: If the answer tells of this tier ("batch", "flex", "priority"); None: whatever
            it tells.
        hours: If it is this time of day: "16:30-00:30", "mon-fri 09:00-18:00"; None: always.
        time_zone: Of the hours; None without them.
        source: "hand": set by a call; "file": llmgr.yaml; else where it was imported from.
        created_at_ms: Since 1970.
    """

    id: int
    platform_id: int | None
    platform_name: str | None
    model: str
    currency: str
    rates: dict[str, Decimal]
    from_ms: int
    until_ms: int | None
    above_tokens: int
    service_tier: str | None
    hours: str | None
    time_zone: str | None
    source: str
    created_at_ms: int


@dataclasses.dataclass(frozen=True)
class ImportedPrice:
    """A price that a catalogue has, and what became of it.

    Attributes:
        result: "new"; "changed": it took another one's place; "same": it was there; "kept": the
            price that is there was set by hand or in llmgr.yaml, and stays.
        price_id: Of the price in force; None: a dry run did not make it.
        platform_id, platform_name, model, currency, rates, above_tokens, service_tier, hours,
            time_zone: As those of Price.
        former_id: Of the price that it met for the same, or None.
        former_currency: Of that price.
        former_rates: Of that price, by unit.
    """

    result: str
    price_id: int | None
    platform_id: int | None
    platform_name: str | None
    model: str
    currency: str
    rates: dict[str, Decimal]
    above_tokens: int
    service_tier: str | None
    hours: str | None
    time_zone: str | None
    former_id: int | None
    former_currency: str | None
    former_rates: dict[str, Decimal] | None


@dataclasses.dataclass(frozen=True)
class PriceStrange:
    """Something in a catalogue that was not understood, and was left out.

    Attributes:
        name: Of the member, or what was met.
        model: One that has it; "": it is about none.
        count: How often it was met.
    """

    name: str
    model: str
    count: int


@dataclasses.dataclass(frozen=True)
class PriceImport:
    """What became of a catalogue's prices.

    Attributes:
        form: "litellm", "models.dev", "openrouter" or "llmgr".
        dry_run: Nothing was written.
        model_count: Models in the catalogue; of our own form, prices.
        taken_count: Of these, the platforms'.
        new_count, changed_count, same_count, kept_count: Prices by result.
        prices: All of them, in the catalogue's order.
        not_understood: At most 100 names.
        not_understood_others: How often something beyond them was met.
    """

    form: str
    dry_run: bool
    model_count: int
    taken_count: int
    new_count: int
    changed_count: int
    same_count: int
    kept_count: int
    prices: tuple[ImportedPrice, ...]
    not_understood: tuple[PriceStrange, ...]
    not_understood_others: int


@dataclasses.dataclass(frozen=True)
class Model:
    """A model as one user sees it.

    Attributes:
        id: Its number, for every other call.
        platform_id: The platform it belongs to.
        model_name: What the upstream is asked for.
        display_name: What people see.
        extra_body: Members that go into each request; None if there are none.
        hide: Did this user hide it?
        kind: What it is for: "chat", "completion", "embedding", "rerank", "image", "video",
            "speech", "transcription", "moderation"; "unknown" if nobody has said.
        managed: "file": changed in llmgr.yaml; "database": by calls.
        context_tokens: How many fit into it, as its platform counts them; None: not known.
        max_output_tokens: How many one answer may have; None: not known.
    """

    id: int
    platform_id: int
    model_name: str
    display_name: str
    extra_body: dict[str, Any] | None
    hide: bool
    kind: str = 'unknown'
    managed: str = 'database'
    context_tokens: int | None = None
    max_output_tokens: int | None = None


@dataclasses.dataclass(slots=True)
class Resolved:
    """What serves a user's slot: the result of a resolve. The key is not shown by repr()."""

    platform_id: int
    platform: str
    base_url: str
    model_id: int
    model_name: str
    model_display_name: str
    extra_body: str | None
    payer: str
    key: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class UsageSum:
    """One sum of the ledger. A count of tokens is None if no row knew it.

    Attributes:
        key: Model, platform or token number, user, slot, payer, day or hour: what the sums are
            told apart by.
        name: The same for people; "" if there is none.
        requests: Calls.
        attempts: Rows: attempts at an upstream.
        completed: Of the attempts, those that ended well.
        unknown: Attempts of which no token count is known.
        inexact: Attempts whose counts were estimated, or reported in part.
        unpriced: Attempts with known tokens and without a known cost.
        system_paid: Attempts with the administrator's key.
        prompt_tokens: Sent.
        completion_tokens: Received, reasoning included.
        cached_tokens: Part of prompt_tokens.
        reasoning_tokens: Part of completion_tokens.
        cache_write_tokens: Part of prompt_tokens: put into a platform's cache.
        cache_write_1h_tokens: Part of cache_write_tokens: for an hour.
        audio_input_tokens: Part of prompt_tokens.
        audio_output_tokens: Part of completion_tokens.
        image_input_tokens: Part of prompt_tokens.
        tool_calls: Calls of tools that platforms host.
        costs: What is known to have been spent, exactly, by currency: {"USD": Decimal("1.2345")}.
    """

    key: str
    name: str
    requests: int
    attempts: int
    completed: int
    unknown: int
    inexact: int
    unpriced: int
    system_paid: int
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    cache_write_tokens: int | None
    cache_write_1h_tokens: int | None
    audio_input_tokens: int | None
    audio_output_tokens: int | None
    image_input_tokens: int | None
    tool_calls: int | None
    costs: dict[str, decimal.Decimal]


@dataclasses.dataclass(frozen=True)
class UsageAttempt:
    """One attempt of a request at a platform. A count that nobody told is None, as is a text.

    Attributes:
        request_id: Of the request.
        attempt: From 1.
        time: When it began.
        user: Whose it is.
        token_id: The token that called; None: none did.
        platform_id, platform_name: Where; the name is that of the time.
        model_id, model_name: Likewise.
        slot: That was asked for; None: a model was.
        endpoint: "chat/completions", "messages", ...
        payer: Whose key it was: "user" or "system".
        prompt_tokens: Sent.
        completion_tokens: Received, reasoning included.
        cached_tokens: Part of prompt_tokens.
        reasoning_tokens: Part of completion_tokens.
        provenance: Who told the tokens: "reported", "estimated", "partial" or "unknown".
        end_state: How it ended: "completed", "upstream_error", ...
        upstream_status: The platform's HTTP status; None: no answer came.
        latency_ms, first_byte_ms: To the answer's end, and to its first byte.
        bytes_in, bytes_out: Of the request's and of the answer's body.
        cache_write_tokens: Part of prompt_tokens.
        cache_write_1h_tokens: Part of cache_write_tokens.
        audio_input_tokens: Part of prompt_tokens.
        audio_output_tokens: Part of completion_tokens.
        image_input_tokens: Part of prompt_tokens.
        tool_calls: Of tools that the platform hosts.
        service_tier: That the answer names.
        cost: By our prices, exactly; None: it has no price.
        currency: Of the cost, ISO 4217.
        price_id: The price that decided.
        reported_cost: What the platform says it cost, in its own currency.
    """

    request_id: str
    attempt: int
    time: datetime.datetime
    user: str
    token_id: int | None
    platform_id: int | None
    platform_name: str | None
    model_id: int | None
    model_name: str | None
    slot: str | None
    endpoint: str | None
    payer: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    provenance: str
    end_state: str
    upstream_status: int | None
    latency_ms: int | None
    first_byte_ms: int | None
    bytes_in: int | None
    bytes_out: int | None
    cache_write_tokens: int | None
    cache_write_1h_tokens: int | None
    audio_input_tokens: int | None
    audio_output_tokens: int | None
    image_input_tokens: int | None
    tool_calls: int | None
    service_tier: str | None
    cost: decimal.Decimal | None
    currency: str | None
    price_id: int | None
    reported_cost: decimal.Decimal | None


@dataclasses.dataclass(frozen=True)
class Usage:
    """The answer of AIManager.usage: iterate over it for the sums; `total` is over all of them."""

    items: list[UsageSum]
    total: UsageSum

    def __iter__(self) -> Iterator[UsageSum]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)
