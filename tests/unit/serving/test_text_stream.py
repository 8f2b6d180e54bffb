from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sluice.serving.text_stream import BROKEN, StopText, TokenText


def as_text(ids: list[int]) -> str:
    """Decoding with one token for each byte."""
    return bytes(ids).decode(errors="replace")


def pieces_of(text: str) -> list[str]:
    stream = TokenText(as_text)
    pieces = [stream.push(byte) for byte in text.encode()]
    return [piece for piece in [*pieces, stream.flush()] if piece]


def through_stops(chunks: list[str], stops: list[str]) -> tuple[str, bool]:
    stream = StopText(stops)
    sent = [stream.push(chunk) for chunk in chunks]
    return "".join([*sent, stream.flush()]), stream.stopped


@given(st.text().filter(lambda text: BROKEN not in text))
def test_pieces_are_whole_characters_and_together_the_text(text: str) -> None:
    pieces = pieces_of(text)
    assert "".join(pieces) == text
    assert all(BROKEN not in piece for piece in pieces)


def test_a_chinese_character_is_sent_as_soon_as_its_last_byte_comes() -> None:
    stream = TokenText(as_text)
    assert [stream.push(byte) for byte in "退，".encode()] == ["", "", "退", "", "", "，"]


def test_half_a_character_at_the_limit_is_dropped() -> None:
    stream = TokenText(as_text)
    sent = [stream.push(byte) for byte in "退货".encode()[:-1]]
    assert "".join(sent) + stream.flush() == "退"


@given(st.text("ab \n."), st.text("ab \n.", min_size=1, max_size=4), st.data())
def test_stop_strings_cut_alike_however_the_text_arrives(
    text: str, stop: str, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    edges = [0, *cuts, len(text)]
    chunks = [text[a:b] for a, b in itertools.pairwise(edges)]
    sent, stopped = through_stops(chunks, [stop])
    assert stopped == (stop in text)
    assert sent == text.split(stop)[0].strip()


def test_the_first_of_several_stop_strings_counts() -> None:
    assert through_stops(["one. two! three"], ["!", "."]) == ("one", True)


def test_text_that_only_begins_like_a_stop_string_is_sent_at_the_end() -> None:
    assert through_stops(["so far <", "en"], ["<end>"]) == ("so far <en", False)


def test_text_that_cannot_be_a_stop_string_is_not_held_back() -> None:
    stream = StopText(["<end>"])
    assert stream.push("so far") == "so far"
