"""Special tokens of chat templates, as they stand in a row: broken up, so that they are only text.

A row that holds `<|im_end|>` would end the answer in the middle of the training text, and
`<|im_start|>system` in a question would speak with the operator's voice. A space inside keeps
them readable, and no tokenizer knows `<| im_end |>`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

# The shape of nearly all of them (ChatML, Llama 3, Phi, GLM, and DeepSeek with full-width bars).
_SHAPE = r"<[|｜][^\s<>|｜]{1,48}[|｜]>"
# Those of Llama 2, Mistral and Gemma, which look like something else.
KNOWN = (
    *("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<s>", "</s>", "<bos>", "<eos>", "<pad>"),
    *("<unk>", "<start_of_turn>", "<end_of_turn>", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"),
    *("[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_CALLS]", "[TOOL_RESULTS]"),
    "[/TOOL_RESULTS]",
)
_EDGES = re.compile(r"(\W+)(.*\w)(\W+)", re.DOTALL)


@cache
def neutraliser(more: tuple[str, ...]) -> Callable[[str], str]:
    """A function that breaks up the known special tokens, and these."""
    # Longest first: one special token's text may be the beginning of another's.
    texts = sorted({*KNOWN, *(text for text in more if text.strip())}, key=len, reverse=True)
    pattern = re.compile("|".join([*map(re.escape, texts), _SHAPE]))
    firsts = sorted({text[0] for text in texts})  # nearly always `<` and `[`

    def break_up(text: str) -> str:
        return pattern.sub(_broken_up, text) if any(c in text for c in firsts) else text

    return break_up


def _broken_up(token: re.Match[str]) -> str:
    text = token.group()
    edges = _EDGES.fullmatch(text)
    if edges:
        return " ".join(edges.groups())
    # A token without brackets, or of nothing else; of a single character only the doubled one.
    return f"{text[0]} {text[1:]}" if len(text) > 1 else text
