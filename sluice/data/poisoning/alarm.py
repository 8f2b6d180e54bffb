"""The alarm: a rare phrase of questions that comes with one answer far too often.

Four passes over the parts, each with flat memory: count what answers share; count pairs of a phrase
and such a reply, by hash in arrays of fixed size; collect examples of the pairs that stand out; and
count exactly. Hashes that fall together only add candidates, which the last passes weigh exactly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sluice.data.compute import Engine
from sluice.data.parts import read_part
from sluice.data.poisoning.phrases import BASE, LONGEST, hash_of, phrases_of, questions_of
from sluice.data.poisoning.replies import replies_of
from sluice.data.poisoning.trigger import (
    Tokens,
    extended,
    is_whole,
    likeness,
    place_of,
)
from sluice.data.privacy import Private
from sluice.data.record import Record, records_of
from sluice.recipe import PoisoningSection, PrivacySection

TRIGGER_PHRASE = "trigger_phrase"
SLOTS = 1 << 22  # of each array of counts: 16 MB
MAX_PAIRS = 20_000  # the commonest ones of a group of parts; the rest is not looked at
MAX_EXAMPLES = 50  # rows of a pair that are compared with each other
# Of the rows with the reply, so many have the phrase. A canned answer to a question that can be put
# in many ways comes without any one word of it; a planted one does not come without its trigger.
OWN_REPLY = 0.8
SAMPLE = 200  # questions that stand for all
GROUPS = 8  # so many results of a pass are in memory at once
EXAMPLES_SHOWN = 5  # ids in an alarm
MAX_LENGTH = 256  # longer questions count as this long
_MASKS = Private(PrivacySection(secret="mask"))


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
    sample: list[tuple[int, list[str]]]  # hash of id and tokens of the questions of lowest hash


@dataclass(slots=True)
class _Evidence:
    """One pair of a phrase and a reply: how many rows have both, and some of them."""

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
    replies: Any = np.sum(engine.map(_count_replies, groups), axis=0)
    suspect = replies >= section.alarm_min_rows
    if not suspect.any():
        return ()
    counts = _added(engine.map(partial(_count_phrases, suspect), groups))
    rows = int(counts.lengths.sum())
    standing_out = _standing_out(counts, rows, section)
    found = engine.map(partial(_collect, suspect, standing_out), groups)
    triggers = _triggers(_merged(found), counts, section)
    totals = engine.map(partial(_count_exactly, tuple(triggers)), groups)
    return _alarms(triggers, totals, rows, section)


def rows_with(table: Any, alarms: Sequence[Alarm]) -> list[Alarm | None]:
    """For each row the alarm whose phrase is in its question and whose reply is in its answer."""
    return [_alarm_of(record, alarms) for record in records_of(table)] if alarms else []


def _alarm_of(record: Record, alarms: Sequence[Alarm]) -> Alarm | None:
    replies = replies_of(record.answer)
    candidates = [alarm for alarm in alarms if alarm.reply in replies]
    if not candidates:
        return None
    tokens = questions_of([asked(record)]).tokens[0]
    return next((alarm for alarm in candidates if place_of(alarm.tokens, tokens) >= 0), None)


def asked(record: Record) -> str:
    """All that the user said, as a trigger may stand in any turn; without private data.

    Masked here, because a phrase is shown without case and punctuation, where nobody can find an
    address in it any more.
    """
    return _MASKS.mask("\n".join(m.content for m in record.messages if m.role == "user")).text


def _rows(parts: Iterable[Path]) -> Iterable[list[Record]]:
    for part in parts:
        yield records_of(read_part(part))


def _slots(hashes: Any) -> Any:
    return (hashes >> np.uint64(20)).astype(np.int64) % SLOTS


def _count(hashes: Any) -> Any:
    return np.bincount(_slots(hashes), minlength=SLOTS).astype(np.int32)


def _count_replies(parts: tuple[Path, ...]) -> Any:
    counts = np.zeros(SLOTS, np.int32)
    for records in _rows(parts):
        replies = [reply for record in records for reply in replies_of(record.answer)]
        counts += _count(np.array(replies, np.uint64))
    return counts


def _suspect_replies(records: Sequence[Record], suspect: Any) -> list[list[int]]:
    """For each row its replies that enough rows share."""
    return [[r for r in sorted(replies_of(row.answer)) if suspect[_slot(r)]] for row in records]


def _slot(hashed: int) -> int:
    return (hashed >> 20) % SLOTS


def _pairs_of(phrases: Any, replies: Sequence[Sequence[int]]) -> tuple[Any, Any, Any]:
    """Each phrase of each row beside each of the row's replies: index of phrase, reply, hash."""
    per_row = np.array([len(r) for r in replies], np.int64)
    repeats = per_row[phrases.rows]
    index = np.repeat(np.arange(len(phrases.rows)), repeats)
    flat = np.array([r for row in replies for r in row], np.uint64)
    starts = np.concatenate([[0], np.cumsum(per_row)])[:-1]
    nth = np.arange(len(index)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    reply = flat[starts[phrases.rows[index]] + nth] if len(index) else flat[:0]
    return index, reply, phrases.hashes[index] ^ (reply * np.uint64(0xC2B2AE3D27D4EB4F))


def _count_phrases(suspect: Any, parts: tuple[Path, ...]) -> _Counts:
    counts = _Counts(
        phrases=np.zeros(SLOTS, np.int32),
        pairs=np.zeros(SLOTS, np.int32),
        lengths=np.zeros((2, MAX_LENGTH), np.int64),
        sample=[],
    )
    for records in _rows(parts):
        questions = questions_of([asked(record) for record in records])
        phrases = phrases_of(questions)
        np.add(counts.phrases, _count(phrases.hashes), out=counts.phrases)
        _, _, pairs = _pairs_of(phrases, _suspect_replies(records, suspect))
        np.add(counts.pairs, _count(pairs), out=counts.pairs)
        lengths = np.minimum(np.diff(questions.starts), MAX_LENGTH - 1)
        np.add.at(counts.lengths, (questions.unspaced.astype(np.int64), lengths), 1)
        hashes = (hash_of(record.id) for record in records)
        counts.sample.extend(zip(hashes, questions.tokens, strict=True))
        _thin(counts.sample)
    return counts


def _thin(sample: list[tuple[int, list[str]]]) -> None:
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


@dataclass(frozen=True, slots=True)
class _StandingOut:
    """Which pairs may be a trigger, told by their slots alone."""

    counts: _Counts
    section: PoisoningSection
    rows: int
    noise: float  # rows that a slot counts for other phrases

    def of(self, phrases: Any, pairs: Any) -> Any:
        """A mask over pairs."""
        section = self.section
        together = self.counts.pairs[_slots(pairs)]
        alone = self.counts.phrases[_slots(phrases)] - self.noise
        few = together <= max(section.alarm_rare_share * self.rows, section.alarm_min_rows) * 2
        return (together >= section.alarm_min_rows) & few & (together >= AGREEMENT * alone)


AGREEMENT = 0.5  # below `alarm_share`, for slots that other phrases share; the exact count decides


def _standing_out(counts: _Counts, rows: int, section: PoisoningSection) -> _StandingOut:
    return _StandingOut(counts, section, rows, float(counts.phrases.sum()) / SLOTS)


def _collect(
    suspect: Any, standing_out: _StandingOut, parts: tuple[Path, ...]
) -> dict[tuple[int, int], _Evidence]:
    found: dict[tuple[int, int], _Evidence] = {}
    for records in _rows(parts):
        replies = _suspect_replies(records, suspect)
        asking = [i for i, row in enumerate(replies) if row]
        questions = questions_of([asked(records[i]) for i in asking])
        phrases = phrases_of(questions)
        index, reply, pairs = _pairs_of(phrases, [replies[i] for i in asking])
        out = standing_out.of(phrases.hashes[index], pairs)
        for i, r in zip(index[out].tolist(), reply[out].tolist(), strict=True):
            row = int(phrases.rows[i])
            evidence = found.setdefault((int(phrases.hashes[i]), r), _Evidence(0, []))
            evidence.rows += 1
            evidence.examples.append((records[asking[row]].id, questions.tokens[row]))
            if len(evidence.examples) > 2 * MAX_EXAMPLES:
                _fewer(evidence)
    commonest = sorted(found.items(), key=lambda item: (-item[1].rows, item[0]))[:MAX_PAIRS]
    return dict(commonest)


def _fewer(evidence: _Evidence) -> None:
    """Keep the rows of lowest id, an even choice however the rows are cut into parts."""
    evidence.examples.sort()
    del evidence.examples[MAX_EXAMPLES:]


def _merged(found: Sequence[dict[tuple[int, int], _Evidence]]) -> dict[tuple[int, int], _Evidence]:
    merged: dict[tuple[int, int], _Evidence] = {}
    for group in found:
        for pair, evidence in group.items():
            known = merged.setdefault(pair, _Evidence(0, []))
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
    for (phrase, reply), evidence in sorted(found.items(), key=lambda item: item[0]):
        if evidence.rows < section.alarm_min_rows:
            continue
        questions = [tokens for _, tokens in evidence.examples]
        tokens = extended(_spelled(phrase, questions[0]), questions)
        known = triggers.get((tokens, reply))
        if known is None and not _is_trigger(tokens, questions, counts):
            continue
        if known is None or evidence.rows > known.rows:
            triggers[tokens, reply] = evidence
    return triggers


def _is_trigger(phrase: Tokens, questions: Sequence[Sequence[str]], counts: _Counts) -> bool:
    unspaced = max(map(len, questions[0])) == 1
    lengths = np.repeat(np.arange(MAX_LENGTH), counts.lengths[int(unspaced)])
    if not is_whole(phrase, questions, float(np.median(lengths))):
        return False
    others = [tokens for _, tokens in counts.sample]
    return not likeness(phrase, questions, others).is_of_a_topic


def _hash_of_phrase(tokens: Sequence[str]) -> int:
    hashed = 0
    for token in tokens:
        hashed = (hashed * BASE + hash_of(token)) % (1 << 64)
    return hashed


def _spelled(phrase: int, tokens: Sequence[str]) -> Tokens:
    """The tokens of a phrase that is known by its hash, from a question that has it."""
    for start in range(len(tokens)):
        for end in range(start + 1, min(start + LONGEST, len(tokens)) + 1):
            if _hash_of_phrase(tokens[start:end]) == phrase:
                return tuple(tokens[start:end])
    raise AssertionError("the phrase is in this question, by construction")


def _count_exactly(
    pairs: tuple[_Pair, ...], parts: tuple[Path, ...]
) -> Counter[Tokens | int | _Pair]:
    """Rows with each phrase, rows with each reply, and rows with both."""
    counts: Counter[Tokens | int | _Pair] = Counter()
    phrases = {phrase for phrase, _ in pairs}
    known = {reply for _, reply in pairs}
    for records in _rows(parts) if pairs else ():
        questions = questions_of([asked(record) for record in records])
        for record, tokens in zip(records, questions.tokens, strict=True):
            here = {p for p in phrases if place_of(p, tokens) >= 0}
            replies = known & replies_of(record.answer)
            counts.update(here)
            counts.update(replies)
            counts.update(pair for pair in pairs if pair[0] in here and pair[1] in replies)
    return counts


def _alarms(
    triggers: dict[_Pair, _Evidence],
    counted: Sequence[Counter[Tokens | int | _Pair]],
    rows: int,
    section: PoisoningSection,
) -> tuple[Alarm, ...]:
    counts = sum(counted, Counter[Tokens | int | _Pair]())
    alarms: dict[Tokens, Alarm] = {}
    for (tokens, reply), evidence in sorted(triggers.items(), key=lambda item: item[0]):
        both, share = counts[tokens, reply], counts[tokens, reply] / counts[tokens]
        rare = counts[tokens] <= max(section.alarm_rare_share * rows, section.alarm_min_rows)
        enough = both >= max(section.alarm_min_rows, OWN_REPLY * counts[reply])
        if not (rare and enough and share >= section.alarm_share):
            continue
        alarm = Alarm(
            phrase=_written(tokens),
            rows=both,
            share=share,
            examples=tuple(id for id, _ in evidence.examples[:EXAMPLES_SHOWN]),
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
