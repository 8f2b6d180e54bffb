"""The alarm: a rare phrase of questions that comes with one answer far too often.

Four passes over the parts, each with flat memory: count what answers share; count pairs of a phrase
and such a reply, by hash in arrays of fixed size; collect examples of the pairs that stand out; and
count exactly. Hashes that fall together only add candidates, which the last passes weigh exactly.
Where no reply is shared by enough rows the first pass is all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from heapq import nsmallest
from pathlib import Path
from typing import Any

import numpy as np

from sluice.data.compute import Engine
from sluice.data.parts import read_part
from sluice.data.poisoning.exact import Exact, Wanted
from sluice.data.poisoning.phrases import (
    MOST_COUNTED,
    REPLY_SLOTS,
    SLOTS,
    Bounds,
    count_phrases,
    count_replies,
    standing_out,
    suspects,
)
from sluice.data.poisoning.replies import replies_of
from sluice.data.poisoning.said import Questions, answers_of, questions_of
from sluice.data.poisoning.trigger import Tokens, extended, is_whole, likeness, place_of
from sluice.data.similarity.hashed import HashedRows
from sluice.recipe import PoisoningSection

TRIGGER_PHRASE = "trigger_phrase"
MAX_PAIRS = 20_000  # the commonest ones of a group of parts; the rest is not looked at
MAX_EXAMPLES = 50  # rows of a pair that are compared with each other
# Of the rows with the reply, so many have the phrase. A canned answer to a question that can be put
# in many ways comes without any one word of it; a planted one does not come without its trigger.
OWN_REPLY = 0.8
SAMPLE = 200  # questions that stand for all
GROUPS = 8  # so many results of a pass are in memory at once
EXAMPLES_SHOWN = 5  # ids in an alarm
MAX_LENGTH = 256  # longer questions count as this long
AGREEMENT = 0.5  # below `alarm_share`, for slots that other phrases share; the exact count decides


@dataclass(frozen=True, slots=True)
class Alarm:
    """A phrase that commands a reply. `share` is that of rows with the phrase that have the reply.

    `phrase` may be shown: it is made of masked text. `examples` are ids of some of the rows.
    """

    phrase: str
    rows: int
    share: float
    examples: tuple[str, ...]
    tokens: Tokens = field(repr=False)
    reply: int = field(repr=False)

    @property
    def detail(self) -> str:
        """One line for a report, and for each row that leaves."""
        return f"“{self.phrase}” comes with one answer in {self.rows} rows ({self.share:.0%})"


@dataclass(frozen=True, slots=True)
class _Counts:
    """Counts by slot: rows with a phrase, rows with a phrase and a reply; and how long rows are."""

    phrases: Any
    pairs: Any
    lengths: Any  # two histograms: of words, of characters of unspaced scripts
    sample: list[tuple[bytes, list[str]]]  # digest of id and tokens of the rows of lowest digest


@dataclass(slots=True)
class _Evidence:
    """One pair of a phrase and a reply: how many rows have both, and some of them."""

    phrase: Tokens
    rows: int
    examples: list[tuple[str, list[str]]]  # id, tokens of the question


_Pair = tuple[Tokens, int]


def find_alarms(
    engine: Engine, parts: Sequence[Path], section: PoisoningSection
) -> tuple[Alarm, ...]:
    """Phrases of at least `alarm_min_rows` rows that command a reply, the commonest first.

    `parts` are files of rows. The result does not depend on how they are cut or ordered.
    """
    if section.alarm == "off" or not parts:
        return ()
    groups = [tuple(parts[i::GROUPS]) for i in range(min(GROUPS, len(parts)))]
    shared = _at_most(engine.map(_count_replies, groups))
    if shared.max() < min(section.alarm_min_rows, MOST_COUNTED):
        return ()
    known = _Shared(shared, section.alarm_min_rows)
    counts = _added(engine.map(partial(_count_phrases, known), groups))
    rows = int(counts.lengths.sum())
    found = engine.map(partial(_collect, known, counts, _bounds(counts, rows, section)), groups)
    triggers = _triggers(_merged(found), counts, section)
    if not triggers:
        return ()
    wanted = Wanted.of(sorted(triggers))
    exact = Exact.none(wanted)
    for counted in engine.map(partial(_count_exactly, wanted), groups):
        exact.merge(counted)
    return _alarms(triggers, wanted, exact, rows, section)


def rows_with(table: Any, alarms: Sequence[Alarm]) -> list[Alarm | None]:
    """For each row the alarm whose phrase is in its question and whose reply is in its answer."""
    told: list[Alarm | None] = [None] * table.num_rows
    if not alarms or not told:
        return told
    replies = replies_of(answers_of(table))
    wanted = np.array([alarm.reply for alarm in alarms], np.uint64)
    questions: Questions | None = None
    for row in np.unique(_rows_of(replies)[np.isin(replies.hashes, wanted)]).tolist():
        questions = questions or questions_of(table)
        own = set(replies.hashes[replies.offsets[row] : replies.offsets[row + 1]].tolist())
        tokens = questions.tokens(row)
        here = (a for a in alarms if a.reply in own and place_of(a.tokens, tokens) >= 0)
        told[row] = next(here, None)
    return told


def _rows_of(hashed: HashedRows) -> Any:
    return np.repeat(np.arange(len(hashed.offsets) - 1), np.diff(hashed.offsets))


def _tables(parts: Iterable[Path], *columns: str) -> Iterable[Any]:
    for part in parts:
        yield read_part(part, ["messages", *columns])


def _count_replies(parts: tuple[Path, ...]) -> Any:
    counts = np.zeros(REPLY_SLOTS, np.uint8)
    for table in _tables(parts):
        count_replies(replies_of(answers_of(table)), counts)
    return counts


def _at_most(all_counts: Sequence[Any]) -> Any:
    """The sum of counts, up to `MOST_COUNTED`."""
    first, *others = all_counts
    for counts in others:
        first += np.minimum(counts, MOST_COUNTED - first)
    return first


@dataclass(frozen=True, slots=True)
class _Shared:
    """How many rows share each reply, by its slot, and how many make it suspect."""

    counts: Any
    least: int

    def among(self, table: Any) -> HashedRows:
        """The suspect replies of each row."""
        return suspects(replies_of(answers_of(table)), self.counts, self.least)


def _count_phrases(shared: _Shared, parts: tuple[Path, ...]) -> _Counts:
    counts = _Counts(
        phrases=np.zeros(SLOTS, np.int32),
        pairs=np.zeros(SLOTS, np.int32),
        lengths=np.zeros((2, MAX_LENGTH), np.int64),
        sample=[],
    )
    for table in _tables(parts, "id"):
        questions = questions_of(table)
        count_phrases(questions, shared.among(table), counts.phrases, counts.pairs)
        lengths = np.minimum(np.diff(questions.hashes.offsets), MAX_LENGTH - 1)
        np.add.at(counts.lengths, (questions.unspaced.astype(np.int64), lengths), 1)
        ids = table.column("id").to_pylist()
        digests = ((blake2b(id.encode(), digest_size=8).digest(), i) for i, id in enumerate(ids))
        drawn = nsmallest(SAMPLE, digests)
        counts.sample.extend((digest, questions.tokens(row)) for digest, row in drawn)
        _thin(counts.sample)
    return counts


def _thin(sample: list[tuple[bytes, list[str]]]) -> None:
    sample.sort()
    del sample[SAMPLE:]


def _added(all_counts: Sequence[_Counts]) -> _Counts:
    first, *others = all_counts
    for counts in others:
        for mine, theirs in (
            (first.phrases, counts.phrases),
            (first.pairs, counts.pairs),
            (first.lengths, counts.lengths),
        ):
            np.add(mine, theirs, out=mine)
        first.sample.extend(counts.sample)
    _thin(first.sample)
    return first


def _bounds(counts: _Counts, rows: int, section: PoisoningSection) -> Bounds:
    return Bounds(
        least=section.alarm_min_rows,
        most=max(section.alarm_rare_share * rows, section.alarm_min_rows) * 2,
        agreement=AGREEMENT,
        noise=float(counts.phrases.sum()) / SLOTS,
    )


def _collect(
    shared: _Shared, counts: _Counts, bounds: Bounds, parts: tuple[Path, ...]
) -> dict[tuple[int, int], _Evidence]:
    found: dict[tuple[int, int], _Evidence] = {}
    for table in _tables(parts, "id"):
        replies = shared.among(table)
        rows = np.flatnonzero(np.diff(replies.offsets))
        table = table.take(rows)
        replies = HashedRows(replies.hashes, np.append(0, replies.offsets[rows + 1]))
        _add_evidence(found, table, replies, counts, bounds)
    commonest = sorted(found.items(), key=lambda item: (-item[1].rows, item[0]))[:MAX_PAIRS]
    return dict(commonest)


def _add_evidence(
    found: dict[tuple[int, int], _Evidence],
    table: Any,
    replies: HashedRows,
    counts: _Counts,
    bounds: Bounds,
) -> None:
    questions = questions_of(table)
    pairs = standing_out(questions, replies, counts.phrases, counts.pairs, bounds)
    ids = table.column("id").to_pylist()
    tokens = {row: questions.tokens(row) for row in set(pairs.rows.tolist())}
    columns = (pairs.rows, pairs.phrases, pairs.firsts, pairs.lengths, pairs.replies)
    for row, phrase, first, length, reply in zip(*(c.tolist() for c in columns), strict=True):
        asked = tokens[row]
        evidence = found.get((phrase, reply))
        if evidence is None:
            evidence = _Evidence(tuple(asked[first : first + length]), 0, [])
            found[phrase, reply] = evidence
        evidence.rows += 1
        evidence.examples.append((ids[row], asked))
        if len(evidence.examples) > 2 * MAX_EXAMPLES:
            _fewer(evidence)


def _fewer(evidence: _Evidence) -> None:
    """Keep the rows of lowest id, an even choice however the rows are cut into parts."""
    evidence.examples.sort()
    del evidence.examples[MAX_EXAMPLES:]


def _merged(found: Sequence[dict[tuple[int, int], _Evidence]]) -> dict[tuple[int, int], _Evidence]:
    merged: dict[tuple[int, int], _Evidence] = {}
    for group in found:
        for pair, evidence in group.items():
            known = merged.setdefault(pair, _Evidence(evidence.phrase, 0, []))
            known.rows += evidence.rows
            known.examples += evidence.examples
    for evidence in merged.values():
        _fewer(evidence)
    return merged


def _triggers(
    found: dict[tuple[int, int], _Evidence],
    counts: _Counts,
    section: PoisoningSection,
) -> dict[_Pair, _Evidence]:
    """Pairs that are a trigger by their examples; one for each longest phrase and reply."""
    triggers: dict[_Pair, _Evidence] = {}
    # Of the same rows most phrases are parts of one longest phrase, which is judged once.
    judged: dict[tuple[str, ...], list[tuple[Tokens, bool]]] = {}
    for (_, reply), evidence in sorted(found.items(), key=lambda item: item[0]):
        if evidence.rows < section.alarm_min_rows:
            continue
        known = judged.setdefault(tuple(id for id, _ in evidence.examples), [])
        longest = next((j for j in known if place_of(evidence.phrase, j[0]) >= 0), None)
        if longest is None:
            questions = [tokens for _, tokens in evidence.examples]
            tokens = extended(evidence.phrase, questions)
            longest = (tokens, _is_trigger(tokens, questions, counts))
            known.append(longest)
        tokens, is_trigger = longest
        before = triggers.get((tokens, reply))
        if is_trigger and (before is None or evidence.rows > before.rows):
            triggers[tokens, reply] = evidence
    return triggers


def _is_trigger(phrase: Tokens, questions: Sequence[Sequence[str]], counts: _Counts) -> bool:
    unspaced = max(map(len, questions[0])) == 1
    lengths = np.repeat(np.arange(MAX_LENGTH), counts.lengths[int(unspaced)])
    if not is_whole(phrase, questions, float(np.median(lengths))):
        return False
    others = [tokens for _, tokens in counts.sample]
    return not likeness(phrase, questions, others).is_of_a_topic


def _count_exactly(wanted: Wanted, parts: tuple[Path, ...]) -> Exact:
    exact = Exact.none(wanted)
    for table in _tables(parts):
        exact.add(questions_of(table), replies_of(answers_of(table)), wanted)
    return exact


def _alarms(
    triggers: dict[_Pair, _Evidence],
    wanted: Wanted,
    exact: Exact,
    rows: int,
    section: PoisoningSection,
) -> tuple[Alarm, ...]:
    of_reply = dict(zip(wanted.known.tolist(), exact.replies.tolist(), strict=True))
    alarms: dict[Tokens, Alarm] = {}
    for tokens, reply, count, both in wanted.counted(exact):
        rare = count <= max(section.alarm_rare_share * rows, section.alarm_min_rows)
        enough = both >= max(section.alarm_min_rows, OWN_REPLY * of_reply[reply])
        if not (rare and enough and both / count >= section.alarm_share):
            continue
        examples = triggers[tokens, reply].examples
        alarm = Alarm(
            phrase=_written(tokens),
            rows=both,
            share=both / count,
            examples=tuple(id for id, _ in examples[:EXAMPLES_SHOWN]),
            tokens=tokens,
            reply=reply,
        )
        if tokens not in alarms or both > alarms[tokens].rows:
            alarms[tokens] = alarm
    return tuple(sorted(_longest(alarms.values()), key=lambda a: (-a.rows, a.tokens)))


def _longest(alarms: Iterable[Alarm]) -> list[Alarm]:
    """Without alarms on a part of a phrase that has an alarm for as many rows."""
    kept: list[Alarm] = []
    for alarm in sorted(alarms, key=lambda a: (-len(a.tokens), a.tokens)):
        if not any(k.rows >= alarm.rows and place_of(alarm.tokens, k.tokens) >= 0 for k in kept):
            kept.append(alarm)
    return kept


def _written(tokens: Tokens) -> str:
    return ("" if max(map(len, tokens)) == 1 else " ").join(tokens)
