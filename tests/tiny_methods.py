"""Trainings of every method on a tiny model, in this process, by the pieces of the worker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import request_on
from transformers import set_seed

from sluice.data.record import Message, Record, content_id
from sluice.recipe import TrainingSection
from sluice.training.arguments import arguments_of
from sluice.training.artifact import TrainedModel
from sluice.training.choices import choose
from sluice.training.loading import load_trained
from sluice.training.methods.apply import prepared
from sluice.training.methods.resuming import callbacks_for
from sluice.training.request import TrainingRequest
from sluice.training.saving import save_model
from sluice.training.trainer import Trainer

MARKS = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*rank_pattern keys did not match.*:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:Position ids are not supported.*:UserWarning"),
]

VOCABULARY, HIDDEN, LAYERS, RANK, VECTORS = 420, 32, 2, 4, 4
KEYS = 16  # two key-value heads of eight
# Inputs and outputs of q, k, v, o, gate, up and down in one layer.
LINEAR = [(32, 32), (32, 16), (32, 16), (32, 32), (32, 64), (32, 64), (64, 32)]
IN_AND_OUT = LAYERS * sum(taken + given for taken, given in LINEAR)
OUT = LAYERS * sum(given for _, given in LINEAR)
LORA = RANK * IN_AND_OUT

TRAINABLE = {
    "full": 2 * VOCABULARY * HIDDEN
    + LAYERS * (sum(taken * given for taken, given in LINEAR) + 2 * HIDDEN)
    + HIDDEN,
    "lora": LORA,
    "qlora": LORA,
    "qlora-int8": LORA,
    "dora": LORA + OUT,
    "pissa": LORA,
    "hybrid": LORA + 2 * VOCABULARY * HIDDEN,
    "adalora": 6 * (IN_AND_OUT + LAYERS * len(LINEAR)),  # it begins at one and a half of the rank
    "vera": OUT + 16 * RANK * LAYERS * len(LINEAR),
    "ia3": LAYERS * (KEYS + KEYS + 64),
    "prefix": VECTORS * KEYS + (KEYS + 1) * KEYS + (KEYS + 1) * (LAYERS * 2 * KEYS),
    "p_tuning": VECTORS * HIDDEN + 3 * (HIDDEN + 1) * HIDDEN,
    "prompt": VECTORS * HIDDEN,
}
RATES = {"full": 2e-3, "prefix": 3e-2, "ia3": 3e-2, "vera": 3e-2, "hybrid": 5e-3}


def settings_of(training: str, **more: Any) -> TrainingSection:
    name, _, quantization = training.partition("-")
    wanted: dict[str, Any] = {
        "method": name,
        "epochs": 3,
        "batch_size": 4,
        "rank": RANK,
        "alpha": 2 * RANK,
        "precision": "fp32",
        "threads": 1,
        "learning_rate": RATES.get(name, 1e-2),
        "checkpoint_every_steps": 7,
        **({"quantization": quantization} if quantization else {}),
        **({"virtual_tokens": VECTORS} if "PT" in _kind(name) else {}),
    }
    return TrainingSection(**{**wanted, **more})


def _kind(name: str) -> str:
    return {"prefix": "PT", "p_tuning": "PT", "prompt": "PT"}.get(name, "")


def records(count: int) -> list[Record]:
    chats = [
        (
            Message("user", f"How much is tent {n}? 帐篷多少钱？"),
            Message("assistant", f"Tent {n} costs {n * 7} crowns."),
        )
        for n in range(count)
    ]
    return [Record(content_id(chat), chat, "made up", n) for n, chat in enumerate(chats, 1)]


@dataclass(frozen=True)
class Trained:
    """What one training left: its folder, losses, number of parameters, and the live model."""

    folder: Path
    settings: TrainingSection
    losses: list[float]
    parameters: int
    model: Any


@dataclass(frozen=True)
class Bench:
    """A tiny base, and trainings on it."""

    base: Path
    tokenizer: Any
    rows: Any

    def train(
        self,
        folder: Path,
        settings: TrainingSection,
        *,
        start: Path | None = None,
        resume: Path | None = None,
        base: Path | None = None,
    ) -> Trained:
        out = folder / "model"
        out.mkdir(parents=True)
        request = self.request(folder, settings, start, base)
        set_seed(settings.seed)
        choices = choose(settings)
        model = prepared(request, choices.precision, self.tokenizer)
        trainer: Any = Trainer(
            model=model,
            args=arguments_of(settings, choices, folder / "work", has_validation=False),
            train_dataset=self.rows,
            processing_class=self.tokenizer,
            callbacks=callbacks_for(settings, model),
        )
        count = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
        save_model(trainer.model, self.tokenizer, request, out)
        self.facts(settings, choices.precision).write(out)
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        return Trained(out, settings, losses, count, trainer.model)

    def request(
        self,
        folder: Path,
        settings: TrainingSection,
        start: Path | None = None,
        base: Path | None = None,
    ) -> TrainingRequest:
        return request_on(
            base or self.base,
            settings,
            folder / "work",
            folder / "model",
            name="package:tiny/tiny.gguf",
            start=start,
        )

    def facts(self, settings: TrainingSection, precision: str) -> TrainedModel:
        return TrainedModel(
            base="package:tiny/tiny.gguf",
            revision=None,
            base_digest="0" * 64,
            method=settings.method,
            precision=precision,
            system_prompt=None,
            dataset_digest="0" * 64,
            recipe_digest="0" * 64,
            rows=len(self.rows),
            quantization=settings.quantization if settings.method == "qlora" else None,
        )

    def again(self, trained: Trained, base: Path | None = None) -> Any:
        facts = TrainedModel.read(trained.folder)
        return load_trained(trained.folder, base or self.base, facts)


def apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """The largest difference of logits, as a share of the largest logit."""
    largest = max(float(logits.abs().max()) for logits in one.values())
    return max(float((one[name] - other[name]).abs().max()) for name in one) / largest


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}
