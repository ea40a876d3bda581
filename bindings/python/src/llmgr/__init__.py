# SPDX-License-Identifier: MIT
"""Which language model, at which address, with whose key, for this user.

    from llmgr import init_default_llm, LLM_Manager

    init_default_llm()
    llm = LLM_Manager.get_user_llm(user_id="user-001")    # a langchain_openai.ChatOpenAI
    for chunk in llm.stream("Hello"):
        print(chunk.content, end="")

Importing does nothing but import: LLM_Manager opens its database when it is first used, with the
constants below as they stand then, and otherwise as the command line `llmgr` does.

    SYSTEM_USER_ID            the host's name for the system user; "-1" unless set
    LLM_AUTO_KEY              may users without an own key use the server's? True unless set here,
                              in the environment (LLMGR_AUTO_KEY) or in llmgr.yaml
    USE_SYS_LLM_CONFIG        True: users have system platforms only ("fixed"); False: also own ones
                              ("custom"); unless set, LLMGR_MODE or llmgr.yaml decide, else False
    DEFAULT_PLATFORM_CONFIGS  the system platforms in the seed's form; empty: those of llmgr.yaml
"""
from __future__ import annotations

from typing import Any

from ._errors import (
    CancelledError, ClosedError, ConfigError, ConflictError, DatabaseError, FileError,
    ForbiddenError, InternalError, InvalidError, KeyRefusedError, LimitError, LlmgrError,
    NoKeyError, NotFoundError, OutOfMemoryError, UpstreamError, VaultError)
from ._manager import AIManager
from ._native import ffi as _ffi
from ._native import lib as _lib
from ._types import (
    Alias, Cell, ImportedPrice, KeyTest, Model, Platform, PlatformKey, PlatformTest, Price,
    PriceImport, PriceStrange, Resolved, Route, RouteTarget, Token, Usage, UsageAttempt, UsageSum)

__all__ = [
    'AIManager', 'Alias', 'CancelledError', 'Cell', 'ClosedError', 'ConfigError', 'ConflictError',
    'DEFAULT_PLATFORM_CONFIGS', 'DatabaseError', 'FileError', 'ForbiddenError', 'ImportedPrice',
    'InternalError',
    'InvalidError', 'KeyRefusedError', 'KeyTest', 'LLM_AUTO_KEY', 'LLM_Manager', 'LimitError', 'LlmgrError',
    'Model', 'NoKeyError', 'NotFoundError', 'OutOfMemoryError', 'Platform', 'PlatformKey',
    'PlatformTest', 'Price', 'PriceImport', 'PriceStrange',
    'Resolved', 'Route', 'RouteTarget', 'SYSTEM_USER_ID', 'Token', 'USE_SYS_LLM_CONFIG',
    'UpstreamError', 'Usage', 'UsageAttempt', 'UsageSum', 'VaultError',
    'init_default_llm', 'probe_platform_models',
]

__version__: str = _ffi.string(_lib.llmgr_version()).decode()

SYSTEM_USER_ID: str = '-1'
DEFAULT_PLATFORM_CONFIGS: dict[str, Any] = {}
LLM_AUTO_KEY: bool
USE_SYS_LLM_CONFIG: bool

LLM_Manager: AIManager = AIManager.lazy()


def __getattr__(name: str) -> Any:
    """The two switches while the program has not set them: what holds without a configuration."""
    if name == 'LLM_AUTO_KEY':
        return True
    if name == 'USE_SYS_LLM_CONFIG':
        return False
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def init_default_llm() -> None:
    """Call it when the application starts: opens LLM_Manager and synchronises the platforms.

    Raises: as AIManager and AIManager.initialize_defaults.
    """
    LLM_Manager.initialize_defaults()


def probe_platform_models(base_url: str, api_key: str, timeout: float = 8.0,
                          raise_on_error: bool = True) -> list[dict[str, Any]]:
    """AIManager.probe_platform_models of LLM_Manager, with its proxy and certificates."""
    return LLM_Manager.probe_platform_models(base_url, api_key, timeout, raise_on_error)
