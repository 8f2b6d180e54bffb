"""Augmentation: what is made is true, marked, capped, and the same every time."""

from __future__ import annotations

import pickle
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sluice.data.augmentation import (
    AugmentSettings,
    Candidates,
    augment,
    augment_settings,
    augment_table,
    candidates,
    fates_of,
    together,
)
from sluice.data.augmentation.dictionary import dictionary_of, read_dictionary
from sluice.data.augmentation.lookalikes import ALIKE
from sluice.data.augmentation.protected import NEGATIONS_ZH, NUMERALS_ZH
from sluice.data.contamination import EvaluationIndex
from sluice.data.record import Message, Record, content_id, records_of, table_of
from sluice.data.similarity import folded
from sluice.errors import RecipeError
from sluice.recipe import AugmentationSection
from tests.unit.data.rows import row

NOISE: dict[str, Any] = {"method": "noise", "rate": 0.1}
words = st.text("abc你好我们退货 12", min_size=1, max_size=30)


clean = EvaluationIndex.build([], 0.55)  # nothing to stay away from


def section(*methods: dict[str, Any], **values: Any) -> AugmentationSection:
    return AugmentationSection.model_validate({"methods": methods, **values})


def dictionary(folder: Path, *lines: str, name: str | None = None) -> str:
    name = name or f"{content_id([Message('user', line) for line in lines])}.csv"
    (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return name


def synonyms(folder: Path, *lines: str, **values: Any) -> dict[str, Any]:
    return {"method": "synonyms", "rate": 1.0, "files": [dictionary(folder, *lines)], **values}


def terms(folder: Path, *lines: str, **values: Any) -> dict[str, Any]:
    return {"method": "terms", "files": [dictionary(folder, *lines)], **values}


def made(rows: list[Record], *methods: dict[str, Any], folder: Path, **values: Any) -> list[Record]:
    return list(augment(rows, section(*methods, **{"max_share": 4.0} | values), folder, clean).made)


def many(count: int) -> list[Record]:
    return [
        row(f"How do I return tent number {i}?", f"Send it to desk {i}.", line=i)
        for i in range(1, count + 1)
    ]


def test_it_is_off_unless_a_method_is_listed(tmp_path: Path) -> None:
    result = augment(many(5), AugmentationSection(), tmp_path, clean)
    assert (result.made, result.counts, result.failures) == ((), {}, {})


def test_variants_are_marked_and_keep_their_parents_place(tmp_path: Path) -> None:
    parent = row("How do I return a tent?", "By post.", source="jan.jsonl", line=7)
    (variant,) = made([parent], NOISE, folder=tmp_path)
    assert (variant.tag("augmented"), variant.tag("augmented_from")) == ("noise", parent.id)
    assert (variant.source, variant.line) == ("jan.jsonl+noise", 7)
    assert variant.id == content_id(variant.messages, variant.tools) != parent.id
    assert list(variant.tags) == sorted(variant.tags)
    assert records_of(table_of([variant])) == [variant]


def test_the_same_rows_give_the_same_variants_in_any_order_and_partition(tmp_path: Path) -> None:
    rows = many(60)
    chosen = section(NOISE, synonyms(tmp_path, "return, send back, give back"), max_share=0.7)
    whole = augment(rows, chosen, tmp_path, clean).made
    shuffled = random.Random(1).sample(rows, len(rows))
    assert set(augment(shuffled, chosen, tmp_path, clean).made) == set(whole)
    configured = augment_settings(chosen, tmp_path)
    parts = [augment_table(table_of(rows[i : i + 7]), configured) for i in range(0, 60, 7)]
    in_parts = [r for part in parts for r in records_of(part.table)]
    assert in_parts == records_of(augment_table(table_of(rows), configured).table)
    assert set(whole) <= set(in_parts)


def test_another_seed_draws_other_variants(tmp_path: Path) -> None:
    first, second = (made(many(20), NOISE, folder=tmp_path, seed=seed) for seed in (1, 2))
    assert first != second


@pytest.mark.parametrize("share", [0.1, 0.5, 1.5])
def test_there_are_never_more_than_the_cap(share: float, tmp_path: Path) -> None:
    methods = (NOISE, synonyms(tmp_path, "return, send back, give back"))
    result = augment(many(40), section(*methods, max_share=share), tmp_path, clean)
    assert len(result.made) == 40 * share
    over = sum(counts.get("over_cap", 0) for counts in result.counts.values())
    assert over == 80 - 40 * share


def test_rows_near_an_evaluation_row_do_not_join_and_are_counted(tmp_path: Path) -> None:
    rows = [
        row("How long is the parcel on its way to me?", "Two days.", line=1),
        row("请问我的包裹几天到？", "两天。", line=2),
        row("Is the large tent waterproof?", "It is.", line=3),
    ]
    twins = [
        row("How long is the package on its way to me?", "Three days."),
        row("请问我的快递几天到呢？", "三天。"),
    ]
    replacing = synonyms(tmp_path, "parcel, package", "包裹，快递", "large, big")
    index = EvaluationIndex.build(twins, 0.55)
    result = augment(rows, section(replacing, max_share=4.0), tmp_path, index)
    assert [r.line for r in result.made] == [3]
    assert result.counts["synonyms"] == {"tried": 3, "made": 3, "contaminated": 2, "kept": 1}


def test_a_variant_is_neither_a_copy_of_a_real_row_nor_of_another(tmp_path: Path) -> None:
    rows = [
        row("Where is my parcel?", "On its way.", line=1),
        row("where is  my PACKAGE?", "Nobody knows.", line=2),  # what line 1 would become
        row("Where is my consignment now?", "On its way.", line=3),
        row("Where is my Consignment  now?", "On its way.", line=4),  # the same variant as line 3
    ]
    replacing = synonyms(tmp_path, "parcel, package", "consignment, shipment")
    result = augment(rows, section(replacing, max_share=4.0), tmp_path, clean)
    questions = [folded(r.question) for r in result.made]
    assert questions.count("where is my shipment now?") == 1
    assert len({*questions, *(folded(r.question) for r in rows)}) == len(questions) + 3
    assert result.counts["synonyms"]["duplicate"] == 3


def columns_of(variants: list[tuple[int, int, bool]]) -> Candidates:
    kinds = (np.uint64, np.uint64, np.bool_)
    return Candidates(*(np.array([v[i] for v in variants], kinds[i]) for i in range(3)))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 9), st.booleans()), max_size=20, unique=True
    ),
    st.lists(st.integers(0, 9), max_size=5),
    st.integers(0, 10),
)
def test_fates_do_not_depend_on_the_order_and_keep_the_lowest_ranks(
    variants: list[tuple[int, int, bool]], real: list[int], most: int
) -> None:
    def fates(order: list[tuple[int, int, bool]]) -> list[str]:
        halves = [order[: len(order) // 2], order[len(order) // 2 :]]
        columns = together([columns_of(half) for half in halves])
        return fates_of(columns, np.array(real, np.uint64), most)

    found = dict(zip(variants, fates(variants), strict=True))
    kept = [variant for variant, fate in found.items() if fate == "kept"]
    assert len(kept) <= most
    assert not {prompt for _, prompt, _ in kept} & set(real)
    assert len({prompt for _, prompt, _ in kept}) == len(kept)
    assert not any(contaminated for _, _, contaminated in kept)
    over = [rank for (rank, _, _), fate in found.items() if fate == "over_cap"]
    assert not (over and kept) or max(rank for rank, _, _ in kept) <= min(over)
    if len({(rank, prompt) for rank, prompt, _ in variants}) == len(variants):
        backwards = dict(zip(variants[::-1], fates(variants[::-1]), strict=True))
        assert backwards == found


def test_only_the_chosen_share_is_tried_and_it_grows_with_the_share(tmp_path: Path) -> None:
    few, more = (
        {r.line for r in made(many(200), NOISE | {"share": share}, folder=tmp_path)}
        for share in (0.2, 0.5)
    )
    assert few < more
    assert 20 < len(few) < 60 < len(more) < 140


def test_variants_are_never_made_from_variants(tmp_path: Path) -> None:
    first = made(many(3), NOISE, folder=tmp_path)
    assert made(first, NOISE, folder=tmp_path) == []


def test_earlier_turns_tools_and_the_answer_stay(tmp_path: Path) -> None:
    messages = (
        Message("system", "You sell tents."),
        Message("user", "Hello there, good people"),
        Message("assistant", "Hello!", '{"name":"bot"}'),
        Message("user", "Can I bring back the large tent?"),
        Message("assistant", "You can."),
    )
    parent = Record("p", messages, "a", 1, tools="[]")
    (variant,) = made([parent], NOISE, folder=tmp_path)
    assert [a == b for a, b in zip(messages, variant.messages, strict=True)] == [
        True, True, True, False, True,
    ]  # fmt: skip
    assert variant.tools == "[]"


def test_a_method_is_listed_at_most_once() -> None:
    with pytest.raises(ValidationError, match="lists noise more than once"):
        section(NOISE, NOISE)


def test_the_digest_changes_with_a_dictionary_but_not_with_its_place(tmp_path: Path) -> None:
    def digest(name: str, line: str) -> str:
        chosen = section(synonyms(tmp_path) | {"files": [dictionary(tmp_path, line, name=name)]})
        return augment_settings(chosen, tmp_path).digest

    assert digest("a.csv", "big, large") == digest("b.csv", "big,large")
    assert digest("a.csv", "big, large") != digest("a.csv", "big, huge")


# Synonyms


def test_synonyms_keep_case_and_whole_words(tmp_path: Path) -> None:
    rows = [row("Parcel lost: MY parcel? Parcels!", "Yes.")]
    (variant,) = made(rows, synonyms(tmp_path, "parcel, package"), folder=tmp_path)
    assert variant.question == "Package lost: MY package? Parcels!"
    (variant,) = made([row("A PARCEL", "Yes.")], synonyms(tmp_path, "parcel, box"), folder=tmp_path)
    assert variant.question == "A BOX"


def test_synonyms_work_on_unspaced_text_with_the_longest_match_first(tmp_path: Path) -> None:
    replacing = synonyms(tmp_path, "手机\t电话", "手机壳\t保护套", "怎么\t如何", "iPhone, 苹果手机")
    (variant,) = made([row("手机壳怎么退？我的iPhone手机", "可以。")], replacing, folder=tmp_path)
    assert variant.question == "保护套如何退？我的苹果手机电话"


def test_protected_words_and_the_answer_are_not_replaced(tmp_path: Path) -> None:
    rows = [row("Is Big Tent a big tent? No big deal", "It is big.")]
    replacing = synonyms(tmp_path, "big, large", "no, hardly any")
    (variant,) = made(rows, replacing, folder=tmp_path, protect=("big tent",))
    assert variant.question == "Is Big Tent a big tent? No large deal"
    assert variant.answer == "It is big."


def test_rows_without_a_known_word_have_no_variant(tmp_path: Path) -> None:
    chosen = section(synonyms(tmp_path, "parcel, package"))
    result = augment([row("Hello there", "Hi.")], chosen, tmp_path, clean)
    assert result.counts == {"synonyms": {"tried": 1, "made": 0, "no_known_word": 1}}


@settings(max_examples=100, deadline=None)
@given(words)
def test_found_terms_are_in_the_text_in_order_and_apart(text: str) -> None:
    known = dictionary_of([("a", "ab"), ("你好", "你"), ("退货", "退", "货"), ("abc", "İ")])
    end = 0
    for found in known.find(text):
        assert found.start >= end
        assert text[found.start : found.end] in known.groups[found.group]
        end = found.end


def test_a_dictionary_that_cannot_be_used_says_where_and_what_next(tmp_path: Path) -> None:
    single = tmp_path / dictionary(tmp_path, "# comment", "", "parcel", name="single.csv")
    with pytest.raises(RecipeError, match=r"single\.csv:3: a group needs two terms"):
        read_dictionary([single])
    empty = tmp_path / dictionary(tmp_path, "# comment", name="empty.csv")
    with pytest.raises(RecipeError, match="no group of terms"):
        read_dictionary([empty])
    (tmp_path / "latin.csv").write_bytes("gro\xdf, big".encode("latin-1"))
    with pytest.raises(RecipeError, match="UTF-8"):
        read_dictionary([tmp_path / "latin.csv"])


# Terms

SYMPTOMS = "fever, cough, headache, sore throat"
SYMPTOMS_ZH = "发热，咳嗽，头痛，咽痛"


def test_a_term_is_swapped_in_question_and_answer_alike(tmp_path: Path) -> None:
    parent = row(
        "I have a fever, a cough and a headache. What now?",
        "With fever, cough and headache: rest and drink.",
    )
    (variant,) = made([parent], terms(tmp_path, SYMPTOMS), folder=tmp_path)
    gone = {w for w in ("fever", "cough", "headache") if w not in variant.question}
    assert len(gone) == 1
    assert "sore throat" in variant.question
    (old,) = gone
    assert variant.answer == parent.answer.replace(old, "sore throat")


def test_a_term_is_swapped_in_unspaced_text(tmp_path: Path) -> None:
    parent = row("患者发热、咳嗽和头痛怎么办？", "发热、咳嗽、头痛时请多休息。")
    (variant,) = made([parent], terms(tmp_path, SYMPTOMS_ZH), folder=tmp_path)
    assert "咽痛" in variant.question
    assert "咽痛" in variant.answer
    assert "咽痛" not in parent.question


def test_an_answer_that_names_no_term_stays(tmp_path: Path) -> None:
    parent = row("Fever and cough, what now?", "See a doctor tomorrow.")
    (variant,) = made([parent], terms(tmp_path, SYMPTOMS), folder=tmp_path)
    assert variant.answer == parent.answer
    assert variant.question[0].isupper()


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("I have a fever. What now?", "Rest.", "no_list"),
        ("I have a fever because of a cough", "Rest.", "no_list"),
        ("A cough, cough and cough", "Rest.", "no_list"),
        ("Fever and cough?", "A fever means above 38. A cough is a reflex.", "term_used_alone"),
        ("Fever, cough, headache, sore throat", "Rest.", "group_used_up"),
        (
            "Fever, cough, headache?",
            "Rest. See a doctor if you get a sore throat.",
            "group_used_up",
        ),
        ("发热和咳嗽", "发热是指体温高于38度，咳嗽是反射。", "no_list"),
    ],
)
def test_rows_whose_answer_might_become_untrue_are_left_out(
    question: str, answer: str, reason: str, tmp_path: Path
) -> None:
    chosen = section(terms(tmp_path, SYMPTOMS), max_share=4.0)
    result = augment([row(question, answer)], chosen, tmp_path, clean)
    assert result.counts["terms"] == {"tried": 1, "made": 0, reason: 1}


