"""Runs and versions in a real MLflow store on SQLite. Publishing starts a process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file
from tiny_models import build_tiny_base

from sluice.errors import IntegrityError, RegistryError
from sluice.lake import Lake
from sluice.refs import Evidence, ModelRef
from sluice.registry import tracking
from sluice.registry.connection import client_for
from sluice.registry.tracking import (
    EventFeed,
    Tracked,
    close_run,
    log_scores,
    open_run,
    send_history,
)
from sluice.registry.versions import (
    CHALLENGER,
    CHAMPION,
    by_alias,
    by_number,
    drop_challenger,
    register,
    set_challenger,
    set_champion,
    tag_version,
)
from sluice.training.artifact import ADAPTER, PROBE, TOKENIZER, TrainedModel
from sluice.training.base_model import resolve_base
from sluice.training.loading import load_base, load_tokenizer
from sluice.training.probe import probe_logits

pytestmark = [
    pytest.mark.server,
    pytest.mark.filterwarnings("default"),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def uri(folder: Path) -> str:
    return f"sqlite:///{folder}/mlflow.db"


@pytest.fixture
def run(uri: str, folder: Path, request: pytest.FixtureRequest) -> Tracked:
    """A run with a key of its own."""
    return open_run(uri, "shop", f"key-{request.node.name}", {"a": 1}, folder / "artifacts")


def points(run: Tracked, name: str) -> list[tuple[int, int, float]]:
    found = client_for(run.uri).get_metric_history(run.run_id, name)
    return sorted((point.step, point.timestamp, point.value) for point in found)


def event(step: int, **more: Any) -> dict[str, Any]:
    return {"kind": "step", "step": step, "time_ms": 1000 * step, "loss": 1.0 / step, **more}


def test_a_run_is_opened_once_for_a_key(uri: str, folder: Path) -> None:
    first = open_run(uri, "shop", "abc", {"rank": 4, "long": "x" * 900}, folder / "artifacts")
    close_run(first, "FAILED", "failed")
    again = open_run(uri, "shop", "abc", {"rank": 4}, folder / "artifacts")
    assert again == first
    assert again.url is None
    assert client_for(uri).get_run(first.run_id).info.status == "RUNNING"
    assert client_for(uri).get_run(first.run_id).data.params["rank"] == "4"
    assert open_run(uri, "shop", "abd", {}, folder / "artifacts") != first


def test_points_keep_their_own_step_and_time(run: Tracked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "SEND_SECONDS", 0.0)
    feed = EventFeed(run)
    for step in range(1, 6):
        feed(event(step, learning_rate=0.1))
    feed({"kind": "checkpoint", "step": 5})
    feed({"kind": "validation", "step": 5, "time_ms": 5500, "loss": 0.3})
    assert points(run, "train/loss") == [(n, 1000 * n, 1.0 / n) for n in range(1, 6)]
    assert points(run, "validation/loss") == [(5, 5500, 0.3)]


def test_what_mlflow_does_not_take_is_sent_when_it_is_back(
    run: Tracked, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(uri: str) -> Any:
        raise ConnectionError("refused")

    monkeypatch.setattr(tracking, "SEND_SECONDS", 0.0)
    monkeypatch.setattr(tracking, "RETRY_SECONDS", 0.0)
    feed = EventFeed(run)
    with monkeypatch.context() as patch:
        patch.setattr(tracking, "client_for", away)
        for step in range(1, 1500):
            feed(event(step))
    assert [r.message for r in caplog.records if "does not answer" in r.message] == [
        "MLflow does not answer; training goes on, metrics wait: refused"
    ]
    for step in (1500, 1501):  # more waits than fits in one call
        feed(event(step))
    assert points(run, "train/loss") == [(n, 1000 * n, 1.0 / n) for n in range(1, 1502)]


def test_the_whole_history_sent_again_adds_nothing(run: Tracked) -> None:
    history = [event(step) for step in range(1, 1001)]
    send_history(run, history[:300])
    send_history(run, [{"kind": "start", "total_steps": 9, "time_ms": 1}, *history])
    send_history(run, history)
    assert points(run, "train/loss") == [(n, 1000 * n, 1.0 / n) for n in range(1, 1001)]
    with pytest.raises(RegistryError, match="failed while sending the loss curve"):
        send_history(Tracked("http://127.0.0.1:9", "run", "0"), history)


def test_without_a_run_live_events_are_let_go() -> None:
    EventFeed(None)(event(1))


def test_a_server_that_is_down_delays_training_by_seconds_at_most(folder: Path) -> None:
    feed = EventFeed(Tracked("http://127.0.0.1:9", "run", "0"))
    feed(event(1))
    feed(event(2))  # within the pause it is not asked again
    assert len(feed._waiting) == 2


def test_a_registry_that_is_down_is_one_clear_error(folder: Path) -> None:
    uri = "http://127.0.0.1:9"
    for ask in (
        lambda: open_run(uri, "shop", "k", {}, folder),
        lambda: by_alias(uri, "shop", CHAMPION),
        lambda: set_champion(uri, "shop", "1"),
    ):
        with pytest.raises(RegistryError, match=r"127\.0\.0\.1:9 failed while .* run again"):
            ask()
    close_run(Tracked(uri, "run", "0"), "FINISHED", "promoted")  # only a warning


def test_scores_tags_and_files_are_kept(run: Tracked, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<p>")
    scores = {"base/bleu": 1.5, "base/rouge_l": float("nan")}
    log_scores(
        run, scores, {"sluice.verdict": "promote"}, {"": tmp_path / "report.html", "all": tmp_path}
    )
    data = client_for(run.uri).get_run(run.run_id).data
    assert data.metrics == {"base/bleu": 1.5}
    assert data.tags["sluice.verdict"] == "promote"
    listed = [item.path for item in client_for(run.uri).list_artifacts(run.run_id)]
    assert sorted(listed) == ["all", "report.html"]


def test_an_alias_that_is_not_there_is_none(uri: str) -> None:
    assert by_alias(uri, "no such model", CHAMPION) is None
    client_for(uri).create_registered_model("bare")
    assert by_alias(uri, "bare", CHAMPION) is None
    set_champion(uri, "bare", None)
    drop_challenger(uri, "bare", "1")
    with pytest.raises(RegistryError, match="bare has no version 7"):
        by_number(uri, "bare", "7")


def _model(lake: Lake, base: Path, cache: Path, seed: int, spoil: bool = False) -> ModelRef:
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    config = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    model: Any = get_peft_model(load_base(base, "fp32"), config)
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.3)
    model.eval()
    digest = resolve_base(str(base), None, cache).digest
    facts = TrainedModel(str(base), None, digest, "lora", "fp32", None, "d" * 64, "r" * 64, 9)
    tokenizer = load_tokenizer(base)
    with lake.aside() as out:
        logits = probe_logits(model, tokenizer)
        if spoil:
            logits["prompt_0"] += 1e-3
        save_file(logits, out / PROBE)
        model.save_pretrained(out / ADAPTER)
        tokenizer.save_pretrained(out / TOKENIZER)
        facts.write(out)
        return lake.commit(
            out, "models", f"m{seed}", lambda u, d: ModelRef(u, d, str(base), "lora")
        )


@pytest.fixture(scope="module")
def publish(uri: str, folder: Path) -> Callable[..., Any]:
    """Register a tiny model in a real store; gives the model and the function itself."""
    lake, cache = Lake(folder / "lake"), folder / "cache"
    base = build_tiny_base(folder / "base")

    def go(seed: int, *, spoil: bool = False, tamper: bool = False) -> Any:
        model = _model(lake, base, cache, seed, spoil)
        if tamper:
            weights = lake.path(model) / ADAPTER / "adapter_model.safetensors"
            content = bytearray(weights.read_bytes())
            content[-1] ^= 1
            weights.write_bytes(content)
        evidence = Evidence(f"evidence/{seed:064x}", f"{seed:064x}", "promote")
        run = open_run(uri, "tiny", f"run{seed}", {}, folder / "artifacts")
        return register(uri, "tiny", run.run_id, model, evidence, lake, cache), model

    return go


def test_a_version_is_registered_once_with_its_digests(
    uri: str, publish: Callable[..., Any]
) -> None:
    version, model = publish(1)
    again, _ = publish(1)
    assert again == version
    assert (version.digest, version.uri) == (model.digest, model.uri)
    assert version.evidence_digest == f"{1:064x}"
    assert by_alias(uri, "tiny", CHALLENGER) == version == by_number(uri, "tiny", version.version)
    assert by_alias(uri, "tiny", CHAMPION) is None
    found = client_for(uri).get_model_version("tiny", version.version)
    assert found.tags["sluice.dataset_digest"] == "d" * 64
    assert found.tags["sluice.recipe_digest"] == "r" * 64
    assert found.tags["sluice.verdict"] == "promote"
    assert len(client_for(uri).search_model_versions("name = 'tiny'")) == 1

    set_champion(uri, "tiny", version.version)
    assert by_alias(uri, "tiny", CHAMPION) == version
    assert by_alias(uri, "tiny", CHALLENGER) is None
    publish(1)
    assert by_alias(uri, "tiny", CHALLENGER) is None, "the champion does not challenge itself"
    set_challenger(uri, "tiny", version.version)
    drop_challenger(uri, "tiny", "99")
    assert by_alias(uri, "tiny", CHALLENGER) == version
    drop_challenger(uri, "tiny", version.version)
    assert by_alias(uri, "tiny", CHALLENGER) is None
    tag_version(uri, "tiny", version.version, {"sluice.outcome": "promoted"})
    set_champion(uri, "tiny", None)
    assert by_alias(uri, "tiny", CHAMPION) is None


@pytest.mark.parametrize("flaw", ["tamper", "spoil"])
def test_what_is_not_what_was_trained_is_never_registered(
    uri: str, publish: Callable[..., Any], flaw: str
) -> None:
    """Changed bytes, or (a model whose logits are not those of its probe) a broken reload."""
    before = len(client_for(uri).search_model_versions("name = 'tiny'"))
    seed = {"tamper": 2, "spoil": 3}[flaw]
    words = {"tamper": "differ from the manifest", "spoil": "logits differ"}[flaw]
    with pytest.raises(Exception, match=words) as caught:
        publish(seed, **{flaw: True})
    if flaw == "tamper":
        assert isinstance(caught.value, IntegrityError)
    assert len(client_for(uri).search_model_versions("name = 'tiny'")) == before
