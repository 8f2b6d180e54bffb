"""Every method's model goes to a real MLflow store on SQLite, and comes back as it was."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from tiny_versions import build_version, build_wide_base

from sluice.errors import IntegrityError
from sluice.lake import Lake
from sluice.refs import Evidence
from sluice.registry.logged_files import fetched_files
from sluice.registry.publish_worker import publish
from sluice.registry.tracking import Tracked, open_run
from sluice.registry.versions import CHALLENGER, by_alias, register
from sluice.training.artifact import PROBE, TrainedModel
from sluice.training.methods.catalogue import METHODS

pytestmark = [
    pytest.mark.server,
    pytest.mark.filterwarnings("default"),
    pytest.mark.timeout(300),
]
LOGGED = [(method, {}) for method in METHODS] + [("qlora", {"quantization": "int8"})]


@dataclass(frozen=True)
class Place:
    lake: Lake
    base: Path
    run: Tracked

    def request(self, folder: Path) -> dict[str, Any]:
        return {
            "tracking_uri": self.run.uri,
            "run_id": self.run.run_id,
            "folder": str(folder),
            "base_folder": str(self.base),
            "threads": 1,
            "metadata": {"sluice.verdict": "promote"},
        }


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    home = tmp_path_factory.mktemp("published")
    run = open_run(f"sqlite:///{home}/mlflow.db", "shop", "key", {}, home / "artifacts")
    return Place(Lake(home / "lake"), build_wide_base(home / "base"), run)


@pytest.mark.parametrize(("method", "settings"), LOGGED)
def test_a_model_of_any_method_comes_back_with_equal_logits(
    place: Place, method: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    folder = place.lake.path(build_version(place.lake, place.base, method, seed=1, **settings))
    uri = publish(place.request(folder), lambda event: None)["model_uri"]
    assert uri.startswith("models:/m-")
    if method == "qlora":  # as files: MLflow would put the adapter on a base that is not quantised
        back = fetched_files(place.run.uri, uri, tmp_path)
        assert TrainedModel.read(back) == TrainedModel.read(folder)


def test_a_model_over_a_quantised_base_is_registered_with_its_digests(place: Place) -> None:
    model = build_version(place.lake, place.base, "qlora", seed=1)
    evidence = Evidence(f"evidence/{'e' * 64}", "e" * 64, "promote")
    cache = place.lake.root.parent / "cache"
    uri, run = place.run.uri, place.run.run_id
    version = register(uri, "shop", run, model, evidence, place.lake, cache)
    assert version.digest == model.digest
    assert by_alias(uri, "shop", CHALLENGER) == version


@pytest.mark.parametrize("method", ["full", "qlora"])
def test_what_comes_back_otherwise_is_not_published(place: Place, method: str) -> None:
    folder = place.lake.path(build_version(place.lake, place.base, method, seed=2))
    logits = load_file(folder / PROBE)
    logits["prompt_0"][0] += 1e-3
    save_file(logits, folder / PROBE)
    with pytest.raises(IntegrityError, match="logits differ"):
        publish(place.request(folder), lambda event: None)
