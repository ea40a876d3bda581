# SPDX-License-Identifier: MIT
"""Where a manager's settings come from, in the order that the command line has too.

    arguments of AIManager  >  the module's constants  >  LLMGR_… of the environment
                            >  llmgr.yaml  >  defaults

The configuration file is the argument `config`, else $LLMGR_CONFIG, ./llmgr.yaml or
/etc/llmgr/llmgr.yaml; `{NAME}` placeholders in it are filled from the environment, then from the
.env file ($LLMGR_ENV_FILE, else ./.env). A non-empty DEFAULT_PLATFORM_CONFIGS takes the place of
the file's platforms. Relative paths are of the working directory at the time of the first use.
"""
from __future__ import annotations

import errno
import json
import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

from ._native import NULL, check, ffi, from_text, lib, log_level, names_of, new_error, to_text
from ._types import PathLike

LOGGER = logging.getLogger('llmgr')
MODES = names_of('llmgr_mode', 'LLMGR_MODE_')
SYSTEM_USER = from_text(lib.LLMGR_SYSTEM_USER)
_PLACES = ('llmgr.yaml', '/etc/llmgr/llmgr.yaml')


def constant(name: str) -> Any:
    """One of the module's constants if the program has set it, else None."""
    return vars(sys.modules[__package__]).get(name)


class Config:
    """A configuration that was read and checked; ends with `with`."""

    def __init__(self, *, path: str | None = None, text: str | None = None,
                 env_file: str | None = None, legacy: bool = False) -> None:
        content = b'' if text is None else text.encode('utf-8')
        buffers = {'path': path, 'dotenv_path': env_file}
        kept = {name: ffi.new('char[]', os.fsencode(value))
                for name, value in buffers.items() if value is not None}
        kept['text'] = ffi.new('char[]', content)
        source = ffi.new('struct llmgr_config_source *', kept)
        source.size = ffi.sizeof('struct llmgr_config_source')
        source.text_size = len(content)
        source.env = lib.llmgr_py_env
        source.env_options = True
        source.legacy = legacy
        out, error = ffi.new('struct llmgr_config **'), new_error()
        check(lib.llmgr_config_read(source, out, error), error)
        self.pointer: Any = out[0]
        warnings = ffi.string(lib.llmgr_config_warnings(self.pointer)).decode('utf-8', 'replace')
        for line in warnings.splitlines():
            LOGGER.warning('%s', line)

    def __enter__(self) -> Any:
        return self.pointer

    def __exit__(self, *_: object) -> None:
        lib.llmgr_config_free(self.pointer)
        self.pointer = NULL


def platforms_text(platforms: Mapping[str, Any]) -> str:
    """DEFAULT_PLATFORM_CONFIGS in the form of the file (JSON is YAML).

    A None, which the original gets where a variable is missing, means "not there".
    """
    if not isinstance(platforms, Mapping):
        raise TypeError('DEFAULT_PLATFORM_CONFIGS must be a dict of platforms, not '
                        f'{type(platforms).__name__}')
    said = {}
    for name, platform in platforms.items():
        if not isinstance(name, str) or not isinstance(platform, Mapping):
            raise TypeError('DEFAULT_PLATFORM_CONFIGS must map platform names to dicts with '
                            f'base_url, api_key and models; that of {name!r} is no such pair')
        said[name] = {key: value for key, value in platform.items()
                      if value is not None and not (key == 'api_key' and value == '')}
    return json.dumps(said, ensure_ascii=False)


def _path_argument(name: str, value: PathLike | None) -> str | None:
    if value is None:
        return None
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f'{name} must be a path, not {type(value).__name__}')
    return os.fspath(value)


def default_key_path() -> str:
    """The master key's file where no option names one: as the command line chooses it."""
    credentials = os.environ.get('CREDENTIALS_DIRECTORY')
    if credentials and os.path.exists(f'{credentials}/llmgr-master-key'):
        return f'{credentials}/llmgr-master-key'
    config_home = os.environ.get('XDG_CONFIG_HOME', '')
    if config_home.startswith('/'):
        return f'{config_home}/llmgr/master.key'
    home = os.environ.get('HOME', '')
    if not home.startswith('/'):
        home = os.path.expanduser('~')
    return f'{home}/.config/llmgr/master.key'


