from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from sluice.evaluation.batches import of_equal_length
from sluice.evaluation.facts import describe, parameters_in, rows_line, training_line
from sluice.recipe import TrainingSection

BATCH = {"batch_size": 8, "gradient_accumulation": 1, "processes": 1, "rows_per_step": 8}
TRAINED = {"steps": 30, "kept_step": 30, "precision": "bf16", "effective_batch": BATCH}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"method": "full"}, "full"),
        ({"method": "lora"}, "lora, r = 16, alpha = 32"),
        ({"method": "qlora"}, "qlora, base in nf4, r = 16, alpha = 32"),
        ({"method": "vera", "rank": 4}, "vera, r = 64"),
        ({"method": "ia3"}, "ia3"),
        ({"method": "prompt"}, "prompt, 16 virtual tokens"),
        (
            {"method": "hybrid", "fully_trained": ["head"]},
            "hybrid, r = 16, alpha = 32, head whole",
        ),
    ],
)
def test_a_method_is_told_with_the_settings_that_it_reads(
    settings: dict[str, Any], words: str
) -> None:
    assert describe(TrainingSection.model_validate(settings)) == words


def test_what_was_cut_from_the_rows_is_told() -> None:
    whole = {"rows": 90, "tokens": 1, "answer_tokens": 1, "cut": 0, "without_answer": 0}
    assert rows_line(whole) == "90"
    told = rows_line({**whole, "cut": 3, "without_answer": 2})
    assert told.startswith("90, 3 of them without the end of their answer")
    assert "2 more were left out" in told


def test_a_batch_that_memory_made_smaller_is_told() -> None:
    settings = TrainingSection()
    assert "8 rows a step, rate" in training_line(settings, TRAINED)
    halved = {**BATCH, "batch_size": 4, "gradient_accumulation": 2}
    told = training_line(settings, {**TRAINED, "effective_batch": halved, "kept_step": 20})
    assert "8 rows a step, 4 at a time, since more did not fit in memory" in told
    assert "30 steps, the weights of step 20" in told


def test_parameters_are_counted_without_loading_them(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(3, 5), "b": torch.zeros(7)}, tmp_path / "model-1.safetensors")
    save_file({"c": torch.zeros(())}, tmp_path / "model-2.safetensors")
    assert parameters_in(tmp_path) == 23


def test_batches_without_padding_hold_rows_of_one_length() -> None:
    assert of_equal_length([3, 1, 3, 3, 1], 2) == [[0, 2], [3], [1, 4]]
