# SPDX-License-Identifier: MIT
"""python -m llmgr import-legacy DATABASE [--config YAML] [--write llmgr.yaml]

Adopts a database and a configuration file of the Python original: the database is backed up beside
itself, rebuilt in place with its ids, its keys sealed; the platforms of the file are synchronised;
and, if wished, the file is written anew in the form of llmgr.yaml.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap

from ._errors import ConfigError, LlmgrError
from ._manager import AIManager
from ._native import check, ffi, from_text, lib, new_error
from ._settings import Config, Settings


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


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit code, which is the command line's for each error."""
    parser = argparse.ArgumentParser(prog='python -m llmgr', description=__doc__.split('\n\n')[1])
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser('import-legacy',
                                  help='adopt a database of the Python original')
    command.add_argument('database', help='such as llm_config.db')
    command.add_argument('--config', metavar='YAML', help='such as llm_mgr_cfg.yaml')
    command.add_argument('--write', metavar='FILE',
                         help='write the configuration anew, such as llmgr.yaml; needs --config')
    given = parser.parse_args(arguments)
    if given.write and not given.config:
        parser.error('--write needs --config')
    try:
        import_legacy(given.database, given.config, given.write)
    except LlmgrError as error:
        print(f'llmgr: {error}', file=sys.stderr)
        return int(lib.llmgr_status_exit(error.status))
    except OSError as error:
        print(f'llmgr: {error}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
