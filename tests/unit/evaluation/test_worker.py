from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sluice.child_process import Event, run_module
from sluice.data.parts import write_records
from sluice.data.record import Message, Record, content_id
from sluice.errors import EvaluationError
from sluice.evaluation.predictions import read_predictions
from sluice.evaluation.request import EvaluationRequest, ModelToScore
from tests.unit.evaluation.made_up import TEXTS

PHASES = ("answer", "score")
MODULE = "sluice.evaluation.worker"
REPOSITORY = Path(__file__).parents[3]
QUESTIONS = [("Hi", "Hello"), (TEXTS[0], TEXTS[1]), ("退货吗？", TEXTS[2])]


def make_request(folder: Path, tiny: dict[str, Path], rows: Path) -> EvaluationRequest:
    adapter = str(tiny["adapter"])
    return EvaluationRequest(
        base_folder=str(tiny["base"]),
        tokenizer=str(tiny["base"]),
        precision="fp32",
        threads=1,
        language="en",
        system_prompt="Be brief.",
        models=(
            ModelToScore("champion", adapter),
            ModelToScore("candidate", adapter),
            ModelToScore("base"),
        ),
        rows=str(rows),
        max_new_tokens=6,
        batch_size=2,
        out=str(folder / "out"),
    )


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows"
    chats = [(Message("user", q), Message("assistant", a)) for q, a in QUESTIONS]
    records = [Record(content_id(c), c, "test", line) for line, c in enumerate(chats, 1)]
    # The first is to be classified: its answer is its label. That of the second is about it.
    for i, label in enumerate(("Hello", "returns")):
        records[i] = replace(records[i], tags=(("label", label),))
    write_records(path, records)
    return path


@pytest.mark.server
def test_scores_base_and_adapter_in_a_process_of_its_own(
    tmp_path: Path, tiny_folders: dict[str, Path], rows: Path, tiny_model: Any, tiny_tokenizer: Any
) -> None:
    from sluice.data.parts import read_records
    from sluice.evaluation.likelihood import answer_likelihoods
    from sluice.training.chat import chat_row

    request = make_request(tmp_path, tiny_folders, rows)
    events: list[Event] = []
    done = run_module(
        MODULE, request.to_json(), tmp_path / "work", on_event=events.append, timeout_seconds=120
    )
    assert done == {"models": ["champion", "candidate", "base"], "rows": 3}
    found = read_predictions(tmp_path / "out", ["base", "champion", "candidate"])
    assert [row.question for row in found["base"].rows] == [q for q, _ in QUESTIONS]
    assert found["base"].rows_digest == found["candidate"].rows_digest
    assert [row.label for row in found["base"].rows] == ["Hello", None, None]
    # A second adapter replaces the first: the same bytes under another name answer the same.
    assert found["champion"].rows == found["candidate"].rows
    # The base is scored without the adapter: as here, where it never saw one.
    chats = [chat_row(tiny_tokenizer, r, "Be brief.") for r in read_records(rows)]
    alone = answer_likelihoods(tiny_model, tiny_tokenizer, chats, batch_size=3)
    for row, other, expected in zip(
        found["base"].rows, found["candidate"].rows, alone, strict=True
    ):
        assert row.nll == pytest.approx(expected.nll, abs=1e-4)
        assert abs(row.nll - other.nll) > 1e-3
    ended_phases = [(e["model"], e["phase"]) for e in events if e["done"] == e["total"]]
    scored = [(name, phase) for name in ("base", "champion", "candidate") for phase in PHASES]
    assert ended_phases == [("base", "load"), *scored]


def test_no_rows_is_a_sentence(tmp_path: Path, tiny_folders: dict[str, Path]) -> None:
    from sluice.evaluation.worker import run

    empty = tmp_path / "empty"
    write_records(empty, [])
    with pytest.raises(EvaluationError, match="holds no rows"):
        run(make_request(tmp_path, tiny_folders, empty).to_json(), lambda event: None)


@pytest.mark.parametrize("models", [[], [{"name": "base"}, {"name": "base"}], [{"nam": "base"}]])
def test_a_request_that_makes_no_sense_is_refused(
    tmp_path: Path, tiny_folders: dict[str, Path], models: list[dict[str, str]]
) -> None:
    fields = make_request(tmp_path, tiny_folders, tmp_path).to_json()
    assert EvaluationRequest.from_json(fields).models[0].name == "champion"
    with pytest.raises(EvaluationError):
        EvaluationRequest.from_json({**fields, "models": models})


def test_reading_scores_and_judging_them_needs_no_torch() -> None:
    code = (
        "import sys, sluice.evaluation.gate, sluice.evaluation.report, sluice.evaluation.scores, "
        "sluice.evaluation.markdown, sluice.evaluation.bootstrap, sluice.evaluation.request\n"
        "sys.exit(bool({'torch', 'evaluate', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0
