"""Back-translation, against a real server that speaks chat completions."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sluice.data.augmentation import Augmented, augment
from sluice.data.augmentation.back_translation import FAILURES_IN_A_ROW
from sluice.data.contamination import EvaluationIndex
from sluice.data.record import Record
from sluice.errors import RecipeError, SluiceError
from sluice.recipe import AugmentationSection
from tests.unit.data.rows import row

KEY_NAME, KEY = "TRANSLATION_TEST_KEY", "sk-very-secret"
Reply = Callable[[str, str], str | int | dict[str, Any]]  # (instruction, text) -> what is said


def rewording(_instruction: str, text: str) -> str:
    """A translation for the tests: the text itself, with "how do I" in other words."""
    return text.replace("How do I", "In what way can I").replace("怎么", "要如何")


@dataclass
class Endpoint:
    """A server in a thread. `reply` may be set to anything; an int is a status."""

    url: str = ""
    reply: Reply = rewording
    requests: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    keys: list[str | None] = field(default_factory=list[str | None])

    def answer(self, request: dict[str, Any], key: str | None) -> tuple[int, dict[str, Any]]:
        self.requests.append(request)
        self.keys.append(key)
        instruction, text = (m["content"] for m in request["messages"])
        said = self.reply(instruction, text)
        if isinstance(said, int):
            return said, {"error": {"message": f"no: {text}"}}
        if isinstance(said, dict):
            return 200, said
        message = {"role": "assistant", "content": said}
        return 200, {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    state = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = self.path == "/v1/chat/completions"
            answer = state.answer(body, self.headers.get("Authorization"))
            status, said = answer if known else (404, {})
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def translated(rows: list[Record], endpoint: Endpoint, folder: Path, **values: Any) -> Augmented:
    names = {"protect", "seed"} & set(values)
    outer = {name: values.pop(name) for name in names}
    method = {
        "method": "back_translation",
        "base_url": endpoint.url,
        "model": "small",
        "share": 1.0,
        "retries": 0,
        "max_failed_share": 1.0,
        **values,
    }
    section = AugmentationSection.model_validate({"methods": [method], "max_share": 4.0, **outer})
    nothing = EvaluationIndex.build([], 0.55)
    return augment(rows, section, folder, nothing, translations=folder / "kept")


def questions(count: int) -> list[Record]:
    return [row(f"How do I return tent number {i}?", "By post.", line=i) for i in
            range(1, count + 1)]  # fmt: skip


def test_questions_go_there_and_back_and_answers_stay(endpoint: Endpoint, tmp_path: Path) -> None:
    rows = [*questions(2), row("怎么退货？谢谢", "四十天内可以退货。", line=3)]
    result = translated(rows, endpoint, tmp_path, pivot="French")
    assert [r.question for r in result.made] == [
        "In what way can I return tent number 1?",
        "In what way can I return tent number 2?",
        "要如何退货？谢谢",
    ]
    assert [r.answer for r in result.made] == [r.answer for r in rows]
    assert {r.tag("augmented") for r in result.made} == {"back_translation"}
    said = [r["messages"][0]["content"] for r in endpoint.requests]
    assert sum("from English to French" in text for text in said) == 2
    assert sum("from French to Chinese" in text for text in said) == 1
    assert all(r["temperature"] == 0 and r["model"] == "small" for r in endpoint.requests)
    assert "by post" not in json.dumps(endpoint.requests).casefold()


def test_what_was_translated_is_never_asked_for_again(endpoint: Endpoint, tmp_path: Path) -> None:
    first = translated(questions(3), endpoint, tmp_path)
    assert len(endpoint.requests) == 6
    endpoint.reply = lambda _instruction, _text: 500
    assert translated(questions(3), endpoint, tmp_path) == first
    assert len(endpoint.requests) == 6
    endpoint.reply = rewording
    translated(questions(3), endpoint, tmp_path, pivot="French")
    translated(questions(3), endpoint, tmp_path, model="large")
    assert len(endpoint.requests) == 18


def test_the_key_is_sent_and_kept_nowhere(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_NAME, KEY)
    result = translated(questions(1), endpoint, tmp_path, api_key_env=KEY_NAME)
    assert set(endpoint.keys) == {f"Bearer {KEY}"}
    kept = [path.read_text() for path in (tmp_path / "kept").rglob("*.json")]
    assert len(kept) == 2
    assert KEY not in repr([result, kept])


def test_a_key_that_is_not_set_is_told_before_anything_is_sent(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_NAME, raising=False)
    with pytest.raises(RecipeError, match=f"{KEY_NAME} is not set"):
        translated(questions(1), endpoint, tmp_path, api_key_env=KEY_NAME)
    assert endpoint.requests == []


def test_a_failure_that_passes_is_tried_again(endpoint: Endpoint, tmp_path: Path) -> None:
    failing = [503, 429]
    endpoint.reply = lambda i, text: failing.pop() if failing else rewording(i, text)
    result = translated(questions(1), endpoint, tmp_path, retries=2)
    assert len(result.made) == 1
    assert len(endpoint.requests) == 4


def test_failures_are_counted_and_told_without_the_text(endpoint: Endpoint, tmp_path: Path) -> None:
    def reply(instruction: str, text: str) -> str | int | dict[str, Any]:
        if "number 2" in text:
            return 400
        if "number 3" in text:
            return {"choices": []}
        if "number 4" in text:
            cut = {"message": {"content": text}, "finish_reason": "length"}
            return {"choices": [cut]}
        return rewording(instruction, text)

    endpoint.reply = reply
    result = translated(questions(5), endpoint, tmp_path, retries=3)
    assert result.counts["back_translation"] == {"tried": 5, "made": 2, "failed": 3, "kept": 2}
    assert result.failures == {
        "HTTP 400": 1,
        "an answer that is no chat completion": 1,
        "an answer that was cut off": 1,
    }
    assert len(endpoint.requests) == 7  # what will not pass is asked for once


def test_too_many_failures_stop_the_run_and_a_second_run_asks_for_the_rest_only(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint.reply = lambda i, text: 400 if "number 2" in text else rewording(i, text)
    with pytest.raises(SluiceError, match=r"1 of 4 questions got no translation \(1 x HTTP 400\)"):
        translated(questions(4), endpoint, tmp_path, max_failed_share=0.2)
    asked, endpoint.reply = len(endpoint.requests), rewording
    result = translated(questions(4), endpoint, tmp_path, max_failed_share=0.2)
    assert len(result.made) == 4
    assert len(endpoint.requests) == asked + 2


def test_an_endpoint_that_is_down_is_not_asked_for_every_row(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint.reply = lambda _instruction, _text: 401
    with pytest.raises(SluiceError, match="in a row, last with: HTTP 401"):
        translated(questions(200), endpoint, tmp_path, parallel_requests=2)
    assert len(endpoint.requests) <= FAILURES_IN_A_ROW + 2


def test_nobody_listening_is_a_failure_like_another(tmp_path: Path) -> None:
    nobody = Endpoint(url="http://127.0.0.1:9/v1")
    result = translated(questions(2), nobody, tmp_path)
    assert result.counts["back_translation"] == {"tried": 2, "made": 0, "failed": 2}
    assert result.failures == {"no answer (ConnectError)": 2}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("how do I  return tent number 1?", "unchanged"),
        ("In what way can I return tent number 2?", "facts_changed"),
        ("In what way can I return Zelt number 1?", None),
        ("I am sorry, but as a language model I can not send anything back for you. " * 2 + "1",
         "implausible_length"),
        ("我怎么退回第1号帐篷呢？请告诉我", "other_script"),
    ],
)  # fmt: skip
def test_what_is_no_rewording_does_not_join(
    said: str, reason: str | None, endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint.reply = lambda _instruction, _text: said
    result = translated(questions(1), endpoint, tmp_path)
    expected = {"made": 0, reason: 1} if reason else {"made": 1, "kept": 1}
    assert result.counts["back_translation"] == {"tried": 1, **expected}


def test_a_protected_name_must_come_back(endpoint: Endpoint, tmp_path: Path) -> None:
    rows = [row("How do I clean a Polar Star?", "With water.")]
    endpoint.reply = lambda _instruction, _text: "In what way does one clean a pole star?"
    result = translated(rows, endpoint, tmp_path, protect=("polar star",))
    assert result.counts["back_translation"]["facts_changed"] == 1


def test_a_broken_file_of_translations_is_asked_for_again(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    first = translated(questions(1), endpoint, tmp_path)
    for path in (tmp_path / "kept").rglob("*.json"):
        path.write_text('{"te')
    assert translated(questions(1), endpoint, tmp_path) == first


@pytest.mark.parametrize("url", ["ftp://host/v1", "https://me:secret@host/v1", "host/v1"])
def test_an_address_with_a_password_or_without_http_is_refused(url: str) -> None:
    method = {"method": "back_translation", "base_url": url, "model": "m"}
    with pytest.raises(ValidationError):
        AugmentationSection.model_validate({"methods": [method]})