def test_a_term_that_stands_alone_somewhere_stays_and_another_is_swapped(tmp_path: Path) -> None:
    parent = row("Fever and cough, what now?", "Fever is a body temperature above 38 degrees.")
    (variant,) = made([parent], terms(tmp_path, SYMPTOMS), folder=tmp_path)
    assert "Fever" in variant.question
    assert "cough" not in variant.question
    assert variant.answer == parent.answer


# Noise

FACTS = re.compile(r"\d+|[" + NEGATIONS_ZH + NUMERALS_ZH + "]")


@settings(max_examples=200, deadline=None)
@given(st.text("abcdeXYZ 你好我们退货不三1290，。?", min_size=1, max_size=60), st.integers(0, 5))
def test_noise_never_touches_digits_negations_or_names(text: str, seed: int) -> None:
    section_ = section(NOISE | {"rate": 0.5}, max_share=4.0, seed=seed, protect=("你好",))
    for variant in augment([row(text, "Yes.")], section_, Path(), clean).made:
        assert FACTS.findall(variant.question) == FACTS.findall(text)
        assert variant.question.count("你好") >= text.count("你好")
        assert variant.answer == "Yes."
        assert variant.question != text


@pytest.mark.parametrize("text", ["2天3夜", "订单00们000们你000号"])
def test_noise_never_makes_one_number_of_two(text: str, tmp_path: Path) -> None:
    for seed in range(20):
        dropping = NOISE | {"kinds": ["drop"], "rate": 0.5}
        for variant in made([row(text, "Yes.")], dropping, folder=tmp_path, seed=seed):
            assert re.findall(r"\d+", variant.question) == re.findall(r"\d+", text)


