# SPDX-License-Identifier: MIT
"""The library, as the rest of the package sees it: arguments in, exceptions out, a safe handle.

Nothing here knows what a platform is. A Handle owns one `struct llmgr`: it is opened when first
used, may be used by many threads, is closed by the last of them, and after a fork the child opens
its own (database connections must not be shared between processes).
"""
from __future__ import annotations

import atexit
import contextlib
import logging
import math
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from . import _errors
from ._errors import ClosedError, InternalError, LlmgrError

try:
    from ._llmgr import ffi as ffi
    from ._llmgr import lib as lib
except ImportError as error:
    raise ImportError(
        f'the compiled part of llmgr cannot be loaded: {error}. Install the package again '
        '(pip install --force-reinstall llmgr), and the libraries it names') from error

NULL = ffi.NULL
LOGGER = logging.getLogger('llmgr')
ID_MAX = (1 << 63) - 1
_LEVELS = {lib.LLMGR_LOG_ERROR: logging.ERROR, lib.LLMGR_LOG_WARN: logging.WARNING,
           lib.LLMGR_LOG_INFO: logging.INFO, lib.LLMGR_LOG_DEBUG: logging.DEBUG}
_local = threading.local()


def _check_version() -> None:
    header = ffi.string(lib.LLMGR_VERSION_STRING)
    library = ffi.string(lib.llmgr_version())
    if header != library:
        raise ImportError(f'llmgr was built for library {header.decode()}, but {library.decode()} '
                          'is loaded; install the package again')


_check_version()


# ---- What the library calls back ----------------------------------------------------------------

@ffi.def_extern()  # type: ignore[untyped-decorator]
def llmgr_py_env(name: Any, _context: Any) -> Any:
    """llmgr_env_fn: os.environ. The value is borrowed until this thread's next look-up."""
    value = os.environb.get(ffi.string(name))
    if value is None:
        return NULL
    _local.value = ffi.new('char[]', value)
    return _local.value


@ffi.def_extern()  # type: ignore[untyped-decorator]
def llmgr_py_log(level: int, text: Any, _context: Any) -> None:
    """llmgr_log_fn: the logger "llmgr"."""
    LOGGER.log(_LEVELS.get(level, logging.DEBUG), '%s', ffi.string(text).decode('utf-8', 'replace'))


def log_level() -> int:
    """The library's level for what the logger lets pass now."""
    wanted = LOGGER.getEffectiveLevel()
    return max((level for level, number in _LEVELS.items() if number >= wanted), default=0)


# ---- Errors -------------------------------------------------------------------------------------

def new_error() -> Any:
    """A `struct llmgr_error` for one call."""
    return ffi.new('struct llmgr_error *')


def check(status: int, error: Any) -> None:
    """Raises what a failed call said."""
    if status != 0:
        raise failure(status, ffi.string(error.message).decode('utf-8', 'replace'),
                      error.upstream_status, error.retry_after_ms)


def failure(status: int, message: str, upstream_status: int = 0,
            retry_after_ms: int = 0) -> LlmgrError:
    """The exception for a status."""
    code = ffi.string(lib.llmgr_status_name(status)).decode()
    raised = _errors.CLASSES.get(code, InternalError)(
        message or ffi.string(lib.llmgr_status_text(status)).decode())
    raised.status = status
    raised.code = code
    raised.upstream_status = upstream_status
    raised.retry_after = retry_after_ms / 1000 if retry_after_ms > 0 else None
    return raised


# ---- Names --------------------------------------------------------------------------------------

def names_of(enumeration: str, prefix: str) -> tuple[str, ...]:
    """The names of an enumeration of llmgr.h, each at its number: ('single', 'fixed', 'custom')."""
    found: dict[int, str] = ffi.typeof(enumeration).elements
    return tuple(found[number].removeprefix(prefix).lower() for number in range(len(found)))


# ---- Values -------------------------------------------------------------------------------------

def to_text(name: str, value: object) -> bytes:
    """A required text argument as the library takes it."""
    if not isinstance(value, str):
        raise TypeError(f'{name} must be a str, not {type(value).__name__}')
    if '\0' in value:
        raise ValueError(f'{name} must not contain a NUL character')
    return value.encode('utf-8')


def to_optional(name: str, value: object) -> Any:
    """A text argument that may be None."""
    return NULL if value is None else to_text(name, value)


def to_id(name: str, value: object) -> int:
    """A row number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f'{name} must be an int, not {type(value).__name__}')
    if not -ID_MAX <= value <= ID_MAX:
        raise ValueError(f'{name} is no number that a list shows: {value}')
    return value


def to_count(name: str, value: object) -> int:
    """A number from 1; None is 0, which the library takes for not given."""
    if value is None:
        return 0
    count = to_id(name, value)
    if count < 1:
        raise ValueError(f'{name} counts from 1: {count}')
    return count


def to_flag(name: str, value: object) -> bool:
    """A bool; 0 and 1, which front ends store, count too."""
    if not isinstance(value, int) or value not in (0, 1):
        raise TypeError(f'{name} must be True or False, not {value!r}')
    return bool(value)


def to_ms(name: str, value: object) -> int:
    """Seconds as milliseconds, at least one."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f'{name} must be a number of seconds, not {type(value).__name__}')
    if not math.isfinite(value) or not 0 < value <= 86400:
        raise ValueError(f'{name} must be more than 0 and at most 86400 seconds, not {value}')
    return max(1, round(value * 1000))


