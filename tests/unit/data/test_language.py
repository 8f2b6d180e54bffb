"""The language of an answer: identified where the recipe filters by it, guessed where not."""

from __future__ import annotations

import pytest

from sluice.data.cleaning.clean import CleanSettings, clean_records
from sluice.data.cleaning.language import guessed
from sluice.errors import DataError
from sluice.recipe import CleaningSection
from tests.unit.data.rows import row

ANSWERS = {
    "en": "Please return the tent within thirty days of delivery and we will refund you.",
    "zh": "请在三十天内把帐篷 Ultralight Pro 寄回，我们会退款。",
    "fr": "Bonjour, vous pouvez retourner la tente dans les trente jours suivant la livraison.",
    "de": "Sie können das Zelt innerhalb von dreißig Tagen nach der Lieferung zurückgeben.",
    "es": "Puede devolver la tienda dentro de los treinta días posteriores a la entrega.",
    "ru": "Вы можете вернуть палатку в течение тридцати дней после доставки, мы вернем деньги.",
    "ja": "ご注文ありがとうございます。三十日以内に返品できます。",
    "ko": "텐트는 배송 후 삼십 일 이내에 반품하실 수 있습니다.",
}
ROWS = [row(answer=answer, line=i) for i, answer in enumerate(ANSWERS.values(), 1)]


def cleaned(*languages: str) -> tuple[dict[int, str | None], dict[int, str]]:
    result = clean_records(ROWS, CleanSettings(CleaningSection(languages=languages)))
    kept = {r.line: r.language for r in result.kept}
    return kept, {g.record.line: f"{g.reason} {g.detail}" for g in result.gone}


def test_answers_in_other_languages_are_dropped_and_the_rest_is_told() -> None:
    kept, gone = cleaned("en", "zh")
    assert kept == {1: "en", 2: "zh"}
    others = {i: f"other_language {code}" for i, code in enumerate(ANSWERS, 1) if i > 2}
    assert gone == others
    assert cleaned("fr", "ja")[0] == {3: "fr", 7: "ja"}


@pytest.mark.parametrize(
    "answer",
    [
        "Oui, bien sûr!",  # too short to be sure
        "SELECT name FROM tents WHERE size > 3;",
        "The Ultralight Pro Max 2000 XL (SKU UL-2000-XL) ships from Hamburg, Rotterdam and Nantes.",
        "- Tent: 3 kg\n- Poles: 1 kg\n- Pegs: 0.5 kg\n- Bag: 0.2 kg\n- Total: 4.7 kg",
    ],
)
def test_what_cannot_be_told_passes(answer: str) -> None:
    section = CleaningSection(languages=("en",))
    assert clean_records([row(answer=answer)], CleanSettings(section)).gone == ()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (ANSWERS["en"], "en"),
        (ANSWERS["zh"], "zh"),
        (ANSWERS["ja"], "ja"),
        (ANSWERS["ko"], "ko"),
        ("中文里也说“の”这个字，很常见。", "zh"),
        (ANSWERS["fr"], None),
        ("42", None),
    ],
)
def test_without_a_filter_the_language_is_guessed(answer: str, code: str | None) -> None:
    assert guessed(answer, "") == code


def test_a_language_that_nobody_can_identify_is_an_error_that_names_those_that_can_be() -> None:
    section = CleaningSection(languages=("en", "xx"))
    with pytest.raises(DataError, match=r"xx cannot be identified\. The codes that can are af, "):
        clean_records(ROWS, CleanSettings(section))
