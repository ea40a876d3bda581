# SPDX-License-Identifier: MIT
"""Long random walks: after every operation the program and the model of the original's rules
(seed_model.py) agree on exit code, lists and choices. A failure prints the seed and the last steps;
LLMGR_WALK_SEED and LLMGR_WALK_STEPS walk it again."""
import json
import os
import random

import pytest

from seed_model import SYSTEM_USER, Manager, Refused

STEPS = int(os.environ.get('LLMGR_WALK_STEPS', '600'))
SEED = int(os.environ.get('LLMGR_WALK_SEED', '20261'))
USERS = ['ann', 'ben', '小李', SYSTEM_USER]
TURNS = ['ann'] * 4 + USERS  # one of them gets far enough to run into conflicts
NAMES = ['One', 'Two', '三', 'Alpha', 'Beta', 'x' * 81, '', ' blank']
URLS = ['https://a.example.com/v1', 'https://b.example.com/v1', 'HTTPS://B.example.com:443/v1/',
        'https://c.example.com/v1', 'https://d.example.com/api', 'https://sys-beta.example/v1']
MODELS = ['gpt-x', 'gpt-y', 'qwen/三', 'gpt-x']
DISPLAYS = ['X', 'Y', '显示', 'One', 'V', 'W', 'Z', 'Q']
EXTRAS = [None, None, {'top_k': 3}, {'thinking': {'type': 'disabled'}}, {}, {'model': 'other'}]
KINDS = [None, None, 'unknown', 'chat', 'embedding', 'transcription']
TOKENS = [{}, {}, {'context_tokens': 200000}, {'context_tokens': 0, 'max_output_tokens': 1},
          {'max_output_tokens': 64000}]
SLOTS = ['main', 'main', 'fast', 'reason']
SYSTEM = {'Alpha': 'https://sys-alpha.example/v1', 'Beta': 'https://sys-beta.example/v1',
          'Gamma': 'https://sys-gamma.example/v1'}


def token_flags(tokens):
    flags = {'context_tokens': '--context', 'max_output_tokens': '--max-output'}
    return [word for name, count in tokens.items() for word in (flags[name], str(count))]


