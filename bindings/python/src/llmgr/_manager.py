# SPDX-License-Identifier: MIT
"""AIManager: the seed's class, name for name, over libllmgr; and what it offers beyond the seed.

A call checks its arguments, borrows the handle, asks the library, and turns what comes back into
the seed's dicts and objects. The interpreter lock is released while the library works. What a chat
model is built from stands in _chat.py, which alone knows LangChain.
"""
from __future__ import annotations

import datetime
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from . import _gateway, _native, _price_import, _prices, _probe, _rows
from ._errors import ClosedError, ConfigError, InvalidError, LlmgrError
from ._native import (
    NULL, Handle, check, ffi, from_optional, from_text, lib, new_error, to_count, to_flag, to_id,
    to_optional, to_text)
from ._settings import SYSTEM_USER, Config, Settings
from ._types import (
    Alias, Cell, Model, PathLike, Platform, PlatformKey, PlatformTest, Price, PriceImport, Resolved,
    Route, RouteTarget, Token, Usage, UsageAttempt)

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings

LOGGER = logging.getLogger('llmgr')
_ACTIONS = ('added', 'updated', 'removed')


class AIManager:
    """Which model, at which address, with whose key, for this user.

    Opens the database (made, or migrated, if need be) and synchronises the configured system
    platforms, as the seed's constructor does. May be used by many threads; after a fork the child
    opens a handle of its own.

    Args:
        database: A path, "sqlite:PATH" or "postgres://USER@HOST/NAME"; None: $LLMGR_DB, the
            configuration file, or ./llmgr.db.
        config: llmgr.yaml's path, or a dict of its form; None: $LLMGR_CONFIG, ./llmgr.yaml,
            /etc/llmgr/llmgr.yaml, or none.
        env_file: NAME=VALUE lines for `{NAME}` placeholders; None: $LLMGR_ENV_FILE or ./.env.
        mode: "single", "fixed" or "custom"; None: USE_SYS_LLM_CONFIG if it was set, else the
            configuration's, else "custom".
        auto_key: May users without an own key use the server's? None: LLM_AUTO_KEY if it was set,
            else the configuration's, else True.
        read_only: Refuse every change; nothing is synchronised either.
        gateway_url: Where `llmgr serve` listens, for via="gateway"; None: $LLMGR_GATEWAY_URL.
        gateway_token: What the gateway is shown; None: $LLMGR_GATEWAY_TOKEN.

    Raises:
        FileNotFoundError: `config` or $LLMGR_CONFIG names no file.
        ConfigError: The configuration is not acceptable (a ValueError).
        DatabaseError, VaultError: The database or its master key cannot be used (RuntimeErrors).
    """

    def __init__(self, database: PathLike | None = None,
                 config: PathLike | Mapping[str, Any] | None = None, *,
                 env_file: PathLike | None = None, mode: str | None = None,
                 auto_key: bool | None = None, read_only: bool = False,
                 gateway_url: str | None = None, gateway_token: str | None = None) -> None:
        self._begin(lambda: Settings(database, config, env_file=env_file, mode=mode,
                                     auto_key=auto_key, read_only=read_only),
                    gateway_url, gateway_token)
        self._open()

    def _begin(self, find: Callable[[], Settings], gateway_url: str | None = None,
               gateway_token: str | None = None) -> None:
        for name, value in (('gateway_url', gateway_url), ('gateway_token', gateway_token)):
            if value is not None:
                to_text(name, value)
        self._find = find
        self._gateway = (gateway_url, gateway_token)
        self._lock = threading.RLock()
        self._opened: Handle | None = None
        self._settings: Settings | None = None
        self._closed = False
        _native.register_forkable(self)

    @classmethod
    def lazy(cls) -> AIManager:
        """A manager that finds its settings and opens when it is first used."""
        made = cls.__new__(cls)
        made._begin(Settings)
        return made

    @classmethod
    def of_settings(cls, settings: Settings, *, sync: bool = True) -> AIManager:
        """A manager of settings that were found before; without `sync` it changes no platform."""
        made = cls.__new__(cls)
        made._begin(lambda: settings)
        made._open(sync)
        return made

    def after_fork(self) -> None:
        """In the child of a fork; see _native.Forkable."""
        self._lock = threading.RLock()

    def _open(self, sync: bool = True) -> bool:
        """Opens and synchronises unless that was done; tells whether it was this call."""
        with self._lock:
            if self._opened is not None:
                return False
            if self._closed:
                raise ClosedError('this manager is closed; make another AIManager')
            settings = self._find()
            handle = Handle(settings.open)
            try:
                with handle:
                    pass
                if sync and not settings.read_only:
                    self._sync(handle, settings)
            except BaseException:
                handle.close()
                raise
            self._settings, self._opened = settings, handle
            return True

    @property
    def _handle(self) -> Handle:
        if self._opened is None:
            self._open()
        assert self._opened is not None
        return self._opened

    @property
    def settings(self) -> Settings:
        """What this manager was opened with."""
        if self._settings is None:
            self._open()
        assert self._settings is not None
        return self._settings

    def close(self) -> None:
        """Ends the manager as soon as no call runs on it any more. Twice is fine."""
        with self._lock:
            self._closed = True
            if self._opened is not None:
                self._opened.close()

    def __enter__(self) -> AIManager:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def mode(self) -> str:
        """"single", "fixed" or "custom"."""
        return str(self.settings.mode)

    @property
    def use_sys_llm_config(self) -> bool:
        """The seed's word for: users may not have platforms of their own."""
        return self.mode != 'custom'

    # ---- Arguments ------------------------------------------------------------------------------

    def _user(self, user_id: object) -> Any:
        """A user's id as the library takes it. None and SYSTEM_USER_ID are the system user."""
        if user_id is None:
            return NULL
        user = to_text('user_id', user_id)
        system_user = self.settings.system_user
        if user_id == system_user:
            return NULL
        if user_id == SYSTEM_USER:
            raise ValueError(f'the user id {SYSTEM_USER!r} is llmgr\'s own for the system user, '
                             f'which SYSTEM_USER_ID calls {system_user!r} here')
        return user

    # ---- Synchronisation ------------------------------------------------------------------------

    def initialize_defaults(self) -> None:
        """Makes the system platforms those of DEFAULT_PLATFORM_CONFIGS, or of llmgr.yaml.

        What is new is added, what changed is updated, what is gone is removed; users' keys and
        selections stay. Idempotent, one transaction. The constructor has done it once.

        Raises:
            ConfigError: They are not acceptable, or there are none, neither configured nor stored.
            DatabaseError: The database cannot be written.
        """
        if self._open() and not self.settings.read_only:
            return
        if not self._sync(self._handle, self.settings) and not self.platforms():
            raise ConfigError('there are no system platforms: fill DEFAULT_PLATFORM_CONFIGS before '
                              'the first use, or write llmgr.yaml (`llmgr init` does)')

    @staticmethod
    def _sync(handle: Handle, settings: Settings) -> bool:
        config = settings.platforms_config()
        if config is None:
            return False
        _sync_platforms(handle, config)
        return True

    def import_platforms(self, config: Config) -> int:
        """Makes the system platforms those of `config`; returns how many changes that took."""
        return _sync_platforms(self._handle, config)

    def borrow(self) -> Handle:
        """The library's handle, for `with`: what this package does not wrap can be called on it."""
        return self._handle

    # ---- Lists ----------------------------------------------------------------------------------

    def get_platform_models(self, user_id: str | None) -> list[dict[str, Any]]:
        """Every model the user can choose, hidden platforms included, for a front end to render.

        Args:
            user_id: Whose list; None: the system user's.

        Returns:
            A dict per model with platform_id, platform_name, platform_is_sys, platform_hide,
            base_url, api_key_set, model_id, model_name, display_name; system platforms first.
        """
        return self._list('models', user_id, _rows.seed_model)

    def platforms(self, user_id: str | None = None) -> list[Platform]:
        """All platforms the user can see, hidden ones included, those without a model too."""
        owner = self.settings.system_user if user_id is None else user_id
        return self._list('platforms', user_id, lambda row: _rows.platform(
            row, self.settings.system_user if row.platform_is_sys else owner))

    def models(self, user_id: str | None = None) -> list[Model]:
        """As get_platform_models, with each model's extra_body, kind and whether it is hidden."""
        return self._list('models', user_id, _rows.model)

    def _list(self, kind: str, user_id: object, convert: Callable[[Any], Any]) -> list[Any]:
        user = self._user(user_id)
        structure, ask, clear = _LISTS[kind]
        out, error = ffi.new(f'struct {structure} *'), new_error()
        with self._handle as manager:
            check(ask(manager, user, out, error), error)
        try:
            return [convert(out.items[i]) for i in range(out.count)]
        finally:
            clear(out)

    # ---- Selections -----------------------------------------------------------------------------

    def get_user_selection_detail(self, user_id: str | None,
                                  usage_key: str = 'main') -> dict[str, Any]:
        """What get_user_llm would use for the user now.

        Args:
            user_id: Whose; None: the system user's. As in the seed, an int is taken as its text.
            usage_key: The slot.

        Returns:
            A dict with platform, platform_id, platform_is_sys, base_url, model_display_name,
            model_id, model_name, api_key_set.

        Raises:
            NoKeyError: No usable key for it (a ValueError, as in the seed).
        """
        if isinstance(user_id, int) and not isinstance(user_id, bool):
            user_id = str(user_id)
        user, slot = self._user(user_id), to_text('usage_key', usage_key)
        out, error = ffi.new('struct llmgr_selection *'), new_error()
        with self._handle as manager:
            check(lib.llmgr_selection_get(manager, user, slot, out, error), error)
        try:
            detail = _rows.selection(out)
        finally:
            lib.llmgr_selection_clear(out)
        if not detail['api_key_set']:
            self._resolve(lib.llmgr_llm_for_user, user, slot)  # says which key is missing
        return detail

    def save_user_selection(self, user_id: str | None, platform_id: int, model_id: int,
                            usage_key: str = 'main') -> bool:
        """Stores the user's choice of a model for a slot.

        Raises:
            NotFoundError: The user cannot see the platform, or it has no such model.
        """
        self._do(lib.llmgr_selection_save, self._user(user_id), to_text('usage_key', usage_key),
                 to_id('platform_id', platform_id), to_id('model_id', model_id))
        return True

    # ---- Aliases --------------------------------------------------------------------------------

    def aliases(self, user_id: str | None = None) -> list[Alias]:
        """Names that stand for a slot or model: the user's own, then the operator's."""
        return self._list('aliases', user_id, _rows.alias)

    def set_alias(self, user_id: str | None, name: str, target: str) -> bool:
        """Lets a name that clients insist on stand for a slot or model.

        Args:
            user_id: Whose alias it is; None: the system user's.
            name: 1-120 bytes; one "*" in it is anything: "claude-*". Asked when no slot and no
                model bears the name, exact names before patterns.
            target: A name as requests give it; it need not be there yet.

        Raises:
            InvalidError: A name, or the user has 100 aliases.
        """
        self._do(lib.llmgr_alias_set, self._user(user_id), to_text('name', name),
                 to_text('target', target))
        return True

    def delete_alias(self, user_id: str | None, name: str) -> bool:
        """Deletes one of the user's own aliases.

        Raises:
            NotFoundError: There is none. ForbiddenError: Only the operator has it.
        """
        self._do(lib.llmgr_alias_delete, self._user(user_id), to_text('name', name))
        return True

    # ---- Prices ---------------------------------------------------------------------------------

    def prices(self, user_id: str | None = None, *, platform_id: int | None = None,
               model: str | None = None, source: str | None = None,
               ended: bool = False) -> list[Price]:
        """What attempts cost: the prices in force or to come, by their numbers.

        Args:
            user_id: Who asks. Every user may see all of them.
            platform_id: Those that name this platform alone.
            model: Those of exactly this model or pattern.
            source: Those from there: "hand", "file", "litellm".
            ended: Those that have ended as well.
        """
        return _prices.prices(self._handle, self._user(user_id), platform_id=platform_id,
                              model=model, source=source, ended=ended)

    def set_price(self, rates: Mapping[str, Decimal | int | str], *,
                  platform_id: int | None = None, model: str | None = None,
                  currency: str | None = None, above_tokens: int = 0,
                  service_tier: str | None = None, hours: str | None = None,
                  time_zone: str | None = None, since: datetime.datetime | None = None,
                  until: datetime.datetime | None = None) -> Price:
        """Sets a price, as the operator. The one for the same match and conditions ends.

        What was used before keeps its cost, and is never priced anew. A price that says the same
        already is returned as it is.

        Args:
            rates: By the units of Price.rates, for a million tokens or for one of the others;
                exact, so a float is refused: {"input": "0.27", "output": Decimal("1.10")}.
            platform_id: A system platform; None: all platforms.
            model: The model name that the platform is asked for; one "*" in it is anything; None:
                every model.
            currency: ISO 4217; None: "USD".
            above_tokens: Only if there are more prompt tokens than this.
            service_tier: Only if the answer tells of this tier.
            hours: Only at this time of day: "16:30-00:30", "mon-fri 09:00-18:00".
            time_zone: Of the hours; None: "UTC".
            since: In force from here; None: now.
            until: And before this; None: until the next for the same, or without end.

        Raises:
            InvalidError: A member; the message names it. NotFoundError: The platform, or the time
            zone in the system's tzdata. ForbiddenError: llmgr.yaml has a price for the same.
            ConflictError: `until` lies behind the beginning of a later price.
        """
        kept: list[Any] = []
        spec = _prices.price_spec(kept, rates, since=since, until=until, above_tokens=above_tokens,
                                  platform_id=platform_id, model=model, currency=currency,
                                  service_tier=service_tier, hours=hours, time_zone=time_zone)
        made = ffi.new('int64_t *')
        self._do(lib.llmgr_price_set, NULL, spec, made)
        return _prices.prices(self._handle, NULL, ended=True, after=made[0] - 1, limit=1)[0]

    def import_prices(self, source: PathLike | bytes, *,
                      providers: Mapping[str, str] | None = None, all_models: bool = False,
                      replace_hand: bool = False, dry_run: bool = False,
                      source_name: str | None = None) -> PriceImport:
        """Imports a catalogue's prices, as the operator: all of them or, on an error, none.

        Args:
            source: A file's path, or its bytes, at most 16 MiB: LiteLLM's
                model_prices_and_context_window.json, models.dev's api.json, OpenRouter's answer to
                GET /api/v1/models, or what `llmgr price list --json` writes, also as YAML.
            providers: Which system platforms (by name, or number as text) are which providers of
                the catalogue: {"House": "deepseek"}. The others are asked for by their documented
                address, or not at all.
            all_models: Every model of the provider; else those that the platform has.
            replace_hand: Also in place of prices set by hand, never of those in llmgr.yaml.
            dry_run: Nothing is written: only what would become of each is told.
            source_name: Price.source of what is made; None: the name of the form.

        Raises:
            InvalidError: The text is none of these forms. NotFoundError: A platform of
            `providers`. OSError: The file.
        """
        text, name = _price_import.read_text(source)
        return _price_import.import_prices(
            self._handle, NULL, text, name, providers=providers or {}, all_models=all_models,
            replace_hand=replace_hand, dry_run=dry_run, source=source_name)

    def delete_price(self, price_id: int) -> bool:
        """Ends a price now, as the operator; what was used keeps its cost.

        Raises:
            NotFoundError: There is none, or it has ended. ForbiddenError: llmgr.yaml has it.
        """
        self._do(lib.llmgr_price_delete, NULL, to_id('price_id', price_id))
        return True

    # ---- Routes ---------------------------------------------------------------------------------

    def routes(self, user_id: str | None = None) -> list[Route]:
        """Named lists of models that the user can ask for: own ones, then the operator's."""
        return self._list('routes', user_id, _rows.route)

    def add_route(self, user_id: str | None, name: str,
                  targets: Iterable[str | RouteTarget], *, display_name: str | None = None,
                  pick: str | None = None, sticky: str | None = None,
                  on_exhausted: str | None = None, attempts: int | None = None,
                  deadline: float | None = None, system: bool = False) -> Route:
        """Makes a route: a name for several models, of which those serve that can.

        Args:
            user_id: Whose own it is; None with `system`.
            name: What requests call it: 1-64 bytes without "/".
            targets: "platform/model" each, in order, or a RouteTarget with weight and limit. They
                need not be there; none may be another route.
            display_name: What people see; None: the name.
            pick: "order" (None), "weight" or "fastest".
            sticky: "none" (None), "user" or "conversation".
            on_exhausted: "reject" (None) or "least_bad".
            attempts: Of a request, in all: 1 to 10; None: 3.
            deadline: Seconds to the first byte: 1 to 600; None: 60.
            system: Make one for everybody; `user_id` is then None or the system user.

        Raises:
            InvalidError: A member, which it names; 100 routes, or 5000 targets of all of them.
            ConflictError: The name is taken.
            ForbiddenError: `system` for another user, or the system user without it.
        """
        kept: list[Any] = []
        spec = _rows.route_spec(kept, name=name, targets=targets, display_name=display_name,
                                pick=pick, sticky=sticky, on_exhausted=on_exhausted,
                                attempts=attempts, deadline=deadline, is_sys=system)
        user, out, error = self._user(user_id), ffi.new('struct llmgr_route *'), new_error()
        with self._handle as manager:
            check(lib.llmgr_route_add(manager, user, spec, out, error), error)
        try:
            return _rows.route(out)
        finally:
            lib.llmgr_route_clear(out)

    def update_route(self, user_id: str | None, route_id: int, *, name: str | None = None,
                     targets: Iterable[str | RouteTarget] | None = None,
                     display_name: str | None = None, pick: str | None = None,
                     sticky: str | None = None, on_exhausted: str | None = None,
                     attempts: int | None = None, deadline: float | None = None) -> bool:
        """Changes what is given of a route; None stays. `targets` replace all it has.

        Raises:
            NotFoundError: The user has no such route. ForbiddenError: It is the operator's, or
                managed by llmgr.yaml. InvalidError: A member, or nothing is given.
        """
        kept: list[Any] = []
        spec = _rows.route_spec(kept, name=name, targets=targets, display_name=display_name,
                                pick=pick, sticky=sticky, on_exhausted=on_exhausted,
                                attempts=attempts, deadline=deadline)
        self._do(lib.llmgr_route_update, self._user(user_id), to_id('route_id', route_id), spec)
        return True

    def delete_route(self, user_id: str | None, route_id: int) -> bool:
        """Deletes a route; slots that have chosen it choose anew. Raises: as update_route."""
        self._do(lib.llmgr_route_delete, self._user(user_id), to_id('route_id', route_id))
        return True

    def toggle_route_visibility(self, user_id: str | None, route_id: int, hide: bool) -> bool:
        """Hides a route from the user's lists, or shows it; requests reach it all the same."""
        self._do(lib.llmgr_route_hide, self._user(user_id), to_id('route_id', route_id),
                 to_flag('hide', hide))
        return True

    def select_route(self, user_id: str | None, route: str, usage_key: str = 'main') -> bool:
        """Chooses a route, by its name, for a slot.

        Raises:
            NotFoundError: Neither the user nor the operator has a route of that name.
        """
        self._do(lib.llmgr_selection_save_route, self._user(user_id),
                 to_text('usage_key', usage_key), to_text('route', route))
        return True

    # ---- Tokens of the gateway ------------------------------------------------------------------

    def tokens(self, user_id: str | None = None) -> list[Token]:
        """Tokens by their number, revoked ones included.

        Args:
            user_id: Whose; None: everybody's, of all kinds.
        """
        user = NULL if user_id is None else self._user(user_id)
        found: list[Token] = []
        while page := self._tokens_after(user, found[-1].id if found else 0):
            found += page
        return found

    def _tokens_after(self, user: Any, after: int) -> list[Token]:
        out, error = ffi.new('struct llmgr_token_list *'), new_error()
        with self._handle as manager:
            check(lib.llmgr_token_list(manager, user, after, 0, out, error), error)
        try:
            return [_rows.token(out.items[i]) for i in range(out.count)]
        finally:
            lib.llmgr_token_list_clear(out)

    def create_token(self, user_id: str | None = None, *, kind: str = 'user',
                     name: str | None = None, prefix: str | None = None, note: str | None = None,
                     expires_at_ms: int | None = None,
                     platforms: str | Iterable[str] | None = None,
                     models: str | Iterable[str] | None = None,
                     routes: str | Iterable[str] | None = None,
                     networks: str | Iterable[str] | None = None) -> tuple[Token, str]:
        """Issues a token for the gateway.

        Args:
            user_id: Whose it is, of kind "user"; None: the system user's.
            kind: "user", "app" (names the user of each request) or "admin".
            name: For people, up to 80 bytes.
            prefix: An application's users must begin with it; None: any user.
            note: For people, up to 500 bytes.
            expires_at_ms: It is refused from then on, in ms since 1970; None: never.
            platforms: Names of the platforms that it may use, or a text with commas between; None:
                all.
            models: Likewise models: "platform/model", a display name or a model name.
            routes: Likewise routes; of their targets it may use what platforms and models allow.
            networks: Addresses and ranges from which it may be used; None: anywhere.

        Returns:
            The token as it is remembered, and the token itself, for this one time.

        Raises:
            InvalidError: A member, which it names. LimitError: The user has 1000 tokens.
        """
        kept: list[Any] = []
        spec = _rows.token_spec(kept, expires_at_ms, {'platforms': platforms, 'models': models,
                                                      'routes': routes, 'networks': networks},
                                name=name, prefix=prefix, note=note)
        spec.kind = _rows.token_kind(kind)
        user = self._user(user_id)
        if user != NULL:
            kept.append(ffi.new('char[]', user))
            spec.user = kept[-1]
        out, error = ffi.new('struct llmgr_token *'), new_error()
        text = ffi.new('char[]', lib.LLMGR_TOKEN_ROOM)
        with self._handle as manager:
            check(lib.llmgr_token_create(manager, spec, text, len(text), out, error), error)
        try:
            return _rows.token(out), from_text(text)
        finally:
            lib.llmgr_wipe(text, len(text))
            lib.llmgr_token_clear(out)

    def update_token(self, user_id: str | None, token_id: int, *, name: str | None = None,
                     note: str | None = None, expires_at_ms: int | None = None,
                     platforms: str | Iterable[str] | None = None,
                     models: str | Iterable[str] | None = None,
                     routes: str | Iterable[str] | None = None,
                     networks: str | Iterable[str] | None = None) -> Token:
        """Changes what is given of a token; None stays. Gateways know within a second.

        Args:
            user_id: Whose it must be; None: anybody's.
            token_id: Its number.
            name: As of create_token, also below.
            note: "": none.
            expires_at_ms: 0: never.
            platforms: "" or []: all; likewise models, routes and networks.
            models: See platforms.
            routes: See platforms.
            networks: See platforms.

        Raises:
            NotFoundError: There is no such token. ConflictError: It is revoked. InvalidError.
        """
        kept: list[Any] = []
        spec = _rows.token_spec(kept, expires_at_ms, {'platforms': platforms, 'models': models,
                                                      'routes': routes, 'networks': networks},
                                name=name, note=note)
        user = NULL if user_id is None else self._user(user_id)
        out, error = ffi.new('struct llmgr_token *'), new_error()
        with self._handle as manager:
            check(lib.llmgr_token_update(manager, user, to_id('token_id', token_id), spec, out,
                                         error), error)
        try:
            return _rows.token(out)
        finally:
            lib.llmgr_token_clear(out)

    def revoke_token(self, user_id: str | None, token_id: int) -> bool:
        """Ends a token for ever; gateways know within a second. Users as of update_token.

        Raises:
            NotFoundError: There is no such token.
        """
        self._do(lib.llmgr_token_revoke, NULL if user_id is None else self._user(user_id),
                 to_id('token_id', token_id))
        return True

    def _do(self, function: Callable[..., int], *arguments: Any) -> None:
        """Calls what changes something and hands nothing out."""
        error = new_error()
        with self._handle as manager:
            check(function(manager, *arguments, error), error)

    # ---- Platforms ------------------------------------------------------------------------------

    def add_platform(self, name: str, base_url: str, api_key: str | None = None,
                     user_id: str | None = None, *, system: bool = False,
                     protocol: str | None = None, native_paths: str | None = None,
                     headers: str | None = None) -> Platform:
        """Creates a private platform (mode "custom"), or a system platform without llmgr.yaml.

        Args:
            name: What people see; 1-80 bytes, unlike the user's others and the system's.
            base_url: An OpenAI-compatible address, usually ending with /v1.
            api_key: Its key, or None for now; of a system platform the server's.
            user_id: Whose it is; the system user cannot have one.
            system: For everybody, as the operator: user_id is None or the system user. The system
                user changes it like an own one, and no synchronisation touches it.
            protocol: What a system platform speaks: "openai" (None), "anthropic", "azure", "gemini".
            native_paths: What of a system platform is opened under the server's key besides the
                usual, such as "POST /a, GET /b/{id}".
            headers: Names of the caller's header fields that a system platform gets, "x-title".

        Raises:
            ForbiddenError: Not in this mode, or not to this address, or `system` for another user.
            InvalidError: a value. ConflictError: Name or address is taken. All are ValueErrors.
        """
        to_text('name', name), to_text('base_url', base_url)  # neither may be None
        kept: list[Any] = []
        spec = _rows.platform_spec(kept, name=name, base_url=base_url, api_key=api_key,
                                   protocol=protocol, native_paths=native_paths, headers=headers)
        if not system and (protocol, native_paths, headers) != (None, None, None):
            raise InvalidError('only system platforms can have a protocol, native_paths and headers')
        user, out, error = self._user(user_id), ffi.new('struct llmgr_platform *'), new_error()
        with self._handle as manager:
            check(lib.llmgr_platform_add_system(manager, user, spec, out, error) if system else
                  lib.llmgr_platform_add(manager, user, spec.name, spec.base_url, spec.api_key, out,
                                         error), error)
        try:
            return _rows.platform(out, self.settings.system_user if system else str(user_id))
        finally:
            lib.llmgr_platform_clear(out)

    def update_platform(self, user_id: str | None, platform_id: int, *, name: str | None = None,
                        base_url: str | None = None, api_key: str | None = None,
                        protocol: str | None = None, native_paths: str | None = None,
                        headers: str | None = None) -> bool:
        """Changes what is given of a platform, all of it or nothing; None stays, "" is none.

        Args:
            user_id: Whose it is; None: the system user, for system platforms that calls have made.
            platform_id: From the lists.
            name, base_url: As of add_platform.
            api_key: Beside a base_url only; another scheme, host or port needs it again.
            protocol, native_paths, headers: As of add_platform; system platforms only.

        Raises:
            NotFoundError: The user has no such platform. ForbiddenError: It is the operator's, or
                managed by llmgr.yaml. InvalidError: a value. ConflictError: Name or address is
                taken.
        """
        kept: list[Any] = []
        spec = _rows.platform_spec(kept, name=name, base_url=base_url, api_key=api_key,
                                   protocol=protocol, native_paths=native_paths, headers=headers)
        self._do(lib.llmgr_platform_update, self._user(user_id),
                 to_id('platform_id', platform_id), spec)
        return True

    def rename_platform(self, user_id: str | None, platform_id: int, new_name: str) -> bool:
        """Gives an own platform another name; the system user's are those that calls have made."""
        self._do(lib.llmgr_platform_rename, self._user(user_id),
                 to_id('platform_id', platform_id), to_text('new_name', new_name))
        return True

    def delete_platform(self, user_id: str | None, platform_id: int) -> bool:
        """Deletes an own platform with its models and key."""
        self._do(lib.llmgr_platform_delete, self._user(user_id),
                 to_id('platform_id', platform_id))
        return True

    def update_platform_config(self, user_id: str | None, platform_id: int,
                               api_key: str | None) -> bool:
        """Stores the user's own key: beside a system platform's, or as a private platform's; the
        system user's of a system platform that calls have made is the server's.

        Args:
            user_id: Whose; None: the system user's.
            platform_id: From the lists.
            api_key: 1-4096 bytes of visible ASCII, instead of all that the user had for it; None
                or "" removes those.
        """
        self._do(lib.llmgr_platform_set_key, self._user(user_id),
                 to_id('platform_id', platform_id), to_optional('api_key', api_key))
        return True

    def set_platform_header(self, user_id: str | None, platform_id: int, name: str,
                            value: str | None) -> bool:
        """Sends a header field with every request to an own platform.

        Args:
            user_id: Whose platform it is.
            platform_id: From the lists.
            name: Letters, digits and hyphens; none that says who asks, holds cookies or is the
                connection's.
            value: 1-2048 bytes of UTF-8 without control characters, sealed like a key; it takes
                the place of a caller's field of that name. None or "" removes the field.

        Raises:
            InvalidError: Name or value, or more than 16 of them, or 4096 bytes in all.
            NotFoundError: No such platform, or nothing to remove.
        """
        self._do(lib.llmgr_platform_set_header, self._user(user_id),
                 to_id('platform_id', platform_id), to_text('name', name),
                 to_optional('value', value))
        return True

    # ---- Several keys ---------------------------------------------------------------------------

    def platform_keys(self, user_id: str | None, platform_id: int) -> list[PlatformKey]:
        """The user's own keys for a platform, in order; for the system user the server's follow."""
        user, platform = self._user(user_id), to_id('platform_id', platform_id)
        out, error = ffi.new('struct llmgr_platform_key_list *'), new_error()
        with self._handle as manager:
            check(lib.llmgr_platform_keys(manager, user, platform, out, error), error)
        try:
            return [_rows.platform_key(out.items[i]) for i in range(out.count)]
        finally:
            lib.llmgr_platform_key_list_clear(out)

    def add_platform_key(self, user_id: str | None, platform_id: int, api_key: str,
                         weight: int = 1, account: str | None = None) -> int:
        """Stores one more key of the user's for a platform, behind the others.

        Args:
            user_id: Whose; None: the system user's.
            platform_id: From the lists.
            api_key: 1-4096 bytes of visible ASCII.
            weight: How often it is used beside others, 1-1000.
            account: Label of the account at the vendor, 1-60 bytes; None: none is named.

        Returns:
            Its place, from 1.

        Raises:
            ConflictError: This very key is there already. InvalidError: a value, or there are 200
                for the platform or 1000 for all.
        """
        position = ffi.new('int64_t *')
        self._do(lib.llmgr_platform_add_key, self._user(user_id), to_id('platform_id', platform_id),
                 to_text('api_key', api_key), to_count('weight', weight),
                 to_optional('account', account), position)
        return int(position[0])

    def update_platform_key(self, user_id: str | None, platform_id: int, key: str | int, *,
                            position: int | None = None, weight: int | None = None,
                            account: str | None = None) -> int:
        """Changes the place, weight or account of one of the user's keys; None leaves it.

        Args:
            user_id: Whose; None: the system user's.
            platform_id: From the lists.
            key: Its fingerprint or place, as platform_keys() tells them.
            position: Its new place, from 1.
            weight: 1-1000.
            account: Label of the account at the vendor; "" takes it away.

        Returns:
            Its place now.
        """
        place = ffi.new('int64_t *')
        self._do(lib.llmgr_platform_update_key, self._user(user_id),
                 to_id('platform_id', platform_id), to_text('key', str(key)),
                 to_count('position', position),
                 to_count('weight', weight),
                 to_optional('account', account), place)
        return int(place[0])

    def delete_platform_key(self, user_id: str | None, platform_id: int, key: str | int) -> bool:
        """Removes one of the user's keys, named by its fingerprint or place.

        Raises:
            NotFoundError: There is none.
        """
        self._do(lib.llmgr_platform_delete_key, self._user(user_id),
                 to_id('platform_id', platform_id), to_text('key', str(key)))
        return True

    def update_platform_url(self, user_id: str | None, platform_id: int, base_url: str,
                            api_key: str | None = None) -> bool:
        """Moves an own platform. Another scheme, host or port needs key and headers again."""
        self._do(lib.llmgr_platform_set_url, self._user(user_id),
                 to_id('platform_id', platform_id), to_text('base_url', base_url),
                 to_optional('api_key', api_key))
        return True

    def ask_platform_usage(self, user_id: str | None, platform_id: int) -> bool:
        """Streams of the platform are asked for usage again, though it was found to reject
        stream_options. System platforms: the system user only."""
        self._do(lib.llmgr_platform_ask_usage, self._user(user_id),
                 to_id('platform_id', platform_id))
        return True

    def toggle_platform_visibility(self, user_id: str | None, platform_id: int,
                                   hide: bool) -> bool:
        """Hides a platform, system or own, from this user's lists, or shows it again."""
        self._do(lib.llmgr_platform_hide, self._user(user_id),
                 to_id('platform_id', platform_id), to_flag('hide', hide))
        return True

    # ---- Models ---------------------------------------------------------------------------------

    def add_model(self, platform_id: int, model_name: str, display_name: str,
                  user_id: str | None, extra_body: Mapping[str, Any] | None = None, *,
                  kind: str | None = None, context_tokens: int | None = None,
                  max_output_tokens: int | None = None) -> Model:
        """Adds a model to an own platform; the system user to any system platform.

        Args:
            platform_id: From add_platform or the lists.
            model_name: What the upstream is asked for.
            display_name: What people see; unlike those of all the user's private platforms.
            user_id: Whose platform it is.
            extra_body: Members that go into each request's top level; they win. Or None.
            kind: What it is for: "chat", "embedding", "rerank", … (see Model), as
                probe_platform_models says it. None: unknown.
            context_tokens: How many fit into it, likewise; up to 1 000 000 000. None: not known.
            max_output_tokens: How many one answer may have, likewise.
        """
        user = self._user(user_id)
        out, error = ffi.new('struct llmgr_model *'), new_error()
        kept: list[Any] = []
        spec = _rows.model_spec(kept, kind, {'context_tokens': context_tokens,
                                             'max_output_tokens': max_output_tokens},
                                model_name=to_text('model_name', model_name),
                                display_name=to_text('display_name', display_name),
                                extra_body=_rows.to_json('extra_body', extra_body))
        with self._handle as manager:
            check(lib.llmgr_model_add(manager, user, to_id('platform_id', platform_id), spec, out,
                                      error),
                  error)
        try:
            return _rows.model(out)
        finally:
            lib.llmgr_model_clear(out)

    def update_model(self, user_id: str | None, model_id: int,
                     new_display_name: str | None = None,
                     new_extra_body: Mapping[str, Any] | None = None, *,
                     new_kind: str | None = None, new_context_tokens: int | None = None,
                     new_max_output_tokens: int | None = None) -> bool:
        """Changes what is not None of an own model.

        An extra_body of {} removes it; tokens of 0 are not known.
        """
        kept: list[Any] = []
        spec = _rows.model_spec(
            kept, new_kind, {'context_tokens': new_context_tokens,
                             'max_output_tokens': new_max_output_tokens},
            display_name=to_text('new_display_name', new_display_name) if new_display_name
            else None,
            extra_body=None if new_extra_body is None else _rows.to_json('new_extra_body',
                                                                         new_extra_body))
        self._do(lib.llmgr_model_update, self._user(user_id), to_id('model_id', model_id), spec)
        return True

    def delete_model(self, user_id: str | None, model_id: int) -> bool:
        """Deletes a model of an own platform."""
        self._do(lib.llmgr_model_delete, self._user(user_id), to_id('model_id', model_id))
        return True

    def toggle_model_visibility(self, user_id: str | None, model_id: int, hide: bool) -> bool:
        """Hides any visible model from this user's lists, or shows it again."""
        self._do(lib.llmgr_model_hide, self._user(user_id), to_id('model_id', model_id),
                 to_flag('hide', hide))
        return True

    # ---- LLMs -----------------------------------------------------------------------------------

    def _resolve(self, ask: Callable[..., int], *arguments: Any) -> Resolved:
        """Everything a client needs, the key included; the library's copies are wiped."""
        out, error = ffi.new('struct llmgr_llm **'), new_error()
        with self._handle as manager:
            check(ask(manager, *arguments, out, error), error)
            try:
                return _rows.resolved(out[0], error)
            finally:
                lib.llmgr_llm_free(out[0])

    def resolve(self, user_id: str | None = None, usage_key: str = 'main') -> Resolved:
        """What get_user_llm builds its object from, for clients other than LangChain's.

        Raises:
            NoKeyError: No usable key; the text says which is missing.
        """
        return self._resolve(lib.llmgr_llm_for_user, self._user(user_id),
                             to_text('usage_key', usage_key))

    def get_user_llm(self, user_id: str | None = None, usage_key: str = 'main', *,
                     via: str | None = None, keep_reasoning: bool = True,
                     record_usage: bool = True, **kwargs: Any) -> ChatOpenAI:
        """The LangChain chat model of a user's choice.

        Args:
            user_id: Who asks; None: the system user.
            usage_key: The slot; with via="gateway" a route's name will do as well.
            via: None: straight to the platform with its key, of a route to its best candidate at
                this time; "gateway": to `llmgr serve`, with the manager's gateway_url and
                gateway_token, and no key leaves the database. The gateway asks a route's targets
                one after another.
            keep_reasoning: Keep `reasoning_content`, which ChatOpenAI drops, in
                message.additional_kwargs, and send it back in later turns.
            record_usage: Enter each call into the ledger (the gateway keeps its own record).
            **kwargs: For ChatOpenAI. streaming is True unless given; the model's extra_body is
                merged over the caller's.

        Raises:
            NoKeyError: No usable key (a ValueError).
            ImportError: langchain-openai is not installed.
        """
        _need_langchain()
        from . import _chat
        user, slot = self._user(user_id), to_text('usage_key', usage_key)
        if _gateway.is_gateway(via):
            return _chat.of_gateway(self._gateway, user_id, usage_key, keep_reasoning, kwargs)
        resolved = self._resolve(lib.llmgr_llm_for_user, user, slot)
        recorder = self._recorder(record_usage, resolved, user, slot)
        return _chat.of_platform(resolved, recorder, keep_reasoning, kwargs)

    def get_spec_sys_llm(self, platform_name: str, model_display_name: str, *,
                         keep_reasoning: bool = True, record_usage: bool = True,
                         **kwargs: Any) -> ChatOpenAI:
        """The LangChain chat model of a system platform, by its names, as the system user.

        Raises:
            NotFoundError: There is no such platform or model. NoKeyError: it has no key.
        """
        _need_langchain()
        from . import _chat
        resolved = self._resolve(lib.llmgr_llm_for_system, to_text('platform_name', platform_name),
                                 to_text('model_display_name', model_display_name))
        recorder = self._recorder(record_usage, resolved, NULL, NULL)
        return _chat.of_platform(resolved, recorder, keep_reasoning, kwargs)

    def _recorder(self, wanted: bool, resolved: Resolved, user: Any, slot: Any) -> Any:
        if not wanted or self.settings.read_only:
            return None
        from ._usage import Recorder
        return Recorder(self._handle, resolved, user, slot)

    def get_user_embeddings(self, user_id: str | None = None, usage_key: str = 'embedding', *,
                            model: str | None = None, via: str | None = None,
                            record_usage: bool = True, **kwargs: Any) -> OpenAIEmbeddings:
        """The LangChain embeddings of a user's choice.

        Args:
            user_id: Who asks; None: the system user.
            usage_key: The slot; without a choice for it the one of "main" serves.
            model: Names the model instead: "platform/model", a display name or a model name.
            via, record_usage: As get_user_llm.
            **kwargs: For OpenAIEmbeddings. check_embedding_ctx_length is False unless given,
                since only OpenAI takes token numbers for text.
        """
        _need_langchain()
        from . import _chat
        user, slot = self._user(user_id), to_text('usage_key', usage_key)
        if _gateway.is_gateway(via):
            return _chat.embeddings_of_gateway(self._gateway, user_id, model or usage_key, kwargs)
        if model is not None:
            resolved = self._resolve(lib.llmgr_llm_for_model, user, to_text('model', model))
            slot = NULL
        else:
            resolved = self._resolve(lib.llmgr_llm_for_user, user, slot)
        recorder = self._recorder(record_usage, resolved, user, slot)
        return _chat.embeddings_of_platform(resolved, recorder, kwargs)

    # ---- Usage and probe ------------------------------------------------------------------------

    def usage(self, user_id: str | None = None, *, by: str = 'model',
              since: datetime.datetime | None = None,
              until: datetime.datetime | None = None) -> Usage:
        """Sums of the ledger, which the gateway and every get_user_llm object write.

        Args:
            user_id: Only this user's; None: everybody's (SYSTEM_USER_ID: the system user's).
            by: What is told apart: "model", "user", "platform", "slot", "token", "payer", "day"
                or "hour" (of UTC).
            since, until: From and before; whole hours (UTC) are counted. None: no bound.
        """
        user = NULL if user_id is None else self._user(user_id) or to_text('user_id', SYSTEM_USER)
        return _rows.usage(self._handle, user, by, since, until)

    def usage_request(self, request_id: str, user_id: str | None = None, *,
                      since: datetime.datetime | None = None,
                      until: datetime.datetime | None = None) -> list[UsageAttempt]:
        """One request's attempts, as they ended.

        Args:
            request_id: As the answer's x-request-id says.
            user_id: Only if it is this user's; None: anybody's.
            since, until: In which hours to look; None: those that the id says, or the last day.

        Raises:
            NotFoundError: There is none there, or it is another user's.
        """
        user = NULL if user_id is None else self._user(user_id) or to_text('user_id', SYSTEM_USER)
        return _rows.usage_request(self._handle, user, request_id, since, until)

    def test_platform(self, user_id: str | None, platform_id: int) -> PlatformTest:
        """Asks a platform with each key that the user has for it, for one token each.

        It costs a few tokens each, and is a row of the ledger with "platform/test" as its endpoint.
        At most ten times a minute for a user.

        Args:
            user_id: Whose own keys; None: the server's.
            platform_id: A system platform, or a private one of the user's.

        Raises:
            NotFoundError: There is no such platform, or it has no model that chats.
            NoKeyError: There is no key to test.
            ForbiddenError: The user has no key of his own, and the server's is not his to test.
            LimitError: Too often; `retry_after` says how long to wait.
        """
        user, platform = self._user(user_id), to_id('platform_id', platform_id)
        out, error = ffi.new('struct llmgr_key_test_list *'), new_error()
        with self._handle.waiting() as manager:
            check(lib.llmgr_platform_test(manager, user, platform, out, error), error)
        try:
            return _rows.platform_test(out)
        finally:
            lib.llmgr_key_test_list_clear(out)

    def health(self, user_id: str | None = None, *, via: str | None = None) -> list[Cell]:
        """What routes and pools of keys let alone for a while, and until when.

        Args:
            user_id: Whose own keys and platforms besides what all share; None: the system user, who
                alone hears how the server's keys do. With via="gateway" the token decides, and an
                administrator's may name a user.
            via: "gateway": what `llmgr serve` lets alone, with the manager's gateway_url and
                gateway_token. None: what this process does; objects of get_user_llm ask platforms
                by themselves and tell nothing of it.

        Raises:
            UpstreamError: No gateway answers there. KeyRefusedError: it refuses the token.
        """
        user = self._user(user_id)
        if _gateway.is_gateway(via):
            return _gateway.cells(self._gateway, user_id)
        out, error = ffi.new('struct llmgr_cell_list *'), new_error()
        with self._handle.waiting() as manager:
            check(lib.llmgr_health(manager, user, out, error), error)
        try:
            return [_rows.cell(out.items[i]) for i in range(out.count)]
        finally:
            lib.llmgr_cell_list_clear(out)

    def reset_health(self, user_id: str | None, cell_id: str, *, via: str | None = None) -> bool:
        """Lets a cell of health() be used again at once, as if it had never failed.

        Args:
            user_id: As of health(); what all share the system user, or an administrator's token,
                resets.
            cell_id: As health() tells it.
            via: As of health().

        Raises:
            NotFoundError: No such cell is let alone, or it is not this user's to reset.
            UpstreamError, KeyRefusedError: As of health().
        """
        user, cell = self._user(user_id), to_text('cell_id', cell_id)
        if _gateway.is_gateway(via):
            _gateway.reset_cell(self._gateway, user_id, cell_id)
            return True
        error = new_error()
        with self._handle.waiting() as manager:
            check(lib.llmgr_health_reset(manager, user, cell, error), error)
        return True

    def probe_platform_models(self, base_url: str, api_key: str, timeout: float = 8.0,
                              raise_on_error: bool = True, *,
                              user_id: str | None = None) -> list[dict[str, Any]]:
        """Asks an OpenAI-compatible address for its models.

        Args:
            base_url: Such as https://api.openai.com/v1.
            api_key: Its key.
            timeout: Seconds for the whole call.
            raise_on_error: False: log what went wrong and return [] (bad types still raise).
            user_id: Ask on behalf of this user: the address must be one that private platforms may
                have. None: any address. Give it where a user supplies the address.

        Returns:
            A dict per model with "id", "raw" (the list's entry), and what the entry says of the
            model, as add_model takes it: "kind" ("unknown" if it does not say), "context_tokens"
            and "max_output_tokens" (None likewise).

        Raises:
            KeyRefusedError: The key is refused (a PermissionError).
            UpstreamError: Any other failure of the upstream (a RuntimeError).
            InvalidError: The address or key is empty or malformed (a ValueError).
        """
        try:
            return _probe.probe(self._handle, self._user(user_id), base_url, api_key, timeout)
        except LlmgrError as error:
            if raise_on_error:
                raise
            LOGGER.warning('probe of %s: %s', base_url, error)
            return []


