# SPDX-License-Identifier: MIT
"""Random sequences of operations, with hypothesis: after each of them the package and the model of
the original's rules (tests/integration/seed_model.py, where every deviation is named) agree on the
exception, on every user's list, and on every user's choice."""
import os
import shutil
import tempfile

import hypothesis
from conftest import TOP, load, postgres
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

import llmgr

SEED = load('seed_model', TOP / 'tests' / 'integration' / 'seed_model.py')
EXCEPTIONS = {SEED.INVALID: llmgr.InvalidError, SEED.NOT_FOUND: llmgr.NotFoundError,
              SEED.FORBIDDEN: llmgr.ForbiddenError, SEED.CONFLICT: llmgr.ConflictError,
              SEED.NO_KEY: llmgr.NoKeyError}
USERS = st.sampled_from(['ann', 'ben', '-1'])
NAMES = st.sampled_from(['One', '二', 'Alpha', 'x' * 81, ''])
URLS = st.sampled_from(['https://a.example/v1', 'HTTPS://a.example:443/v1/', 'https://b.example/v1',
                        'https://sys-beta.example/v1'])
KEYS = st.sampled_from([None, 'sk-own'])
MODELS = st.sampled_from(['gpt-x', 'qwen/三'])
DISPLAYS = st.sampled_from(['X', '显示', 'Y'])
EXTRAS = st.sampled_from([None, {}, {'top_k': 3}, {'model': 'other'}])
KINDS = st.sampled_from([None, 'unknown', 'chat', 'embedding', 'transcription'])
TOKENS = st.sampled_from([{}, {'context_tokens': 200000}, {'max_output_tokens': 64000},
                          {'context_tokens': 0, 'max_output_tokens': 1}])
SLOTS = st.sampled_from(['main', 'fast'])
SYSTEM = [('Alpha', 'https://sys-alpha.example/v1', None), ('Beta', 'https://sys-beta.example/v1',
                                                             'sk-b')]
STEPS = int(os.environ.get('LLMGR_WALK_STEPS', '30'))


