"""The journey of two batches through the whole stack, with the commands and forms that people use.

One stack serves all tests here, which are read, and run, from top to bottom. Each fixture is one
step of the story; it leaves behind what the tests after it look at.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tiny_shop import (
    MONTH_1,
    MONTH_2,
    REACHABLE,
    ROOT,
    TinyShop,
    eventually,
    kill,
    processes_of,
    trained_steps,
)

from sluice.lake import read_json
from sluice.registry.approvals import Approvals
from sluice.run_record import RunRecord
from sluice.settling import settle
from sluice.stack.local import read_stack

pytestmark = [pytest.mark.server, pytest.mark.filterwarnings("default")]
SERVERS = {"prefect", "mlflow", "gateway", "worker", "watcher"}
RUN_KEYS = {"flow_run_id", "outcome", "started", "seconds"}
APPROVAL_KEYS = {"flow_run_id", "version", "evidence_digest", "expires"}
LOCKED = dict(
    line.split("==")
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    if "==" in line
)


@dataclass(frozen=True)
class Stack:
    """A running stack and the addresses of its servers."""

    shop: TinyShop

    def url(self, name: str) -> str:
        url = read_stack(self.shop.home).url(name)
        assert url, f"{name} does not run"
        return url

    def prefect(self, path: str, **body: Any) -> Any:
        """Ask the Prefect API; a body makes it a POST. Returns the response."""
        url = f"{self.url('prefect')}/api/{path}"
        return httpx.post(url, json=body, timeout=30) if body else httpx.get(url, timeout=30)

    def state(self, flow_run_id: str) -> Any:
        return self.prefect(f"flow_runs/{flow_run_id}").json()["state"]

    def suspended(self, flow_run_id: str) -> bool:
        return self.state(flow_run_id)["name"] == "Suspended"

    def resume(self, flow_run_id: str, **form: Any) -> Any:
        """Send a form as the Prefect UI does; returns what the server answers."""
        response = self.prefect(f"flow_runs/{flow_run_id}/resume", run_input=form)
        assert response.status_code < 500, response.text
        return response.json()

    def ready(self) -> Any:
        return httpx.get(f"{self.url('gateway')}/ready", timeout=30).json()

    def alias(self, alias: str) -> str | None:
        """The version that an alias names, from MLflow's own API."""
        path = "api/2.0/mlflow/registered-models/alias"
        asked = {"name": "tiny-shop", "alias": alias}
        response = httpx.get(f"{self.url('mlflow')}/{path}", params=asked, timeout=30)
        return response.json()["model_version"]["version"] if response.is_success else None

    def worker(self) -> psutil.Process:
        process = read_stack(self.shop.home).services["worker"].process()
        assert process is not None
        return process

    def candidate(self) -> RunRecord:
        """The newest run, once it waits for approval and its promote run shows the form."""

        def look() -> RunRecord | None:
            newest = self.shop.records()[0]
            if newest.outcome == "awaiting approval":
                return newest
            goes_on = newest.outcome == "running" or "was killed" in newest.detail
            assert goes_on, f"{newest.outcome}: {newest.detail}"
            return None

        record = eventually(look, "candidate", seconds=240)
        assert record.promote_flow_run_id
        run = record.promote_flow_run_id
        eventually(lambda: self.suspended(run), "suspended promote run")
        return record


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Iterator[Stack]:
    shop = TinyShop.build(tmp_path_factory.mktemp("journey"), tiny_base)
    try:
        shop.ok("up", str(shop.recipe))
        yield Stack(shop)
    finally:
        shop.run("down")
        kill(*processes_of(shop))


@pytest.fixture(scope="module")
def first(stack: Stack) -> RunRecord:
    """The first month has arrived; its candidate waits."""
    stack.shop.drop(MONTH_1)
    eventually(lambda: len(stack.shop.records()) == 1, "retrain by the watcher", seconds=60)
    return stack.candidate()


@pytest.fixture(scope="module")
def champion(stack: Stack, first: RunRecord) -> str:
    """The first candidate was approved; what the command said."""
    return stack.shop.ok("approve", "--approver", "Ada Lovelace", "--reason", "it is better")


