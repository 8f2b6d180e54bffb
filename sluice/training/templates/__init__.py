"""The chat templates that Sluice ships, for tokenizers that carry none.

A template is Jinja, as `transformers` renders it. In each of these the generation prompt is a
prefix of the whole conversation, and an answer ends with a token that stops generation.
Where `[INST]`, `### Response:` or `用户：` mark the turns, the marks are plain text that a user can
write too: take `chatml` where the tokenizer has its tokens.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.errors import TemplateError

FOLDER = Path(__file__).parent
# Qwen3's and SmolLM3's templates have models think first unless they are told not to. Rows hold
# answers; and what stands in the template itself is the same for whoever serves the model.
NO_THINKING = "{%- set enable_thinking = false %}"


@dataclass(frozen=True, slots=True)
class Shipped:
    """A template of ours: what it writes, and the tokens that the tokenizer must have for it."""

    about: str
    needs: tuple[str, ...] = ()


SHIPPED: dict[str, Shipped] = {
    "alpaca": Shipped("### Instruction: / ### Input: / ### Response:"),
    "alpaca_zh": Shipped("### 指令： / ### 输入： / ### 回答："),
    "dialogue_zh": Shipped("用户： / 助手："),
    "chatml": Shipped("<|im_start|>role ... <|im_end|>", ("<|im_start|>", "<|im_end|>")),
    "inst": Shipped("[INST] ... [/INST], as Llama 2 and Mistral were trained"),
    # As DeepSeek-V3 was trained. R1's own writes `<think>` before an answer, but not before those
    # that a conversation holds already: with it, what is trained would not be what is served.
    "deepseek": Shipped("DeepSeek-V3, answering at once", ("<｜User｜>", "<｜Assistant｜>")),
    "baichuan": Shipped("Baichuan 1", ("<reserved_102>", "<reserved_103>")),
    "baichuan2": Shipped("Baichuan 2", ("<reserved_106>", "<reserved_107>")),
    "chatglm": Shipped("ChatGLM and ChatGLM2: [Round 1] 问： / 答："),
    "chatglm3": Shipped("ChatGLM3", ("<|system|>", "<|user|>", "<|assistant|>")),
}


def no_template() -> TemplateError:
    """What to say where a tokenizer carries no template and the recipe names none."""
    return TemplateError(
        "The model's tokenizer carries no chat template. Name one in `model.chat_template`: "
        f"{', '.join(SHIPPED)}, or a Jinja file of your own."
    )


def template_text(chat_template: str | None) -> str | None:
    """The text of a template of ours, or of a Jinja file. None: the tokenizer's own.

    It belongs into the key of what is trained with it: a file may change under its name.

    Raises:
        TemplateError: there is neither such a template nor such a file.
    """
    if chat_template is None:
        return None
    path = FOLDER / f"{chat_template}.jinja" if chat_template in SHIPPED else Path(chat_template)
    try:
        return path.expanduser().read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(
            f"`model.chat_template` {chat_template} is neither a template of Sluice "
            f"({', '.join(SHIPPED)}) nor a Jinja file that can be read ({error})."
        ) from error


def with_template(tokenizer: Any, chat_template: str | None) -> Any:
    """The tokenizer with the template that the recipe names, or with its own.

    Ours begin with what the tokenizer itself puts before every text (a begin-of-text token, or
    none): a rendered conversation is cut into tokens without adding any.

    Raises:
        TemplateError: there is no template, or the tokenizer lacks the tokens that it needs.
    """
    text = template_text(chat_template)
    if chat_template is not None and chat_template in SHIPPED:
        _require_tokens(tokenizer, chat_template)
        text = f"{_beginning(tokenizer)}{text}"
    text = text or tokenizer.chat_template
    if not text:
        raise no_template()
    if isinstance(text, str):  # a tokenizer may carry several, by name
        tokenizer.chat_template = _not_thinking(text)
    return tokenizer


def _require_tokens(tokenizer: Any, name: str) -> None:
    missing = [token for token in SHIPPED[name].needs if len(_ids(tokenizer, token)) != 1]
    if missing:
        fitting = [other for other, template in SHIPPED.items() if not template.needs]
        raise TemplateError(
            f"`model.chat_template` {name} marks turns with {', '.join(missing)}, which this "
            f"tokenizer does not know as tokens. Take another: {', '.join(fitting)}."
        )
    if tokenizer.eos_token is None:
        raise TemplateError(
            f"`model.chat_template` {name} ends answers with the tokenizer's end-of-text token, "
            "and it has none. Set `eos_token` in its tokenizer_config.json."
        )


def _beginning(tokenizer: Any) -> str:
    bare = _ids(tokenizer, "x")
    whole: list[int] = tokenizer("x")["input_ids"]
    first = next((i for i in range(len(whole)) if whole[i : i + len(bare)] == bare), 0)
    if first == 0:
        return ""
    text = str(tokenizer.decode(whole[:first]))
    if _ids(tokenizer, text) != whole[:first]:
        raise TemplateError(
            f"The tokenizer puts {text!r} before every text, and does not read it back as the same "
            "tokens. Write a Jinja file for this model and name it in `model.chat_template`."
        )
    return "{{- " + json.dumps(text, ensure_ascii=False) + " }}"


def _not_thinking(text: str) -> str:
    if "enable_thinking" not in text or text.startswith(NO_THINKING):
        return text
    return NO_THINKING + text


def _ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids
