# SPDX-License-Identifier: MIT
"""Every Python example of the seed's README runs, in its order, against the scripted upstream.

Substituted are the module's name, and the one `invoke` whose answer the example iterates over: of
a real ChatOpenAI that is `stream`.
"""
import pathlib
import re

import pytest

import llmgr

README = pathlib.Path(__file__).resolve().parent / 'data' / 'seed_readme.md'
BLOCKS = re.findall(r'^```python\n(.*?)^```', README.read_text(encoding='utf-8'), re.M | re.S)
# What the second example takes from the top of the file it was cut from.
TOP_OF_THE_FILE = '''
import os
from typing import Any, Dict
MODELSCOPE_API_KEY = os.environ.get("MODELSCOPE_API_KEY")
'''


@pytest.fixture(name='seed')
def seed_fixture(room, mockllm, monkeypatch):
    """An installation like the seed's: four platforms, keys in .env; LLM_Manager is fresh."""
    lines = ['mode: custom', 'platforms:']
    for name in ('魔搭ModelScope', '阿里云百炼', 'OpenRouter', 'Gemini'):
        lines += [f'  {name}:', f'    base_url: {mockllm.base_url}/{len(lines)}',
                  '    api_key: "{MODELSCOPE_API_KEY}"', '    models:',
                  f'      {name} 一: mock', f'      {name} 二: mock-2', f'      {name} 三: mock-3']
    (room / 'llmgr.yaml').write_text('\n'.join(lines) + '\n', encoding='utf-8')
    (room / '.env').write_text('MODELSCOPE_API_KEY="sk-of-env"\n')
    fresh = llmgr.AIManager.lazy()
    monkeypatch.setattr(llmgr, 'LLM_Manager', fresh)
    yield fresh
    fresh.close()


def substituted(block):
    block = block.replace('your_module', 'llmgr')
    return block.replace('response = llm.invoke(', 'response = llm.stream(')


def test_the_examples_are_all_there():
    assert len(BLOCKS) == 7
    assert sum('your_module' in block for block in BLOCKS) == 2
    assert sum('llm.invoke(' in block for block in BLOCKS) == 1


def test_the_examples_run_in_order(seed, mockllm, capsys):
    # The two addresses that the examples name are out of a test's reach: the private platform is
    # only stored, and the probe fails the way its example expects.
    namespace = {'__name__': 'example'}
    exec(TOP_OF_THE_FILE, namespace)
    printed = []
    for number, block in enumerate(BLOCKS):
        if number == 3:  # "假设用户在前端选择了平台ID为2，模型ID为5"
            row = [row for row in seed.get_platform_models('user-002')
                   if row['platform_id'] == 2 and row['model_id'] == 5]
            assert row, 'the example chooses model 5 of platform 2'
        exec(compile(substituted(block), f'{README.name}:{number + 1}', 'exec'), namespace)
        printed.append(capsys.readouterr().out)
    assert 'mockllm' in printed[2]
    assert mockllm.requests()[0].key == 'sk-of-env'
    assert printed[3].count('平台: ') == 12 and "API Key是否已设置: True" in printed[3]
    detail = seed.get_user_selection_detail('user-002')
    assert (detail['platform_id'], detail['model_id']) == (2, 5)
    hidden = {row['platform_id'] for row in seed.get_platform_models('user-002')
              if row['platform_hide']}
    assert hidden == {3}
    assert "平台 '我的专属平台' 添加成功" in printed[5] and "模型 '自定义模型V1'" in printed[5]
    assert '发现以下模型' in printed[6] or '探测失败' in printed[6]


def test_the_constants_set_before_the_first_use_count(mockllm, script):
    out = script('''
import sys, logging
logging.disable(logging.WARNING)
import llmgr
from llmgr import LLM_Manager, init_default_llm
assert llmgr.SYSTEM_USER_ID == "-1" and llmgr.LLM_AUTO_KEY is True
llmgr.SYSTEM_USER_ID = "nobody"
llmgr.LLM_AUTO_KEY = False
llmgr.USE_SYS_LLM_CONFIG = True
llmgr.DEFAULT_PLATFORM_CONFIGS = {
    "P": {"base_url": sys.argv[1], "api_key": "sk-1", "models": {
        "短": "mock", "长": {"model_name": "mock-2", "extra_body": {"enable_thinking": False}}}},
    "Q": {"base_url": sys.argv[1] + "/q", "api_key": None, "models": {}},
}
init_default_llm()
assert LLM_Manager.mode == "fixed" and LLM_Manager.use_sys_llm_config
print([row["display_name"] for row in LLM_Manager.get_platform_models("user")])
assert LLM_Manager.get_user_selection_detail("nobody")["model_name"] == "mock"
for call in (lambda: LLM_Manager.get_user_selection_detail("user"),
             lambda: LLM_Manager.get_user_llm("user"),
             lambda: LLM_Manager.get_user_llm("-1"),
             lambda: LLM_Manager.add_platform("X", "https://x.example/v1", user_id="user")):
    try:
        call()
    except ValueError as error:
        print(type(error).__name__)
''', mockllm.base_url)
    assert out.splitlines() == ["['短', '长']", 'NoKeyError', 'NoKeyError', 'ValueError',
                                'ForbiddenError']


def test_importing_does_nothing_but_import(script, room):
    out = script('''
import sys, llmgr, os
from llmgr import *
print(sorted(name for name in sys.modules if name.startswith(("langchain", "openai", "pydantic"))))
print(os.listdir("."))
''')
    assert out.splitlines() == ['[]', '[]']