@pytest.fixture(scope="module")
def second(stack: Stack, champion: str) -> RunRecord:
    """The second month has arrived; worker and run were killed while it trained; then `up`."""
    before = stack.alias("champion"), stack.ready()["version"]
    stack.shop.drop(MONTH_2)
    eventually(lambda: trained_steps(stack.shop) >= 8, "training of the second month")
    kill(stack.worker())
    stack.shop.ok("up")
    record = stack.candidate()
    assert (stack.alias("champion"), stack.ready()["version"]) == before
    return record


# ---------------------------------------------------------------------------------------------


def test_the_real_servers_run_in_the_locked_versions(stack: Stack) -> None:
    assert stack.prefect("admin/version").json() == LOCKED["prefect"] == installed("prefect")
    mlflow = httpx.get(f"{stack.url('mlflow')}/version", timeout=30).text
    assert mlflow == LOCKED["mlflow"] == installed("mlflow")
    assert [int(part) for part in installed("fastapi").split(".")][:2] < [0, 151]
    assert httpx.get(f"{stack.url('gateway')}/health", timeout=30).is_success


def test_the_worker_polls_its_pool_and_the_deployments_are_there(stack: Stack) -> None:
    def online() -> bool:
        workers = stack.prefect("work_pools/sluice/workers/filter", limit=10).json()
        return [worker["status"] for worker in workers] == ["ONLINE"]

    eventually(online, "worker that is online", seconds=60)
    found = stack.prefect("deployments/filter", limit=10).json()
    entrypoints = {deployment["entrypoint"] for deployment in found}
    assert entrypoints == {"flows.retrain.retrain", "flows.promote.promote"}
    assert {deployment["name"] for deployment in found} == {"tiny-shop"}


def test_everything_listens_on_loopback_only(stack: Stack) -> None:
    addresses = {
        connection.laddr.ip
        for process in processes_of(stack.shop)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}


def test_up_again_leaves_running_servers_alone(stack: Stack) -> None:
    before = read_stack(stack.shop.home)
    assert set(before.services) == SERVERS
    stack.shop.ok("up")
    assert read_stack(stack.shop.home) == before


def test_before_the_first_model_the_gateway_is_not_ready(stack: Stack) -> None:
    assert stack.ready()["ready"] is False
    facts = stack.shop.status()
    assert facts["champion"] is None
    assert facts["serving"]["healthy"] is False


def test_a_dropped_file_becomes_a_candidate(stack: Stack, first: RunRecord) -> None:
    assert (first.outcome, first.version) == ("awaiting approval", "1")
    assert stack.state(str(first.flow_run_id))["name"] == "Awaiting approval"
    assert stack.alias("challenger") == "1"
    assert stack.alias("champion") is None


def test_status_has_exactly_the_documented_shape(stack: Stack, first: RunRecord) -> None:
    facts = stack.shop.status()
    assert list(facts) == [
        "model",
        "champion",
        "challenger",
        "serving",
        "pending_approvals",
        "last_runs",
    ]
    assert facts["model"] == "tiny-shop"
    assert facts["champion"] is None
    assert facts["challenger"] == {"version": "1", "digest": first.model_digest}
    serving = facts["serving"]
    assert set(serving) == {"url", "version", "digest", "healthy"}
    assert (serving["version"], serving["digest"], serving["healthy"]) == (None, None, False)
    (approval,) = facts["pending_approvals"]
    assert set(approval) == APPROVAL_KEYS
    assert approval["flow_run_id"] == first.promote_flow_run_id
    assert approval["evidence_digest"] == first.evidence_digest
    (run,) = facts["last_runs"]
    assert set(run) == RUN_KEYS
    assert (run["flow_run_id"], run["outcome"]) == (first.flow_run_id, "awaiting approval")
    assert run["seconds"] > 1


def test_the_promote_run_waits_with_a_form_that_decides_nothing_by_itself(
    stack: Stack, first: RunRecord
) -> None:
    run = str(first.promote_flow_run_id)
    keys = stack.state(run)["state_details"]["run_input_keyset"]
    schema = stack.prefect(f"flow_runs/{run}/input/{keys['schema']}").json()
    if isinstance(schema, str):
        import json

        schema = json.loads(schema)
    decision = schema["properties"]["decision"]
    assert decision["enum"] == ["approve", "reject"]
    assert "default" not in decision
    assert "default" not in schema["properties"]["approver"]
    assert {"decision", "approver"} <= set(schema["required"])


