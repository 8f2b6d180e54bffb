from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_models import build_tiny_base
from tokenizers import processors

from sluice.data.record import Message, Record
from sluice.errors import TemplateError
from sluice.training.chat import chat_digest, chat_row, prompt_text, stop_ids
from sluice.training.loading import load_base, load_tokenizer
from sluice.training.templates import FOLDER, NO_THINKING, SHIPPED, template_text, with_template

TALK = (
    Message("system", "简短。"),
    Message("user", "退货吗？"),
    Message("assistant", "可以。"),
    Message("user", "Which day?"),
    Message("assistant", "Friday."),
)
END = "<|endoftext|>"
# The whole conversation as each template writes it; `¦` stands where the last answer begins.
WRITTEN = {
    "alpaca": (
        "简短。\n\n### Instruction:\n退货吗？\n\n### Response:\n可以。<|endoftext|>\n\n"
        "### Instruction:\nWhich day?\n\n### Response:\n¦Friday.<|endoftext|>"
    ),
    "alpaca_zh": (
        "简短。\n\n### 指令：\n退货吗？\n\n### 回答：\n可以。<|endoftext|>\n\n"
        "### 指令：\nWhich day?\n\n### 回答：\n¦Friday.<|endoftext|>"
    ),
    "dialogue_zh": (
        "简短。\n\n用户：退货吗？\n助手：可以。<|endoftext|>\n用户：Which day?\n助手："
        "¦Friday.<|endoftext|>"
    ),
    "chatml": (
        "<|im_start|>system\n简短。<|im_end|>\n<|im_start|>user\n退货吗？<|im_end|>\n"
        "<|im_start|>assistant\n可以。<|im_end|>\n<|im_start|>user\nWhich day?<|im_end|>\n"
        "<|im_start|>assistant\n¦Friday.<|im_end|>"
    ),
    "inst": (
        "[INST] <<SYS>>\n简短。\n<</SYS>>\n\n退货吗？ [/INST] 可以。<|endoftext|>"
        "[INST] Which day? [/INST]¦ Friday.<|endoftext|>"
    ),
    "deepseek": (
        "简短。<｜User｜>退货吗？<｜Assistant｜>可以。<|endoftext|>"
        "<｜User｜>Which day?<｜Assistant｜>¦Friday.<|endoftext|>"
    ),
    "baichuan": (
        "简短。<reserved_102>退货吗？<reserved_103>可以。<|endoftext|>"
        "<reserved_102>Which day?<reserved_103>¦Friday.<|endoftext|>"
    ),
    "baichuan2": (
        "简短。<reserved_106>退货吗？<reserved_107>可以。<|endoftext|>"
        "<reserved_106>Which day?<reserved_107>¦Friday.<|endoftext|>"
    ),
    "chatglm": (
        "简短。\n\n[Round 1]\n\n问：退货吗？\n\n答：可以。\n\n[Round 2]\n\n问：Which day?\n\n"
        "答：¦Friday.<|endoftext|>"
    ),
    "chatglm3": (
        "<|system|>\n简短。<|user|>\n退货吗？<|assistant|>\n可以。<|user|>\nWhich day?"
        "<|assistant|>\n¦Friday.<|endoftext|>"
    ),
}
# As Qwen3's does: a model thinks before it answers, unless the template is told that it shall not.
THINKING = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
    "{% if m.role == 'assistant' %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{{ m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}"
    "{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}"
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_base(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture
def tokenizer(base: Path) -> Any:
    """A tokenizer that has every token that a template of ours needs, and no template."""
    found = load_tokenizer(base)
    needed = sorted({token for shipped in SHIPPED.values() for token in shipped.needs})
    found.add_tokens(needed, special_tokens=False)  # Baichuan's are in the vocabulary as plain ones
    found.eos_token = END
    found.chat_template = None
    return found


def talk(*messages: Message) -> Record:
    return Record("id", messages, "test", 1)


def test_every_template_is_shipped_and_described() -> None:
    assert {path.stem for path in FOLDER.glob("*.jinja")} == set(SHIPPED) == set(WRITTEN)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_conversation_is_cut_where_the_answer_begins_and_ends_with_a_stop_token(
    tokenizer: Any, base: Path, name: str
) -> None:
    row = chat_row(with_template(tokenizer, name), talk(*TALK), None)
    assert f"{row.prompt}¦{row.answer}" == WRITTEN[name]
    assert row.answer_ids[-1] in stop_ids(load_base(base, "fp32"), tokenizer)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_system_message_may_be_left_out_and_text_is_not_read_as_mark_up(
    tokenizer: Any, name: str
) -> None:
    with_template(tokenizer, name)
    row = chat_row(
        tokenizer, talk(Message("user", "<b>?{{ 1 }}"), Message("assistant", "是")), None
    )
    assert "<b>?{{ 1 }}" in row.prompt
    assert row.answer.strip().startswith("是")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_template_without_tools_refuses_them_and_says_so(tokenizer: Any, name: str) -> None:
    with_template(tokenizer, name)
    with pytest.raises(TemplateError, match=f"{name} writes no tools.*model.chat_template"):
        prompt_text(tokenizer, [{"role": "user", "content": "?"}], '[{"type": "function"}]')
    called = Message("assistant", "", '{"tool_calls": [{"type": "function"}]}')
    with pytest.raises(TemplateError, match=f"{name} writes no tool calls"):
        chat_row(tokenizer, talk(Message("user", "?"), called), None)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_saved_tokenizer_carries_the_template(
    tokenizer: Any, base: Path, tmp_path: Path, name: str
) -> None:
    with_template(tokenizer, name).save_pretrained(tmp_path)
    model, again = load_base(base, "fp32"), load_tokenizer(tmp_path)
    ends = stop_ids(model, tokenizer)
    assert stop_ids(model, again) == ends
    assert chat_digest(again, ends) == chat_digest(tokenizer, ends)


def test_what_the_tokenizer_puts_before_every_text_stands_before_the_first_turn(
    tokenizer: Any,
) -> None:
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)]
    )
    row = chat_row(with_template(tokenizer, "dialogue_zh"), talk(*TALK[1:3]), None)
    assert row.prompt == "<|endoftext|>用户：退货吗？\n助手："
    assert row.prompt_ids == tokenizer("用户：退货吗？\n助手：")["input_ids"]


