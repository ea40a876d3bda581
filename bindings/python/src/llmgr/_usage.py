# SPDX-License-Identifier: MIT
"""Each call becomes a row of the ledger: a chat model's through LangChain's callbacks; embeddings
have none, so there the openai package's resource is wrapped.

The upstream's own numbers are preferred; where it gives none (a stream without stream_usage), they
are estimated from the texts and marked so. A stream that breaks off or that nobody reads to its
end is recorded as well. A ledger that cannot be written never fails the call.
"""
from __future__ import annotations

import asyncio
import dataclasses
import logging
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import LLMResult

from ._errors import LlmgrError
from ._native import NULL, Handle, check, ffi, lib, new_error
from ._types import Resolved

LOGGER = logging.getLogger('llmgr')
CALLS_MAX = 10000  # calls begun and never ended that one object remembers
_GONE = (GeneratorExit, KeyboardInterrupt, asyncio.CancelledError)


def estimate(text: str) -> int:
    """Tokens of a text, roughly: four ASCII characters are one, and so is any other character."""
    ascii_count = len(text.encode('ascii', 'ignore'))
    return -(-ascii_count // 4) + len(text) - ascii_count


@dataclasses.dataclass
class _Call:
    """One call that is running."""

    begun: float
    prompt: int  # estimated tokens
    first: float | None = None
    text: int = 0  # estimated tokens of what has come


@dataclasses.dataclass
class _Counts:
    """Tokens of one call; -1: unknown."""

    prompt: int
    completion: int
    cached: int = -1
    reasoning: int = -1
    reported: bool = False


def _texts(message: BaseMessage) -> int:
    """Estimated tokens of a message: its text, and the calls it makes."""
    count = estimate(str(message.text)) if message.content else 0
    if isinstance(message, AIMessage):
        count += sum(estimate(f'{call["name"]}{call["args"]}') for call in message.tool_calls)
        count += estimate(str(message.additional_kwargs.get('reasoning_content') or ''))
    return count


def _input_tokens(given: object) -> int:
    """Estimated tokens of what embeddings are asked for: texts, or texts that are tokens already."""
    if isinstance(given, str):
        return estimate(given)
    if isinstance(given, (list, tuple)):
        return sum(1 if isinstance(one, int) else _input_tokens(one) for one in given)
    return -1


def _state_of(error: BaseException, first: float | None) -> int:
    """How a call ended that raised."""
    if isinstance(error, _GONE):
        return int(lib.LLMGR_END_CLIENT_GONE)
    return int(lib.LLMGR_END_UPSTREAM_ERROR if first is None else lib.LLMGR_END_UPSTREAM_CUT)


def _reported(used: Mapping[str, Any]) -> _Counts:
    """What the upstream says. A total beyond its parts was used as well: what was thought, which
    some count there alone, or what was cached, where that is more than the prompt."""
    cached = used.get('input_token_details', {}).get('cache_read')
    reasoning = used.get('output_token_details', {}).get('reasoning')
    counts = _Counts(used['input_tokens'], used['output_tokens'],
                     -1 if cached is None else cached, -1 if reasoning is None else reasoning, True)
    surplus = (used.get('total_tokens') or 0) - counts.prompt - counts.completion
    if surplus > 0 and counts.cached > counts.prompt:
        counts.prompt += surplus
    elif surplus > 0:
        counts.completion += surplus
        counts.reasoning = max(counts.reasoning, surplus)
    return counts


def _counts(response: LLMResult | None, call: _Call, whole: bool) -> _Counts:
    """Reported if the upstream reported, else estimated. A placeholder, which some put there when
    an answer begins, is no report: a 0, or less than what came of an answer that is not whole."""
    made = [generation for row in response.generations for generation in row] if response else []
    messages = [message for message in (getattr(one, 'message', None) for one in made)
                if isinstance(message, AIMessage)]
    seen = max(sum(map(_texts, messages)), call.text)
    for message in messages:
        if message.usage_metadata:
            counts = _reported(message.usage_metadata)
            if seen and (counts.completion <= 0 or (not whole and counts.completion < seen)):
                counts.completion, counts.reported = seen, False
            return counts
    return _Counts(call.prompt, seen)


class Recorder(BaseCallbackHandler):
    """Enters the calls of one chat model into the ledger.

    Args:
        handle: The manager's.
        resolved: What the model was made from; the key is not kept.
        user: The user's id as the library takes it (NULL: the system user).
        slot: Likewise; NULL: named by model.
    """

    def __init__(self, handle: Handle, resolved: Resolved, user: Any, slot: Any) -> None:
        self._handle = handle
        self._platform = (resolved.platform_id, resolved.platform)
        self._model = (resolved.model_id, resolved.model_name)
        self._payer = resolved.payer
        self._user = user
        self._slot = slot
        self._lock = threading.Lock()
        self._calls: dict[uuid.UUID, _Call] = {}

    def __deepcopy__(self, _memo: object) -> Recorder:
        return self

    def on_chat_model_start(self, serialized: dict[str, Any], messages: list[list[BaseMessage]],
                            *, run_id: uuid.UUID, **kwargs: Any) -> None:
        """A call begins."""
        call = _Call(time.monotonic(), sum(_texts(one) for row in messages for one in row))
        with self._lock:
            while len(self._calls) >= CALLS_MAX:
                del self._calls[next(iter(self._calls))]
            self._calls[run_id] = call

    def on_llm_new_token(self, token: Any, *, run_id: uuid.UUID, **kwargs: Any) -> None:
        """A piece of the answer came."""
        call = self._calls.get(run_id)
        if call is not None:
            if call.first is None:
                call.first = time.monotonic()
            call.text += estimate(token) if isinstance(token, str) else 0

    def on_llm_end(self, response: LLMResult, *, run_id: uuid.UUID, **kwargs: Any) -> None:
        """The answer is whole."""
        self._enter(run_id, response, lib.LLMGR_END_COMPLETED, 200)

    def on_llm_error(self, error: BaseException, *, run_id: uuid.UUID, **kwargs: Any) -> None:
        """The call failed, or the caller left."""
        call = self._calls.get(run_id)
        first = None if call is None else call.first
        status = getattr(error, 'status_code', None)
        came = 0 if first is None else 200
        self._enter(run_id, kwargs.get('response'), _state_of(error, first),
                    status if isinstance(status, int) else came)

    def embedded(self, begun: float, given: object, response: Any,
                 error: BaseException | None) -> None:
        """A call for embeddings ended: with the upstream's answer or with what it raised.

        Args:
            begun: When, as time.monotonic() tells.
            given: What it was asked for, the member "input".
        """
        call = _Call(begun, _input_tokens(given))
        if error is not None:
            status = getattr(error, 'status_code', None)
            self._write(uuid.uuid4(), call, _Counts(-1, -1), _state_of(error, None),
                        status if isinstance(status, int) else 0, b'embeddings')
            return
        members = response if isinstance(response, dict) else {'usage': response.usage}
        used = members.get('usage')
        used = used if isinstance(used, dict) else getattr(used, '__dict__', {})
        prompt = used.get('prompt_tokens')
        if prompt is None:
            prompt = used.get('total_tokens')  # some report nothing else, and there is no completion
        counts = (_Counts(prompt, 0, reported=True) if isinstance(prompt, int) and prompt >= 0
                  else _Counts(call.prompt, 0))
        self._write(uuid.uuid4(), call, counts, lib.LLMGR_END_COMPLETED, 200, b'embeddings')

    def _enter(self, run_id: uuid.UUID, response: LLMResult | None, state: int,
               upstream_status: int) -> None:
        with self._lock:
            call = self._calls.pop(run_id, None)
        if call is None:
            return
        counts = _counts(response, call, state == lib.LLMGR_END_COMPLETED)
        if state == lib.LLMGR_END_UPSTREAM_ERROR and not counts.reported:
            counts = _Counts(-1, -1)  # refused before an answer: nothing was used that we know of
        self._write(run_id, call, counts, state, upstream_status, b'chat/completions')

    def _write(self, request: uuid.UUID, call: _Call, counts: _Counts, state: int,
               upstream_status: int, endpoint: bytes) -> None:
        now = time.monotonic()
        texts = {name: ffi.new('char[]', value) for name, value in (
            ('request_id', request.hex.encode()), ('user', self._user), ('slot', self._slot),
            ('platform_name', self._platform[1].encode()), ('payer', self._payer.encode()),
            ('model_name', self._model[1].encode()), ('endpoint', endpoint),
        ) if value != NULL}
        record = ffi.new('struct llmgr_usage_record *')
        lib.llmgr_usage_record_init(record)
        for name, text in texts.items():
            setattr(record, name, text)
        record.attempt = 1
        record.platform_id, record.model_id = self._platform[0], self._model[0]
        record.prompt_tokens, record.completion_tokens = counts.prompt, counts.completion
        record.cached_tokens, record.reasoning_tokens = counts.cached, counts.reasoning
        record.provenance = _provenance(counts, state)
        record.end_state, record.upstream_status = state, upstream_status
        record.latency_ms = round((now - call.begun) * 1000)
        if call.first is not None:
            record.first_byte_ms = round((call.first - call.begun) * 1000)
        try:
            error = new_error()
            with self._handle as manager:
                check(lib.llmgr_usage_add(manager, record, error), error)
        except LlmgrError as failed:
            LOGGER.warning('usage of a call was not recorded: %s', failed)


def _provenance(counts: _Counts, state: int) -> int:
    if counts.reported:
        whole = state == lib.LLMGR_END_COMPLETED
        return int(lib.LLMGR_PROVENANCE_REPORTED if whole else lib.LLMGR_PROVENANCE_PARTIAL)
    return int(lib.LLMGR_PROVENANCE_UNKNOWN if counts.prompt < 0 else lib.LLMGR_PROVENANCE_ESTIMATED)


class RecordedEmbeddings:
    """The openai package's `embeddings` of a client, each create() of which is entered.

    Args:
        inner: The resource, of OpenAI or AsyncOpenAI.
        recorder: Enters the rows.
    """

    def __init__(self, inner: Any, recorder: Recorder) -> None:
        self._inner = inner
        self._recorder = recorder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def create(self, **members: Any) -> Any:
        """As openai's."""
        begun = time.monotonic()
        try:
            response = self._inner.create(**members)
        except BaseException as error:
            self._recorder.embedded(begun, members.get('input'), None, error)
            raise
        self._recorder.embedded(begun, members.get('input'), response, None)
        return response


class RecordedAsyncEmbeddings(RecordedEmbeddings):
    """The same of AsyncOpenAI."""

    async def create(self, **members: Any) -> Any:
        """As openai's."""
        begun = time.monotonic()
        try:
            response = await self._inner.create(**members)
        except BaseException as error:
            self._recorder.embedded(begun, members.get('input'), None, error)
            raise
        self._recorder.embedded(begun, members.get('input'), response, None)
        return response
