"""Back-translation: the question goes to another language and comes back in other words."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Lock

import httpx

from sluice.data.augmentation.draws import Draws
from sluice.data.augmentation.protected import facts_of
from sluice.data.augmentation.scripts import is_mostly_chinese, is_mostly_unspaced
from sluice.data.augmentation.translator import Translation, TranslationError, Translator
from sluice.data.augmentation.variant import Missed, Variant, with_question
from sluice.data.record import Record
from sluice.data.similarity import folded
from sluice.errors import SluiceError

# Languages as a model knows them. Others are named by their code, which models know as well.
NAMES = {
    "ar": "Arabic",
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "ja": "Japanese",
    "ko": "Korean",
    "pt": "Portuguese",
    "ru": "Russian",
    "th": "Thai",
    "vi": "Vietnamese",
    "zh": "Chinese (in the script of the text)",
}
# A rewording is about as long. What is not is an answer to the question, or an excuse.
MAX_LENGTH_RATIO = 2.5
# An endpoint that fails so often in a row is down: the rest would only wait for it.
FAILURES_IN_A_ROW = 8


@dataclass(frozen=True)
class BackTranslation:
    """The method `back_translation`. Questions only: the answer is what the model learns to say."""

    translator: Translator
    pivot: str
    language: str | None
    parallel_requests: int
    protect: tuple[str, ...]
    name: str = "back_translation"

    def variants(self, records: Sequence[Record], draws: Sequence[Draws]) -> list[Variant]:
        """One variant of each row. The wording is the endpoint's; nothing is drawn.

        Raises:
            SluiceError: the endpoint failed `FAILURES_IN_A_ROW` times, one after the other.
        """
        if not records:
            return []
        failures = _FailuresInARow(self.translator.base_url)
        with self.translator.client() as client, ThreadPoolExecutor(self.parallel_requests) as pool:
            return list(pool.map(partial(self._variant, client, failures), records))

    def _variant(self, client: httpx.Client, failures: _FailuresInARow, record: Record) -> Variant:
        question = record.question
        failures.check()
        try:
            text = self._there_and_back(client, question, self._language_of(record))
        except TranslationError as error:
            failures.add(str(error))
            return Missed("failed", str(error), failed=True)
        failures.clear()
        wrong = _what_is_wrong(question, text, self.protect)
        return Missed(wrong) if wrong else with_question(record, text)

    def _there_and_back(self, client: httpx.Client, text: str, language: str) -> str:
        there = self.translator.translate(client, Translation(text, language, self.pivot))
        return self.translator.translate(client, Translation(there, self.pivot, language))

    def _language_of(self, record: Record) -> str:
        guess = "zh" if is_mostly_chinese(record.question) else "en"
        code = self.language or record.language or guess
        return NAMES.get(code, code)


class _FailuresInARow:
    """Counts failures that no success came between, over all threads of one call."""

    def __init__(self, url: str) -> None:
        self._url, self._count, self._last, self._lock = url, 0, "", Lock()

    def add(self, message: str) -> None:
        with self._lock:
            self._count, self._last = self._count + 1, message

    def clear(self) -> None:
        with self._lock:
            self._count = 0

    def check(self) -> None:
        if self._count >= FAILURES_IN_A_ROW:
            raise SluiceError(
                f"augmentation: back_translation: {self._url} failed {self._count} times in a row, "
                f"last with: {self._last}. Repair the endpoint and run again: what it has already "
                "translated is kept. Or take the method out of `augmentation.methods`."
            )


def _what_is_wrong(question: str, text: str, protect: Sequence[str]) -> str | None:
    """The reason why a back-translation is no rewording of the question; None if it is one."""
    if folded(text) == folded(question):
        return "unchanged"
    if not 1 / MAX_LENGTH_RATIO <= len(text) / len(question) <= MAX_LENGTH_RATIO:
        return "implausible_length"
    if is_mostly_unspaced(text) != is_mostly_unspaced(question):
        return "other_script"
    if facts_of(text, protect) != facts_of(question, protect):
        return "facts_changed"
    return None
