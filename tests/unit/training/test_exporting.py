from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import transformers
from tiny_versions import build_version, build_wide_base

from sluice.errors import TrainingError
from sluice.lake import Lake
from sluice.training.artifact import PROBE
from sluice.training.exporting import MANIFEST, export_model
from sluice.training.loading import load_base, load_tokenizer, with_adapter
from sluice.training.methods.catalogue import METHODS
from sluice.training.probe import largest_difference

MERGED = [name for name, spec in METHODS.items() if spec.no_merge is None and name != "qlora"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    build_wide_base(folder / "base")
    return folder


def version(home: Path, method: str, **settings: Any) -> Path:
    lake = Lake(home / "lake")
    return lake.path(build_version(lake, home / "base", method, seed=1, **settings))


@pytest.mark.parametrize("method", MERGED)
def test_a_merged_model_is_loaded_by_transformers_and_computes_what_was_trained(
    home: Path, tmp_path: Path, method: str
) -> None:
    folder, out = version(home, method), tmp_path / "out"
    manifest = export_model(folder, home / "base", out, merge=True)
    models: Any = transformers.AutoModelForCausalLM
    model, tokenizer = models.from_pretrained(out).eval(), load_tokenizer(out)
    assert largest_difference(model, tokenizer, folder / PROBE) < 1e-3
    assert tokenizer.chat_template
    assert model.generation_config.eos_token_id == [2]
    assert manifest == json.loads((out / MANIFEST).read_text())
    assert manifest["method"] == method
    assert manifest["largest_logit_difference"] < 1e-3
    assert not (out / "adapter_config.json").exists()


def test_an_adapter_is_exported_as_it_is(home: Path, tmp_path: Path) -> None:
    folder, out = version(home, "prefix"), tmp_path / "out"
    export_model(folder, home / "base", out, merge=False)
    model = with_adapter(load_base(home / "base", "fp32"), out, "default")
    assert largest_difference(model, load_tokenizer(out), folder / PROBE) == 0


def test_weights_trained_whole_are_exported_as_they_are(home: Path, tmp_path: Path) -> None:
    folder, out = version(home, "full"), tmp_path / "out"
    manifest = export_model(folder, home / "base", out, merge=False)
    assert manifest["largest_logit_difference"] == 0
    assert {"config.json", "generation_config.json"} <= manifest["files"].keys()


def test_what_cannot_be_merged_is_refused_with_the_reason(home: Path, tmp_path: Path) -> None:
    folder = version(home, "prompt")
    with pytest.raises(TrainingError, match="cannot be merged: its vectors"):
        export_model(folder, home / "base", tmp_path / "out", merge=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("quantization", ["nf4", "int8"])
def test_an_adapter_over_a_quantised_base_is_merged_into_ordinary_weights(
    home: Path, tmp_path: Path, quantization: str
) -> None:
    folder, out = version(home, "qlora", quantization=quantization), tmp_path / "out"
    manifest = export_model(folder, home / "base", out, merge=True)
    assert manifest["trained_over"] == quantization
    model = load_base(out, "fp32")
    assert largest_difference(model, load_tokenizer(out), folder / PROBE) < 1e-2
