from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tiny_models import build_tiny_base
from tiny_versions import build_version, build_wide_base

from sluice.data.record import Message
from sluice.errors import IntegrityError
from sluice.evaluation.generation import generate_answers
from sluice.refs import ModelRef
from sluice.serving.engine import BASE, Finished, Options, Piece, Started
from sluice.serving.pointer import Served
from sluice.serving.refusal import RefusedError
from sluice.serving.settings import GatewaySettings
from sluice.serving.text_stream import BROKEN
from sluice.serving.transformers_engine import TransformersEngine
from sluice.training.artifact import PROBE, TrainedModel
from sluice.training.chat import as_chat, prompt_text
from sluice.training.loading import load_base, load_tokenizer, load_trained

SYSTEM = "You sell tents."
SHORT = Options(max_tokens=16)


@dataclass(frozen=True)
class Parts:
    settings: GatewaySettings
    one: Served
    two: Served

    def version(self, method: str, **settings: Any) -> Served:
        """A version of another method, made when it is first asked for."""
        name = "-".join([method, *map(str, settings.values())])
        lake = self.settings.home_layout.lake
        found = lake.find(f"{method}-3-{settings.get('quantization', 'nf4')}", ModelRef)
        ref = found or build_version(
            lake, Path(str(self.settings.base)), method, seed=3, system_prompt=SYSTEM, **settings
        )
        return Served(name, ref.digest, ref.uri)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    home = tmp_path_factory.mktemp("home")
    base = build_wide_base(home / "base")
    settings = GatewaySettings(
        home=home, model="shop", base=str(base), precision="fp32", system_prompt=SYSTEM, threads=1
    )
    lake = settings.home_layout.lake
    refs = [build_version(lake, base, "lora", seed=n, system_prompt=SYSTEM) for n in (1, 2)]
    return Parts(settings, *(Served(str(n), r.digest, r.uri) for n, r in enumerate(refs, 1)))


