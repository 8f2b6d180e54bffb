"""From a request to a trainer that only has to be started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers

from sluice.data.parts import read_records
from sluice.training.arguments import arguments_of
from sluice.training.checkpoints import UNFINISHED
from sluice.training.choices import Choices, choose, without_padding
from sluice.training.launch.filler import with_filler
from sluice.training.memory_choice import work_of
from sluice.training.methods.apply import prepared
from sluice.training.methods.catalogue import METHODS
from sluice.training.methods.resuming import callbacks_for
from sluice.training.refusals import refuse_nothing_to_learn, trainable_parameters
from sluice.training.request import TrainingRequest
from sluice.training.rows import RowCounts, longest_row, tokenised
from sluice.training.trainer import Trainer


def trainer_for(request: TrainingRequest, tokenizer: Any) -> tuple[Any, Choices, RowCounts]:
    """The trainer of a request, what was chosen for it, and what became of its rows.

    Raises:
        TrainingError: there is nothing to learn, or the recipe asks for what cannot be.
    """
    settings, base = request.settings, Path(request.base_folder)
    longest = _longest(request)
    rows, counts = _rows(request.train, request, tokenizer, longest)
    validation, _ = _rows(request.validation, request, tokenizer, longest)
    validated = len(validation) > 0
    refuse_nothing_to_learn(counts, settings, has_validation=validated)
    lengths = [len(ids) for ids in rows["input_ids"]]
    choices = choose(settings, work_of(base, lengths, settings.epochs))
    # Before the model: DeepSpeed's third stage shares it while it is being loaded.
    unfinished = Path(request.work) / UNFINISHED
    arguments = arguments_of(settings, choices, unfinished, has_validation=validated)
    model = prepared(request, choices.precision, tokenizer, attention=choices.attention)
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=with_filler(rows),
        eval_dataset=validation if validated else None,
        processing_class=tokenizer,
        callbacks=callbacks_for(settings, model),
    )
    return trainer, choices, counts


def _longest(request: TrainingRequest) -> int | None:
    configs: Any = transformers.AutoConfig  # typed in part only
    config = configs.from_pretrained(
        request.base_folder, local_files_only=True, trust_remote_code=request.remote_code
    )
    settings = request.settings
    before = settings.virtual_tokens if METHODS[settings.method].before_prompt else 0
    return longest_row(config, settings.max_length, before)


def _rows(
    folder: str, request: TrainingRequest, tokenizer: Any, longest: int | None
) -> tuple[Any, RowCounts]:
    records = read_records(Path(folder))
    return tokenised(records, tokenizer, request.system_prompt, longest)


def about(
    trainer: Any, request: TrainingRequest, choices: Choices, counts: RowCounts
) -> dict[str, Any]:
    """What a training is, before its first step: for the events and for the model's manifest."""
    # As they are in effect: a recovery from too little memory changes the first two.
    settings, processes = request.settings, trainer.args.world_size
    batch = {
        "batch_size": settings.batch_size,
        "gradient_accumulation": settings.gradient_accumulation,
        "processes": processes,
        "rows_per_step": settings.batch_size * settings.gradient_accumulation * processes,
    }
    if trainer.plan.flat_rows is None:  # known only once the model is there
        choices = without_padding(choices)
    return {
        "choices": choices.to_json(),
        "ordinary_ways": trainer.plan.to_json(),
        "rows": counts.to_json(),
        "effective_batch": batch,
        "trainable_parameters": trainable_parameters(trainer.model),
    }