def from_text(text: Any) -> str:
    """A text that is always there."""
    return ffi.string(text).decode('utf-8')  # type: ignore[no-any-return]


def from_optional(text: Any) -> str | None:
    """A text that may be NULL."""
    return None if text == NULL else from_text(text)


# ---- Forks --------------------------------------------------------------------------------------

class Forkable(Protocol):
    """Has something to forget in the child of a fork."""

    def after_fork(self) -> None:
        """Called in the child, before anything else runs there."""


class Gate:
    """Keeps a fork out of the library: it waits until no other thread works there.

    SQLite and others guard what they share with locks that a child would inherit locked, and for
    ever, from a thread that does not exist in it. A thread that waits for the network has left the
    gate (Handle.waiting), and no fork waits longer than FORK_WAIT_S.
    """

    FORK_WAIT_S = 10.0

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._inside = 0
        self._forking = False

    def enter(self) -> None:
        """This thread goes in; nested is fine."""
        depth = getattr(_local, 'depth', 0)
        with self._changed:
            while self._forking and depth == 0:
                self._changed.wait()
            self._inside += 1
        _local.depth = depth + 1

    def leave(self) -> None:
        """This thread comes out."""
        _local.depth -= 1
        with self._changed:
            self._inside -= 1
            if self._forking:
                self._changed.notify_all()

    def before_fork(self) -> None:
        """In the parent, in the thread that forks; holds the lock until the fork is over."""
        own = getattr(_local, 'depth', 0)
        self._changed.acquire()
        self._forking = True
        self._changed.wait_for(lambda: self._inside <= own, self.FORK_WAIT_S)

    def after_fork_in_parent(self) -> None:
        """Lets the others in again."""
        self._forking = False
        self._changed.notify_all()
        self._changed.release()

    def after_fork_in_child(self) -> None:
        """Only this thread is left."""
        self._changed = threading.Condition(threading.Lock())
        self._inside = getattr(_local, 'depth', 0)
        self._forking = False
        for thing in list(_forkables):
            thing.after_fork()


_forkables: weakref.WeakSet[Forkable] = weakref.WeakSet()
_gate = Gate()


def register_forkable(thing: Forkable) -> None:
    """Remembers `thing`, weakly, for after_fork."""
    _forkables.add(thing)


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(before=_gate.before_fork, after_in_parent=_gate.after_fork_in_parent,
                        after_in_child=_gate.after_fork_in_child)


# ---- The handle ---------------------------------------------------------------------------------

class Handle:
    """One open manager: `with handle as pointer:` around each call.

    Args:
        opener: Opens the library's handle and returns it; called in each process that needs one.
    """

    def __init__(self, opener: Callable[[], Any]) -> None:
        self._opener = opener
        self._lock = threading.Lock()
        self._pointer: Any = None
        self._users = 0
        self._closed = False
        register_forkable(self)

    def __enter__(self) -> Any:
        _gate.enter()
        try:
            with self._lock:
                if self._closed:
                    raise ClosedError('this manager is closed; make another AIManager')
                if self._pointer is None:
                    self._pointer = self._opener()
                self._users += 1
                return self._pointer
        except BaseException:
            _gate.leave()
            raise

    def __exit__(self, *_: object) -> None:
        try:
            with self._lock:
                self._users = max(0, self._users - 1)
                ended = self._take_if_over()
            if ended is not None:
                lib.llmgr_close(ended)
        finally:
            _gate.leave()

    @contextlib.contextmanager
    def waiting(self) -> Iterator[Any]:
        """The same for a call that waits for the network, during which a fork may happen."""
        with self as pointer:
            _gate.leave()
            try:
                yield pointer
            finally:
                _gate.enter()

    def _take_if_over(self) -> Any:
        if not self._closed or self._users > 0:
            return None
        pointer, self._pointer = self._pointer, None
        return pointer

    def close(self) -> None:
        """Ends the handle as soon as no call runs on it any more. Twice is fine."""
        with self._lock:
            self._closed = True
            ended = self._take_if_over()
        if ended is not None:
            _gate.enter()
            try:
                lib.llmgr_close(ended)
            finally:
                _gate.leave()

    @property
    def closed(self) -> bool:
        """Was close() called?"""
        return self._closed

    def after_fork(self) -> None:
        """The parent's handle is left alone: it is the parent's to use and to close."""
        self._lock = threading.Lock()
        self._pointer = None
        self._users = 0

    def __del__(self) -> None:
        if getattr(self, '_pointer', None) is not None:
            self.close()


def _close_all() -> None:
    for thing in list(_forkables):
        if isinstance(thing, Handle):
            thing.close()


atexit.register(_close_all)
