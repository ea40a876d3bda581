# SPDX-License-Identifier: MIT
"""The rules of the Python original as a small model, written from its documents, not from our C.

The program is run through long random sequences of operations and must agree with this model on
every list, every error (exit code) and every choice. Where our rules differ from the original's on
purpose, the line says so with "DEVIATION":

  1. An absent and a foreign id are the same error (the original told them apart in two places).
  2. Addresses are compared in a normal form (the original compared texts).
  3. A new user's choice is not a stored row: it is looked up each time, and is the first system
     platform with a model AND a usable key (the original stored the first of the file).
  4. Choices exist per slot; a slot without one follows "main".
  5. A mode that hides private platforms does not delete or forget anything; the original's fixed
     mode still listed and resolved private platforms. In it a private id is as good as absent.
  6. Renaming a platform to the name it has is no conflict.
  7. Models can be hidden too; the original hid platforms only.
  8. The system user's private platforms do not exist in the original either; we say so as "mode".
  9. A key of a system platform is bound to its address: it is unusable after a move.
 10. Names are at most 80 and 120 bytes (the original relied on the column).
 11. extra_body must not hold model, messages or stream.
 12. The system user may put models into system platforms, beside those of the file, and changes
     them alone (the original knew no others than the file's).
"""
import dataclasses
import itertools

OK, INVALID, NOT_FOUND, FORBIDDEN, CONFLICT, NO_KEY = 0, 2, 3, 4, 5, 6
SYSTEM_USER = '-1'


