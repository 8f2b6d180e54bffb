"""What people wrote never becomes a control token: one way for training, scoring and serving.

A chat template marks turns with control tokens such as `<|im_end|>`. If a message holds the same
characters, a plain tokenizer call turns them into that token: a user could forge a system message,
and a training row would teach that the answer goes on after its end. So where such text occurs in a
message it is tokenised by itself, as the plain characters that it is: the model reads what was
written, and the turn does not end. A conversation without such text is tokenised in one go.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from weakref import WeakKeyDictionary

# What an assistant writes itself, in the middle of its turn: to be learned, not to be broken up.
_WRITTEN_BY_MODELS = re.compile("think|tool")
_MARK_UP = re.compile(r"<[^<>\s'\"{}]{1,48}>")
_NOTHING = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True)
class Controls:
    """The texts that a tokenizer reads as control tokens.

    `texts` are those that it calls special itself, any of which may end a turn, and what else its
    chat template marks turns with, longest first; `ids` are their token ids.
    `pattern` finds any of the texts, and `end` the special tokens that nothing follows.
    """

    template: Any
    texts: tuple[str, ...]
    ids: frozenset[int]
    pattern: re.Pattern[str]
    end: re.Pattern[str]


_known: WeakKeyDictionary[Any, Controls] = WeakKeyDictionary()


def controls_of(tokenizer: Any) -> Controls:
    """The control tokens of a tokenizer with its present chat template."""
    found = _known.get(tokenizer)
    if found is None or found.template != tokenizer.chat_template:
        _known[tokenizer] = found = _controls(tokenizer)
    return found


def _controls(tokenizer: Any) -> Controls:
    # Some tokens are special in the tokenizer's file, but none of its named ones (Phi-3's <|end|>).
    added = {str(t.content) for t in tokenizer.added_tokens_decoder.values() if t.special}
    special = (added | set(tokenizer.all_special_tokens)) - {""}
    ids = {tokenizer.convert_tokens_to_ids(text) for text in special}
    marking = _marking(tokenizer) - special
    ids |= {_encoded(tokenizer, text)[0] for text in marking}
    # Longest first: one token's text may be the beginning of another's.
    texts = tuple(sorted(special | marking, key=lambda text: (-len(text), text)))
    any_special = "|".join(re.escape(text) for text in texts if text in special)
    return Controls(
        template=tokenizer.chat_template,
        texts=texts,
        ids=frozenset(ids),
        pattern=re.compile("|".join(map(re.escape, texts))) if texts else _NOTHING,
        end=re.compile(rf"({any_special})(?:{any_special}|\s)*\Z") if special else _NOTHING,
    )


def _marking(tokenizer: Any) -> set[str]:
    """What the template marks turns with though no special token (Baichuan's `<reserved_106>`)."""
    found = set(_MARK_UP.findall(str(tokenizer.chat_template or "")))
    return {
        text
        for text in found
        if not _WRITTEN_BY_MODELS.search(text) and len(_encoded(tokenizer, text)) == 1
    }


@dataclass(frozen=True, slots=True)
class Marks:
    """Stand-ins, for one conversation, of the control tokens' texts that people wrote in it."""

    texts: dict[str, str]

    def put(self, value: Any) -> Any:
        """The value with stand-ins in all its texts, however deep in lists and mappings."""
        if not self.texts:
            return value
        found = {text: mark for mark, text in self.texts.items()}
        pattern = re.compile("|".join(map(re.escape, found)))
        return _mapped(value, lambda text: pattern.sub(lambda hit: found[hit[0]], text))

    def taken_out(self, text: str) -> str:
        """A text as it was written."""
        for mark, written in self.texts.items():
            text = text.replace(mark, written)
        return text

    def ids(self, tokenizer: Any, text: str) -> list[int]:
        """Token ids of a templated text; what stands behind a stand-in gives no control token.

        Not for two threads at once on one tokenizer: it switches the tokenizer's mode and back.
        """
        if not self.texts:
            return _encoded(tokenizer, text)
        pieces = re.split(f"({'|'.join(map(re.escape, self.texts))})", text)
        return [token for piece in pieces if piece for token in self._piece(tokenizer, piece)]

    def _piece(self, tokenizer: Any, piece: str) -> list[int]:
        written = self.texts.get(piece)
        return _encoded(tokenizer, piece) if written is None else _plain(tokenizer, written)


def marks_for(tokenizer: Any, *values: Any) -> Marks:
    """Stand-ins for what occurs in the values: private-use characters around a number that nobody
    can guess, so that no message contains them."""
    pattern = controls_of(tokenizer).pattern
    found: dict[str, None] = {}

    def note(text: str) -> str:
        found.update(dict.fromkeys(pattern.findall(text)))
        return text

    _mapped(values, note)
    if not found:
        return Marks({})
    nonce = secrets.token_hex(8)
    longest_first = sorted(found, key=len, reverse=True)
    return Marks({f"\ue000{nonce}:{i}\ue001": text for i, text in enumerate(longest_first)})


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return {change(key): _mapped(inner, change) for key, inner in pairs}
    if isinstance(value, list | tuple):
        return [_mapped(inner, change) for inner in cast("list[Any]", value)]
    return value


def _plain(tokenizer: Any, text: str) -> list[int]:
    ids = _encoded(tokenizer, text, split_special_tokens=True)
    if not controls_of(tokenizer).ids & set(ids) or len(text) == 1:
        return ids
    # The tokenizer does not split what it does not call special: cut after the first character.
    return _encoded(tokenizer, text[0]) + _encoded(tokenizer, text[1:], split_special_tokens=True)


def _encoded(tokenizer: Any, text: str, *, split_special_tokens: bool = False) -> list[int]:
    # The template has written every special token itself, so none is added here.
    encoded: Any = tokenizer(
        text, add_special_tokens=False, split_special_tokens=split_special_tokens
    )
    ids: list[int] = encoded["input_ids"]
    return ids
