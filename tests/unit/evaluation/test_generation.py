from __future__ import annotations

from typing import Any

import pytest

from sluice.evaluation.batches import by_length
from sluice.evaluation.generation import generate_answers
from sluice.training.chat import stop_ids

PROMPTS = [
    f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
    for text in ("Hi", "Can I return a tent that I have used?", "帐篷可以退货吗？", "30 days", "?")
]


@pytest.mark.parametrize("padding_side", ["left", "right"])
def test_a_batch_answers_as_one_by_one_and_in_order(
    tiny_model: Any, tiny_tokenizer: Any, padding_side: str
) -> None:
    tiny_tokenizer.padding_side = padding_side
    one, many = (
        generate_answers(tiny_model, tiny_tokenizer, PROMPTS, max_new_tokens=12, batch_size=size)
        for size in (1, 3)
    )
    assert many == one
    assert len({answer.text for answer in one}) > 1


def test_stops_at_the_token_that_ends_a_turn(tiny_model: Any, tiny_tokenizer: Any) -> None:
    turn = tiny_tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert stop_ids(tiny_model, tiny_tokenizer) == sorted({tiny_tokenizer.eos_token_id, turn})

    class Scripted:
        """Generates `Hi<|im_end|>` and padding for the first row, only `Hi` for the second."""

        device = tiny_model.device
        generation_config = tiny_model.generation_config

        def generate(self, input_ids: Any, **_: Any) -> Any:
            import torch

            hi = tiny_tokenizer("Hi Hi", add_special_tokens=False)["input_ids"]
            stopped = [*hi[:1], turn] + [tiny_tokenizer.pad_token_id] * (len(hi) - 2)
            return torch.cat([input_ids, torch.tensor([stopped, hi])], dim=1)

    stopped, cut = generate_answers(
        Scripted(), tiny_tokenizer, ["aaaa", "a"], max_new_tokens=4, batch_size=2
    )
    assert (stopped.tokens, stopped.cut_off) == (1, False)
    assert (cut.text, cut.cut_off) == ("Hi Hi", True)


def test_progress_counts_every_row(tiny_model: Any, tiny_tokenizer: Any) -> None:
    done: list[int] = []
    generate_answers(
        tiny_model, tiny_tokenizer, PROMPTS, max_new_tokens=2, batch_size=2, progress=done.append
    )
    assert done == [2, 4, 5]


def test_batches_hold_rows_of_similar_length() -> None:
    assert by_length([1, 9, 2, 8, 2], 2) == [[1, 3], [2, 4], [0]]
