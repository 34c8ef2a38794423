"""Conversations in the message formats of chat APIs and processors."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from clipfg.icl.prompts import PromptImage, Turn

Message: TypeAlias = dict[str, Any]


def openai(turns: Sequence[Turn]) -> list[Message]:
    """Messages of OpenAI's chat API, which vLLM, llama.cpp and others serve as well.

    A path becomes a `file:` URL, which servers read only if configured to
    (`vllm serve --allowed-local-media-path`). A data URL works everywhere.
    """
    return [
        {"role": turn.role, "content": [_openai_part(part) for part in turn.parts]}
        if turn.role == "user"
        else {"role": turn.role, "content": "".join(map(str, turn.parts))}
        for turn in turns
    ]


def _openai_part(part: PromptImage | str) -> Message:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    url = part.source if _is_url(part.source) else Path(part.source).absolute().as_uri()
    return {"type": "image_url", "image_url": {"url": url}}


def transformers(turns: Sequence[Turn]) -> list[Message]:
    """Messages for the `processor.apply_chat_template` of transformers."""
    return [
        {"role": one.role, "content": list(map(_transformers_part, one.parts))} for one in turns
    ]


def _transformers_part(part: PromptImage | str) -> Message:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "image", "url" if _is_url(part.source) else "path": part.source}


def _is_url(source: str) -> bool:
    return source.startswith(("data:", "http://", "https://", "file:"))


CHATS: Mapping[str, Callable[[Sequence[Turn]], list[Message]]] = {
    "openai": openai,
    "transformers": transformers,
}
"""The formats by name."""
