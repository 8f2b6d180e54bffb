"""The trainer's own process: TRL's SFTTrainer over prompt/completion rows, resumable at any step.

Run as `python -m sluice.training.worker REQUEST`; started by `sluice.training.train`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import datasets  # pyright: ignore[reportMissingTypeStubs]
import safetensors.torch
import torch
import transformers.trainer_pt_utils
from peft import LoraConfig
from torch.utils.data import Sampler
from transformers import TrainerCallback, set_seed
from transformers.utils import logging as transformers_logging
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from sluice.child_process import Event, EventWriter, run_child
from sluice.data.parts import read_records
from sluice.data.record import Record
from sluice.errors import TrainingError
from sluice.recipe import TrainingSection
from sluice.training.artifact import ADAPTER, PROBE, TOKENIZER
from sluice.training.checkpoints import newest_verified, seal, step_of
from sluice.training.loading import (
    as_chat,
    as_prompt,
    chosen_precision,
    load_base,
    load_tokenizer,
    use_threads,
)
from sluice.training.probe import probe_logits

KEPT_CHECKPOINTS = 2

# These are typed in part only.
Dataset: Any = datasets.Dataset
tensors: Any = safetensors.torch
pt_utils: Any = transformers.trainer_pt_utils


def train(request: dict[str, Any], emit: EventWriter) -> dict[str, Any]:
    """Train one adapter and leave it in `request["out"]`; returns facts about the training."""
    transformers_logging.disable_progress_bar()
    settings = TrainingSection.model_validate(request["training"])
    work, out = Path(request["work"]), Path(request["out"])
    threads = use_threads(settings.threads)
    set_seed(settings.seed)
    precision = chosen_precision(settings.precision)
    tokenizer = load_tokenizer(Path(request["base_folder"]))
    trainer = _trainer(request, settings, precision, tokenizer, work)
    resumed = newest_verified(work)
    emit.keep(lambda event: event.get("step", 0) <= (step_of(resumed) if resumed else 0))
    follower = _Follower(emit, work, step_of(resumed) if resumed else 0)
    trainer.add_callback(follower)
    trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    _refuse_nothing_learned(trainer.state.log_history)
    _save(trainer.model, tokenizer, request, out)
    return {
        "precision": precision,
        "threads": threads,
        "steps": trainer.state.global_step,
        "resumed_from_step": step_of(resumed) if resumed else 0,
        "trainable_parameters": _trainable(trainer.model),
    }


def _trainer(
    request: dict[str, Any], settings: TrainingSection, precision: str, tokenizer: Any, work: Path
) -> Any:
    system_prompt = request["system_prompt"]
    rows = read_records(Path(request["train"]))
    validation = read_records(Path(request["validation"]))
    return _Trainer(
        model=load_base(Path(request["base_folder"]), precision),
        args=_arguments(settings, work, has_validation=bool(validation)),
        train_dataset=_dataset(rows, system_prompt),
        eval_dataset=_dataset(validation, system_prompt) if validation else None,
        processing_class=tokenizer,
        peft_config=_adapter(settings),
    )


class _ByLength(Sampler[int]):
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


class _Trainer(SFTTrainer):
    """An SFTTrainer that, stopped and resumed, sees the same rows in the same order."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        rows: Any = cast("Any", self).train_dataset if train_dataset is None else train_dataset
        lengths = [len(ids) for ids in rows["input_ids"]]
        batch = self.args.train_batch_size * self.args.gradient_accumulation_steps
        return _ByLength(lengths, batch, self.args.seed, self._epochs_done)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate without drawing random numbers: dropout would miss them after a resume."""
        random: Any = torch.random
        with random.fork_rng(devices=[]):
            return self._evaluate(*args, **kwargs)

    _evaluate: Any = SFTTrainer.evaluate

    def _epochs_done(self) -> int:
        return math.floor((self.state.epoch or 0.0) + 1e-6)


def _arguments(settings: TrainingSection, work: Path, *, has_validation: bool) -> SFTConfig:
    on_cpu = not torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(work),
        use_cpu=on_cpu,
        # The weights themselves are bf16 where that pays; autocast on top only adds conversions.
        bf16=False,
        gradient_checkpointing=False,  # it trades speed for memory that small adapters do not need
        max_length=None,  # cleaning has bounded every row, so nothing is cut off here
        completion_only_loss=True,  # the question is given at serving time: learn the answer
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.scheduler,
        warmup_steps=settings.warmup_ratio,
        weight_decay=settings.weight_decay,
        seed=settings.seed,
        data_seed=settings.seed,
        eval_strategy="epoch" if has_validation else "no",
        save_strategy="steps",
        save_steps=settings.checkpoint_every_steps,
        save_total_limit=KEPT_CHECKPOINTS,
        logging_steps=1,
        logging_nan_inf_filter=False,  # a NaN must be seen, not averaged away
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )


def _adapter(settings: TrainingSection) -> LoraConfig:
    return LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules="all-linear",  # QLoRA paper: adapting all layers matters most
        task_type="CAUSAL_LM",
    )


def _dataset(rows: list[Record], system_prompt: str | None) -> Any:
    with_tools = any(row.tools for row in rows)
    return Dataset.from_list(
        [
            {
                "prompt": as_prompt(row.prompt, system_prompt),
                "completion": as_chat(row.messages[-1:], None),
                **({"tools": row.tools} if with_tools else {}),
            }
            for row in rows
        ]
    )


def _refuse_nothing_learned(history: list[dict[str, Any]]) -> None:
    # The history comes back with a checkpoint; the trainer's own mean covers only what is done
    # now, and is 0 where the kill came after the last checkpoint.
    losses = [float(entry["loss"]) for entry in history if "loss" in entry]
    loss = sum(losses) / len(losses) if losses else 0.0
    if not math.isfinite(loss) or loss == 0.0:
        raise TrainingError(
            f"The mean training loss is {loss}: nothing was learned, so there is no model. "
            "Lower `training.learning_rate`, or look whether the answers are empty."
        )


def _trainable(model: Any) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def _save(model: Any, tokenizer: Any, request: dict[str, Any], out: Path) -> None:
    model.eval()
    # The path of this machine means nothing elsewhere, and would change the digest.
    config = model.peft_config["default"]
    config.base_model_name_or_path = request["base"]
    config.target_modules = sorted(config.target_modules)  # a set: its order differs by process
    model.save_pretrained(str(out / ADAPTER), safe_serialization=True)
    (out / ADAPTER / "README.md").unlink(missing_ok=True)  # an unfilled template
    tokenizer.save_pretrained(str(out / TOKENIZER))
    logits = probe_logits(model, tokenizer)
    if not all(bool(torch.isfinite(values).all()) for values in logits.values()):
        raise TrainingError(
            "The trained model computes NaN or infinity. No model was kept. Lower "
            "`training.learning_rate` (LoRA: 1e-4 to 2e-4), or set `training.precision: fp32`."
        )
    tensors.save_file(logits, str(out / PROBE))


class _Follower(TrainerCallback):
    """Writes each logged step as an event, seals each checkpoint, and stops on a NaN."""

    def __init__(self, emit: EventWriter, work: Path, resumed_step: int) -> None:
        self._emit, self._work, self._resumed = emit, work, resumed_step
        self._started = time.monotonic()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._emit(
            {"kind": "start", "total_steps": state.max_steps, "resumed_from_step": self._resumed}
        )

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        facts = {name: float(value) for name, value in (logs or {}).items()}
        event = self._event(facts, state)
        if event is None:
            return
        self._emit(event)
        if not math.isfinite(event["loss"]):
            raise TrainingError(
                f"The loss became {event['loss']} at step {state.global_step}. Training was "
                "stopped and no model was kept. Lower `training.learning_rate` (LoRA: 1e-4 to "
                "2e-4), or set `training.precision: fp32`."
            )

    def _event(self, logs: dict[str, float], state: Any) -> Event | None:
        common = {"step": state.global_step, "total_steps": state.max_steps}
        if "eval_loss" in logs:
            return {"kind": "validation", **common, "loss": logs["eval_loss"]}
        if "loss" not in logs:
            return None
        seconds = time.monotonic() - self._started
        return {
            "kind": "step",
            **common,
            "loss": logs["loss"],
            "learning_rate": logs.get("learning_rate", 0.0),
            "grad_norm": logs.get("grad_norm", 0.0),
            "tokens": logs.get("num_tokens", 0.0),
            "seconds": round(seconds, 2),
        }

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        seal(self._work / f"checkpoint-{state.global_step}")
        self._emit({"kind": "checkpoint", "step": state.global_step})


if __name__ == "__main__":
    run_child(train)
