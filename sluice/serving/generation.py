"""Generate one answer, giving out its text while it grows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch
from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

from sluice.serving.engine import Event, Finished, Options, Piece
from sluice.serving.refusal import RefusedError
from sluice.serving.text_stream import StopText, TokenText
from sluice.training.before_prompt import generating, room_before
from sluice.training.chat import stop_ids

Emit = Callable[[Event], None]


class _AnswerStream(BaseStreamer):
    """Sends an answer's text while `generate` runs.

    Ours instead of TextIteratorStreamer, which holds text back until a space comes (Chinese has
    none), decodes the whole line again for each token, counts nothing, and never ends its
    iterator if generation fails.
    """

    def __init__(self, tokenizer: Any, ends: list[int], stop: tuple[str, ...], emit: Emit) -> None:
        self._text = TokenText(lambda ids: str(tokenizer.decode(ids, skip_special_tokens=True)))
        self._until = StopText(stop)
        self._ends = frozenset(ends)
        self._emit = emit
        self._prompt_seen = False
        self._ended = False
        self.tokens = 0

    @property
    def stopped(self) -> bool:
        """Whether the model ended its answer, or a stop string did."""
        return self._ended or self._until.stopped

    def put(self, value: Any) -> None:
        """Take the next token. What `generate` puts first is the prompt."""
        if not self._prompt_seen:
            self._prompt_seen = True
            return
        token = int(value.reshape(-1)[-1])
        if token in self._ends:
            self._ended = True
            return
        self.tokens += 1
        self._send(self._until.push(self._text.push(token)))

    def end(self) -> None:
        """Send what was held back."""
        self._send(self._until.push(self._text.flush()))
        self._send(self._until.flush())

    def _send(self, text: str) -> None:
        if text:
            self._emit(Piece(text))


class _Stop(StoppingCriteria):
    """Ends the generation at a stop string, or when nobody waits for the answer any more."""

    def __init__(self, answer: _AnswerStream, cancelled: threading.Event) -> None:
        self._answer = answer
        self._cancelled = cancelled

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        stop = self._answer.stopped or self._cancelled.is_set()
        return torch.full((input_ids.shape[0],), stop, device=input_ids.device, dtype=torch.bool)


@torch.inference_mode()
def generate(
    model: Any,
    tokenizer: Any,
    prompt: list[int],
    options: Options,
    emit: Emit,
    cancelled: threading.Event,
) -> Finished:
    """Answer a prompt, sending `Piece`s on the way. Greedy answers are those that were evaluated.

    Args:
        model: the model as it shall speak.
        tokenizer: the tokenizer of the version that speaks.
        prompt: token ids; `max_tokens` of the options must fit behind them.
        options: how to generate.
        emit: called with each piece, from this thread.
        cancelled: once set, generation ends at the next token.
    """
    ends = stop_ids(model, tokenizer)
    answer = _AnswerStream(tokenizer, ends, options.stop, emit)
    if options.temperature > 0:
        # Without a seed, draw a fresh one: an earlier request's must not decide this answer.
        torch.default_generator.manual_seed(torch.seed() if options.seed is None else options.seed)
    ids = torch.tensor([prompt], device=model.device)
    with generating(model):
        model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            generation_config=_generation_config(tokenizer, ends, options),
            stopping_criteria=StoppingCriteriaList([_Stop(answer, cancelled)]),
            streamer=answer,
        )
    return Finished("stop" if answer.stopped else "length", answer.tokens)


def _generation_config(tokenizer: Any, ends: list[int], options: Options) -> Any:
    # What is left out is filled in from the model's own settings, so whatever could change an
    # answer is named; the same values as in evaluation, so that what was scored is served.
    sampling = {"temperature": options.temperature, "top_p": options.top_p, "top_k": 0}
    config: Any = GenerationConfig
    return config(
        do_sample=options.temperature > 0,
        **(sampling if options.temperature > 0 else {}),
        num_beams=1,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        use_cache=True,
        max_new_tokens=options.max_tokens,
        eos_token_id=ends,
        pad_token_id=tokenizer.pad_token_id,
    )


def fitting(options: Options, prompt_tokens: int, context: int | None) -> int:
    """How many tokens the answer may have: what was asked for, or what the context has left.

    Raises:
        RefusedError: the prompt leaves no room at all.
    """
    if context is None:
        return options.max_tokens
    if prompt_tokens >= context:
        raise RefusedError(
            400,
            "context_length_exceeded",
            f"The messages have {prompt_tokens} tokens; this model reads {context} in all, answer "
            "included. Shorten or drop earlier messages.",
        )
    return min(options.max_tokens, context - prompt_tokens)


def context_length(model: Any) -> int | None:
    """Most tokens, prompt and answer together, that a model takes; None if it does not say.

    What a method puts before each prompt is taken off.
    """
    length: int | None = getattr(model.config, "max_position_embeddings", None)
    return None if length is None else length - room_before(model)