def test_the_form_shows_the_evidence_and_what_it_binds(stack: Stack, first: RunRecord) -> None:
    run = str(first.promote_flow_run_id)
    keys = stack.state(run)["state_details"]["run_input_keyset"]
    description = stack.prefect(f"flow_runs/{run}/input/{keys['description']}").text
    for words in ("Perplexity", "version 1", str(first.model_digest)[:12], "Open until"):
        assert words in description
    assert str(first.evidence_digest)[:12] in description


def test_a_restart_of_the_worker_loses_nothing(stack: Stack, first: RunRecord) -> None:
    before = stack.shop.status()["pending_approvals"]
    kill(stack.worker())
    stack.shop.ok("up")
    assert stack.suspended(str(first.promote_flow_run_id))
    assert stack.shop.status()["pending_approvals"] == before
    assert set(read_stack(stack.shop.home).services) == SERVERS


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"decision": "approve"},
        {"approver": "Ada"},
        {"decision": "yes", "approver": "Ada"},
        {"decision": "approve", "approver": ""},
        {"decision": "approve", "approver": "   "},
        {"decision": "approve", "approver": "Ada", "force": True},
    ],
)
def test_an_invalid_form_is_refused_and_the_run_stays_suspended(
    stack: Stack, first: RunRecord, form: dict[str, Any]
) -> None:
    answer = stack.resume(str(first.promote_flow_run_id), **form)
    assert answer["status"] == "REJECT", answer
    assert stack.suspended(str(first.promote_flow_run_id))
    assert Approvals(stack.shop.home.approvals).pending()[0].version == "1"


def test_the_command_refuses_a_decision_without_a_name(stack: Stack, first: RunRecord) -> None:
    done = stack.shop.run("approve", "--approver", " ")
    assert done.returncode == 1
    assert "Say who decides" in done.stderr
    assert stack.suspended(str(first.promote_flow_run_id))


def test_approve_makes_it_champion(stack: Stack, first: RunRecord, champion: str) -> None:
    assert champion.startswith("promoted")
    assert stack.state(str(first.promote_flow_run_id))["name"] == "Promoted"
    ready = stack.ready()
    assert (ready["ready"], ready["version"], ready["digest"]) == (True, "1", first.model_digest)
    assert stack.alias("champion") == "1"
    assert stack.alias("challenger") is None
    facts = stack.shop.status()
    assert facts["champion"] == {"version": "1", "digest": first.model_digest}
    assert facts["serving"]["version"] == "1"
    assert facts["pending_approvals"] == []
    assert facts["last_runs"][0]["outcome"] == "promoted"


def test_an_approval_is_used_once(stack: Stack, champion: str) -> None:
    done = stack.shop.run("approve", "1")
    assert done.returncode == 1
    assert "Version 1 is not a version that waits for approval" in done.stderr


def test_the_champion_answers_otherwise_than_the_base(stack: Stack, champion: str) -> None:
    answers = [stack.shop.ok("chat", "Do you sell tents?", *more) for more in ((), ("--base",))]
    assert answers[0] != answers[1]


def test_a_retrain_that_was_killed_with_its_worker_continues(
    stack: Stack, second: RunRecord
) -> None:
    starts = [event for event in stack.shop.history(second) if event["kind"] == "start"]
    assert starts[-1]["resumed_from_step"] >= 5
    records = [r for r in stack.shop.records() if r.flow_run_id == second.flow_run_id]
    assert [record.outcome for record in records] == ["awaiting approval", "failed"]


def test_the_second_month_is_judged_against_the_champion(stack: Stack, second: RunRecord) -> None:
    evidence = stack.shop.home.lake.root / "evidence" / str(second.evidence_digest)
    assert read_json(evidence / "verdict.json")["baseline"] == "champion"
    assert set(read_json(evidence / "scores.json")["models"]) == {"base", "champion", "candidate"}
    (approval,) = Approvals(stack.shop.home.approvals).pending()
    assert (approval.version, approval.replaces) == ("2", "1")
    assert approval.model_digest == second.model_digest


