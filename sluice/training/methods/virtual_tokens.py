"""Learned vectors before the prompt: prefix (P-Tuning v2), P-Tuning and prompt tuning."""

from __future__ import annotations

from typing import Any

import torch
from peft import PrefixTuningConfig, PromptEncoderConfig, PromptTuningConfig, PromptTuningInit

from sluice.errors import TrainingError
from sluice.recipe import TrainingSection
from sluice.training.chat import token_ids


def prefix(settings: TrainingSection) -> PrefixTuningConfig:
    """Keys and values of every layer, written by a two-layer network that is not kept."""
    return PrefixTuningConfig(
        num_virtual_tokens=settings.virtual_tokens, prefix_projection=True, task_type="CAUSAL_LM"
    )


def p_tuning(settings: TrainingSection) -> PromptEncoderConfig:
    """Vectors of the first layer, written by a three-layer network that is not kept."""
    return PromptEncoderConfig(
        num_virtual_tokens=settings.virtual_tokens,
        encoder_reparameterization_type="MLP",
        task_type="CAUSAL_LM",
    )


def prompt(settings: TrainingSection) -> PromptTuningConfig:
    """Vectors of the first layer, learned themselves; they start from words of the vocabulary.

    Drawn from the vocabulary and not from a normal distribution: Lester and others, section 3.2.
    """
    return PromptTuningConfig(
        num_virtual_tokens=settings.virtual_tokens,
        prompt_tuning_init=PromptTuningInit.SAMPLE_VOCAB,
        task_type="CAUSAL_LM",
    )


def start_from_text(model: Any, tokenizer: Any, text: str) -> None:
    """Let prompt tuning's vectors be those of a text, repeated or cut to their number.

    PEFT does this only with a path to the tokenizer, which it then keeps in the adapter.

    Raises:
        TrainingError: the text has no tokens.
    """
    ids = token_ids(tokenizer, text)
    if not ids:
        raise TrainingError("`training.prompt_text` has no tokens. Write a text, or take it out.")
    vectors: torch.Tensor = model.prompt_encoder["default"].embedding.weight
    count = vectors.shape[0]
    wanted = torch.tensor((ids * -(-count // len(ids)))[:count], device=vectors.device)
    with torch.no_grad():
        vectors.copy_(model.word_embeddings(wanted))
