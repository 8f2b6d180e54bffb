"""The training benchmark's arithmetic: speeds, ratios, the limit, and what equal losses are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.matrix_limit import body_weights, flops_per_token, limit_share, medians
from benchmarks.peers import PEERS, TRAINERS, environment
from benchmarks.training_figures import Scored, difference, report, table
from benchmarks.training_sides import Steps, require_all_tokens, steady_speed, steps_of_events
from benchmarks.training_task import Task, older_form, plain_environment
from sluice.recipe import Recipe
from sluice.training.base_model import BaseModel

SMOLLM2: dict[str, Any] = {
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "num_hidden_layers": 30,
    "vocab_size": 49152,
    "dtype": "bfloat16",
    "rope_parameters": {"rope_theta": 100000.0, "rope_type": "default"},
}


def runs(speed: float, memory: float, losses: list[float]) -> list[Scored]:
    return [Scored(speed + turn, memory, 60.0, loss) for turn, loss in enumerate(losses)]


FOUND = {
    "sluice": runs(900.0, 600.0, [2.31, 2.30, 2.32]),
    "trl": runs(199.0, 2000.0, [2.30, 2.32, 2.33]),
    "llamafactory": runs(299.0, 1500.0, [2.50, 2.51, 2.52]),
}
METHOD = {
    "method": "lora",
    "learning_rate": 1e-3,
    "tokens_per_second": 900.0,
    "peak_memory_mb": 600.0,
    "evaluation_loss": 2.4,
    "size_mb": 19.6,
}
FAILED = {"method": "vera", "learning_rate": 2e-2, "failed": "no weights"}
FLOPS = {"big bf16": 1e12, "big fp32": 2e11}


def test_a_speed_begins_at_the_end_of_the_second_step() -> None:
    slow_start = Steps(ends=[50.0, 90.0, 91.0, 93.0], tokens=[500, 500, 300, 600])
    assert steady_speed(slow_start) == pytest.approx(900 / 3)


def test_a_speed_needs_a_step_after_the_warm_ones_and_a_count_for_each() -> None:
    with pytest.raises(ValueError, match="more than 2"):
        steady_speed(Steps([1.0, 2.0], [5, 5]))
    with pytest.raises(ValueError, match="3 steps with 2"):
        steady_speed(Steps([1.0, 2.0, 3.0], [5, 5]))


def test_our_events_tell_the_tokens_of_each_step() -> None:
    lines = [
        json.dumps({"kind": "start", "total_steps": 2}),
        json.dumps({"kind": "step", "step": 1, "tokens": 500.0, "seconds": 1.5}),
        json.dumps({"kind": "step", "step": 2, "tokens": 900.0, "seconds": 2.0}),
        json.dumps({"kind": "checkpoint", "step": 2}),
    ]
    assert steps_of_events(lines) == Steps([1.5, 2.0], [500, 400])


def a_task(tokens: int) -> Task:
    recipe = Recipe.model_validate(
        {
            "model": {"name": "x", "base": "./x"},
            "data": {"evaluation": "x.jsonl"},
            "training": {"epochs": 1},
        }
    )
    nowhere = Path("nowhere")
    base = BaseModel("x", nowhere, "0")
    return Task(recipe, base, nowhere, nowhere, nowhere, rows=10, tokens=tokens, answer_tokens=40)


def test_a_side_that_counts_padding_is_refused() -> None:
    task = a_task(tokens=1000)
    require_all_tokens("trl", Steps([1.0, 2.0], [510, 500]), task)  # one newline for each row
    with pytest.raises(RuntimeError, match="trl counted 1200 tokens where the rows have 1000"):
        require_all_tokens("trl", Steps([1.0, 2.0], [600, 600]), task)


def test_settings_of_a_task_are_checked_when_they_change() -> None:
    assert a_task(1000).with_settings(seed=9).settings.seed == 9
    with pytest.raises(ValueError, match="epochs"):
        a_task(1000).with_settings(epochs=-1)


def test_the_body_of_smollm2_has_106_million_weights_in_linear_layers() -> None:
    assert body_weights(SMOLLM2) == 106_168_320


def test_the_head_is_paid_for_answer_tokens_only(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(SMOLLM2))
    assert flops_per_token(tmp_path, answer_share=0.0) == 4 * 106_168_320
    head = flops_per_token(tmp_path, answer_share=0.5) - 4 * 106_168_320
    assert head == 4 * 49152 * 576 * 0.5


def test_a_training_at_the_limit_has_a_share_of_one() -> None:
    assert limit_share(2000.0, per_token=5e8, flops=1e12) == 1.0


def test_measurements_between_the_rounds_come_to_their_medians() -> None:
    assert medians([{"big": 1.0}, {"big": 9.0}, {"big": 3.0}]) == {"big": 3.0}


def test_losses_that_scatter_around_each_other_are_equal() -> None:
    found = difference([2.31, 2.30, 2.32], [2.30, 2.32, 2.33])
    # What scipy.stats.ttest_ind gives for them.
    assert (found.low, found.high) == pytest.approx((-0.035933, 0.022600), abs=1e-5)
    assert found.equal_within_seed_noise
    assert found.ranges_overlap


def test_losses_apart_by_more_than_the_seeds_explain_are_not_equal() -> None:
    found = difference([2.31, 2.30, 2.32], [2.50, 2.51, 2.52])
    assert found.high < 0
    assert not found.equal_within_seed_noise
    assert not found.ranges_overlap


def test_one_seed_tells_nothing_about_noise() -> None:
    with pytest.raises(ValueError, match="1 and 1 losses"):
        difference([2.3], [2.3])
    alone = report({"sluice": FOUND["sluice"][:1], "trl": FOUND["trl"][:1]}, [], 5e8, FLOPS)
    assert alone["loss_difference"] == {"trl": None}
    assert "one seed" in table(alone)


def test_a_report_holds_what_was_promised() -> None:
    told = report(FOUND, [METHOD, FAILED], 5e8, FLOPS)
    assert told["ratios"] == {"trl": 901.0 / 200.0, "llamafactory": 901.0 / 300.0}
    assert told["evaluation_loss"]["sluice"] == [2.31, 2.30, 2.32]
    assert list(told["evaluation_loss"]) == ["sluice", "trl", "llamafactory"]
    assert told["peak_memory_ratio"] == pytest.approx(0.3)
    assert told["limit_share"] == pytest.approx(901 * 5e8 / 1e12)
    assert told["methods"] == [METHOD, FAILED]
    assert told["loss_difference"]["trl"]["equal_within_seed_noise"] is True
    json.dumps(told)


def test_a_side_that_did_not_run_has_no_ratio() -> None:
    told = report({"sluice": FOUND["sluice"]}, [], 5e8, FLOPS)
    assert told["ratios"] == {"trl": None, "llamafactory": None}
    assert told["peak_memory_ratio"] is None
    assert "trl's memory" not in table(told)


def test_the_table_names_the_rule_the_share_and_a_method_that_failed() -> None:
    text = table(report(FOUND, [METHOD, FAILED], 5e8, FLOPS))
    assert "4.50 times the tokens per second of trl" in text
    assert "30% of trl's memory" in text
    assert "Student's t" in text
    assert "ours reaches 45% of it" in text
    assert "vera        failed: no weights" in text


def test_an_older_library_reads_the_same_model(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text(json.dumps(SMOLLM2))
    (base / "tokenizer_config.json").write_text('{"tokenizer_class": "TokenizersBackend"}')
    (base / "model.safetensors").write_bytes(b"weights")
    older = older_form(base, tmp_path / "older")
    config = json.loads((older / "config.json").read_text())
    assert config["rope_theta"] == 100000.0
    assert config["torch_dtype"] == "bfloat16"
    assert not {"rope_parameters", "dtype"} & set(config)
    tokenizer = json.loads((older / "tokenizer_config.json").read_text())
    assert tokenizer == {"tokenizer_class": "PreTrainedTokenizerFast"}
    assert (older / "model.safetensors").read_bytes() == b"weights"
    assert json.loads((base / "config.json").read_text()) == SMOLLM2


def test_no_side_inherits_what_makes_another_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "GOMP_SPINCOUNT", "GLIBC_TUNABLES", "MALLOC_ARENA_MAX"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("LANGUAGE_OF_TEST", "zh")
    plain = plain_environment()
    assert plain["LANGUAGE_OF_TEST"] == "zh"
    assert not {name for name in plain if name.startswith(("OMP_", "GOMP_", "GLIBC_", "MALLOC_"))}


def test_peers_that_train_do_not_clean() -> None:
    assert not set(PEERS) & set(TRAINERS)


def test_an_environment_has_its_name_from_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_BENCH_CACHE", str(tmp_path))
    installed: list[list[str]] = []

    def run(command: list[str], **_: object) -> None:
        installed.append(command)
        if "venv" in command:
            Path(command[-1]).mkdir(parents=True)

    monkeypatch.setattr("benchmarks.peers.subprocess.run", run)
    python = environment("llamafactory")
    assert environment("llamafactory") == python
    assert len(installed) == 3  # made once: the folder, what it needs, and it alone
    assert installed[1][5] == "torch==2.13.0"
    assert installed[2][-2:] == ["--no-deps", "llamafactory==0.9.5"]
