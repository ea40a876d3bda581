# SPDX-License-Identifier: MIT
"""The Python original itself, side by side with the package, on long random sequences.

Runs if LLMGR_ORIGINAL names the original's llm_mgr.py (which is not ours to ship); every change is
held against the model of its rules instead (test_stateful.py). Both get the same operations, made
of what both allow or both refuse: where our rules differ on purpose (the DEVIATIONs of
tests/integration/seed_model.py), the sequence keeps off. After each step both have answered alike
(both fine, or both a ValueError), and for every user the flat list, the selection's detail and what
an LLM would be made of are the same.

LLMGR_ORIGINAL_SEQUENCES (20) and LLMGR_WALK_STEPS (200) say how much.
"""
import contextlib
import importlib.util
import io
import json
import os
import pathlib
import random
import shutil

import pytest

import llmgr

ORIGINAL = os.environ.get('LLMGR_ORIGINAL')
SEQUENCES = int(os.environ.get('LLMGR_ORIGINAL_SEQUENCES', '20'))
STEPS = int(os.environ.get('LLMGR_WALK_STEPS', '200'))
CONFIG = {
    'Alpha': {'base_url': 'https://sys-alpha.example/v1', 'api_key': 'sk-a',
              'models': {'Alpha 1': 'up-1', 'Alpha 2': {'model_name': 'up-2',
                                                        'extra_body': {'top_k': 2}}}},
    '贝塔': {'base_url': 'https://sys-beta.example/v1', 'api_key': 'sk-b',
           'models': {'贝塔 1': 'up-1', '贝塔 3': 'up-3'}},
}
USERS = ('ann', '本', '-1')
NAMES = ('One', '二', 'Three', 'Alpha', '')
URLS = ('https://a.example/v1', 'https://b.example/v1', 'https://sys-beta.example/v1', '')
MODELS = ('gpt-x', 'qwen/三', 'm', '')
DISPLAYS = ('X', '显示', 'Y', 'Z')
EXTRAS = (None, {}, {'thinking': {'type': '关'}})
ABSENT = 999999

if not ORIGINAL:
    pytest.skip('LLMGR_ORIGINAL is not set', allow_module_level=True)


@pytest.fixture(scope='module')
def original(tmp_path_factory):
    """The original's module, its own configuration beside it, its constructor a recorder."""
    folder = tmp_path_factory.mktemp('original')
    shutil.copy(ORIGINAL, folder / 'llm_mgr.py')
    (folder / 'llm_mgr_cfg.yaml').write_text('A: {base_url: "https://x", models: {m: m}}\n')
    spec = importlib.util.spec_from_file_location('llm_mgr_original', folder / 'llm_mgr.py')
    module = importlib.util.module_from_spec(spec)
    with contextlib.redirect_stdout(io.StringIO()):
        spec.loader.exec_module(module)
    module.DEFAULT_PLATFORM_CONFIGS = CONFIG
    module.ChatOpenAI = lambda **members: members
    # It gives the number of a deleted row to the next one, so that an old choice points to it.
    for table in (module.LLMPlatform.__table__, module.LLModels.__table__):
        table.dialect_options['sqlite']['autoincrement'] = True
    return module


