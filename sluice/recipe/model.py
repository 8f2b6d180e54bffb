"""The model that is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sluice.recipe.section import Name, Section


class ModelSection(Section):
    """The model that is trained, and the name under which it is registered and served."""

    name: Name = Field(description="Name of the registered model and of the served model.")
    base: str = Field(
        min_length=1,
        description="Base model: `package:NAME/FILE.gguf` (a model that an installed Python "
        "package carries), a GGUF file, a local folder in Hugging Face format, or a hub id.",
    )
    revision: str | None = Field(
        default=None,
        description="Commit of the hub repository; pin it for repeatable runs. For a local folder "
        "with `trust_remote_code`: the digest of its Python files, which the refusal names.",
    )
    trust_remote_code: bool = Field(
        default=False,
        description="Run the Python code that the model's folder carries. Needs a pinned "
        "`revision`. Off: a model without a class of its own in transformers is refused.",
    )
    chat_template: str | None = Field(
        default=None,
        min_length=1,
        description="How turns are written: the name of a template that Sluice ships (alpaca, "
        "alpaca_zh, dialogue_zh, chatml, inst, deepseek, baichuan, baichuan2, chatglm, chatglm3), "
        "or a Jinja file. None: the one that the model's tokenizer carries.",
    )
    system_prompt: str | None = Field(
        default=None,
        description="System message put before every question, in training, evaluation and "
        "serving alike. None leaves the chat template's own default.",
    )
    language: Literal["en", "zh"] = Field(
        default="en",
        description="Language of the answers: decides how text is cut into tokens for scores and "
        "near-duplicates (words, or characters for Chinese).",
    )
