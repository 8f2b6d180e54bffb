from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tiny_models import CHATML
from tiny_versions import build_version, build_wide_base

from sluice.child_process import Event, run_module
from sluice.data.parts import read_records, write_records
from sluice.data.record import Message, Record, content_id
from sluice.errors import EvaluationError
from sluice.evaluation.generation import generate_answers
from sluice.evaluation.likelihood import answer_likelihoods
from sluice.evaluation.predictions import Predictions, read_predictions
from sluice.evaluation.request import EvaluationRequest, ModelToScore
from sluice.evaluation.worker import run
from sluice.lake import Lake
from sluice.refs import ModelRef
from sluice.training.artifact import TOKENIZER, TrainedModel
from sluice.training.chat import chat_row
from sluice.training.loading import load_base, load_tokenizer, load_trained
from tests.unit.evaluation.made_up import TEXTS

PHASES = ("load", "answer", "score")
SYSTEM = "Be brief."
MODULE = "sluice.evaluation.worker"
REPOSITORY = Path(__file__).parents[3]
QUESTIONS = [("Hi", "Hello"), (TEXTS[0], TEXTS[1]), ("退货吗？", TEXTS[2])]


@dataclass(frozen=True)
class Place:
    lake: Lake
    base: Path

    def folder(self, method: str, **more: Any) -> str:
        """The folder of a version of a method, made when it is first asked for."""
        found = self.lake.find(f"{method}-1-nf4", ModelRef)
        ref = found or build_version(self.lake, self.base, method, seed=1, **more)
        return str(self.lake.path(ref))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    home = tmp_path_factory.mktemp("contest")
    return Place(Lake(home / "lake"), build_wide_base(home / "base"))


def make_request(folder: Path, place: Place, rows: Path, **more: Any) -> EvaluationRequest:
    lora = place.folder("lora", system_prompt=SYSTEM)
    fields: dict[str, Any] = {
        "base_folder": str(place.base),
        "tokenizer": str(place.base),
        "precision": "fp32",
        "quantization": None,
        "remote_code": False,
        "threads": 1,
        "language": "en",
        "system_prompt": SYSTEM,
        "models": (
            ModelToScore("champion", lora),
            ModelToScore("candidate", lora),
            ModelToScore("base"),
        ),
        "rows": str(rows),
        "max_new_tokens": 6,
        "batch_size": 2,
        "out": str(folder / "out"),
    }
    return EvaluationRequest(**{**fields, **more})


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
    tmp_path: Path, place: Place, rows: Path
) -> None:
    request = make_request(tmp_path, place, rows)
    events: list[Event] = []
    done = run_module(
        MODULE, request.to_json(), tmp_path / "work", on_event=events.append, timeout_seconds=120
    )
    assert done == {"models": ["champion", "candidate", "base"], "rows": 3}
    found = read_predictions(tmp_path / "out", ["base", "champion", "candidate"])
    assert [row.question for row in found["base"].rows] == [q for q, _ in QUESTIONS]
    assert found["base"].rows_digest == found["candidate"].rows_digest
    assert [row.label for row in found["base"].rows] == ["Hello", None, None]
    # The same bytes under another name answer the same.
    assert found["champion"].rows == found["candidate"].rows
    assert found["base"].rows != found["candidate"].rows
    ended_phases = [(e["model"], e["phase"]) for e in events if e["done"] == e["total"]]
    names = ("base", "champion", "candidate")
    assert ended_phases == [(name, phase) for name in names for phase in PHASES]


def alone(model: Any, tokenizer: Any, rows: Path, system_prompt: str | None) -> list[Any]:
    """Answers and likelihoods of one model that nothing else ever shared memory with."""
    chats = [chat_row(tokenizer, record, system_prompt) for record in read_records(rows)]
    found: list[Any] = []
    for chat in chats:
        (answer,) = generate_answers(
            model, tokenizer, [chat.prompt_ids], max_new_tokens=6, batch_size=1
        )
        (likelihood,) = answer_likelihoods(model, [chat], batch_size=1)
        found.append((answer.text, pytest.approx(likelihood.nll, rel=1e-4), likelihood.tokens))
    return found


def told(found: Predictions) -> list[Any]:
    return [(row.answer, row.nll, row.tokens) for row in found.rows]


CONTESTS = [
    ("lora", "full"),
    ("full", "prefix"),
    ("prompt", "ia3"),
    ("p_tuning", "hybrid"),
    ("vera", "adalora"),
    ("lora", "qlora"),
    ("dora", "pissa"),
]


@pytest.mark.parametrize(("champion", "candidate"), CONTESTS)
def test_each_model_is_scored_as_if_it_were_alone(
    tmp_path: Path, place: Place, rows: Path, champion: str, candidate: str
) -> None:
    """Whatever the two methods are; and in a batch as one by one, which is how it is served."""
    wanted = {name: place.folder(name) for name in (champion, candidate)}
    facts = {name: TrainedModel.read(Path(folder)) for name, folder in wanted.items()}
    form = facts[candidate].quantization
    request = make_request(
        tmp_path,
        place,
        rows,
        quantization=form,
        batch_size=3,
        models=(
            ModelToScore("base"),
            ModelToScore("champion", wanted[champion]),
            ModelToScore("candidate", wanted[candidate]),
        ),
    )
    run(request.to_json(), lambda event: None)
    found = read_predictions(tmp_path / "out", ["base", "champion", "candidate"])
    tokenizer = load_tokenizer(place.base)
    for role, name in (("champion", champion), ("candidate", candidate)):
        model = load_trained(Path(wanted[name]), place.base, facts[name])
        assert told(found[role]) == alone(model, tokenizer, rows, facts[name].system_prompt)
    bare = load_base(place.base, "fp32", quantization=form)
    assert told(found["base"]) == alone(bare, tokenizer, rows, SYSTEM)


def test_each_model_is_asked_with_its_own_template_and_system_prompt(
    tmp_path: Path, place: Place, rows: Path
) -> None:
    shouting = CHATML.replace("message['content']", "message['content'] | upper")
    ref = build_version(
        place.lake, place.base, "lora", seed=7, system_prompt="Shout.", chat_template=shouting
    )
    folder = place.lake.path(ref)
    request = make_request(tmp_path, place, rows, models=(ModelToScore("candidate", str(folder)),))
    run(request.to_json(), lambda event: None)
    model = load_trained(folder, place.base, TrainedModel.read(folder))
    expected = alone(model, load_tokenizer(folder / TOKENIZER), rows, "Shout.")
    assert told(read_predictions(tmp_path / "out", ["candidate"])["candidate"]) == expected


def test_no_rows_is_a_sentence(tmp_path: Path, place: Place) -> None:
    empty = tmp_path / "empty"
    write_records(empty, [])
    with pytest.raises(EvaluationError, match="holds no rows"):
        run(make_request(tmp_path, place, empty).to_json(), lambda event: None)


@pytest.mark.parametrize("models", [[], [{"name": "base"}, {"name": "base"}], [{"nam": "base"}]])
def test_a_request_that_makes_no_sense_is_refused(
    tmp_path: Path, place: Place, models: list[dict[str, str]]
) -> None:
    fields = make_request(tmp_path, place, tmp_path).to_json()
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
