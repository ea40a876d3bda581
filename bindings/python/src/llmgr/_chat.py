# SPDX-License-Identifier: MIT
"""What get_user_llm returns: LangChain's own objects, built as the seed builds them.

This module alone imports langchain_openai; _manager imports it when it is first needed.
"""
from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import SecretStr

from . import _gateway
from ._types import Resolved
from ._usage import RecordedAsyncEmbeddings, RecordedEmbeddings, Recorder

# What upstreams call the text of a model's thoughts; the first is what messages keep it as.
REASONING = ('reasoning_content', 'reasoning')
# A platform and its key are the manager's choice, never a keyword's.
_OURS = ('base_url', 'openai_api_base', 'api_key', 'openai_api_key', 'model', 'model_name')


def _reasoning_of(message: Any) -> str | None:
    """The thoughts in an upstream's message or delta: a dict, or the openai package's object."""
    members = message if isinstance(message, Mapping) else getattr(message, 'model_extra', None)
    for name in REASONING:
        text = (members or {}).get(name)
        if isinstance(text, str):
            return text
    return None


def _member(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)


class ReasoningChatOpenAI(ChatOpenAI):
    """ChatOpenAI that keeps `reasoning_content`.

    What a model thinks before it answers comes in a member that ChatOpenAI drops, in whole answers
    and in streams. Here it stands in message.additional_kwargs["reasoning_content"] (also where
    the upstream calls it `reasoning`), and goes back as `reasoning_content` with the assistant's
    message in later turns, which DeepSeek and Moonshot demand when tools are called.
    """

    def _convert_chunk_to_generation_chunk(
            self, chunk: dict[str, Any], default_chunk_class: type,
            base_generation_info: dict[str, Any] | None) -> ChatGenerationChunk | None:
        made = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class,
                                                          base_generation_info)
        choices = chunk.get('choices') or (chunk.get('chunk') or {}).get('choices') or []
        text = _reasoning_of(choices[0].get('delta')) if choices else None
        if made is not None and text is not None and isinstance(made.message, AIMessage):
            made.message.additional_kwargs['reasoning_content'] = text
        return made

    def _create_chat_result(self, response: Any,
                            generation_info: dict[str, Any] | None = None) -> ChatResult:
        result = super()._create_chat_result(response, generation_info)
        for choice, made in zip(_member(response, 'choices') or [], result.generations):
            text = _reasoning_of(_member(choice, 'message'))
            if text is not None and isinstance(made.message, AIMessage):
                made.message.additional_kwargs['reasoning_content'] = text
        return result

    def _get_request_payload(self, input_: Any, *, stop: list[str] | None = None,
                             **kwargs: Any) -> dict[str, Any]:
        payload: dict[str, Any] = super()._get_request_payload(input_, stop=stop, **kwargs)
        if 'messages' in payload:
            said = self._convert_input(input_).to_messages()
            for message, sent in zip(said, payload['messages']):
                text = message.additional_kwargs.get('reasoning_content')
                if isinstance(message, AIMessage) and isinstance(text, str):
                    sent['reasoning_content'] = text
        return payload


# ---- Building -----------------------------------------------------------------------------------

def _check(kwargs: Mapping[str, Any]) -> None:
    for name in _OURS:
        if name in kwargs:
            raise TypeError(f'{name} is what the user\'s selection decides; to use another model, '
                            'save_user_selection or another usage_key')


def _mapping(name: str, value: object) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise TypeError(f'{name} must be a dict, not {type(value).__name__}')
    return value or {}


