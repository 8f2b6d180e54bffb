"""The trainer's own process on a tiny model. Each training starts a process that imports torch."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from tiny_models import build_tiny_base
from tiny_training import SYSTEM, Place, placed, rows, trainers

from sluice.child_process import EVENTS, Event
from sluice.data.json_lines import read_json_lines
from sluice.errors import TrainingError
from sluice.lake import Lake, read_json
from sluice.refs import ModelRef
from sluice.training.artifact import ADAPTER, PROBE, TOKENIZER, TrainedModel
from sluice.training.loading import load_base, load_tokenizer, with_adapter
from sluice.training.probe import require_same
from sluice.training.rows import tokenised
from sluice.training.train import history_file, training_key

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]

PICKLES = {".bin", ".pt", ".pth", ".pkl", ".ckpt"}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_base(tmp_path_factory.mktemp("tiny") / "base")


@dataclass(frozen=True)
class Trained:
    place: Place
    model: ModelRef
    events: list[Event]


@pytest.fixture(scope="module")
def trained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A training that nothing interrupted."""
    place = placed(tmp_path_factory.mktemp("whole"), base)
    events: list[Event] = []
    return Trained(place, place.train(events.append), events)


def losses(events: list[Event], kind: str) -> list[float]:
    return [event["loss"] for event in events if event["kind"] == kind]


def test_it_learns(trained: Trained) -> None:
    steps = losses(trained.events, "step")
    assert len(steps) == 18
    assert sum(steps[-3:]) < 0.9 * sum(steps[:3])
    validation = losses(trained.events, "validation")
    assert len(validation) == 3
    assert validation[-1] < validation[0]


def test_it_says_what_was_chosen_as_it_then_was(trained: Trained) -> None:
    facts = trained.place.lake.manifest(trained.model)["training"]
    assert "flat_rows" not in facts["ordinary_ways"]
    assert facts["choices"]["padding_free"]
    (why,) = [why for why in facts["choices"]["reasons"] if why["about"] == "padding"]
    assert (why["taken"], why["reason"].split(" keeps")[0]) == ("off", "our own attention")


def test_it_leaves_safetensors_only_and_no_path_of_this_machine_in_them(trained: Trained) -> None:
    folder = trained.place.lake.path(trained.model)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert not {path.suffix for path in files} & PICKLES
    assert (folder / ADAPTER / "adapter_model.safetensors").is_file()
    assert (folder / TOKENIZER / "tokenizer.json").is_file()
    trained.place.lake.verify(trained.model)
    for path in files:
        assert str(trained.place.lake.root).encode() not in path.read_bytes()


def test_the_reloaded_model_computes_exactly_the_same(trained: Trained) -> None:
    folder = trained.place.lake.path(trained.model)
    facts = TrainedModel.read(folder)
    base = facts.find_base(trained.place.cache)
    model = with_adapter(load_base(base.folder, facts.precision), folder / ADAPTER, "default")
    require_same(model, load_tokenizer(folder / TOKENIZER), folder / PROBE, "the lake")
    assert (facts.rows, facts.dataset_digest) == (24, trained.place.dataset.digest)


def test_the_history_is_kept_and_the_checkpoints_are_not(trained: Trained) -> None:
    lake = trained.place.lake
    kept = read_json_lines(history_file(lake, trained.model))
    assert kept == trained.events
    assert list((lake.root / "work").iterdir()) == []


