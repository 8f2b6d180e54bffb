"""Answer and score the evaluation rows with several models, in a process of its own.

Run as `sluice.child_process` says: `python -m sluice.evaluation.worker request.json` takes one
model after another, each as it is served. Events: {"model", "phase", "done", "total", "seconds"},
where the phases are `load`, `answer` and `score`. Result: {"models", "rows"}.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before transformers: everything is a local folder

from sluice.child_process import Event, run_child
from sluice.data.parts import read_records
from sluice.data.record import Record
from sluice.errors import EvaluationError
from sluice.evaluation.contestants import Contestant, Contestants
from sluice.evaluation.generation import generate_answers
from sluice.evaluation.labels import said
from sluice.evaluation.likelihood import answer_likelihoods
from sluice.evaluation.predictions import Prediction, Predictions
from sluice.evaluation.request import EvaluationRequest, ModelToScore
from sluice.training.chat import chat_row
from sluice.training.loading import use_threads

Emit = Callable[[Event], None]


def run(fields: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Write the predictions of every model that the request names; returns what was done."""
    request = EvaluationRequest.from_json(fields)
    records = read_records(Path(request.rows))
    if not records:
        raise EvaluationError(f"{request.rows} holds no rows; there is nothing to score.")
    use_threads(request.threads)
    out = Path(request.out)
    out.mkdir(parents=True, exist_ok=True)
    contestants = Contestants(request)
    for wanted in contestants:
        # Nothing here keeps a model: the one before is gone when the next one is loaded.
        _predict(contestants, wanted, records, request, emit).write(out)
    return {"models": [wanted.name for wanted in request.models], "rows": len(records)}


def _predict(
    contestants: Contestants,
    wanted: ModelToScore,
    records: list[Record],
    request: EvaluationRequest,
    emit: Emit,
) -> Predictions:
    loaded = _phase(emit, wanted.name, "load", 1)
    contestant = contestants.load(wanted)
    loaded(1)
    return predict(contestant, records, wanted.name, request, emit)


def _phase(emit: Emit, model: str, phase: str, total: int) -> Callable[[int], None]:
    """Announce a phase; returns what to call with the number of rows done so far."""
    started = time.monotonic()

    def done(count: int) -> None:
        seconds = round(time.monotonic() - started, 3)
        event = {"model": model, "phase": phase, "done": count, "total": total}
        emit({**event, "seconds": seconds})

    done(0)
    return done


def predict(
    contestant: Contestant,
    records: list[Record],
    name: str,
    request: EvaluationRequest,
    emit: Emit,
) -> Predictions:
    """Answer every question and score every reference answer with one model."""
    model, tokenizer = contestant.model, contestant.tokenizer
    rows = [chat_row(tokenizer, record, contestant.system_prompt) for record in records]
    answers = generate_answers(
        model,
        tokenizer,
        [row.prompt_ids for row in rows],
        max_new_tokens=request.max_new_tokens,
        batch_size=request.batch_size,
        progress=_phase(emit, name, "answer", len(rows)),
    )
    likelihoods = answer_likelihoods(
        model, rows, batch_size=request.batch_size, progress=_phase(emit, name, "score", len(rows))
    )
    return Predictions(
        name,
        tuple(
            Prediction(
                id=record.id,
                question=record.question,
                reference=record.answer,
                answer=answer.text,
                answer_tokens=answer.tokens,
                cut_off=answer.cut_off,
                nll=likelihood.nll,
                tokens=likelihood.tokens,
                label=_label_of(record),
            )
            for record, answer, likelihood in zip(records, answers, likelihoods, strict=True)
        ),
    )


def _label_of(record: Record) -> str | None:
    """The label of a row that is to be classified: whose answer is its label and nothing else."""
    label = record.tag("label")
    return label if label is not None and said(label) == said(record.answer) else None


if __name__ == "__main__":
    run_child(run)
