# SPDX-License-Identifier: MIT
"""What can go wrong, as exceptions.

Each status of the library is one of the classes below, and each class is also the built-in
exception that the seed raises in that place: what a caller got wrong is a ValueError, a refused key
a PermissionError, a failing upstream or database a RuntimeError. The texts are the library's: they
name the thing and the remedy, and never hold a secret.
"""
from __future__ import annotations


class LlmgrError(Exception):
    """The root of this package's exceptions.

    Attributes:
        status: The library's number, as in llmgr.h (ERR_NOT_FOUND is 10).
        code: Its name, such as "ERR_NOT_FOUND".
        upstream_status: The HTTP status an upstream answered with; 0 if none did.
        retry_after: Seconds the upstream asked to wait; None if it did not.
    """

    status: int = 63
    code: str = 'ERR_INTERNAL'
    upstream_status: int = 0
    retry_after: float | None = None


class InvalidError(LlmgrError, ValueError):
    """A value is not acceptable (ERR_INVALID, ERR_TOO_LARGE)."""

    status = 1
    code = 'ERR_INVALID'


class ConfigError(InvalidError):
    """The configuration file or DEFAULT_PLATFORM_CONFIGS is not acceptable (ERR_CONFIG)."""

    status = 3
    code = 'ERR_CONFIG'


class NotFoundError(LlmgrError, ValueError):
    """There is no such thing, or it is another user's (ERR_NOT_FOUND)."""


class ForbiddenError(LlmgrError, ValueError, PermissionError):
    """Not allowed here (ERR_FORBIDDEN), in this mode (ERR_MODE), or to this address (ERR_ADDRESS).

    A ValueError as in the seed, and a PermissionError too.
    """


class ConflictError(LlmgrError, ValueError):
    """A name or an address is taken (ERR_CONFLICT)."""


class NoKeyError(LlmgrError, ValueError):
    """There is no API key that this user may use (ERR_NO_KEY)."""


class KeyRefusedError(LlmgrError, PermissionError):
    """The upstream or the gateway refused the key (ERR_KEY_REFUSED, ERR_UNAUTHORIZED)."""


class UpstreamError(LlmgrError, RuntimeError):
    """The upstream failed: unreachable, too slow, broken, limiting (ERR_UPSTREAM and its kin)."""


class LimitError(LlmgrError, RuntimeError):
    """A limit of the gateway itself is reached, none of a platform's (ERR_LIMIT and its kin)."""


class DatabaseError(LlmgrError, RuntimeError):
    """The database cannot be used: locked, read-only, full, newer, broken (ERR_DATABASE…)."""


class VaultError(LlmgrError, RuntimeError):
    """The master key is missing or wrong (ERR_VAULT)."""


class CancelledError(LlmgrError, RuntimeError):
    """The call was ended from another thread (ERR_CANCELLED)."""


class ClosedError(LlmgrError, RuntimeError):
    """The manager was closed."""

    status = 1
    code = 'ERR_INVALID'


class OutOfMemoryError(LlmgrError, MemoryError):
    """No memory (ERR_NO_MEMORY)."""


class FileError(LlmgrError, OSError):
    """A file cannot be read or written (ERR_IO)."""


class InternalError(LlmgrError, RuntimeError):
    """A fault of llmgr itself (ERR_INTERNAL), or a status this package does not know."""


# Every status but OK; tests/test_header.py holds the table to the header.
CLASSES: dict[str, type[LlmgrError]] = {
    'ERR_INVALID': InvalidError,
    'ERR_TOO_LARGE': InvalidError,
    'ERR_CONFIG': ConfigError,
    'ERR_NOT_FOUND': NotFoundError,
    'ERR_FORBIDDEN': ForbiddenError,
    'ERR_MODE': ForbiddenError,
    'ERR_ADDRESS': ForbiddenError,
    'ERR_UNAUTHORIZED': KeyRefusedError,
    'ERR_LOOP': UpstreamError,
    'ERR_CONFLICT': ConflictError,
    'ERR_NO_KEY': NoKeyError,
    'ERR_KEY_REFUSED': KeyRefusedError,
    'ERR_UPSTREAM': UpstreamError,
    'ERR_RATE_LIMITED': UpstreamError,
    'ERR_UNREACHABLE': UpstreamError,
    'ERR_PROTOCOL': UpstreamError,
    'ERR_TIMEOUT': UpstreamError,
    'ERR_CUT': UpstreamError,
    'ERR_NO_LIST': UpstreamError,
    'ERR_TLS': UpstreamError,
    'ERR_DATABASE': DatabaseError,
    'ERR_DATABASE_BUSY': DatabaseError,
    'ERR_DATABASE_READONLY': DatabaseError,
    'ERR_DATABASE_FULL': DatabaseError,
    'ERR_DATABASE_NEWER': DatabaseError,
    'ERR_VAULT': VaultError,
    'ERR_CANCELLED': CancelledError,
    'ERR_NO_MEMORY': OutOfMemoryError,
    'ERR_IO': FileError,
    'ERR_INTERNAL': InternalError,
    'ERR_LIMIT': LimitError,
    'ERR_OVERLOADED': LimitError,
    'ERR_JOURNAL_FULL': LimitError,
    'ERR_TOO_SLOW': LimitError,
}