class House(RuleBasedStateMachine):
    """One database, and the model beside it."""

    platforms = Bundle('platforms')
    models = Bundle('models')

    def __init__(self):
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix='llmgr-stateful-')
        config = {'mode': 'custom', 'platforms': {name: {
            'base_url': url, 'models': {f'{name} 1': 'up-1', f'{name} 2': 'up-2'},
            **({'api_key': key} if key else {})} for name, url, key in SYSTEM}}
        self.manager = llmgr.AIManager(self.database(), config)
        self.model = SEED.Manager()
        rows = self.manager.get_platform_models(None)
        numbers = {(row['platform_name'], row['display_name']): row for row in rows}

        def ids(name, display):
            row = numbers[(name, display or f'{name} 1')]
            return row['platform_id'] if display is None else row['model_id']
        self.model.sync([(name, url, key, [(f'{name} {i}', f'up-{i}', None) for i in (1, 2)])
                         for name, url, key in SYSTEM], ids)

    def database(self):
        return f'{self.folder}/x.db'

    def teardown(self):
        self.manager.close()
        shutil.rmtree(self.folder)

    def both(self, real, model):
        """Does it here and there; both succeed, or both refuse for the same reason."""
        try:
            made = real()
        except llmgr.LlmgrError as error:
            try:
                model(None)
            except SEED.Refused as refused:
                assert isinstance(error, EXCEPTIONS[refused.code]), (error, refused.code)
                assert isinstance(error, ValueError)
                return None
            raise AssertionError(f'only the package refuses: {error}') from error
        model(made)
        return made

    @rule(target=platforms, user=USERS, name=NAMES, url=URLS, key=KEYS)
    def add_platform(self, user, name, url, key):
        made = self.both(lambda: self.manager.add_platform(name, url, key, user),
                         lambda made: self.model.platform_add(user, name, url, key,
                                                              made.id if made else -1))
        return made.id if made else multiple()

    @rule(target=platforms, number=st.sampled_from([1, 2, 999]))
    def name_platform(self, number):
        return number

    @rule(user=USERS, number=platforms, name=NAMES)
    def rename_platform(self, user, number, name):
        self.both(lambda: self.manager.rename_platform(user, number, name),
                  lambda _: self.model.platform_rename(user, number, name))

    @rule(user=USERS, number=platforms)
    def delete_platform(self, user, number):
        self.both(lambda: self.manager.delete_platform(user, number),
                  lambda _: self.model.platform_delete(user, number))

    @rule(user=USERS, number=platforms, key=KEYS)
    def update_platform_config(self, user, number, key):
        self.both(lambda: self.manager.update_platform_config(user, number, key),
                  lambda _: self.model.platform_set_key(user, number, key))

    @rule(user=USERS, number=platforms, hide=st.booleans())
    def toggle_platform_visibility(self, user, number, hide):
        self.both(lambda: self.manager.toggle_platform_visibility(user, number, hide),
                  lambda _: self.model.platform_hide(user, number, hide))

    @rule(target=models, user=USERS, number=platforms, name=MODELS, display=DISPLAYS, extra=EXTRAS,
          kind=KINDS, tokens=TOKENS)
    def add_model(self, user, number, name, display, extra, kind, tokens):
        made = self.both(lambda: self.manager.add_model(number, name, display, user, extra,
                                                        kind=kind, **tokens),
                         lambda made: self.model.model_add(user, number, name, display, extra,
                                                           made.id if made else -1,
                                                           kind or 'unknown', tokens))
        return made.id if made else multiple()

    @rule(target=models, number=st.sampled_from([1, 4, 999]))
    def name_model(self, number):
        return number

    @rule(user=USERS, number=models, display=st.one_of(st.none(), DISPLAYS), extra=EXTRAS,
          kind=KINDS, tokens=TOKENS)
    def update_model(self, user, number, display, extra, kind, tokens):
        new = {f'new_{name}': count for name, count in tokens.items()}
        self.both(lambda: self.manager.update_model(user, number, display, extra, new_kind=kind,
                                                    **new),
                  lambda _: self.model.model_update(user, number, display, extra, kind, tokens))

    @rule(user=USERS, number=models)
    def delete_model(self, user, number):
        self.both(lambda: self.manager.delete_model(user, number),
                  lambda _: self.model.model_delete(user, number))

    @rule(user=USERS, number=models, hide=st.booleans())
    def toggle_model_visibility(self, user, number, hide):
        self.both(lambda: self.manager.toggle_model_visibility(user, number, hide),
                  lambda _: self.model.model_hide(user, number, hide))

    @rule(user=USERS, slot=SLOTS, platform=platforms, number=models)
    def save_user_selection(self, user, slot, platform, number):
        self.both(lambda: self.manager.save_user_selection(user, platform, number, slot),
                  lambda _: self.model.select(user, slot, platform, number))

    @rule(user=USERS, slot=SLOTS)
    def choices_agree(self, user, slot):
        platform, model, _ = self.model.resolve(user, slot)
        key, payer = self.model.key_of(user, platform)
        try:
            resolved = self.manager.resolve(user, slot)
        except llmgr.NoKeyError:
            assert key is None
            return
        assert (resolved.platform_id, resolved.model_id) == (platform.id, model.id)
        assert (resolved.key, resolved.payer) == (key, payer)
        detail = self.manager.get_user_selection_detail(user, slot)
        assert (detail['platform'], detail['model_name'], detail['base_url']) == (
            platform.name, model.model_name, platform.base_url)

    @invariant()
    def lists_agree(self):
        for user in ('ann', 'ben', '-1'):
            wanted = self.model.model_list(user)
            more = [tuple(row.pop(name) for name in (
                'extra_body', 'model_hide', 'kind', 'context_tokens', 'max_output_tokens'))
                for row in wanted]
            assert self.manager.get_platform_models(user) == wanted
            assert [(row.extra_body, row.hide, row.kind, row.context_tokens,
                     row.max_output_tokens)
                    for row in self.manager.models(user)] == more


class HouseOnPostgres(House):
    """The same rules on the other database, less often: each example makes one."""

    def database(self):
        return postgres().fresh()


def settings(examples):
    return hypothesis.settings(max_examples=examples, stateful_step_count=STEPS, deadline=None,
                               database=None,
                               suppress_health_check=list(hypothesis.HealthCheck))


House.TestCase.settings = settings(100)
HouseOnPostgres.TestCase.settings = settings(20)
TestHouse = House.TestCase
TestHouseOnPostgres = HouseOnPostgres.TestCase