class Walk:
    """One walk: the program, the model, and what was done so far."""

    def __init__(self, llmgr, seed):
        self.llmgr = llmgr
        self.dice = random.Random(seed)
        self.model = Manager()
        self.steps = []
        llmgr.env['LLMGR_MODE'] = 'custom'
        self.keys = {}
        self.write_file({name: ['m1', 'm2'] for name in SYSTEM}, [])
        self.sync()

    # ---- The file ----

    def write_file(self, platforms, renamed):
        """`platforms`: those of SYSTEM that the file has, with their models."""
        self.entries = []
        lines = ['platforms:']
        for name, models in platforms.items():
            shown = name + ' neu' if name in renamed else name
            lines += [f'  {shown}:', f'    base_url: {SYSTEM[name]}',
                      f'    api_key: "{{KEY_{name}}}"', '    models:' if models else
                      '    models: {}']
            lines += [f'      {name} {model}: up-{model}' for model in models]
            self.entries.append((shown, SYSTEM[name], self.keys.get(name),
                                 [(f'{name} {model}', f'up-{model}', None) for model in models]))
        self.llmgr.write('llmgr.yaml', '\n'.join(lines) + '\n')

    def sync(self):
        for name in SYSTEM:
            self.llmgr.env.pop(f'KEY_{name}', None)
            if self.keys.get(name):
                self.llmgr.env[f'KEY_{name}'] = self.keys[name]
        self.llmgr.ok('sync')
        rows = self.llmgr.json('model', 'list')
        platforms = {row['platform_name']: row['platform_id']
                     for row in self.llmgr.json('platform', 'list')}
        shown = {(row['platform_name'], row['display_name']): row['model_id'] for row in rows}
        used = {platform.id for platform in self.model.system + self.model.private}

        def ids(name, display):
            new = platforms[name] if display is None else shown[(name, display)]
            assert display is not None or new not in used, f'id {new} was given away twice'
            return new

        self.model.sync(self.entries, ids)

    def step_sync(self):
        names = [name for name in SYSTEM if self.dice.random() < 0.8] or ['Alpha']
        self.dice.shuffle(names)
        self.keys = {name: f'sk-{name}' for name in SYSTEM if self.dice.random() < 0.5}
        self.write_file({name: self.dice.sample(['m1', 'm2', 'm3'], self.dice.randint(0, 3))
                         for name in names}, [name for name in names if self.dice.random() < 0.3])
        self.steps.append(('sync', self.entries))
        self.sync()

    # ---- Steps ----

    def some(self, user):
        """Platforms to pick from: mostly the user's own, where most can happen."""
        own = [platform for platform in self.model.private if platform.owner == user]
        everything = self.model.system + self.model.private
        return own if own and self.dice.random() < 0.6 else everything

    def any_platform(self, user):
        return self.dice.choice([platform.id for platform in self.some(user)] + [9999])

    def any_model(self, user):
        return self.dice.choice([model.id for platform in self.some(user)
                                 for model in platform.models] + [9999])

    def both(self, user, words, act, stdin=''):
        """Runs the program and the model's `act(document)`; both must say the same."""
        self.steps.append((user, *words))
        result = self.llmgr.run('--json', '-u', user, *words, stdin=stdin)
        document = json.loads(result.out) if result.code == 0 else None
        try:
            act(document or {'platform_id': -1, 'model_id': -1})
            wanted = 0
        except Refused as refused:
            wanted = refused.code
        assert result.code == wanted, f'code {result.code}, the model says {wanted}: {result.err}'
        return document

    def step_platform_add(self, user):
        name, url = self.dice.choice(NAMES), self.dice.choice(URLS)
        key = self.dice.choice([None, 'sk-own'])
        self.both(user, ['platform', 'add', '--name', name, '--base-url', url,
                         *(['--key-stdin'] if key else [])],
                  lambda made: self.model.platform_add(user, name, url, key, made['platform_id']),
                  stdin=key or '')

    def step_platform_rename(self, user):
        number, name = self.any_platform(user), self.dice.choice(NAMES)
        self.both(user, ['platform', 'rename', number, name],
                  lambda _: self.model.platform_rename(user, number, name))

    def step_platform_delete(self, user):
        number = self.any_platform(user)
        self.both(user, ['platform', 'delete', number],
                  lambda _: self.model.platform_delete(user, number))

    def step_platform_hide(self, user):
        number, hide = self.any_platform(user), self.dice.random() < 0.5
        self.both(user, ['platform', 'hide' if hide else 'show', number],
                  lambda _: self.model.platform_hide(user, number, hide))

    def step_platform_key(self, user):
        number, key = self.any_platform(user), self.dice.choice([None, 'sk-other'])
        words = ['set-key', number, '--key-stdin'] if key else ['clear-key', number]
        self.both(user, ['platform', *words],
                  lambda _: self.model.platform_set_key(user, number, key), stdin=key or '')

    def step_model_add(self, user):
        number, name = self.any_platform(user), self.dice.choice(MODELS)
        display, extra = self.dice.choice(DISPLAYS), self.dice.choice(EXTRAS)
        kind = self.dice.choice(KINDS)
        more = ['--extra-body', json.dumps(extra)] if extra is not None else []
        more += ['--kind', kind] if kind is not None else []
        tokens = self.dice.choice(TOKENS)
        more += token_flags(tokens)
        self.both(user, ['model', 'add', '--platform', number, '--name', name, '--display', display,
                         *more],
                  lambda made: self.model.model_add(user, number, name, display, extra,
                                                    made['model_id'], kind or 'unknown', tokens))

    def step_model_update(self, user):
        number = self.any_model(user)
        display, extra = self.dice.choice(DISPLAYS + [None]), self.dice.choice(EXTRAS)
        words = ['--display', display] if display is not None else []
        words += ['--extra-body', json.dumps(extra)] if extra is not None else []
        kind = self.dice.choice(KINDS)
        words += ['--kind', kind] if kind is not None else []
        tokens = self.dice.choice(TOKENS)
        words += token_flags(tokens)
        self.both(user, ['model', 'update', number, *words],
                  lambda _: self.model.model_update(user, number, display, extra, kind, tokens))

    def step_model_delete(self, user):
        number = self.any_model(user)
        self.both(user, ['model', 'delete', number],
                  lambda _: self.model.model_delete(user, number))

    def step_model_hide(self, user):
        number, hide = self.any_model(user), self.dice.random() < 0.5
        self.both(user, ['model', 'hide' if hide else 'show', number],
                  lambda _: self.model.model_hide(user, number, hide))

    def step_select(self, user):
        slot = self.dice.choice(SLOTS)
        rows = self.model.model_list(user)
        row = self.dice.choice(rows) if rows and self.dice.random() < 0.8 else None
        platform = row['platform_id'] if row else self.any_platform(user)
        model = row['model_id'] if row else self.any_model(user)
        self.both(user, ['select', '--platform', platform, '--model', model, '--slot', slot],
                  lambda _: self.model.select(user, slot, platform, model))

    def step_selection(self, user):
        slot = self.dice.choice(SLOTS)
        wanted = []
        said = self.both(user, ['selection', '--slot', slot],
                         lambda _: wanted.extend(self.model.resolve(user, slot)))
        if said is None:
            return
        platform, model, repaired = wanted
        assert (said['platform_id'], said['model_id'], said['repaired']) == \
            (platform.id, model.id, repaired)
        assert said['api_key_set'] is (self.model.key_of(user, platform)[0] is not None)

    def step_mode(self):
        self.model.mode = self.dice.choice(['custom', 'custom', 'fixed', 'single'])
        self.model.auto_key = self.dice.random() < 0.7
        self.llmgr.env['LLMGR_MODE'] = self.model.mode
        self.llmgr.env['LLMGR_AUTO_KEY'] = 'true' if self.model.auto_key else 'false'
        self.steps.append(('mode', self.model.mode, self.model.auto_key))

    # ---- The walk ----

    def compare(self, user):
        for what, wanted in (('platform', self.model.platform_list(user)),
                             ('model', self.model.model_list(user))):
            rows = self.llmgr.json('-u', user, what, 'list')
            kept = [{name: row[name] for name in wanted[0]} for row in rows] if wanted else rows
            assert kept == wanted

    def go(self, steps):
        actions = [self.step_platform_add] * 3 + [self.step_model_add] * 3 + \
            [self.step_select] * 3 + [self.step_selection] * 4 + \
            [self.step_platform_rename, self.step_platform_delete, self.step_platform_hide,
             self.step_platform_key, self.step_platform_key, self.step_model_update,
             self.step_model_delete, self.step_model_hide]
        for count in range(steps):
            user = self.dice.choice(TURNS)
            if self.dice.random() < 0.04:
                self.step_sync()
            elif self.dice.random() < 0.06:
                self.step_mode()
            else:
                self.dice.choice(actions)(user)
            if count % 5 == 4 or count == steps - 1:
                self.compare(user)


@pytest.mark.parametrize('walk', [1, 2])
def test_a_random_walk_agrees_with_the_rules_of_the_original(llmgr, walk):
    walker = Walk(llmgr, SEED * 10 + walk)
    try:
        walker.go(STEPS // 2)
        for user in USERS:
            walker.compare(user)
    except Exception as error:  # the seed is what one needs to walk again
        last = '\n'.join(map(str, walker.steps[-12:]))
        raise AssertionError(f'seed {SEED}, walk {walk}, step {len(walker.steps)}:\n{last}') \
            from error