class Settings:
    """What one manager is opened with; found once, kept for processes that open it again.

    Args: as AIManager.
    """

    def __init__(self, database: PathLike | None = None,
                 config: PathLike | Mapping[str, Any] | None = None, *,
                 env_file: PathLike | None = None, mode: str | None = None,
                 auto_key: bool | None = None, read_only: bool = False) -> None:
        if mode is not None and mode not in MODES:
            raise ValueError(f'mode must be one of {", ".join(MODES)}, not {mode!r}')
        for name, flag in (('auto_key', auto_key), ('read_only', read_only)):
            if flag is not None and not isinstance(flag, bool):
                raise TypeError(f'{name} must be True or False, not {flag!r}')
        self.database = _path_argument('database', database)
        self.config_text = (json.dumps(dict(config), ensure_ascii=False)
                            if isinstance(config, Mapping) else None)
        self.config_path = None
        if not isinstance(config, Mapping):
            self.config_path = self._find_config(_path_argument('config', config))
        self.env_file = os.path.abspath(
            _path_argument('env_file', env_file) or os.environ.get('LLMGR_ENV_FILE') or '.env')
        self.auto_key = constant('LLM_AUTO_KEY') if auto_key is None else auto_key
        self.read_only = read_only
        self.system_user = self._find_system_user()
        if mode is None and constant('USE_SYS_LLM_CONFIG') is not None:
            mode = 'fixed' if constant('USE_SYS_LLM_CONFIG') else 'custom'
        self.mode = mode
        self._folder = os.getcwd()

    @staticmethod
    def _find_config(path: str | None) -> str | None:
        named = path or os.environ.get('LLMGR_CONFIG')
        for place in (named,) if named else _PLACES:
            if os.path.exists(place):
                return os.path.abspath(place)
        if named:
            raise FileNotFoundError(errno.ENOENT, 'there is no such configuration file; '
                                    '`llmgr init` writes one', named)
        return None

    @staticmethod
    def _find_system_user() -> str:
        user = constant('SYSTEM_USER_ID')
        if user is None:
            return SYSTEM_USER
        to_text('SYSTEM_USER_ID', user)
        return str(user)

    def options_config(self) -> Config:
        """The options of file and environment."""
        return Config(path=self.config_path, text=self.config_text, env_file=self.env_file)

    def platforms_config(self) -> Config | None:
        """The system platforms to synchronise; None if none are configured anywhere."""
        platforms = constant('DEFAULT_PLATFORM_CONFIGS')
        if platforms:
            return Config(text=platforms_text(platforms), env_file=self.env_file, legacy=True)
        if self.config_path is None and self.config_text is None:
            return None
        return self.options_config()

    def open(self) -> Any:
        """Opens the library's handle; closing it is the caller's."""
        with self.options_config() as config:
            options = ffi.new('struct llmgr_options *')
            lib.llmgr_options_init(options)
            lib.llmgr_config_apply(config, options)
            database = self._apply(options)
            key = self._choose_key(options)
            out, error = ffi.new('struct llmgr **'), new_error()
            try:
                check(lib.llmgr_open(options, out, error), error)
            finally:
                lib.llmgr_wipe(key, ffi.sizeof(key))
                ffi.release(database)
            self.mode = MODES[options.mode]
            self.auto_key = bool(options.auto_key)
            return out[0]

    def _apply(self, options: Any) -> Any:
        """Arguments and constants over the rest. Returns the database's name, to be kept."""
        if self.mode is not None:
            options.mode = MODES.index(self.mode)
        if self.auto_key is not None:
            options.auto_key = bool(self.auto_key)
        options.read_only = self.read_only
        options.log = lib.llmgr_py_log
        options.log_level = log_level()
        named = self.database or from_text(options.database)
        database = ffi.new('char[]', os.fsencode(self._absolute(named)))
        options.database = database
        return database

    def _choose_key(self, options: Any) -> Any:
        """The master key's place, as the command line chooses it. Returns what must be kept."""
        options.master_key_create = not self.read_only
        if options.master_key_file != NULL or options.master_key_command != NULL:
            return ffi.new('char[]', 1)
        master = os.environb.get(b'LLMGR_MASTER_KEY')
        if master:
            options.master_key = kept = ffi.new('char[]', master)
        else:
            options.master_key_file = kept = ffi.new('char[]', os.fsencode(default_key_path()))
        return kept

    def _absolute(self, database: str) -> str:
        """A file's path from the folder of the first use, so that chdir() moves nothing."""
        if '://' in database or database.startswith('sqlite::') or database == ':memory:':
            return database
        return 'sqlite:' + os.path.join(self._folder, database.removeprefix('sqlite:'))