@pytest.mark.parametrize(
    ("kind", "holds"),
    [
        ("drop", lambda old, new: len(new) < len(old)),
        ("duplicate", lambda old, new: len(new) > len(old)),
        ("swap", lambda old, new: sorted(new) == sorted(old) or len(new) > len(old)),
        ("replace", lambda old, new: len(new) >= len(old)),
    ],
)
@pytest.mark.parametrize("text", ["请问我的订单什么时候发货", "When will you send my order"])
def test_each_kind_does_what_it_says_in_either_script(
    kind: str, holds: Callable[[str, str], bool], text: str, tmp_path: Path
) -> None:
    (variant,) = made([row(text, "Soon.")], NOISE | {"kinds": [kind]}, folder=tmp_path)
    assert variant.question != text
    assert holds(text, variant.question)


def test_noise_is_about_as_dense_as_asked(tmp_path: Path) -> None:
    text = "abcdefghij" * 20
    noise = NOISE | {"rate": 0.1, "kinds": ["duplicate"]}
    (variant,) = made([row(text, "Yes.")], noise, folder=tmp_path)
    assert 8 < len(variant.question) - len(text) < 35


def test_marks_stay_with_their_letters(tmp_path: Path) -> None:
    text = "न\u093eम\u0940 ค\u0e37ค\u0e31ด"
    rows = [row(text, "Yes.")]
    for kind in ("drop", "swap", "duplicate"):
        for variant in made(rows, NOISE | {"rate": 0.5, "kinds": [kind]}, folder=tmp_path):
            for pair in ("न\u093e", "म\u0940", "ค\u0e37", "ค\u0e31"):
                assert pair in variant.question


def test_the_table_of_lookalikes_turns_no_meaning_round() -> None:
    opposites = [("买", "卖"), ("开", "关"), ("收", "售"), ("大", "小"), ("多", "少")]
    for character, others in ALIKE.items():
        assert character not in others
        assert not set(character + others) & set(NEGATIONS_ZH + NUMERALS_ZH)
        assert not any(a == character and b in others for a, b in opposites)
    assert len([c for c in ALIKE if not c.isascii()]) > 300
    assert ALIKE["g"] == "fhtyvb"


def test_settings_travel_to_other_processes(tmp_path: Path) -> None:
    configured = augment_settings(
        section(NOISE, synonyms(tmp_path, "tent, marquee"), terms(tmp_path, SYMPTOMS)), tmp_path
    )
    sent: AugmentSettings = pickle.loads(pickle.dumps(configured))
    table = table_of(many(5))
    assert augment_table(table, sent).table.equals(augment_table(table, configured).table)
    variants = records_of(augment_table(table, sent).table)
    assert len(set(candidates(table_of(variants), sent, clean).ranks)) == len(variants) == 10