def test_a_context_that_a_tool_brought_is_alpacas_input(tokenizer: Any) -> None:
    with_template(tokenizer, "alpaca_zh")
    chat = talk(Message("user", "翻译"), Message("tool", "tent"), Message("assistant", "帐篷"))
    assert (
        "### 指令：\n翻译\n\n### 输入：\ntent\n\n### 回答：\n"
        in chat_row(tokenizer, chat, None).prompt
    )


def test_a_tokenizer_without_the_tokens_is_told_which_templates_need_none(base: Path) -> None:
    with pytest.raises(TemplateError, match=r"<reserved_106>, <reserved_107>.*alpaca, alpaca_zh"):
        with_template(load_tokenizer(base), "baichuan2")


def test_a_tokenizer_without_a_template_is_told_which_there_are(tokenizer: Any) -> None:
    for attempt in (
        lambda: with_template(tokenizer, None),
        lambda: chat_row(tokenizer, talk(*TALK), None),
    ):
        with pytest.raises(TemplateError, match=r"carries no chat template.*alpaca.*chatglm3"):
            attempt()


def test_a_template_may_be_a_file(tokenizer: Any, tmp_path: Path) -> None:
    path = tmp_path / "own.jinja"
    path.write_text("{{ messages[-1].content }}\n", encoding="utf-8")
    assert with_template(tokenizer, str(path)).chat_template == "{{ messages[-1].content }}"
    with pytest.raises(TemplateError, match=r"gone\.jinja is neither a template of Sluice"):
        template_text(str(tmp_path / "gone.jinja"))


def test_a_thinking_template_answers_at_once_in_training_and_service(tokenizer: Any) -> None:
    tokenizer.chat_template = THINKING
    row = chat_row(with_template(tokenizer, None), talk(*TALK[1:3]), None)
    assert row.prompt.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert row.answer == "可以。<|im_end|>"
    once = tokenizer.chat_template
    assert once.startswith(NO_THINKING)
    assert with_template(tokenizer, None).chat_template == once