def test_a_finished_step_is_not_done_again(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("it trained again")

    monkeypatch.setattr("sluice.training.train.recovering", never)
    assert trained.place.train() == trained.model
    assert trained.place.train(timeout_minutes=1) == trained.model
    with pytest.raises(AssertionError, match="again"):
        trained.place.train(seed=8)


def test_a_kill_between_the_model_and_its_history_loses_neither(trained: Trained) -> None:
    lake, place = trained.place.lake, trained.place
    history = history_file(lake, trained.model)
    key = training_key(
        place.dataset,
        place.recipe(),
        TrainedModel.read(lake.path(trained.model)).find_base(place.cache),
    )
    history.rename(lake.work(key) / EVENTS)
    assert place.train() == trained.model
    assert history.exists()
    assert not (lake.root / "work" / key).exists()


def test_stop_and_resume_gives_the_same_bytes(
    trained: Trained, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between two checkpoints, with dropout: the digest is that of the whole."""
    # The tiny model makes its 18 steps in less than a second: look often, or the kill comes late.
    monkeypatch.setattr("sluice.child_process.POLL_SECONDS", 0.005)
    place = placed(tmp_path, base)

    def kill(event: Event) -> None:
        if event["kind"] == "step" and event["step"] == 6:
            (child,) = trainers()
            os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(TrainingError, match="was killed"):
        place.train(kill)
    events: list[Event] = []
    model = place.train(events.append)
    resumed = [e["resumed_from_step"] for e in events if e["kind"] == "start"]
    assert resumed[0] == 0
    assert 0 < resumed[1] < 18
    assert model.digest == trained.model.digest
    assert losses(events, "step") == losses(trained.events, "step")
    assert place.lake.manifest(model)["training"]["steps"] == 18


def test_a_kill_after_the_last_step_costs_no_step(
    trained: Trained, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    place = placed(tmp_path, base)
    with monkeypatch.context() as patch:
        patch.setattr(Lake, "commit", die)
        with pytest.raises(KeyboardInterrupt):
            place.train()
    model = place.train()
    assert place.lake.manifest(model)["training"]["resumed_from_step"] == 18
    assert model.digest == trained.model.digest
    kept = read_json_lines(history_file(place.lake, model))
    assert losses(kept, "step") == losses(trained.events, "step")


def test_a_loss_that_is_not_a_number_stops_with_advice(base: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(base, tmp_path / "base"))
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    place = placed(tmp_path, broken)
    with pytest.raises(TrainingError, match=r"loss became nan at step 1\..*Lower `training\.learn"):
        place.train()
    assert not (place.lake.root / "models").exists()


def test_only_the_answer_is_learned(base: Path) -> None:
    tokenizer = load_tokenizer(base)
    found, counts = tokenised(rows(8), tokenizer, SYSTEM, None)
    answers = {f"{row.answer}<|im_end|>" for row in rows(8)}
    for row in found:
        given = [i for i, label in zip(row["input_ids"], row["labels"], strict=True) if label < 0]
        learned = [label for label in row["labels"] if label >= 0]
        assert tokenizer.decode(learned) in answers
        assert SYSTEM in tokenizer.decode(given)
        assert tokenizer.decode(given).endswith("<|im_start|>assistant\n")
    assert counts.rows == 8
    assert counts.cut == counts.without_answer == 0
    assert counts.answer_tokens == sum(label >= 0 for row in found for label in row["labels"])


def test_a_request_is_left_for_whoever_looks_why(
    trained: Trained, base: Path, tmp_path: Path
) -> None:
    place = placed(tmp_path, base)

    def stop(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.train(stop)
    (work,) = (p for p in (place.lake.root / "work").iterdir() if p.name.startswith("train-"))
    assert read_json(work / "request.json")["settings"]["rank"] == 4
    assert trainers() == []


@pytest.mark.slow
def test_a_compiled_training_learns_what_another_does(base: Path, tmp_path: Path) -> None:
    """The first two losses are those of one step; later ones drift with the last digits."""
    events: list[Event] = []
    place = placed(tmp_path, base)
    model = place.train(events.append, compile="on", epochs=1)
    usual: list[Event] = []
    placed(tmp_path / "usual", base).train(usual.append, epochs=1)
    first = [[e["loss"] for e in found if e["kind"] == "step"][:2] for found in (events, usual)]
    assert first[0] == pytest.approx(first[1], rel=1e-4)
    ways = place.lake.manifest(model)["training"]["ordinary_ways"]
    assert set(ways.values()) == {"the recipe has the model compiled instead"}
