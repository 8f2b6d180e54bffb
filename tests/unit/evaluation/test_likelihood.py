from __future__ import annotations

from typing import Any

import pytest

from sluice.data.record import Message, Record
from sluice.errors import EvaluationError
from sluice.evaluation.likelihood import answer_likelihoods
from sluice.training.chat import ChatRow, chat_row
from tests.unit.evaluation.made_up import TEXTS


def record(question: str, answer: str) -> Record:
    return Record("id", (Message("user", question), Message("assistant", answer)), "test", 1)


def rows(tokenizer: Any) -> list[ChatRow]:
    records = [record(TEXTS[0], TEXTS[1]), record("Hi", "Hello"), record("退货吗？", TEXTS[2])]
    return [chat_row(tokenizer, r, "Be brief.") for r in records]


def slow_nll(model: Any, tokenizer: Any, row: ChatRow) -> tuple[float, int]:
    """One token at a time, each from a full forward pass over what comes before."""
    import torch

    ids = tokenizer(row.prompt, add_special_tokens=False)["input_ids"]
    answer = tokenizer(row.answer, add_special_tokens=False)["input_ids"]
    total = 0.0
    for token in answer:
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0, -1].double()
        total -= float(logits.log_softmax(-1)[token])
        ids = [*ids, token]
    return total, len(answer)


def test_the_answer_ends_with_its_end_of_turn_token(tiny_tokenizer: Any) -> None:
    row = chat_row(tiny_tokenizer, record("Hi", "Hello"), "Be brief.")
    assert row.answer == "Hello<|im_end|>"
    assert row.prompt == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


@pytest.mark.parametrize("padding_side", ["left", "right"])
@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_equals_a_slow_direct_sum(
    tiny_model: Any, tiny_tokenizer: Any, batch_size: int, padding_side: str
) -> None:
    tiny_tokenizer.padding_side = padding_side
    chats = rows(tiny_tokenizer)
    found = answer_likelihoods(tiny_model, chats, batch_size=batch_size)
    for likelihood, row in zip(found, chats, strict=True):
        nll, tokens = slow_nll(tiny_model, tiny_tokenizer, row)
        assert likelihood.tokens == tokens
        assert likelihood.nll == pytest.approx(nll, abs=1e-4)


def test_an_answer_without_tokens_is_refused(tiny_model: Any) -> None:
    with pytest.raises(EvaluationError, match="no tokens"):
        answer_likelihoods(tiny_model, [ChatRow("Hi", "", [5], [])], batch_size=1)