@pytest.fixture(autouse=True)
def _own_cache(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_CACHE", str(parts.settings.home / "cache"))


def with_engine(
    settings: GatewaySettings, use: Callable[[TransformersEngine], Awaitable[Any]]
) -> Any:
    async def run() -> Any:
        engine = TransformersEngine(settings)
        try:
            return await use(engine)
        finally:
            await engine.close()

    return asyncio.run(run())


async def events(
    engine: TransformersEngine, version: str, text: str, options: Options
) -> list[Any]:
    return [event async for event in engine.stream(version, [Message("user", text)], options)]


async def answer(
    engine: TransformersEngine, version: str, text: str = "Hi", options: Options = SHORT
) -> str:
    found = await events(engine, version, text, options)
    return "".join(event.text for event in found if isinstance(event, Piece))


def evaluated(parts: Parts, version: Served | None, texts: list[str]) -> list[str]:
    """What evaluation generates for the same questions."""
    base = Path(str(parts.settings.base))
    model, tokenizer = load_base(base, "fp32"), load_tokenizer(base)
    if version is not None:
        folder = parts.settings.home_layout.lake.path(version.ref)
        model = load_trained(folder, base, TrainedModel.read(folder))
    chats = [as_chat([Message("user", text)], SYSTEM) for text in texts]
    prompts = [prompt_text(tokenizer, chat) for chat in chats]
    answers = generate_answers(model, tokenizer, prompts, max_new_tokens=16, batch_size=1)
    # A character that the limit cut in half is served as nothing, and evaluated as a mark.
    return [answer.text.rstrip(BROKEN) for answer in answers]


def test_what_is_served_is_what_was_evaluated(parts: Parts) -> None:
    texts = ["How long may I return a tent?", "能退货吗？", "Boots?"]

    async def use(engine: TransformersEngine) -> None:
        await engine.load(parts.one)
        await engine.load(parts.two)
        for name, version in [("1", parts.one), ("2", parts.two), (BASE, None)]:
            served = [(await answer(engine, name, text)).rstrip(BROKEN) for text in texts]
            assert served == evaluated(parts, version, texts)

    with_engine(parts.settings, use)


def test_an_answer_begins_with_its_version_and_ends_with_its_count(parts: Parts) -> None:
    async def use(engine: TransformersEngine) -> None:
        await engine.load(parts.one)
        started, *pieces, finished = await events(engine, "1", "Hi", SHORT)
        assert (started.version, started.digest) == ("1", parts.one.digest)
        assert isinstance(started, Started)
        assert all(isinstance(piece, Piece) and piece.text for piece in pieces)
        assert isinstance(finished, Finished)
        assert 0 < finished.completion_tokens <= SHORT.max_tokens

    with_engine(parts.settings, use)


def test_a_version_is_let_go_behind_the_requests_it_was_given(parts: Parts) -> None:
    async def use(engine: TransformersEngine) -> None:
        await engine.load(parts.one)
        await engine.load(parts.two)
        alone = await answer(engine, "1", options=Options(max_tokens=60))
        running = [
            engine.stream("1", [Message("user", "Hi")], Options(max_tokens=60)) for _ in "ab"
        ]
        unloading = asyncio.create_task(engine.unload("1"))
        texts = ["".join([e.text async for e in run if isinstance(e, Piece)]) for run in running]
        await unloading
        assert texts == [alone, alone]
        assert engine.loaded() == {"2"}

    with_engine(parts.settings, use)


def test_versions_come_and_go_without_trace(parts: Parts) -> None:
    async def use(engine: TransformersEngine) -> None:
        bare = await answer(engine, BASE)
        for _ in range(2):
            await engine.load(parts.one)
            first = await answer(engine, "1")
            await engine.load(parts.two)
            await engine.unload("1")
            assert await answer(engine, "2") != first
            await engine.unload("2")
            assert await answer(engine, BASE) == bare

    with_engine(parts.settings, use)


def test_all_versions_share_one_base_which_goes_with_the_last(parts: Parts) -> None:
    async def use(engine: TransformersEngine) -> None:
        await engine.load(parts.one)
        await engine.load(parts.two)
        assert engine._models.bases == 1
        await engine.unload("1")
        await engine.unload("2")
        assert engine._models.bases == 0

    with_engine(replace(parts.settings, base=None), use)


def test_loading_twice_is_loading_once_and_a_version_keeps_its_bytes(parts: Parts) -> None:
    async def use(engine: TransformersEngine) -> None:
        await asyncio.gather(engine.load(parts.one), engine.load(parts.one))
        assert engine.loaded() == {"1"}
        with pytest.raises(RefusedError, match="never changes its bytes"):
            await engine.load(replace(parts.two, version="1"))

    with_engine(parts.settings, use)


def test_an_adapter_is_refused_on_another_base(parts: Parts, tmp_path: Path) -> None:
    base = build_tiny_base(tmp_path / "base")
    ref = build_version(parts.settings.home_layout.lake, base, "lora", seed=9)
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 0.5}))

    async def use(engine: TransformersEngine) -> None:
        with pytest.raises(IntegrityError, match="trained on"):
            await engine.load(Served("9", ref.digest, ref.uri))
        assert engine.loaded() == frozenset()

    with_engine(parts.settings, use)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"files": 3}', '{"files": {}}'])
def test_a_broken_manifest_is_an_integrity_error(
    parts: Parts, tmp_path: Path, content: str
) -> None:
    folder = tmp_path / "lake" / "models" / ("a" * 64)
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(content)

    async def use(engine: TransformersEngine) -> None:
        with pytest.raises(IntegrityError):
            await engine.load(Served("1", "a" * 64, "models/" + "a" * 64))

    with_engine(replace(parts.settings, home=tmp_path), use)


def test_base_is_not_served_unless_it_was_asked_for(parts: Parts) -> None:
    async def use(engine: TransformersEngine) -> None:
        with pytest.raises(RefusedError, match="without a base model"):
            await answer(engine, BASE)

    with_engine(replace(parts.settings, base=None), use)


def test_an_answer_gets_the_room_that_the_prompt_leaves(parts: Parts) -> None:
    async def use(engine: TransformersEngine) -> None:
        found = await events(engine, BASE, "a" * 480, Options(max_tokens=400))
        assert found[0].prompt_tokens + found[-1].completion_tokens <= 512
        with pytest.raises(RefusedError, match="reads 512 in all") as caught:
            await answer(engine, BASE, "a" * 600)
        assert caught.value.status == 400

    with_engine(parts.settings, use)


def test_closing_an_answer_frees_the_lane(parts: Parts) -> None:
    async def use(engine: TransformersEngine) -> None:
        for _ in range(30):
            stream = engine.stream(BASE, [Message("user", "Hi")], Options(max_tokens=480))
            assert isinstance(await anext(stream), Started)
            await stream.aclose()
        await asyncio.wait_for(answer(engine, BASE, options=Options(max_tokens=1)), timeout=2)

    with_engine(parts.settings, use)