def test_evidence_that_was_changed_is_not_promoted_but_mended_evidence_is(
    stack: Stack, second: RunRecord
) -> None:
    scores = stack.shop.home.lake.root / "evidence" / str(second.evidence_digest) / "scores.json"
    original = scores.read_bytes()
    scores.write_bytes(original.replace(b"0", b"1", 1))
    done = stack.shop.run("approve", "2", "--approver", "Ada Lovelace")
    assert done.returncode == 1
    assert "differ from the manifest (scores.json)" in re.sub(r"\s+", " ", done.stderr)
    assert stack.state(str(second.promote_flow_run_id))["type"] == "FAILED"
    assert (stack.alias("champion"), stack.ready()["version"]) == ("1", "1")

    scores.write_bytes(original)  # restored from a backup, say
    assert "promoted" in stack.shop.ok("approve", "2", "--approver", "Ada Lovelace")
    assert (stack.alias("champion"), stack.ready()["version"]) == ("2", "2")


def test_rollback_takes_less_than_a_second_and_the_alias_follows(
    stack: Stack, second: RunRecord
) -> None:
    said = stack.shop.ok("rollback")
    seconds = re.search(r"after ([\d.]+) s", said)
    assert seconds, said
    assert float(seconds[1]) < 1
    assert (stack.alias("champion"), stack.ready()["version"]) == ("1", "1")
    assert "version 2 answers again" in stack.shop.ok("rollback")  # and forward again
    assert (stack.alias("champion"), stack.ready()["version"]) == ("2", "2")


def test_a_run_that_is_forced_on_does_not_promote_and_can_still_be_rejected(
    stack: Stack, second: RunRecord
) -> None:
    rules = [*REACHABLE, {"rule": "at_most", "metric": "perplexity", "limit": 1e9}]
    recipe = stack.shop.write_recipe("third.yaml", gate={"rules": rules})
    stack.shop.ok("run", str(recipe))
    third = stack.candidate()
    run = str(third.promote_flow_run_id)
    forced = {"type": "SCHEDULED", "name": "Resuming", "message": "let me through"}
    stack.prefect(f"flow_runs/{run}/set_state", state=forced, force=True)
    state = eventually(
        lambda: s if (s := stack.state(run))["type"] not in ("SCHEDULED", "PENDING") else None,
        "end of the forced run",
    )
    state = eventually(
        lambda: s if (s := stack.state(run))["type"] not in ("RUNNING",) else None, "its end"
    )
    assert state["type"] != "COMPLETED", state
    assert (stack.alias("champion"), stack.ready()["version"]) == ("2", "2")
    assert [a.version for a in Approvals(stack.shop.home.approvals).pending()] == ["3"]

    said = stack.shop.ok("reject", "--approver", "Ada Lovelace", "--reason", "not convinced")
    assert said.startswith("rejected by approver")
    assert "not convinced" in said
    assert stack.alias("challenger") is None
    assert stack.shop.status()["last_runs"][0]["outcome"] == "rejected by approver"
    assert stack.ready()["version"] == "2"


def test_an_approval_that_nobody_gives_expires(stack: Stack, second: RunRecord) -> None:
    rules = [*REACHABLE, {"rule": "at_most", "metric": "perplexity", "limit": 2e9}]
    hours = 30 / 3600
    recipe = stack.shop.write_recipe(
        "fourth.yaml", gate={"rules": rules}, approval={"expires_hours": hours}
    )
    stack.shop.ok("run", str(recipe))
    fourth = stack.candidate()
    eventually(
        lambda: settle(stack.shop.home)[0].outcome == "expired", "expired outcome", seconds=60
    )
    facts = stack.shop.status()
    assert facts["last_runs"][0]["outcome"] == "expired"
    assert facts["pending_approvals"] == []
    assert facts["challenger"] is None
    run = str(fourth.promote_flow_run_id)
    eventually(lambda: stack.state(run)["type"] == "FAILED", "end of the promote run", seconds=60)
    done = stack.shop.run("approve", "--approver", "Ada Lovelace")
    assert done.returncode == 1
    assert stack.ready()["version"] == "2"


def test_down_leaves_no_process(stack: Stack, champion: str) -> None:
    ours = processes_of(stack.shop)
    assert len(ours) >= len(SERVERS)
    started = time.monotonic()
    stack.shop.ok("down")
    assert time.monotonic() - started < 30
    assert [process for process in ours if process.is_running()] == []
    assert processes_of(stack.shop) == []


def test_what_waits_and_what_was_decided_outlives_the_stack(stack: Stack, champion: str) -> None:
    facts = stack.shop.status()
    assert facts["champion"]["version"] == "2"
    assert facts["serving"] is None
