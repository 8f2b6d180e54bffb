"""TRL's SFTTrainer, made to see the same rows in the same order whenever it is stopped."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
import transformers.trainer_pt_utils
from torch.utils.data import Sampler
from trl.trainer.sft_trainer import SFTTrainer

pt_utils: Any = transformers.trainer_pt_utils  # typed in part only


class RowsByLength(Sampler[int]):
    """Rows of like length together (less padding), in an order of its own in each epoch.

    The order comes from seed and epoch alone. transformers' own sampler draws it from the global
    generator, whose state at the epoch's beginning a resumed training does not have.
    """

    def __init__(self, lengths: list[int], batch: int, seed: int, epoch: Callable[[], int]) -> None:
        self._lengths, self._batch = lengths, batch
        self._seed, self._epoch = seed, epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed + self._epoch())
        indices = pt_utils.get_length_grouped_indices(
            self._lengths, self._batch, generator=generator
        )
        return iter(indices)


class Trainer(SFTTrainer):
    """An SFTTrainer that, stopped and resumed, sees the same rows in the same order."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        rows: Any = cast("Any", self).train_dataset if train_dataset is None else train_dataset
        lengths = [len(ids) for ids in rows["input_ids"]]
        args: Any = self.args
        # Over all processes: with any number of them, a step sees the same rows.
        batch = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        return RowsByLength(lengths, batch, args.seed, self._epochs_done)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate without drawing random numbers: dropout would miss them after a resume."""
        random: Any = torch.random
        with random.fork_rng(devices=[]):
            return self._evaluate(*args, **kwargs)

    _evaluate: Any = SFTTrainer.evaluate

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """No card: an unfilled template would change the digest of a checkpoint."""

    def _epochs_done(self) -> int:
        return math.floor((self.state.epoch or 0.0) + 1e-6)
