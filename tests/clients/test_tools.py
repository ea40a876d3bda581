# SPDX-License-Identifier: MIT
"""The programs of docs/CLIENTS.md, set up as that page says, each asking one question.

They come from npm (tools/package-lock.json) and PyPI (requirements-*.txt); those that need a
newer Node.js than the distribution's run on the one from PyPI. Each has a home of its own, so none
sees what another, or the person who runs the tests, has set up.
"""
import json
import os
import pathlib
import signal
import subprocess
import threading

import pytest

from homes import home, node_bin

SAID = 'Say hello to whoever reads this'
ANSWER = 'Hello from mockllm!'
PATIENCE_S = 120


class Tool:
    """One program in a home of its own, before the gateway."""

    def __init__(self, folder, gateway):
        self.home, self.gateway = folder, gateway
        self.work = folder / 'work'
        self.work.mkdir()
        self.mark = gateway.mark()
        self.modules = home('tools') / 'node_modules'
        path = [node_bin(), self.modules / '.bin', home('tools-python') / 'bin', '/usr/bin', '/bin']
        self.env = {'HOME': str(folder), 'PATH': ':'.join(map(str, path)),
                    'TERM': 'dumb', 'LANG': 'C.UTF-8', 'NO_COLOR': '1', 'CI': '1'}

    def write(self, name, text):
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace('<URL>', self.gateway.url)
                        .replace('<TOKEN>', self.gateway.token),
                        encoding='utf-8')
        return str(path)

    def run(self, *argv, until=None, **env):
        """Its stdout. `until`: it is ended when that has been said, for it would go on."""
        log = (self.home / 'stderr').open('w+', encoding='utf-8')
        with subprocess.Popen([str(arg) for arg in argv], cwd=self.work, env={**self.env, **env},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                              text=True, start_new_session=True) as process:
            end = threading.Timer(PATIENCE_S, os.killpg, (process.pid, signal.SIGKILL))
            end.start()
            said = ''
            for line in process.stdout:
                said += line
                if until is not None and until in said:
                    os.killpg(process.pid, signal.SIGKILL)
                    break
            code = process.wait()
            end.cancel()
        log.seek(0)
        assert code == 0 or (until is not None and until in said), \
            f'it ended with {code}\n{said[-1500:]}\n{log.read()[-1500:]}'
        return said

    def asked(self):
        """The requests of generations that its platform received."""
        rows = [row for row in self.gateway.since(self.mark) if row.method == 'POST']
        assert rows and any(SAID in row.body for row in rows), 'the platform was not asked'
        return [json.loads(row.body) for row in rows]


@pytest.fixture(name='tool')
def tool_fixture(gateway, tmp_path):
    return Tool(tmp_path, gateway)


@pytest.mark.parametrize('base', ['', '/v1'])
def test_claude_code(tool, base):
    """Its models have names that no other platform has: an alias stands for them."""
    said = tool.run(tool.modules / '@anthropic-ai/claude-code-linux-x64/claude', '-p', SAID,
                    ANTHROPIC_BASE_URL=tool.gateway.url + base,
                    ANTHROPIC_AUTH_TOKEN=tool.gateway.token,
                    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC='1')
    assert said.startswith(ANSWER), said
    assert {body['model'] for body in tool.asked()} == {'mock'}


def test_codex(tool):
    """It gives ids of its own to what it sends, also under the server's key."""
    tool.write('.codex/config.toml', '''\
model = "auto"
model_provider = "llmgr"

[model_providers.llmgr]
name = "llmgr"
base_url = "<URL>/v1"
env_key = "LLMGR_TOKEN"
wire_api = "responses"
''')
    said = tool.run('codex', 'exec', '--skip-git-repo-check', '-s', 'read-only', SAID,
                    LLMGR_TOKEN=tool.gateway.token)
    assert ANSWER in said, said
    assert all(body['model'] == 'mock' and body['stream'] for body in tool.asked())


def test_opencode(tool):
    config = tool.write('opencode.json', json.dumps({
        'provider': {'llmgr': {'npm': '@ai-sdk/openai-compatible', 'name': 'llmgr',
                               'options': {'baseURL': '<URL>/v1', 'apiKey': '<TOKEN>'},
                               'models': {'auto': {'name': 'auto'}}}},
        'model': 'llmgr/auto', 'small_model': 'llmgr/auto', 'autoupdate': False,
        'share': 'disabled'}))
    said = tool.run(tool.modules / 'opencode-linux-x64/bin/opencode', 'run', SAID,
                    OPENCODE_CONFIG=config, OPENCODE_DISABLE_AUTOUPDATE='1',
                    OPENCODE_DISABLE_MODELS_FETCH='1', OPENCODE_DISABLE_LSP_DOWNLOAD='1',
                    OPENCODE_DISABLE_DEFAULT_PLUGINS='1')
    assert ANSWER in said, said
    tool.asked()


@pytest.mark.parametrize('base', ['', '/v1'])
def test_qwen_code(tool, base):
    said = tool.run('qwen', '--auth-type', 'openai', '-p', SAID,
                    OPENAI_BASE_URL=tool.gateway.url + base, OPENAI_API_KEY=tool.gateway.token,
                    OPENAI_MODEL='auto')
    assert ANSWER in said, said
    tool.asked()


def test_continue(tool):
    config = tool.write('config.yaml', '''\
name: llmgr
version: 1.0.0
schema: v1
models:
  - name: auto
    provider: openai
    model: auto
    apiBase: <URL>/v1
    apiKey: <TOKEN>
    roles: [chat, edit, apply]
''')
    said = tool.run('cn', '--config', config, '-p', SAID)
    assert ANSWER in said, said
    tool.asked()


def test_cline(tool):
    """It asks on until a tool is called, which the scripted platform never does."""
    env = {'CLINE_DIR': str(tool.home / 'cline')}
    tool.run('cline', 'auth', '-p', 'openai', '-k', tool.gateway.token, '-m', 'auto', '-b',
             tool.gateway.base_url, **env)
    tool.run('cline', '-y', SAID, until=ANSWER, **env)
    tool.asked()


def test_aider(tool):
    said = tool.run(home('aider') / 'bin/aider', '--model', 'openai/auto', '--no-git',
                    '--yes-always', '--no-check-update', '--no-show-model-warnings',
                    '--no-show-release-notes', '--no-pretty', '--no-browser', '--message', SAID,
                    OPENAI_API_BASE=tool.gateway.base_url, OPENAI_API_KEY=tool.gateway.token,
                    AIDER_ANALYTICS='false')
    assert ANSWER in said, said
    tool.asked()


@pytest.mark.parametrize('base', ['', '/v1'])
def test_llm(tool, base):
    tool.write('llm/extra-openai-models.yaml',
               f'- model_id: auto\n  model_name: auto\n  api_base: "<URL>{base}"\n'
               '  api_key_name: llmgr\n')
    said = tool.run('llm', '-m', 'auto', '--key', tool.gateway.token, SAID,
                    LLM_USER_PATH=str(tool.home / 'llm'))
    assert said.startswith(ANSWER), said
    tool.asked()