class Refused(Exception):
    """An operation failed with this exit code; nothing changed."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


@dataclasses.dataclass
class Model:
    id: int
    model_name: str
    display_name: str
    extra_body: dict | None = None
    kind: str = 'unknown'
    made: bool = False  # put into a system platform without the file
    context_tokens: int | None = None
    max_output_tokens: int | None = None


@dataclasses.dataclass
class Platform:
    id: int
    name: str
    base_url: str
    owner: str | None = None  # None: a system platform
    key: str | None = None
    hide: bool = False  # a private platform's
    models: list = dataclasses.field(default_factory=list)


def normal(url):
    """DEVIATION 2; enough of a normal form for the addresses of the walk."""
    scheme, rest = url.split('://', 1)
    host, _, path = rest.partition('/')
    host = host.lower().removesuffix(':443')
    return f'{scheme.lower()}://{host}/{path}'.rstrip('/')


class Manager:
    """The whole site. Every operation takes the user first; ids that the program gave to what it
    made are handed in by the caller."""

    def __init__(self):
        self.mode = 'custom'
        self.auto_key = True
        self.system = []  # in the order of the file
        self.private = []  # in the order of their ids
        self.own_keys = {}  # (user, platform id) -> key
        self.hidden_platforms = set()  # (user, platform id) of system platforms
        self.hidden_models = set()  # (user, model id)
        self.selections = {}  # (user, slot) -> (platform id, model id)

    # ---- Who sees what ----

    def effective(self, user):
        return SYSTEM_USER if self.mode == 'single' else user

    def own(self, user):
        if self.mode != 'custom':  # DEVIATION 5
            return []
        return [platform for platform in self.private if platform.owner == user]

    def visible(self, user):
        user = self.effective(user)
        return self.system + self.own(user)

    def find(self, user, platform_id):
        for platform in self.visible(user):
            if platform.id == platform_id:
                return platform
        raise Refused(NOT_FOUND)  # DEVIATION 1

    def find_model(self, user, model_id):
        for platform in self.visible(user):
            for model in platform.models:
                if model.id == model_id:
                    return platform, model
        raise Refused(NOT_FOUND)

    def changeable(self, user, finder, number, adds=False):
        """What the user may change: own things, in mode custom; DEVIATION 12."""
        try:
            found = finder(user, number)
        except Refused:
            if self.mode != 'custom':
                raise Refused(FORBIDDEN) from None
            raise
        platform = found[0] if isinstance(found, tuple) else found
        made = adds or (isinstance(found, tuple) and found[1].made)
        if platform.owner is None and not (made and self.effective(user) == SYSTEM_USER):
            raise Refused(FORBIDDEN)
        return found

    def key_of(self, user, platform):
        """(key, payer): own before the server's, which needs auto_key or the system user."""
        user = self.effective(user)
        if platform.owner is not None:
            return (platform.key, 'user') if platform.key else (None, None)
        own = self.own_keys.get((user, platform.id))
        if own:
            return own, 'user'
        if platform.key and (self.auto_key or user == SYSTEM_USER):
            return platform.key, 'system'
        return None, None

    # ---- Lists ----

    def platform_list(self, user):
        who = self.effective(user)
        return [{
            'platform_id': platform.id, 'platform_name': platform.name,
            'platform_is_sys': platform.owner is None, 'base_url': platform.base_url,
            'platform_hide': self.is_hidden(who, platform),
            'api_key_set': self.key_of(user, platform)[0] is not None,
            'payer': self.key_of(user, platform)[1],
        } for platform in self.visible(user)]

    def is_hidden(self, who, platform):
        if platform.owner is not None:
            return platform.hide
        return (who, platform.id) in self.hidden_platforms

    def model_list(self, user):
        who = self.effective(user)
        return [{
            'platform_id': platform.id, 'platform_name': platform.name,
            'platform_is_sys': platform.owner is None, 'base_url': platform.base_url,
            'platform_hide': self.is_hidden(who, platform),
            'api_key_set': self.key_of(user, platform)[0] is not None,
            'model_id': model.id, 'model_name': model.model_name,
            'display_name': model.display_name, 'extra_body': model.extra_body,
            'model_hide': (who, model.id) in self.hidden_models,  # DEVIATION 7
            'kind': model.kind, 'context_tokens': model.context_tokens,
            'max_output_tokens': model.max_output_tokens,
        } for platform in self.visible(user) for model in platform.models]

    # ---- Private platforms ----

    def check_create(self, user):
        if self.mode != 'custom' or self.effective(user) == SYSTEM_USER:
            raise Refused(FORBIDDEN)  # DEVIATION 8

    def check_taken(self, user, name=None, base_url=None, but=None):
        for platform in self.system + self.own(user):
            if platform.id == but:
                continue  # DEVIATION 6
            if name is not None and platform.name == name:
                raise Refused(CONFLICT)
            if base_url is not None and normal(platform.base_url) == normal(base_url):
                raise Refused(CONFLICT)

    def check_name(self, name, limit):
        if not 1 <= len(name.encode()) <= limit or name != name.strip():
            raise Refused(INVALID)  # DEVIATION 10

    def platform_add(self, user, name, base_url, key, new_id):
        self.check_create(user)
        self.check_name(name, 80)
        self.check_taken(user, name, base_url)
        self.private.append(Platform(new_id, name, base_url, user, key))

    def platform_rename(self, user, platform_id, name):
        self.check_name(name, 80)
        platform = self.changeable(user, self.find, platform_id)
        self.check_taken(user, name=name, but=platform_id)
        platform.name = name

    def platform_delete(self, user, platform_id):
        self.private.remove(self.changeable(user, self.find, platform_id))

    def platform_hide(self, user, platform_id, hide):
        platform = self.find(user, platform_id)
        if platform.owner is not None:
            platform.hide = hide
        elif hide:
            self.hidden_platforms.add((self.effective(user), platform_id))
        else:
            self.hidden_platforms.discard((self.effective(user), platform_id))

    def platform_set_key(self, user, platform_id, key):
        platform = self.find(user, platform_id)
        if platform.owner is not None:
            platform.key = key
        else:
            self.own_keys[(self.effective(user), platform_id)] = key

    # ---- Private models ----

    def check_display(self, user, display_name, within, but=None):
        for platform in self.own(user) if within.owner is not None else [within]:
            for model in platform.models:
                if model.display_name == display_name and model.id != but:
                    raise Refused(CONFLICT)

    def check_extra(self, extra_body):
        if extra_body and {'model', 'messages', 'stream'} & set(extra_body):
            raise Refused(INVALID)  # DEVIATION 11

    def model_add(self, user, platform_id, model_name, display_name, extra_body, new_id,
                  kind='unknown', tokens=None):
        self.check_name(model_name, 120)
        self.check_name(display_name, 120)
        self.check_extra(extra_body)
        platform = self.changeable(user, self.find, platform_id, adds=True)
        if any(model.model_name == model_name for model in platform.models):
            raise Refused(CONFLICT)
        self.check_display(user, display_name, platform)
        model = Model(new_id, model_name, display_name, extra_body or None, kind,
                      platform.owner is None)
        self.set_tokens(model, tokens)
        platform.models.append(model)

    @staticmethod
    def set_tokens(model, tokens):
        for name, count in (tokens or {}).items():
            setattr(model, name, count or None)

    def model_update(self, user, model_id, display_name, extra_body, kind=None, tokens=None):
        if display_name is None and extra_body is None and kind is None and not tokens:
            raise Refused(INVALID)
        if display_name is not None:
            self.check_name(display_name, 120)
        self.check_extra(extra_body)
        platform, model = self.changeable(user, self.find_model, model_id)
        if display_name is not None:
            self.check_display(user, display_name, platform, but=model_id)
            model.display_name = display_name
        if extra_body is not None:
            model.extra_body = extra_body or None
        model.kind = kind or model.kind
        self.set_tokens(model, tokens)

    def model_delete(self, user, model_id):
        platform, model = self.changeable(user, self.find_model, model_id)
        platform.models.remove(model)

    def model_hide(self, user, model_id, hide):
        self.find_model(user, model_id)
        change = self.hidden_models.add if hide else self.hidden_models.discard
        change((self.effective(user), model_id))

    # ---- Choices ----

    def select(self, user, slot, platform_id, model_id):
        platform = self.find(user, platform_id)
        if all(model.id != model_id for model in platform.models):
            raise Refused(NOT_FOUND)
        self.selections[(self.effective(user), slot)] = (platform_id, model_id)

    def first(self, user):
        """The fallback: the first system platform with a model and a key; else with a model."""
        with_models = [platform for platform in self.system if platform.models]
        usable = [platform for platform in with_models if self.key_of(user, platform)[0]]
        for platform in itertools.chain(usable, with_models):
            return platform, platform.models[0]
        raise Refused(NOT_FOUND)

    def exists(self, user, chosen):
        """Is the target still there for this user, be it hidden by the mode?"""
        owned = [platform for platform in self.private if platform.owner == user]
        return any(platform.id == chosen[0] and any(model.id == chosen[1]
                                                    for model in platform.models)
                   for platform in self.system + owned)

    def resolve(self, user, slot='main'):
        """(platform, model, repaired): what serves the slot. A choice that is gone is replaced; one
        that the mode hides is passed over and kept."""
        who = self.effective(user)
        for at in dict.fromkeys((slot, 'main')):  # DEVIATION 4
            chosen = self.selections.get((who, at))
            if chosen is None:
                continue
            if not self.exists(who, chosen):
                platform, model = self.first(user)
                self.selections[(who, at)] = (platform.id, model.id)
                return platform, model, True
            for platform in self.visible(user):
                for model in platform.models:
                    if (platform.id, model.id) == chosen:
                        return platform, model, False
        return *self.first(user), False  # DEVIATION 3

    # ---- The file ----

    def sync(self, entries, ids):
        """entries: [(name, base_url, key, [(display, model name, extra)])]; `ids` gives the ids of
        what is new: ids(name, display or None). What keeps address (or name) keeps its id."""
        before, after = list(self.system), []

        def same(name, base_url):
            found = [old for old in before if normal(old.base_url) == normal(base_url)]
            return (found or [old for old in before if old.name == name] or [None])[0]

        for name, base_url, key, models in entries:
            old = same(name, base_url)
            if old is None:
                old = Platform(ids(name, None), name, base_url)
            else:
                before.remove(old)
            old.name, old.base_url, old.key = name, base_url, key
            kept = {model.display_name: model for model in old.models if not model.made}
            made = [model for model in old.models if model.made]
            old.models = []
            for display, model_name, extra in models:
                model = kept.get(display) or Model(ids(name, display), model_name, display)
                model.model_name, model.extra_body = model_name, extra
                old.models.append(model)
            old.models += made
            after.append(old)
        gone = {platform.id for platform in before}
        self.system = after
        self.own_keys = {place: key for place, key in self.own_keys.items() if place[1] not in gone}
        self.hidden_platforms = {place for place in self.hidden_platforms if place[1] not in gone}
