"""Answer many prompts: greedy, in batches of similar length, in the order they were asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig

from sluice.evaluation.batches import by_length, of_equal_length
from sluice.training.before_prompt import generating, vectors_before
from sluice.training.chat import stop_ids, token_ids

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """A generated text. `tokens` excludes the stop token; `cut_off`: the limit came first."""

    text: str
    tokens: int
    cut_off: bool


def generate_answers(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str | list[int]],
    *,
    max_new_tokens: int,
    batch_size: int,
    progress: Progress = lambda done: None,
) -> list[Answer]:
    """Greedy answers to prompts, one each, in the order of the prompts.

    Args:
        model: a causal language model, with or without a PEFT adapter.
        tokenizer: its tokenizer; batches are padded on the left whatever it is set to.
        prompts: prompts as the chat template writes them, as text or as token ids.
        max_new_tokens: longest answer, in tokens.
        batch_size: prompts answered at a time.
        progress: called after each batch with the number of prompts answered so far.
    """
    ids = [p if isinstance(p, list) else token_ids(tokenizer, p) for p in prompts]
    settings = _greedy(model, tokenizer, max_new_tokens)
    answers: dict[int, Answer] = {}
    # PEFT numbers learned vectors and padding together: beside padding, a prompt would stand
    # further from its vectors than when it is served alone.
    batches = of_equal_length if vectors_before(model) else by_length
    for batch in batches([len(i) for i in ids], batch_size):
        rows = _generate(model, [ids[i] for i in batch], settings)
        for index, new in zip(batch, rows, strict=True):
            answers[index] = _answer(tokenizer, new, settings.eos_token_id)
        progress(len(answers))
    return [answers[index] for index in range(len(prompts))]


def _greedy(model: Any, tokenizer: Any, max_new_tokens: int) -> Any:
    # What is None here is filled from the model's own settings, so penalties are named too:
    # they would make a score depend on a file that nobody looks at.
    config: Any = GenerationConfig
    return config(
        do_sample=False,
        num_beams=1,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        use_cache=True,  # prefix tuning cannot generate without
        max_new_tokens=max_new_tokens,
        eos_token_id=stop_ids(model, tokenizer),
        pad_token_id=_pad_id(tokenizer),
    )


def _pad_id(tokenizer: Any) -> int:
    pad: int | None = tokenizer.pad_token_id
    return tokenizer.eos_token_id if pad is None else pad


@torch.inference_mode()
def _generate(model: Any, prompts: list[list[int]], settings: Any) -> list[list[int]]:
    longest = max(len(prompt) for prompt in prompts)
    padded = [[settings.pad_token_id] * (longest - len(p)) + p for p in prompts]
    mask = [[0] * (longest - len(p)) + [1] * len(p) for p in prompts]
    device = model.device
    with generating(model):
        output: Any = model.generate(
            input_ids=torch.tensor(padded, device=device),
            attention_mask=torch.tensor(mask, device=device),
            generation_config=settings,
        )
    new: list[list[int]] = output[:, longest:].tolist()
    return new


def _answer(tokenizer: Any, new: list[int], stops: list[int]) -> Answer:
    end = next((i for i, token in enumerate(new) if token in stops), None)
    kept = new if end is None else new[:end]
    text = str(tokenizer.decode(kept, skip_special_tokens=True)).strip()
    return Answer(text, tokens=len(kept), cut_off=end is None)