SWAPS = [
    ("lora", "full"),
    ("lora", "prefix"),
    ("prompt", "ia3"),
    ("p_tuning", "vera"),
    ("hybrid", "adalora"),
    ("pissa", "dora"),
    ("qlora", "lora"),
]
TEXTS = ["How long may I return a tent?", "能退货吗？"]


@pytest.mark.parametrize(("before", "after"), SWAPS)
def test_versions_of_two_methods_answer_as_evaluated_and_change_nothing_of_each_other(
    parts: Parts, before: str, after: str
) -> None:
    old, new = parts.version(before), parts.version(after)

    async def use(engine: TransformersEngine) -> None:
        async def says(name: str) -> list[str]:
            return [(await answer(engine, name, text)).rstrip(BROKEN) for text in TEXTS]

        await engine.load(old)
        assert await says(before) == evaluated(parts, old, TEXTS)
        await engine.load(new)
        assert await says(after) == evaluated(parts, new, TEXTS)
        assert await says(before) == evaluated(parts, old, TEXTS)
        await engine.unload(before)
        assert await says(after) == evaluated(parts, new, TEXTS)
        if "qlora" not in (before, after):  # then any form of the base may answer as `base`
            assert await says(BASE) == evaluated(parts, None, TEXTS)

    with_engine(parts.settings, use)


@pytest.mark.parametrize("quantization", ["nf4", "int8"])
def test_two_versions_over_a_quantised_base_share_it(parts: Parts, quantization: str) -> None:
    """bitsandbytes packs weights when they are first used, and again when adapters are loaded."""
    lake, base = parts.settings.home_layout.lake, Path(str(parts.settings.base))
    one = parts.version("qlora", quantization=quantization)
    ref = build_version(
        lake, base, "qlora", seed=4, system_prompt=SYSTEM, quantization=quantization
    )
    two = Served("4", ref.digest, ref.uri)

    async def use(engine: TransformersEngine) -> None:
        await engine.load(one)
        first = await answer(engine, one.version, TEXTS[0])
        await engine.load(two)
        assert engine._models.bases == 1
        assert [(await answer(engine, "4", t)).rstrip(BROKEN) for t in TEXTS] == evaluated(
            parts, two, TEXTS
        )
        assert await answer(engine, one.version, TEXTS[0]) == first

    with_engine(parts.settings, use)


def test_all_adapters_of_any_method_share_one_base(parts: Parts) -> None:
    methods = ("lora", "prefix", "ia3", "prompt")

    async def use(engine: TransformersEngine) -> None:
        for method in methods:
            await engine.load(parts.version(method))
        await answer(engine, BASE)
        assert engine._models.bases == 1
        assert engine.loaded() == set(methods)

    with_engine(parts.settings, use)


def test_what_does_not_compute_as_it_did_when_trained_takes_no_traffic(
    parts: Parts, tmp_path: Path
) -> None:
    """Bytes and digests agree, and yet what is loaded is another model: its probe tells."""
    lake, good = (
        parts.settings.home_layout.lake,
        parts.settings.home_layout.lake.path(parts.one.ref),
    )
    with lake.aside() as folder:
        shutil.copytree(good, folder, dirs_exist_ok=True)
        (folder / "manifest.json").unlink(missing_ok=True)
        shutil.copyfile(lake.path(parts.two.ref) / PROBE, folder / PROBE)
        ref = lake.commit(folder, "models", "mixed", lambda u, d: ModelRef(u, d, "", "lora"))

    async def use(engine: TransformersEngine) -> None:
        with pytest.raises(IntegrityError, match="does not compute what was trained"):
            await engine.load(Served("5", ref.digest, ref.uri))
        assert engine.loaded() == frozenset()

    with_engine(parts.settings, use)


def test_learned_vectors_take_their_room_from_the_context(parts: Parts) -> None:
    prompt = parts.version("prompt")

    async def use(engine: TransformersEngine) -> None:
        await engine.load(prompt)
        found = await events(engine, "prompt", "a" * 440, Options(max_tokens=400))
        assert found[0].prompt_tokens + found[-1].completion_tokens <= 512 - 16

    with_engine(parts.settings, use)
