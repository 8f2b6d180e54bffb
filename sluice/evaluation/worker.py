"""Answer and score the evaluation rows with several models, in a process of its own.

Run as `sluice.child_process` says: `python -m sluice.evaluation.worker request.json` loads the base
model once and puts each adapter on it in turn. Events: {"model", "phase", "done", "total",
"seconds"}, where the phases are `load`, `answer` and `score`. Result: {"models", "rows"}.
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
from sluice.evaluation.generation import generate_answers
from sluice.evaluation.labels import said
from sluice.evaluation.likelihood import answer_likelihoods
from sluice.evaluation.predictions import Prediction, Predictions
from sluice.evaluation.request import EvaluationRequest, ModelToScore
from sluice.training.chat import chat_row
from sluice.training.loading import load_base, load_tokenizer, use_threads, with_adapter

Emit = Callable[[Event], None]


def run(fields: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Write the predictions of every model that the request names; returns what was done."""
    request = EvaluationRequest.from_json(fields)
    records = read_records(Path(request.rows))
    if not records:
        raise EvaluationError(f"{request.rows} holds no rows; there is nothing to score.")
    use_threads(request.threads)
    loaded = _phase(emit, "base", "load", 1)
    tokenizer = load_tokenizer(Path(request.tokenizer))
    model = load_base(Path(request.base_folder), request.precision)
    loaded(1)
    out = Path(request.out)
    out.mkdir(parents=True, exist_ok=True)
    # Models without an adapter first: scored before any adapter touches the base.
    for wanted in sorted(request.models, key=lambda m: m.adapter is not None):
        model = _activate(model, wanted)
        predict(model, tokenizer, records, wanted.name, request, emit).write(out)
    return {"models": [wanted.name for wanted in request.models], "rows": len(records)}


def _phase(emit: Emit, model: str, phase: str, total: int) -> Callable[[int], None]:
    """Announce a phase; returns what to call with the number of rows done so far."""
    started = time.monotonic()

    def done(count: int) -> None:
        seconds = round(time.monotonic() - started, 3)
        event = {"model": model, "phase": phase, "done": count, "total": total}
        emit({**event, "seconds": seconds})

    done(0)
    return done


def _activate(model: Any, wanted: ModelToScore) -> Any:
    """The model with the wanted adapter on, and only it."""
    if wanted.adapter is None:
        return model
    adapted = with_adapter(model, Path(wanted.adapter), wanted.name)
    adapted.set_adapter(wanted.name)
    return adapted.eval()


def predict(
    model: Any,
    tokenizer: Any,
    records: list[Record],
    name: str,
    request: EvaluationRequest,
    emit: Emit,
) -> Predictions:
    """Answer every question and score every reference answer with one model."""
    rows = [chat_row(tokenizer, record, request.system_prompt) for record in records]
    answers = generate_answers(
        model,
        tokenizer,
        [row.prompt for row in rows],
        max_new_tokens=request.max_new_tokens,
        batch_size=request.batch_size,
        progress=_phase(emit, name, "answer", len(rows)),
    )
    likelihoods = answer_likelihoods(
        model,
        tokenizer,
        rows,
        batch_size=request.batch_size,
        progress=_phase(emit, name, "score", len(rows)),
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