def merge_extra_body(extra_body: str | None, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The keywords with the model's extra_body merged over the caller's.

    The caller's may stand in model_kwargs too; it is taken from there, or it would be sent instead.
    """
    if not extra_body:
        return kwargs
    model_kwargs = dict(_mapping('model_kwargs', kwargs.get('model_kwargs')))
    inner = model_kwargs.pop('extra_body', None)
    given = _mapping('extra_body', kwargs.get('extra_body', inner))
    merged = {**kwargs, 'extra_body': {**given, **json.loads(extra_body)}}
    if inner is not None:
        merged['model_kwargs'] = model_kwargs
    return merged


def _with_callback(kwargs: dict[str, Any], recorder: BaseCallbackHandler | None) -> dict[str, Any]:
    """The keywords with our callback beside the caller's."""
    if recorder is None:
        return kwargs
    given = kwargs.get('callbacks')
    if given is None or isinstance(given, list):
        return {**kwargs, 'callbacks': [*(given or []), recorder]}
    given = given.copy()
    given.add_handler(recorder, inherit=False)
    return {**kwargs, 'callbacks': given}


def _chat(keep_reasoning: bool, base_url: str, key: str, model_name: str,
          kwargs: dict[str, Any]) -> ChatOpenAI:
    kwargs.setdefault('streaming', True)
    made = ReasoningChatOpenAI if keep_reasoning else ChatOpenAI
    return made(base_url=base_url, api_key=SecretStr(key), model=model_name, **kwargs)


def of_platform(resolved: Resolved, recorder: BaseCallbackHandler | None, keep_reasoning: bool,
                kwargs: dict[str, Any]) -> ChatOpenAI:
    """A chat model that talks to the platform itself."""
    _check(kwargs)
    kwargs = _with_callback(merge_extra_body(resolved.extra_body, kwargs), recorder)
    return _chat(keep_reasoning, resolved.base_url, resolved.key, resolved.model_name, kwargs)


def embeddings_of_platform(resolved: Resolved, recorder: Recorder | None,
                           kwargs: dict[str, Any]) -> OpenAIEmbeddings:
    """Embeddings that talk to the platform itself. Their extra_body goes by way of model_kwargs."""
    _check(kwargs)
    if resolved.extra_body:
        model_kwargs = dict(_mapping('model_kwargs', kwargs.get('model_kwargs')))
        given = _mapping('extra_body', model_kwargs.get('extra_body'))
        model_kwargs['extra_body'] = {**given, **json.loads(resolved.extra_body)}
        kwargs['model_kwargs'] = model_kwargs
    kwargs.setdefault('check_embedding_ctx_length', False)
    made = OpenAIEmbeddings(base_url=resolved.base_url, api_key=SecretStr(resolved.key),
                            model=resolved.model_name, **kwargs)
    if recorder is not None:
        made.client = RecordedEmbeddings(made.client, recorder)
        made.async_client = RecordedAsyncEmbeddings(made.async_client, recorder)
    return made


# ---- Through the gateway ------------------------------------------------------------------------

def _place(named: tuple[str | None, str | None], user_id: str | None,
             kwargs: dict[str, Any]) -> tuple[str, SecretStr]:
    """Address and token; the user's name goes along, as an application's token needs it."""
    _check(kwargs)
    url, token = _gateway.place(named)
    if user_id is not None:
        # A header's value is ASCII; RFC 8187 carries the rest.
        named_by = ({'X-LLMGR-User': user_id} if user_id.isascii() else
                    {'X-LLMGR-User*': "UTF-8''" + urllib.parse.quote(user_id, safe='')})
        kwargs['default_headers'] = {**_mapping('default_headers', kwargs.get('default_headers')),
                                     **named_by}
    return url + '/v1', SecretStr(token)


def of_gateway(named: tuple[str | None, str | None], user_id: str | None, slot: str,
               keep_reasoning: bool, kwargs: dict[str, Any]) -> ChatOpenAI:
    """A chat model that talks to `llmgr serve`, which resolves the slot and merges extra_body."""
    url, token = _place(named, user_id, kwargs)
    return _chat(keep_reasoning, url, token.get_secret_value(), slot, kwargs)


def embeddings_of_gateway(named: tuple[str | None, str | None], user_id: str | None, model: str,
                          kwargs: dict[str, Any]) -> OpenAIEmbeddings:
    """Embeddings that talk to `llmgr serve`."""
    url, token = _place(named, user_id, kwargs)
    kwargs.setdefault('check_embedding_ctx_length', False)
    return OpenAIEmbeddings(base_url=url, api_key=token, model=model, **kwargs)
