"""TRL's SFTTrainer, that sees the same rows in the same order whenever it is stopped."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import torch
import transformers.trainer_pt_utils
from torch.utils.data import Sampler
from trl.trainer.sft_trainer import SFTTrainer

from sluice.training.fast.adapter_linear import fast_adapters
from sluice.training.fast.answer_loss import answer_loss, last_hidden
from sluice.training.fast.flat_rows import flat_rows, pieces_of
from sluice.training.fast.inner import inner_model
from sluice.training.fast.isolated_attention import isolated_rows, use_isolated_attention
from sluice.training.fast.layer_parts import fast_parts
from sluice.training.fast.plan import Plan, plan_for
from sluice.training.launch.filler import filled
from sluice.training.methods.resuming import restored
from sluice.training.rows import NOT_LEARNED

# Typed in part only.
pt_utils: Any = transformers.trainer_pt_utils
ordinary: Any = SFTTrainer
_torch: Any = torch


class RowsByLength(Sampler[int]):
    """Rows of like length together (less padding), in an order of its own in each epoch.

    The order comes from seed and epoch alone. transformers' own sampler draws it from the global
    generator, whose state at the epoch's beginning a resumed training does not have. Several
    processes take `at_once` rows together; a filler completes the last of them.
    """

    def __init__(
        self, lengths: list[int], batch: int, seed: int, epoch: Callable[[], int], at_once: int = 1
    ) -> None:
        self._lengths, self._batch, self._at_once = lengths, batch, at_once
        self._seed, self._epoch = seed, epoch

    def __len__(self) -> int:
        return len(self._lengths) + -len(self._lengths) % self._at_once

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed + self._epoch())
        indices = pt_utils.get_length_grouped_indices(
            self._lengths, self._batch, generator=generator
        )
        return iter(filled(indices, self._at_once))


class Trainer(SFTTrainer):
    """An SFTTrainer that, stopped and resumed, sees the same rows in the same order.

    On a CPU it computes the same loss by shorter ways, as far as the model allows (`plan`).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        cast("Any", super()).__init__(*args, **kwargs)
        trl: Any = self
        model, settings = trl.model, trl.args
        self._learner: Any = model
        self.plan: Plan = plan_for(
            model,
            processes=settings.world_size,
            checkpointing=settings.gradient_checkpointing,
            rounded=settings.bf16,
            compiled=settings.torch_compile,
        )
        if self.plan.flat_rows is None:
            use_isolated_attention(inner_model(model))
            self.data_collator = flat_rows

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Train, with what can be computed by shorter ways computed so."""
        with contextlib.ExitStack() as pieces:
            if self.plan.adapters is None:
                pieces.enter_context(fast_adapters(self._learner))
            if self.plan.parts is None:
                pieces.enter_context(fast_parts(self._learner))
            return self._train(*args, **kwargs)

    _train: Any = ordinary.train

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss over answer tokens; without the logits, unless somebody asks for them."""
        if self.plan.loss is not None or return_outputs:
            return self._compute_loss(model, inputs, return_outputs, num_items_in_batch)
        labels = inputs.pop("labels")
        lengths, shared = inputs.pop("lengths", None), inputs.pop("shared", 0)
        tokens_read = inputs.pop("tokens", None)
        isolated = isolated_rows(lengths, shared) if lengths else contextlib.nullcontext()
        # accelerate puts autocast around the whole model's forward, which is not called here.
        with isolated, cast("Any", self).accelerator.autocast():
            hidden = last_hidden(model, **inputs)
        self._count(tokens_read or int(inputs["attention_mask"].sum()))
        tokens = (labels != NOT_LEARNED).sum() if num_items_in_batch is None else num_items_in_batch
        return answer_loss(hidden, model.get_output_embeddings(), labels, tokens)

    _compute_loss: Any = ordinary.compute_loss

    def training_step(
        self, model: Any, inputs: Any, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Forward and backward of one batch, piece by piece where its rows lie flat."""
        if self.plan.flat_rows is not None or num_items_in_batch is None:
            return self._training_step(model, inputs, num_items_in_batch)
        steps = [self._training_step(model, p, num_items_in_batch) for p in pieces_of(inputs)]
        return torch.stack(steps).sum()

    _training_step: Any = ordinary.training_step

    def _clip_grad_norm(self, model: Any) -> Any:
        """As ordinary, in three operations instead of three for each of hundreds of adapters."""
        if self.plan.adapters is not None:
            return self._clip_usual(model)
        found = [p.grad for p in self._learner.parameters() if p.grad is not None]
        length: Any = _torch.stack(_torch._foreach_norm(found)).norm()
        limit: float = self.args.max_grad_norm
        _torch._foreach_mul_(found, (limit / (length + 1e-6)).clamp(max=1.0))
        return length

    _clip_usual: Any = ordinary._clip_grad_norm

    def _count(self, tokens: int) -> None:
        """What TRL counts for its logs."""
        trl: Any = self
        training: bool = self._learner.training
        trl._total_train_tokens += tokens if training else 0
        trl._metrics["train" if training else "eval"]["num_tokens"] = [trl._total_train_tokens]

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if not restored(self._learner, Path(resume_from_checkpoint)):
            self._load_usual(resume_from_checkpoint, model)

    _load_usual: Any = ordinary._load_from_checkpoint

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        rows: Any = cast("Any", self).train_dataset if train_dataset is None else train_dataset
        lengths = [len(ids) for ids in rows["input_ids"]]
        args: Any = self.args
        at_once = 1
        if args.world_size > 1:
            lengths.pop()  # the filler
            at_once = args.train_batch_size * args.world_size
        # Over all processes: with any number of them, a step sees the same rows.
        batch = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        return RowsByLength(lengths, batch, args.seed, self._epochs_done, at_once)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate without drawing random numbers: dropout would miss them after a resume."""
        random: Any = torch.random
        with random.fork_rng(devices=[]):
            return self._evaluate(*args, **kwargs)

    _evaluate: Any = ordinary.evaluate

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """No card: an unfilled template would change the digest of a checkpoint."""

    def _epochs_done(self) -> int:
        return math.floor((self.state.epoch or 0.0) + 1e-6)
