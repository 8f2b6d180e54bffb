"""What holds for all training methods, on a tiny model, with the real trainer, in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pytest
from tiny_methods import MARKS, TRAINABLE, Bench, Trained, apart, files, settings_of

from sluice.errors import TrainingError
from sluice.evaluation.generation import generate_answers
from sluice.training.artifact import ADAPTER, PROBE, WEIGHTS
from sluice.training.loading import load_base
from sluice.training.methods.apply import prepared
from sluice.training.methods.catalogue import METHODS
from sluice.training.methods.merging import MERGED_TOLERANCE, merged
from sluice.training.methods.resuming import STATE
from sluice.training.probe import probe_logits, require_same
from sluice.training.saving import RELOADED_TOLERANCE, save_model

pytestmark = MARKS
QUESTIONS = ["How long may I return a tent?", "帐篷可以退货吗？", "Hello!"]
all_methods = pytest.mark.parametrize("method", list(TRAINABLE))
adapters = pytest.mark.parametrize("method", [name for name in TRAINABLE if name != "full"])


@all_methods
def test_it_trains_as_many_numbers_as_its_formula_says(
    method: str, trained: Callable[[str], Trained]
) -> None:
    assert trained(method).parameters == TRAINABLE[method]


@all_methods
def test_it_learns(method: str, trained: Callable[[str], Trained]) -> None:
    losses = trained(method).losses
    assert len(losses) == 12
    assert sum(losses[-4:]) < sum(losses[:4])


@all_methods
def test_what_comes_back_computes_exactly_what_was_trained(
    method: str, bench: Bench, trained: Callable[[str], Trained]
) -> None:
    found = trained(method)
    again = bench.again(found)
    require_same(again, bench.tokenizer, found.folder / PROBE, "the lake")
    live = probe_logits(found.model, bench.tokenizer)
    allowed = RELOADED_TOLERANCE["fp32"] if method == "pissa" else 0.0
    assert apart(live, probe_logits(again, bench.tokenizer)) <= allowed
    untrained = load_base(bench.base, "fp32")
    assert apart(probe_logits(untrained, bench.tokenizer), live) > 0.01


@all_methods
def test_it_leaves_weights_or_an_adapter_as_the_catalogue_says(
    method: str, trained: Callable[[str], Trained]
) -> None:
    folder, spec = trained(method).folder, METHODS[trained(method).settings.method]
    assert (folder / spec.kept).is_dir()
    assert not (folder / (ADAPTER if spec.kept == WEIGHTS else WEIGHTS)).exists()
    if spec.kept == ADAPTER:
        config = json.loads((folder / ADAPTER / "adapter_config.json").read_text())
        assert config["peft_type"] == spec.peft_type
        assert config["base_model_name_or_path"] == "package:tiny/tiny.gguf"
        assert sorted(files(folder / ADAPTER)) == [
            "adapter_config.json",
            "adapter_model.safetensors",
        ]


@all_methods
def test_the_same_model_saved_twice_is_the_same_bytes_and_names_no_folder(
    method: str, bench: Bench, trained: Callable[[str], Trained], tmp_path: Path
) -> None:
    found = trained(method)
    save_model(found.model, bench.tokenizer, bench.request(tmp_path, found.settings), tmp_path)
    first, second = files(found.folder), files(tmp_path)
    del first["model.json"]
    assert first == second
    assert not any(str(bench.base.parent).encode() in content for content in first.values())


@all_methods
def test_a_batch_answers_as_single_questions_do(
    method: str, bench: Bench, trained: Callable[[str], Trained]
) -> None:
    model = bench.again(trained(method))

    def answers(batch_size: int) -> list[Any]:
        return generate_answers(
            model, bench.tokenizer, QUESTIONS, max_new_tokens=6, batch_size=batch_size
        )

    assert answers(3) == answers(1)


@adapters
def test_it_merges_or_says_why_not(
    method: str, bench: Bench, trained: Callable[[str], Trained]
) -> None:
    found = trained(method)
    reason = METHODS[found.settings.method].no_merge
    model = bench.again(found)
    before = probe_logits(model, bench.tokenizer)
    if reason:
        with pytest.raises(TrainingError, match="vectors stand before every prompt"):
            merged(model)
        return
    whole = merged(model)
    assert not isinstance(whole, peft.PeftModel)
    assert apart(before, probe_logits(whole, bench.tokenizer)) <= MERGED_TOLERANCE["fp32"]


def test_a_merged_qlora_saves_and_loads_as_an_ordinary_model(
    bench: Bench, trained: Callable[[str], Trained], tmp_path: Path
) -> None:
    whole = merged(bench.again(trained("qlora")))
    whole.save_pretrained(tmp_path)
    again = load_base(tmp_path, "fp32")
    assert apart(probe_logits(whole, bench.tokenizer), probe_logits(again, bench.tokenizer)) == 0.0


def test_all_weights_cannot_be_merged(bench: Bench, trained: Callable[[str], Trained]) -> None:
    with pytest.raises(TrainingError, match="no adapter to merge"):
        merged(bench.again(trained("full")))


@all_methods
def test_it_goes_on_from_where_a_trained_model_stands(
    method: str, bench: Bench, trained: Callable[[str], Trained], tmp_path: Path
) -> None:
    found = trained(method)
    request = bench.request(tmp_path, found.settings, start=found.folder)
    begun = prepared(request, "fp32", bench.tokenizer).eval()
    champion = probe_logits(bench.again(found), bench.tokenizer)
    assert apart(champion, probe_logits(begun, bench.tokenizer)) == 0.0


@pytest.mark.parametrize("method", ["full", "pissa", "hybrid", "adalora", "prefix", "p_tuning"])
def test_it_goes_on_a_second_time(
    method: str, bench: Bench, trained: Callable[[str], Trained], tmp_path: Path
) -> None:
    settings = settings_of(method, epochs=1)
    second = bench.train(tmp_path / "2", settings, start=trained(method).folder)
    third = bench.train(tmp_path / "3", settings, start=second.folder)
    assert apart(*(probe_logits(bench.again(t), bench.tokenizer) for t in (second, third))) > 0


@pytest.mark.parametrize(
    ("method", "other", "said"),
    [
        ("lora", {"rank": 8}, "`rank` 8 where it has 4"),
        ("pissa", {"alpha": 16}, "`alpha` 16 where it has 8"),
        ("lora", {"method": "dora"}, "`method` dora where it has lora"),
        ("lora", {"target_modules": ("q_proj",)}, r"`target_modules` \['q_proj'\] where"),
        ("prompt", {"virtual_tokens": 9}, "`virtual_tokens` 9 where it has 4"),
        ("hybrid", {"fully_trained": ("head",)}, "`fully_trained`"),
        ("qlora", {"quantization": "int8"}, "`quantization` int8 where it has nf4"),
    ],
)
def test_it_does_not_go_on_in_another_form(
    method: str,
    other: dict[str, Any],
    said: str,
    bench: Bench,
    trained: Callable[[str], Trained],
    tmp_path: Path,
) -> None:
    settings = settings_of(method, **other)
    request = bench.request(tmp_path, settings, start=trained(method).folder)
    with pytest.raises(TrainingError, match=said):
        prepared(request, "fp32", bench.tokenizer)


@pytest.mark.parametrize(
    "method", ["adalora", "prefix", "p_tuning", "prompt", "pissa", "qlora", "hybrid"]
)
def test_stop_and_resume_gives_the_same_bytes(
    method: str, bench: Bench, trained: Callable[[str], Trained], tmp_path: Path
) -> None:
    whole = trained(method)
    checkpoint = whole.folder.parent / "work" / "checkpoint-7"
    assert (checkpoint / STATE).exists() == (method in ("adalora", "prefix", "p_tuning"))
    resumed = bench.train(tmp_path, whole.settings, resume=checkpoint)
    assert files(resumed.folder) == files(whole.folder)
