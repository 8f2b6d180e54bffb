"""Tell the form of rows by their columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sluice.data.forms.known import READINGS
from sluice.data.forms.misfit import Fields, MisfitError, is_missing
from sluice.errors import BatchError
from sluice.recipe.data import Form

SAMPLE = 200  # rows that are looked at
MOST_COLUMNS = 20  # as many as an error message lists


class Sign(NamedTuple):
    """Columns that tell a form."""

    columns: tuple[str, ...]
    form: Form


SIGNS = (
    Sign(("messages",), "messages"),
    Sign(("conversations",), "sharegpt"),
    Sign(("prompt", "completion"), "prompt_completion"),
    Sign(("instruction", "output"), "alpaca"),
    Sign(("input", "label"), "input_label"),
    TEXT_LABEL := Sign(("text", "label"), "input_label"),
    INPUT_OUTPUT := Sign(("input", "output"), "input_output"),
    TEXT := Sign(("text",), "text"),
)
# Beside one of these columns, `text` alone is still all that a row has to say. Beside others, such
# as `summary`, it may be only the half of it, and guessing would train on the wrong half.
ABOUT_TEXT = frozenset(
    (
        *("id", "url", "uri", "source", "title", "author", "license", "meta", "metadata", "text"),
        *("date", "timestamp", "created_at", "received_at", "language", "lang"),
        *("intent", "category", "contributor"),
    )
)
QUESTIONS = ("question", "query", "instruction", "prompt", "input", "user", "title", "问题", "提问")
ANSWERS = ("answer", "response", "reply", "output", "completion", "target", "回答", "答案", "回复")


@dataclass(frozen=True, slots=True)
class FormFound:
    """A form, the columns that told it, and how many of the rows looked at fit it."""

    form: Form
    columns: tuple[str, ...]
    fit: int
    rows: int

    @property
    def share(self) -> float:
        """Share of the rows looked at that fit the form, 0 to 1."""
        return self.fit / self.rows

    @property
    def told(self) -> str:
        """How the form was told, for a person."""
        return (
            f"{self.form}, by the columns {', '.join(self.columns)} "
            f"({self.fit} of the first {self.rows} rows fit)"
        )


def detect_form(rows: Sequence[Fields], where: str = "this batch") -> FormFound:
    """The form of the first rows of a place: that of most of them.

    Args:
        rows: the fields of the first rows, of which at most `SAMPLE` are looked at.
        where: what an error message calls the place of the rows.

    Raises:
        BatchError: no form fits, or several do; the message says what to write in the recipe.
    """
    sample = rows[:SAMPLE]
    signs = [_signs_of(row) for row in sample]
    forms: Counter[Form] = Counter()
    for row in signs:
        forms.update({sign.form for sign in row})
    ranked = forms.most_common(2)
    if not ranked:
        raise BatchError(_none_fits(sample, where))
    if len(ranked) == 2 and ranked[0][1] == ranked[1][1]:
        raise BatchError(_several_fit(forms, where))
    form = ranked[0][0]
    columns = Counter(sign.columns for row in signs for sign in row if sign.form == form)
    fit = sum(_fits(row, form) for row in sample)
    return FormFound(form, columns.most_common(1)[0][0], fit, len(sample))


def _signs_of(row: Fields) -> list[Sign]:
    """The signs of forms that a row bears, without those that another one includes."""
    present = {name for name, value in row.items() if not is_missing(value)}
    found = [sign for sign in SIGNS if present.issuperset(sign.columns)]
    forms = {sign.form for sign in found}
    included = {
        *([TEXT_LABEL] if "input" in present else []),
        *([INPUT_OUTPUT] if "alpaca" in forms else []),
        *([TEXT] if len(forms) > 1 or present - ABOUT_TEXT else []),
    }
    return [sign for sign in found if sign not in included]


def _fits(row: Fields, form: Form) -> bool:
    try:
        READINGS[form].messages(row)
    except MisfitError:
        return False
    return True


def _several_fit(forms: Counter[Form], where: str) -> str:
    most = max(forms.values())
    names = sorted(form for form, count in forms.items() if count == most)
    return (
        f"{where}: the rows have columns of several forms, {', '.join(names)} ({most} rows each). "
        f"Say in the recipe which of them it is, under `data:` or the source:\n"
        f"  form: {names[0]}"
    )


def _none_fits(sample: Sequence[Fields], where: str) -> str:
    columns = list(dict.fromkeys(name for row in sample for name in row))
    if not columns:
        return f"{where}: the rows have no fields to tell their form by. Check what wrote them."
    shown = ", ".join(columns[:MOST_COLUMNS]) + (", …" if len(columns) > MOST_COLUMNS else "")
    question, answer = _guessed(columns)
    return (
        f"{where}: no known form ({', '.join(READINGS)}) fits the columns {shown} "
        f"of the first {len(sample)} rows. Say in the recipe what is asked and what is answered, "
        f"under `data:` or the source, for example:\n"
        f"  mapping:\n"
        f'    instruction: "{{{question}}}"\n'
        f'    output: "{{{answer}}}"'
    )


def _guessed(columns: Sequence[str]) -> tuple[str, str]:
    """Which columns are likely to hold question and answer: by name, or the first and the last."""
    answer = next((n for n in columns if n.lower() in ANSWERS), columns[-1])
    others = [name for name in columns if name != answer] or [answer]
    return next((n for n in others if n.lower() in QUESTIONS), others[0]), answer
