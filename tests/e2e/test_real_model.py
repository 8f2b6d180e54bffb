"""The main job on the real model and the shipped data: a gain in understanding, then answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tiny_shop import DATA, ROOT, eventually

from sluice.data.record import Message
from sluice.home import Home
from sluice.lake import read_json
from sluice.run_record import RunRecord, read_records
from sluice.serving.client import GatewayClient
from sluice.serving.pointer import read_pointer

pytestmark = [pytest.mark.model, pytest.mark.timeout(1200)]
RECIPE = ROOT / "recipes" / "customer_service.yaml"
HIGHER_IS_BETTER = {"bleu": True, "rouge_l": True, "perplexity": False}
RETRAIN_SECONDS = 1000
# Other tests of this process may have pointed these at servers of their own.
ELSEWHERE = ("PREFECT_", "MLFLOW_")
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(ELSEWHERE)}


@dataclass(frozen=True)
class Shop:
    """A home of its own for the shipped recipe; the converted base comes from the user's cache."""

    home: Home

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "commands.main", *arguments],
            cwd=self.home.root,
            env={**ENVIRONMENT, "SLUICE_HOME": str(self.home.root), "HF_HUB_OFFLINE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ok(self, *arguments: str, timeout: float = 120) -> str:
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            process.terminate()
        assert process.returncode == 0, f"sluice {arguments}\n{out}\n{err}"
        return out

    @property
    def record(self) -> RunRecord:
        return read_records(self.home.runs)[-1]

    def evidence(self, name: str) -> Any:
        folder = self.home.lake.root / "evidence" / str(self.record.evidence_digest)
        return read_json(folder / name)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """After one `sluice run` on the first month, as shipped."""
    shop = Shop(Home(tmp_path_factory.mktemp("fernhollow")))
    month = str(DATA / "2026-09.jsonl")
    said = shop.ok("run", str(RECIPE), "--batch", month, "--json", timeout=RETRAIN_SECONDS)
    assert json.loads(said)["outcome"] == "awaiting approval"
    return shop


@pytest.mark.parametrize("metric", HIGHER_IS_BETTER)
def test_the_candidate_beats_the_base_beyond_doubt(shop: Shop, metric: str) -> None:
    scores = shop.evidence("scores.json")
    assert scores["rows"] >= 80
    difference = scores["differences"]["base"][metric]["absolute"]
    if HIGHER_IS_BETTER[metric]:
        assert 0 < difference["low"] <= difference["value"]
    else:
        assert difference["value"] <= difference["high"] < 0


def test_the_verdict_is_promote_and_every_rule_passed(shop: Shop) -> None:
    verdict = shop.evidence("verdict.json")
    assert verdict["verdict"] == "promote"
    assert {line["outcome"] for line in verdict["lines"]} == {"pass"}


def test_the_report_is_one_file_that_loads_nothing(shop: Shop) -> None:
    report = Path(shop.ok("report").strip()).read_text(encoding="utf-8")
    assert "fernhollow" in report
    for loads in ('src="http', "<link", "@import", "url(http"):
        assert loads not in report


def test_approve_and_serve_without_a_stack_and_the_answer_is_new(shop: Shop) -> None:
    said = shop.ok("approve", "--approver", "a reviewer", timeout=300)
    assert said.startswith("promoted")
    current = read_pointer(shop.home.serving).current
    assert current is not None
    assert (current.version, current.digest) == ("1", shop.record.model_digest)
    question = [Message("user", "How long do I have to send back something I bought?")]
    with served(shop) as gateway:
        answers = [gateway.chat(question, name, max_tokens=48) for name in ("fernhollow", "base")]
    assert answers[0].version == "1"
    assert answers[0].text
    assert answers[0].text != answers[1].text


@contextmanager
def served(shop: Shop) -> Iterator[GatewayClient]:
    process = shop.start("serve")
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "http://" in line, line
        with GatewayClient("http" + line.strip().split("http")[1]) as gateway:
            eventually(lambda: gateway.ready().ready, "gateway that is ready")
            yield gateway
    finally:
        process.terminate()
        process.communicate(timeout=60)