class Pair:
    """The original and the package, and whose number is whose."""

    def __init__(self, module, folder: pathlib.Path, fixed, rng):
        module.USE_SYS_LLM_CONFIG = fixed
        self.rng = rng
        self.old = module.AIManager(str(folder / 'old.db'))
        self.new = llmgr.AIManager(str(folder / 'new.db'), {
            'mode': 'fixed' if fixed else 'custom', 'platforms': CONFIG})
        self.platforms, self.models = {}, {}  # ours -> theirs
        for ours, theirs in zip(self.new.get_platform_models('ann'),
                                self.old.get_platform_models('ann'), strict=True):
            self.platforms[ours['platform_id']] = theirs['platform_id']
            self.models[ours['model_id']] = theirs['model_id']

    def platform(self):
        ours = self.rng.choice([*self.platforms, ABSENT])
        return ours, self.platforms.get(ours, ABSENT)

    def model(self):
        ours = self.rng.choice([*self.models, ABSENT])
        return ours, self.models.get(ours, ABSENT)

    def both(self, name, ours, theirs):
        """Calls the method of both; returns what they gave, or None if both refused."""
        given = []
        for manager, arguments in ((self.new, ours), (self.old, theirs)):
            try:
                given.append(getattr(manager, name)(*arguments))
            except ValueError as error:
                given.append(error)
        refused = [isinstance(one, ValueError) for one in given]
        assert refused[0] == refused[1], (name, ours, theirs, given)
        return None if refused[0] else given

    # ---- The steps ----

    def add_platform(self, user):
        arguments = (self.rng.choice(NAMES), self.rng.choice(URLS),
                     self.rng.choice((None, 'sk-own')), user)
        made = self.both('add_platform', arguments, arguments)
        if made:
            listed = self.old.Session().query(type(made[1])).order_by(type(made[1]).id.desc())
            self.platforms[made[0].id] = listed.first().id

    def rename_platform(self, user):
        ours, theirs = self.platform()
        name = self.rng.choice(NAMES)
        if name not in {row.name for row in self.new.platforms(user) if row.id == ours}:
            self.both('rename_platform', (user, ours, name), (user, theirs, name))

    def delete_platform(self, user):
        ours, theirs = self.platform()
        if self.both('delete_platform', (user, ours), (user, theirs)):
            self.platforms[ours] = ABSENT

    def update_platform_config(self, user):
        key = self.rng.choice((None, 'sk-1', 'sk-2'))
        ours, theirs = self.platform()
        self.both('update_platform_config', (user, ours, key), (user, theirs, key))

    def toggle_platform_visibility(self, user):
        hide = self.rng.random() < 0.5
        ours, theirs = self.platform()
        self.both('toggle_platform_visibility', (user, ours, hide), (user, theirs, hide))

    def add_model(self, user):
        ours, theirs = self.platform()
        rest = (self.rng.choice(MODELS), self.rng.choice(DISPLAYS), user, self.rng.choice(EXTRAS))
        made = self.both('add_model', (ours, *rest), (theirs, *rest))
        if made:
            listed = self.old.Session().query(type(made[1])).order_by(type(made[1]).id.desc())
            self.models[made[0].id] = listed.first().id

    def update_model(self, user):
        ours, theirs = self.model()
        rest = (self.rng.choice((None, *DISPLAYS)), self.rng.choice(EXTRAS))
        self.both('update_model', (user, ours, *rest), (user, theirs, *rest))

    def delete_model(self, user):
        ours, theirs = self.model()
        if self.both('delete_model', (user, ours), (user, theirs)):
            self.models[ours] = ABSENT

    def save_user_selection(self, user):
        ours, theirs = zip(self.platform(), self.model())
        self.both('save_user_selection', (user, *ours), (user, *theirs))

    STEPS = (add_platform, add_platform, rename_platform, delete_platform, update_platform_config,
             toggle_platform_visibility, add_model, add_model, add_model, update_model,
             delete_model, save_user_selection, save_user_selection, save_user_selection)

    # ---- What must be the same ----

    def compare(self, user):
        lists = [[{**row, 'platform_hide': bool(row['platform_hide'])}
                  for row in manager.get_platform_models(user)] for manager in (self.new, self.old)]
        for row in lists[0]:
            row['platform_id'] = self.platforms[row['platform_id']]
            row['model_id'] = self.models[row['model_id']]
        assert lists[0] == lists[1]
        details = self.both('get_user_selection_detail', (user,), (user,))
        if details:
            details[0] |= {'platform_id': self.platforms[details[0]['platform_id']],
                           'model_id': self.models[details[0]['model_id']]}
            assert {name: details[0][name] for name in details[1]} == details[1]
        try:
            made = self.old.get_user_llm(user)
        except ValueError:
            with pytest.raises(ValueError):
                self.new.get_user_llm(user)
            return
        resolved = self.new.resolve(user)
        assert (resolved.base_url, resolved.key, resolved.model_name,
                json.loads(resolved.extra_body or 'null')) \
            == (made['base_url'], made['api_key'], made['model_name'], made.get('extra_body'))


@pytest.mark.parametrize('fixed', [False, True])
@pytest.mark.parametrize('seed', range(SEQUENCES))
def test_same_answers_lists_and_choices(original, tmp_path, seed, fixed):
    rng = random.Random(seed)
    with contextlib.redirect_stdout(io.StringIO()):
        pair = Pair(original, tmp_path, fixed, rng)
        for _ in range(STEPS):
            rng.choice(Pair.STEPS)(pair, rng.choice(USERS))
            for user in USERS:
                pair.compare(user)
        pair.new.close()
        pair.old.engine.dispose()