def _sync_platforms(handle: Handle, config: Config) -> int:
    report, error = ffi.new('struct llmgr_sync_report *'), new_error()
    with config as pointer, handle as manager:
        check(lib.llmgr_sync(manager, pointer, False, report, error), error)
    try:
        for i in range(report.count):
            change = report.changes[i]
            LOGGER.info('%s: %s %s', *_subject(change), _ACTIONS[change.action])
        return int(report.count)
    finally:
        lib.llmgr_sync_report_clear(report)


def _subject(change: Any) -> tuple[str, str]:
    """What a struct llmgr_change is about: a platform and its model, an alias, or a route."""
    for name, kind in ((change.alias, 'the alias'), (change.route, 'the route')):
        if name != NULL:
            return from_text(name), kind
    return (from_text(change.platform_name),
            from_optional(change.display_name) or 'the platform')


_LISTS = {
    'aliases': ('llmgr_alias_list', lib.llmgr_aliases, lib.llmgr_alias_list_clear),
    'models': ('llmgr_model_list', lib.llmgr_models, lib.llmgr_model_list_clear),
    'platforms': ('llmgr_platform_list', lib.llmgr_platforms, lib.llmgr_platform_list_clear),
    'routes': ('llmgr_route_list', lib.llmgr_routes, lib.llmgr_route_list_clear),
}


def _need_langchain() -> None:
    """Says what to install before _chat is imported."""
    try:
        from . import _chat  # noqa: F401
    except ImportError as error:
        raise ImportError('this needs LangChain; install it with: pip install '
                          f'"llmgr[langchain]" ({error})') from error
