"""A conversation as prompt tokens, in which what people wrote can never become a control token.

A chat template marks turns with special tokens such as `<|im_end|>`. If a user writes the same
characters, a plain tokenizer call turns them into that token, and the user can forge a system
message. So where a special token's text occurs in a message, it is tokenised by itself as the plain
characters that it is: the model reads what was written, and the turn does not end. A conversation
without such text is tokenised in one go, exactly as in training and evaluation.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Any

from sluice.data.record import Message
from sluice.training.chat import as_chat, prompt_text


def prompt_ids(tokenizer: Any, messages: Sequence[Message], system_prompt: str | None) -> list[int]:
    """Token ids of the prompt, up to where the answer begins.

    Not for two threads at once on one tokenizer: it switches the tokenizer's mode and back.
    """
    chat = as_chat(messages, system_prompt)
    written = _special_texts(tokenizer, chat)
    if not written:
        return _ids(tokenizer, prompt_text(tokenizer, chat), plain=False)
    # Private-use characters around a number that cannot be guessed: no message contains these.
    nonce = secrets.token_hex(8)
    marks = {f"\ue000{nonce}:{i}\ue001": text for i, text in enumerate(written)}
    rendered = prompt_text(tokenizer, [_marked(turn, marks) for turn in chat])
    pieces = re.split(f"({'|'.join(map(re.escape, marks))})", rendered)
    return [
        token
        for piece in pieces
        if piece
        for token in _ids(tokenizer, marks.get(piece, piece), plain=piece in marks)
    ]


def _special_texts(tokenizer: Any, chat: list[dict[str, str]]) -> list[str]:
    added = {str(t.content) for t in tokenizer.added_tokens_decoder.values() if t.special}
    special = (added | set(tokenizer.all_special_tokens)) - {""}
    # Longest first: one special token's text may be the beginning of another's.
    return sorted(
        (text for text in special if any(text in turn["content"] for turn in chat)),
        key=len,
        reverse=True,
    )


def _marked(turn: dict[str, str], marks: dict[str, str]) -> dict[str, str]:
    found = {text: mark for mark, text in marks.items()}
    pattern = "|".join(map(re.escape, found))
    return {**turn, "content": re.sub(pattern, lambda hit: found[hit[0]], turn["content"])}


def _ids(tokenizer: Any, text: str, *, plain: bool) -> list[int]:
    # The template has written every special token itself, so none is added here.
    encoded: Any = tokenizer(text, add_special_tokens=False, split_special_tokens=plain)
    ids: list[int] = encoded["input_ids"]
    return ids
