# SPDX-License-Identifier: MIT
"""What models are for: from llmgr.yaml, from the command line, from a probe, and for callers."""
import pytest

from conftest import Mockllm

PLATFORMS = '''
  Vectors:
    base_url: {url}
    api_key: "{{ALPHA_KEY}}"
    models:
      Embed: {{model_name: mock-embed, kind: embedding}}
      Talk: {{model_name: mock-talk, kind: chat}}
      Plain: mock-plain
  Pictures:
    base_url: {other}
    api_key: "{{ALPHA_KEY}}"
    models:
      Paint: {{model_name: mock-paint, kind: image}}
'''


def configure(site, text=PLATFORMS):
    site.configure(platforms=text.format(url=site.base_url, other=site.beta_url))


def kinds(site, user='ann'):
    return {name: row['kind'] for name, row in site.models(user).items()}


def test_the_file_says_what_a_model_is_for(site):
    configure(site)
    site.ok('sync')
    assert kinds(site) == {'Embed': 'embedding', 'Talk': 'chat', 'Plain': 'unknown',
                           'Paint': 'image'}
    table = site.ok('model', 'list')
    assert 'KIND' in table and 'embedding' in table and 'unknown' not in table
    configure(site, PLATFORMS.replace('kind: embedding', 'kind: rerank').replace(', kind: chat',
                                                                                 ''))
    text = site.ok('sync')
    assert '~ Vectors / Embed (kind)' in text and '~ Vectors / Talk (kind)' in text, text
    assert kinds(site) == {'Embed': 'rerank', 'Talk': 'unknown', 'Plain': 'unknown',
                           'Paint': 'image'}
    assert site.json('sync')['changes'] == []


def test_a_wrong_kind_is_named_with_its_place(site):
    configure(site, PLATFORMS.replace('kind: image', 'kind: picture'))
    message = site.fails(2, 'sync')
    assert 'llmgr.yaml:' in message and "'kind' must be one of unknown|chat|" in message, message
    configure(site, PLATFORMS.replace('kind: image', 'kid: image'))
    assert "did you mean 'kind'" in site.fails(2, 'sync')


def test_a_default_passes_over_what_does_not_chat(site):
    configure(site)
    site.ok('sync')
    assert site.json('-u', 'ann', 'selection')['model_name'] == 'mock-talk'
    told = site.json('-u', 'ann', 'explain')['candidates']
    assert [(row['platform_name'], row['reason'], row['kind'], row['chosen']) for row in told] == \
        [('Vectors', 'fallback', 'chat', True), ('Pictures', 'no_chat', 'unknown', False)]
    assert 'does not chat' in site.ok('-u', 'ann', 'explain')
    # Who names or chooses one has it.
    named = site.json('-u', 'ann', 'explain', '--model', 'Paint')['candidates'][0]
    assert (named['display_name'], named['kind'], named['chosen']) == ('Paint', 'image', True)
    site.select('ann', 'Embed')
    assert site.json('-u', 'ann', 'selection')['model_name'] == 'mock-embed'
    configure(site, PLATFORMS[PLATFORMS.index('  Pictures'):])
    site.ok('sync')
    assert 'no system platform has a model that chats' in site.fails(3, '-u', 'ben', 'selection')


def test_users_say_it_of_their_own_models(site):
    site.allow_private()
    platform = site.add_platform('ann', 'Mine')
    model = site.add_model('ann', platform, 'm-1', '--kind', 'embedding')
    assert kinds(site)['m-1'] == 'embedding'
    changed = site.json('-u', 'ann', 'model', 'update', model, '--kind', 'transcription')
    assert (changed['kind'], changed['display_name']) == ('transcription', 'm-1')
    assert site.json('-u', 'ann', 'model', 'update', model, '--display', 'M')['kind'] == \
        'transcription'
    assert site.json('-u', 'ann', 'model', 'update', model, '--kind', 'unknown')['kind'] == \
        'unknown'
    for words in (['model', 'update', model, '--kind', 'picture'],
                  ['model', 'add', '--platform', platform, '--name', 'm-2', '--kind', 'Chat']):
        assert '--kind is one of unknown|chat|' in site.fails(2, '-u', 'ann', *words)
    assert 'a kind' in site.fails(2, '-u', 'ann', 'model', 'update', model)
    one = site.models('ann')['One']['model_id']
    site.fails(4, '-u', 'ann', 'model', 'update', one, '--kind', 'chat')


@pytest.fixture(name='typed')
def typed_fixture(tmp_path):
    """A scripted upstream whose list says what its models are for."""
    folder = tmp_path / 'typed'
    folder.mkdir()
    upstream = Mockllm(folder, '--models', 'other,mock-embed=embedding,mock-rank=rerank,mock-x=odd')
    yield upstream
    upstream.stop()


def test_a_probe_finds_it(site, typed):
    rows = site.json('probe', '--base-url', typed.base_url)
    assert [(row['id'], row['kind']) for row in rows] == \
        [('other', 'unknown'), ('mock-embed', 'embedding'), ('mock-rank', 'rerank'),
         ('mock-x', 'unknown')]
    assert site.ok('probe', '--base-url', typed.base_url).splitlines() == \
        ['other', 'mock-embed\tembedding', 'mock-rank\trerank', 'mock-x']


def listed(api):
    answer = api.raw('GET', '/v1/models', 'ann')
    return {row['id']: row.get('type') for row in answer.json['data']}


def test_what_a_probe_found_is_kept_and_callers_read_it(api, typed):
    platform = api.good('POST', '/api/platforms', 'ann', {
        'platform_name': 'Mine', 'base_url': typed.base_url, 'api_key': 'sk-ann-0123456789'})
    path = f'/api/platforms/{platform["platform_id"]}'
    for row in api.good('POST', path + '/probe', 'ann')['data']:
        made = api.call('POST', path + '/models', 'ann',
                        {'model_name': row['id'], 'kind': row['kind']})
        assert made.status == 201 and made.json['kind'] == row['kind']
    assert listed(api) == {'mock': None, 'org/big:free': None, 'other': None, 'mock-x': None,
                           'mock-embed': 'embedding', 'mock-rank': 'rerank'}
    assert api.raw('GET', '/v1/models/mock-embed', 'ann').json['type'] == 'embedding'
    # Anthropic's rows have a `type` of their own, which is always "model".
    rows = api.raw('GET', '/v1/models', 'ann', anthropic_version='2023-06-01').json['data']
    assert {row['type'] for row in rows} == {'model'}
    model = next(row for row in api.all('/api/models', 'ann') if row['model_name'] == 'mock-x')
    path = f'/api/models/{model["model_id"]}'
    assert api.good('PATCH', path, 'ann', {'kind': 'speech', 'model_hide': False}) == \
        {**model, 'kind': 'speech'}
    assert listed(api)['mock-x'] == 'speech'
    for wrong in ('picture', 'Chat', '', None, 1):
        assert api.call('PATCH', path, 'ann', {'kind': wrong}).status == 400
    house = next(row for row in api.all('/api/models', 'ann') if row['platform_is_sys'])
    api.bad(403, 'ERR_FORBIDDEN', 'PATCH', f'/api/models/{house["model_id"]}', 'ann',
            {'kind': 'chat'})
