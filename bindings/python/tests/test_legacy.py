# SPDX-License-Identifier: MIT
"""python -m llmgr import-legacy adopts what the Python original left."""
import sqlite3
import subprocess
import sys

import pytest
from conftest import FRAME, TOP

import llmgr

YAML = '''# 平台
魔搭ModelScope:
  base_url: https://api-inference.modelscope.cn/v1/
  api_key: "{MODELSCOPE_API_KEY}"
  note: the original read over this
  models:
    通义: Qwen/Qwen3
    智谱:
      model_name: ZhipuAI/GLM-4.6
      extra_body: {thinking: {type: disabled}}
'''


@pytest.fixture(name='original')
def original_fixture(room):
    """llm_config.db as the original leaves it, and its llm_mgr_cfg.yaml."""
    subprocess.run([sys.executable, TOP / 'tests/unit/store/make_original.py',
                    room / 'llm_config.db'], check=True)
    (room / 'llm_mgr_cfg.yaml').write_text(YAML, encoding='utf-8')
    return room / 'llm_config.db'


def import_(*arguments):
    return subprocess.run([sys.executable, '-m', 'llmgr', 'import-legacy', *map(str, arguments)],
                          capture_output=True, text=True, check=False, timeout=60)


def test_a_database_is_adopted_with_its_ids(original, room):
    with sqlite3.connect(original) as before:
        own = before.execute('SELECT id, user_id, name, api_key FROM llm_platforms WHERE is_sys=0 '
                             "AND api_key <> '' ORDER BY id").fetchone()
    done = import_(original)
    assert done.returncode == 0, done.stderr
    assert '0 unreadable key(s)' in done.stdout
    with llmgr.AIManager(original, {'mode': 'custom'}) as manager:
        found = {platform.id: platform for platform in manager.platforms(own[1])}
        assert found[own[0]].name == own[2] and found[own[0]].payer == 'user'
    assert own[3].encode() not in original.read_bytes()


def test_its_file_is_adopted_and_written_anew(original, room, monkeypatch):
    # What the original read over, our file does not: it is said, and the import stands.
    done = import_(original, '--config', 'llm_mgr_cfg.yaml', '--write', 'llmgr.yaml')
    assert done.returncode == 2 and 'note' in done.stderr and not (room / 'llmgr.yaml').exists()
    (room / 'llm_mgr_cfg.yaml').write_text(YAML.replace('  note: the original read over this\n',
                                                        ''), encoding='utf-8')
    done = import_(original, '--config', 'llm_mgr_cfg.yaml', '--write', 'llmgr.yaml')
    assert done.returncode == 0, done.stderr
    assert (room / 'llmgr.yaml').stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv('MODELSCOPE_API_KEY', 'sk-env')
    with llmgr.AIManager() as manager:
        rows = [row['display_name'] for row in manager.get_platform_models(None)]
        assert rows == ['通义', '智谱'] and manager.resolve().key == 'sk-env'
        assert manager.models()[1].extra_body == {'thinking': {'type': 'disabled'}}
    program = FRAME.Llmgr(room, f'sqlite:{original}')
    assert len(program.json('model', 'list')) == 2
    again = import_(original, '--config', 'llm_mgr_cfg.yaml', '--write', 'llmgr.yaml')
    assert again.returncode == 2 and 'llmgr.yaml' in again.stderr


@pytest.mark.parametrize('arguments, code', [
    (('nowhere.db',), 2), (('llm_config.db', '--config', 'nowhere.yaml'), 3),
    (('llm_config.db', '--write', 'x.yaml'), 2), ((), 2)])
def test_bad_input(original, room, arguments, code):
    done = import_(*arguments)
    assert done.returncode == code and done.stderr and 'Traceback' not in done.stderr
    assert not (room / 'nowhere.db').exists()
