"""A real gateway process on a tiny real model: swaps under load, tampering, crashes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tiny_models import build_tiny_base, build_tiny_model

from sluice.data.record import Message
from sluice.lake import Lake
from sluice.serving.admin_token import admin_token
from sluice.serving.client import GatewayClient, GatewayRefusedError
from sluice.serving.pointer import Served, read_pointer
from sluice.serving.settings import GatewaySettings

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[2]
QUESTION = [Message("user", "How long may I return a tent?")]
TOKENS = 12
SWAPS = 20
CLIENTS = 8


@dataclass(frozen=True)
class Shop:
    """A home with a base and three versions."""

    settings: GatewaySettings
    one: Served
    two: Served
    three: Served

    @property
    def lake(self) -> Lake:
        return self.settings.home_layout.lake


class Gateway:
    """A gateway process."""

    def __init__(self, settings: GatewaySettings) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SLUICE_CACHE": str(settings.home / "cache"),
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "sluice.serving.run_gateway", *settings.arguments()]
        self.process = subprocess.Popen(
            command,
            env=environment,
            cwd=settings.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.settings = settings

    def up(self) -> GatewayClient:
        """A client, once the gateway has printed its address and loaded what it points to."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "http://" in line, self.failure()[1]
        client = GatewayClient(
            "http" + line.strip().split("http")[1],
            admin_token(self.settings.home_layout.serving),
        )
        while "just started" in (client.ready().reason or ""):
            time.sleep(0.02)
        return client

    def failure(self) -> tuple[int, str]:
        """The exit code and standard error of a gateway that ends by itself."""
        _, error = self.process.communicate(timeout=30)
        return self.process.returncode, error

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal; returns the exit code."""
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        return self.process.returncode


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return build_shop(tmp_path_factory.mktemp("shop"))


def build_shop(home: Path) -> Shop:
    base = build_tiny_base(home / "base")
    settings = GatewaySettings(
        home=home, model="shop", base=str(base), max_new_tokens=400, precision="fp32", threads=1
    )
    refs = [build_tiny_model(settings.home_layout.lake, base, seed=seed) for seed in (1, 2, 3)]
    versions = [Served(str(n), ref.digest, ref.uri) for n, ref in enumerate(refs, start=1)]
    return Shop(settings, *versions)


@contextlib.contextmanager
def running(settings: GatewaySettings) -> Iterator[tuple[Gateway, GatewayClient]]:
    gateway = Gateway(settings)
    try:
        with gateway.up() as client:
            yield gateway, client
    finally:
        if gateway.process.poll() is None:
            gateway.stop(signal.SIGKILL)


@pytest.fixture(scope="session")
def shared(parts: Shop) -> Iterator[GatewayClient]:
    """One gateway for the tests that leave it alive; version 1 was promoted, then version 2."""
    with running(parts.settings) as (_, client):
        promote(client, parts.one, before=None)
        promote(client, parts.two, before="1")
        yield client


def promote(client: GatewayClient, version: Served, *, before: str | None) -> None:
    client.stage(version)
    client.switch(version, expect_current=before)


def ask(client: GatewayClient, model: str) -> str:
    return client.chat(QUESTION, model, max_tokens=TOKENS).text


def streamed(http: httpx.Client, model: str) -> tuple[str, str]:
    """The version of the header and the text of a streamed answer."""
    body = {
        "model": model,
        "stream": True,
        "max_tokens": TOKENS,
        "messages": [{"role": "user", "content": QUESTION[0].content}],
    }
    with http.stream("POST", "/v1/chat/completions", json=body) as response:
        assert response.status_code == 200, response.read()
        lines = [line.removeprefix("data: ") for line in response.iter_lines() if line]
    assert lines.pop() == "[DONE]"
    deltas: list[Any] = [json.loads(line)["choices"][0]["delta"] for line in lines]
    return response.headers["x-sluice-version"], "".join(d.get("content", "") for d in deltas)


def test_swaps_under_load_fail_no_request_and_mix_no_answer(
    parts: Shop, shared: GatewayClient
) -> None:
    shared.stage(parts.three)
    expected = {version: ask(shared, f"shop@{version}") for version in ("1", "2", "3")}
    assert len(set(expected.values())) == 3
    shared.unstage()
    over = threading.Event()
    seen: list[tuple[str, str]] = []
    failures: list[BaseException] = []

    def load(streams: bool) -> None:
        with (
            httpx.Client(base_url=shared.url, timeout=60) as http,
            GatewayClient(shared.url) as client,
        ):
            while not over.is_set():
                try:
                    if streams:
                        seen.append(streamed(http, "shop"))
                    else:
                        answer = client.chat(QUESTION, "shop", max_tokens=TOKENS)
                        seen.append((answer.version, answer.text))
                except BaseException as error:  # whatever it is, it is the finding
                    failures.append(error)

    threads = [threading.Thread(target=load, args=(n % 2 == 0,)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    slowest = swap_often(parts, shared)
    over.set()
    for thread in threads:
        thread.join()

    assert not failures, failures[0]
    assert {version for version, _ in seen} == {"1", "2", "3"}
    assert all(text == expected[version] for version, text in seen)
    assert len(seen) >= SWAPS
    assert slowest < 1.0


def swap_often(parts: Shop, client: GatewayClient) -> float:
    """Promote the version that is not in memory, then roll back, in turn: each promotion loads one
    version and lets another go. Returns the seconds of the slowest flip of the pointer."""
    slowest = 0.0
    by_version = {served.version: served for served in (parts.one, parts.two, parts.three)}
    for number in range(SWAPS):
        ready = client.ready()
        now, before = ready.version, ready.previous
        if number % 2 == 0:
            target = next(s for v, s in by_version.items() if v not in (now, before))
            client.stage(target)
            started = time.perf_counter()
            assert client.switch(target, expect_current=now).version == target.version
        else:
            target = by_version[str(before)]
            started = time.perf_counter()
            assert client.rollback(expect_current=now).version == target.version
        slowest = max(slowest, time.perf_counter() - started)
        time.sleep(0.05)
    return slowest


def test_an_answer_keeps_its_version_when_the_pointer_moves_meanwhile(
    parts: Shop, shared: GatewayClient
) -> None:
    before = shared.ready().version
    started, texts = threading.Event(), list[str]()
    body = {
        "model": "shop",
        "stream": True,
        "max_tokens": 300,
        "messages": [{"role": "user", "content": QUESTION[0].content}],
    }
    alone = shared.chat(QUESTION, f"shop@{before}", max_tokens=300).text

    def read() -> None:
        with (
            httpx.Client(base_url=shared.url, timeout=60) as http,
            http.stream("POST", "/v1/chat/completions", json=body) as response,
        ):
            for line in response.iter_lines():
                started.set()
                if line and "[DONE]" not in line:
                    delta = json.loads(line.removeprefix("data: "))["choices"][0]["delta"]
                    texts.append(delta.get("content", ""))

    reader = threading.Thread(target=read)
    reader.start()
    started.wait(10)
    assert shared.rollback(expect_current=before).version != before
    reader.join()
    assert "".join(texts) == alone


def test_base_answers_without_any_adapter(parts: Shop, shared: GatewayClient) -> None:
    answers = {model: ask(shared, model) for model in ("base", "shop@1", "shop@2", "base")}
    assert len(set(answers.values())) == 3


def test_a_tampered_adapter_is_refused_and_the_champion_stays(
    parts: Shop, shared: GatewayClient
) -> None:
    base = Path(str(parts.settings.base))
    ref = build_tiny_model(parts.lake, base, seed=13)
    weights = parts.lake.path(ref) / "adapter" / "adapter_model.safetensors"
    flipped = bytearray(weights.read_bytes())
    flipped[-1] ^= 1
    weights.write_bytes(flipped)
    before = shared.ready()
    with pytest.raises(GatewayRefusedError, match="differ from the manifest") as caught:
        shared.stage(Served("13", ref.digest, ref.uri))
    assert caught.value.status == 422
    assert shared.ready() == before
    assert ask(shared, "shop")


@pytest.mark.parametrize("name", ["weights.bin", "modeling.py", "extra.pkl"])
def test_a_model_that_brings_code_or_pickle_is_refused(
    parts: Shop, shared: GatewayClient, name: str
) -> None:
    base = Path(str(parts.settings.base))
    ref = build_tiny_model(parts.lake, base, seed=4, extra={name: b"x"})
    with pytest.raises(GatewayRefusedError, match="can run code"):
        shared.stage(Served("4", ref.digest, ref.uri))


def test_a_folder_that_is_not_there_is_refused(shared: GatewayClient) -> None:
    with pytest.raises(GatewayRefusedError, match="is not in the lake"):
        shared.stage(Served("5", "e" * 64, "models/" + "e" * 64))


def test_a_client_that_hangs_up_stops_the_generation(shared: GatewayClient) -> None:
    body = {
        "model": "shop",
        "max_tokens": 400,
        "messages": [{"role": "user", "content": QUESTION[0].content}],
    }
    shared.chat(QUESTION, "shop", max_tokens=1)
    started = time.perf_counter()
    whole = shared.chat(QUESTION, "shop", max_tokens=400)
    full = time.perf_counter() - started
    assert whole.finish_reason == "length", "this seed ends by itself; choose another"
    with httpx.Client(base_url=shared.url, timeout=60) as http:
        for _ in range(10):
            with http.stream("POST", "/v1/chat/completions", json={**body, "stream": True}) as r:
                next(r.iter_lines())
        for _ in range(10):
            with pytest.raises(httpx.ReadTimeout):
                http.post("/v1/chat/completions", json=body, timeout=full / 20)
    started = time.perf_counter()
    shared.chat(QUESTION, "shop", max_tokens=1)
    assert time.perf_counter() - started < 5 * full  # not behind twenty whole answers


def test_a_prompt_that_does_not_fit_is_refused_in_both_forms(shared: GatewayClient) -> None:
    long = [{"role": "user", "content": "tent " * 2000}]
    for stream in (False, True):
        body = {"model": "shop", "messages": long, "stream": stream}
        response = httpx.post(f"{shared.url}/v1/chat/completions", json=body, timeout=30)
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "context_length_exceeded"


def test_a_seed_repeats_an_answer_and_does_not_leak_into_the_next(shared: GatewayClient) -> None:
    def sampled(**options: Any) -> str:
        return shared.chat(QUESTION, "shop", max_tokens=TOKENS, temperature=1.5, **options).text

    assert sampled(seed=5) == sampled(seed=5)
    after_seed = [sampled(seed=5) and sampled() for _ in range(2)]
    assert after_seed[0] != after_seed[1]


def test_a_stop_string_ends_the_answer_before_it(shared: GatewayClient) -> None:
    text = ask(shared, "shop@1")
    stop = text[4:6]
    answer = shared.chat(QUESTION, "shop@1", max_tokens=TOKENS, stop=stop)
    assert answer.finish_reason == "stop"
    assert answer.text == text.split(stop)[0].strip()


def test_a_killed_gateway_serves_the_same_version_again(tmp_path: Path) -> None:
    shop = build_shop(tmp_path)
    with running(shop.settings) as (gateway, client):
        promote(client, shop.one, before=None)
        promote(client, shop.two, before="1")
        answer = ask(client, "shop")
        port = int(client.url.rsplit(":", 1)[1])
        gateway.stop(signal.SIGKILL)
    with running(replace(shop.settings, port=port)) as (gateway, client):
        assert client.ready().version == "2"
        assert ask(client, "shop") == answer
        assert client.rollback(expect_current="2").version == "1"  # the previous one is back too
        assert gateway.stop() == 0
    assert read_pointer(shop.settings.home_layout.serving).current == shop.one


def test_a_champion_that_was_changed_on_disk_is_not_served_again(tmp_path: Path) -> None:
    shop = build_shop(tmp_path)
    with running(shop.settings) as (gateway, client):
        promote(client, shop.one, before=None)
        gateway.stop(signal.SIGKILL)
    (shop.lake.path(shop.one.ref) / "model.json").write_text("{}")
    with running(shop.settings) as (_, client):
        readiness = client.ready()
        assert not readiness.ready
        assert "differ from the manifest" in (readiness.reason or "")
        with pytest.raises(GatewayRefusedError, match="differ from the manifest"):
            ask(client, "shop")
        assert ask(client, "base")


def test_sigterm_lets_answers_finish(parts: Shop, tmp_path: Path) -> None:
    settings = replace(parts.settings, home=tmp_path)
    with running(settings) as (gateway, client):
        texts: list[str] = []
        client.chat(QUESTION, "base", max_tokens=1)
        asking = threading.Thread(
            target=lambda: texts.append(client.chat(QUESTION, "base", max_tokens=200).text)
        )
        asking.start()
        time.sleep(0.1)
        assert gateway.stop() == 0
        asking.join()
    assert texts


def test_a_port_in_use_is_one_clear_line_and_exit_code_1(parts: Shop, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, error = Gateway(replace(parts.settings, home=tmp_path, port=port)).failure()
    assert code == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in error
    assert "Traceback" not in error


def test_a_second_gateway_of_a_home_is_refused(parts: Shop, shared: GatewayClient) -> None:
    code, error = Gateway(parts.settings).failure()
    assert code == 1
    assert "has a gateway already (process " in error
    assert shared.ready().ready
