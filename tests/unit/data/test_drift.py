"""Drift: what differs is found, what differs by chance alone is not, and profiles add up."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from sluice.data.drift import DriftReport, Profile, compare, merge, profile, profile_of_folder
from sluice.data.drift.scores import divergence, psi, psi_by_chance
from sluice.data.parts import write_records
from sluice.data.record import Message, Record, content_id, table_of

EXAMPLES = Path(__file__).parents[3] / "examples"
MONTHS = ("2026-09.jsonl", "2026-10.jsonl")


def row(question: str, answer: str, line: int = 1, intent: str | None = None) -> Record:
    messages = (Message("user", question), Message("assistant", answer))
    tags = () if intent is None else (("intent", intent),)
    return Record(content_id(messages), messages, "jan.jsonl", line, tags, "en")


def shipped(shop: str, *months: str) -> list[Record]:
    """Rows of the examples as they are written, with their dirt, as far as they are rows."""
    found: list[Record] = []
    for month in months:
        for number, line in enumerate((EXAMPLES / shop / month).read_text().splitlines(), 1):
            try:
                fields: dict[str, Any] = json.loads(line)
                texts = fields["instruction"], fields["output"]
            except (ValueError, KeyError):
                continue
            if all(isinstance(text, str) for text in texts):
                found.append(row(*texts, line=number, intent=fields.get("intent")))
    return found


def profiled(records: list[Record]) -> Profile:
    return profile(table_of(records))


def drifted(report: DriftReport) -> set[str]:
    return {measure.name for measure in report.drifted}


def made(count: int, seed: int, words: int = 800, length: int = 12) -> list[Record]:
    draw = random.Random(seed)
    texts = [
        [" ".join(f"w{int(draw.paretovariate(0.6)) % words}" for _ in range(length)) for _ in "qa"]
        for _ in range(count)
    ]
    return [row(q, a, i, f"t{draw.randrange(6)}") for i, (q, a) in enumerate(texts)]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 60), max_size=4), st.randoms(use_true_random=False))
def test_profiles_of_parts_add_up_in_any_order(cuts: list[int], chance: random.Random) -> None:
    records = shipped("kefu", MONTHS[0])[:60]
    edges = [0, *sorted(cuts), len(records)]
    parts = [profiled(records[a:b]) for a, b in pairwise(edges)]
    chance.shuffle(parts)
    assert merge(parts).to_json() == profiled(records).to_json()


def test_a_profile_comes_back_from_json_the_same(tmp_path: Path) -> None:
    given = profiled(shipped("customer_service", MONTHS[0]))
    text = json.dumps(given.to_json(), sort_keys=True)
    again = Profile.from_json(json.loads(text))
    assert json.dumps(again.to_json(), sort_keys=True) == text
    fresh = profiled(shipped("customer_service", MONTHS[1]))
    assert compare(again, fresh) == compare(given, fresh)
    write_records(tmp_path / "rows", shipped("customer_service", MONTHS[0]))
    assert profile_of_folder(tmp_path / "rows").to_json() == given.to_json()
    with pytest.raises(ValueError, match="version"):
        Profile.from_json({"version": 0})


def test_a_profile_holds_no_text() -> None:
    secret = row("Who is Zebulon Quux?", "Write to zebulon@quux.example, he knows.")
    told = json.dumps(profiled([secret, *made(30, 1)]).to_json())
    assert "ebulon" not in told
    assert "quux" not in told


def test_a_profile_is_no_larger_than_a_few_megabytes() -> None:
    # Cells of a thousand times as many rows, as random bits cannot be compressed.
    halves = profiled(made(10, 1)).halves
    bits = np.random.default_rng(0).integers(0, 256, len(halves[0].seen)).astype(np.uint8)
    full = Profile((replace(halves[0], seen=bits), replace(halves[1], seen=bits)))
    assert len(json.dumps(full.to_json())) < 2_000_000


@pytest.mark.parametrize("shop", ["customer_service", "kefu"])
def test_the_two_shipped_months_are_alike(shop: str) -> None:
    september, october = (profiled(shipped(shop, month)) for month in MONTHS)
    report = compare(september, october)
    assert drifted(report) == set()
    assert report.novelty is not None
    assert "are like the champion's" in report.sentence


@pytest.mark.parametrize("shop", ["customer_service", "kefu"])
@pytest.mark.parametrize("fresh_share", [0.5, 0.2])
def test_rows_drawn_at_random_raise_no_alarm(shop: str, fresh_share: float) -> None:
    records = shipped(shop, *MONTHS)
    draw = random.Random(7)
    alarms = 0
    for _ in range(40):
        draw.shuffle(records)
        cut = int(len(records) * fresh_share)
        alarms += bool(drifted(compare(profiled(records[cut:]), profiled(records[:cut]))))
    assert alarms <= 1  # of 40 comparisons of six measures each


def test_large_sets_from_one_source_raise_no_alarm() -> None:
    report = compare(profiled(made(6000, 1)), profiled(made(1500, 2)))
    assert drifted(report) == set()
    assert all(measure.score < 0.05 for measure in report.measures)


def test_by_convention_alone_small_batches_would_raise_false_alarms() -> None:
    records = shipped("customer_service", *MONTHS)
    draw = random.Random(7)
    raw: list[float] = []
    for _ in range(30):
        draw.shuffle(records)
        report = compare(profiled(records[60:]), profiled(records[:60]))
        raw.append(max(m.raw for m in report.measures if m.kind == "psi"))
    assert sum(score > 0.25 for score in raw) > 10


def test_longer_answers_are_found_and_nothing_else_is_blamed() -> None:
    old = made(600, 1)
    longer = [replace(r, messages=_twice(r.messages)) for r in made(600, 2)]
    found = drifted(compare(profiled(old), profiled(longer)))
    assert {"answer_characters", "tokens"} <= found
    assert not {"question_characters", "language", "tag_intent"} & found


def test_another_mix_of_tags_is_found() -> None:
    old = made(300, 1)
    shifted = [r for r in made(900, 2) if r.tag("intent") in ("t0", "t1", "t2")]
    assert drifted(compare(profiled(old), profiled(shifted))) == {"tag_intent"}


def test_another_language_is_found() -> None:
    old = made(200, 1)
    other = [replace(r, language="zh") for r in made(200, 2)]
    assert drifted(compare(profiled(old), profiled(other))) == {"language"}


def test_new_words_are_found_in_either_script() -> None:
    for old, new in (("customer_service", "kefu"), ("kefu", "customer_service")):
        report = compare(profiled(shipped(old, MONTHS[0])), profiled(shipped(new, MONTHS[0])))
        assert {"vocabulary", "novelty"} <= drifted(report)
        assert report.novelty is not None
        assert report.novelty > 0.9


def test_the_same_rows_again_have_nothing_new() -> None:
    records = made(300, 1)
    report = compare(profiled(records), profiled(records[:100]))
    assert report.novelty == 0
    assert drifted(report) == set()


def test_a_tag_that_names_things_has_no_mix() -> None:
    named = [row(f"q{i}", f"a{i}", i, f"order-{i}") for i in range(400)]
    report = compare(profiled(named), profiled(named[:200]))
    assert "tag_intent" not in {measure.name for measure in report.measures}


def test_too_few_rows_tell_nothing() -> None:
    report = compare(profiled(made(10, 1)), profiled(made(500, 2)))
    assert report.measures == ()
    assert "cannot be told" in report.sentence
    nothing = compare(merge([]), merge([]))
    assert (nothing.measures, nothing.novelty) == ((), None)


def test_one_long_row_does_not_outweigh_the_rest() -> None:
    old, new = made(300, 1), made(300, 2)
    long = row("Paste?", " ".join(f"pasted{i % 40}" for i in range(9000)), 999)
    assert drifted(compare(profiled(old), profiled([*new, long]))) == set()


def test_psi_by_chance_is_what_is_drawn_by_chance() -> None:
    rng = np.random.default_rng(3)
    drawn = [psi(*(rng.multinomial(n, [0.1] * 10) for n in (150, 60))) for _ in range(3000)]
    mean, rare = psi_by_chance(10, 150, 60)
    assert np.mean(drawn) == pytest.approx(mean, rel=0.1)
    assert np.mean(np.array(drawn) > rare) < 0.004


@given(st.lists(st.integers(0, 9), min_size=3, max_size=3), st.integers(1, 5))
def test_divergence_is_symmetric_and_between_0_and_1(counts: list[int], times: int) -> None:
    a, b = np.array([*counts, 1]), np.array([1, *counts])
    assert divergence(a, b) == pytest.approx(divergence(b, a))
    assert 0 <= divergence(a, b) <= 1
    assert divergence(a, a * times) == pytest.approx(0, abs=1e-9)


def _twice(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    return (messages[0], Message("assistant", f"{messages[1].content} {messages[1].content}"))
