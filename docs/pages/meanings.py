"""What each reason code means that has no docstring of its own, and which key governs it."""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    """What a code says, and the recipe's key behind it; empty where nothing can be set."""

    says: str
    key: str = ""


class Leaving(NamedTuple):
    """The same of a row that was readable."""

    fate: str
    says: str
    key: str


REJECTS = {
    "bad_quoting": Meaning(
        "A field of CSV or TSV with quotes does not begin and end with one, or does not double "
        "those inside."
    ),
    "bad_tool_call": Meaning("A tool call has no name, or its arguments are no object."),
    "bad_utf8": Meaning("The row is not UTF-8."),
    "byte_order_mark": Meaning(
        "A byte order mark in the middle of a file; only its start may carry one."
    ),
    "duplicate_key": Meaning("A key is written twice: parsers disagree about which value counts."),
    "empty_conversation": Meaning("A list of messages without any."),
    "line_too_long": Meaning("The line, or the row, has more bytes.", "data.max_line_bytes"),
    "lone_surrogate": Meaning("Half of a surrogate pair, which is no character."),
    "missing_<field>": Meaning(
        "A field that the form or a template needs is not there, or null. A template that ends in "
        "a question mark, `{field?}`, does without.",
        "data.form, data.mapping",
    ),
    "missing_content": Meaning("A message has no content, and calls no tool."),
    "missing_role": Meaning("A message does not say who speaks."),
    "no_answer": Meaning("The conversation does not end with the assistant's words."),
    "not_an_object": Meaning(
        "Valid JSON, but a list, text, number or null where a row should be an object."
    ),
    "not_finite": Meaning("NaN, Infinity, or a number beyond the range of a double."),
    "not_json": Meaning("Not JSON; a line that was cut off is the usual case."),
    "not_text": Meaning("A part of a message is no text, such as an image."),
    "nul_character": Meaning("A NUL character, raw or escaped."),
    "too_deep": Meaning("Nested deeper.", "data.max_nesting"),
    "unknown_role": Meaning("A message by somebody other than system, user, assistant and tool."),
    "unknown_value": Meaning("A value for which `names` has no word.", "data.mapping.names"),
    "unreadable_value": Meaning("A value of a type that has no place in JSON."),
    "wrong_column_count": Meaning("More or fewer cells than the header of the table has names."),
    "wrong_order": Meaning("A system message after the conversation began."),
    "wrong_type": Meaning(
        "A field is of another type than the form needs: a number or a list where text should be, "
        "say."
    ),
}

COMPARED = {
    "near_evaluation_question": Leaving(
        "dropped",
        "Its question equals or nearly equals that of an evaluation or guard row, whose id and "
        "similarity are in the detail.",
        "data.near_duplicate",
    ),
    "near_evaluation_answer": Leaving(
        "dropped",
        "Its answer equals or nearly equals that of an evaluation or guard row. Answers of fewer "
        "than {MIN_ANSWER_TOKENS} tokens are not compared: everyone says them.",
        "data.near_duplicate",
    ),
    "exact_duplicate": Leaving(
        "dropped",
        "The whole conversation equals that of the row in the detail, case and spacing aside.",
        "duplicates.exact, duplicates.keep",
    ),
    "conflicting_answers": Leaving(
        "quarantined",
        "The same question has an answer that contradicts this one, in the row of the detail: "
        "other numbers, yes and no, or other short answers. All rows of the question wait.",
        "duplicates.conflicts",
    ),
    "near_duplicate": Leaving(
        "dropped",
        "Nearly the same as the row in the detail, question and answer: the same numbers, signs "
        "and negations, and no word for another.",
        "duplicates.near, duplicates.similarity, duplicates.keep",
    ),
    "released_copy": Leaving(
        "dropped",
        "A person has released another copy of this row from quarantine, which takes its place: "
        "the one in the detail.",
        "",
    ),
    "source_over_cap": Leaving(
        "dropped",
        "Its source has more rows than its share. Which of them stay follows from a hash of the "
        "row.",
        "poisoning.max_source_share",
    ),
    "contributor_over_cap": Leaving(
        "dropped",
        "Whoever contributed it has more rows than their share.",
        "poisoning.contributor_tag, poisoning.max_contributor_share",
    ),
    "trigger_phrase": Leaving(
        "quarantined",
        "A rare phrase that comes with one answer far too often. By default such a phrase is only "
        "reported, and no row leaves.",
        "poisoning.alarm",
    ),
    "evaluation_reserve": Leaving(
        "dropped",
        "The hash chose it for evaluation, but there are enough evaluation rows. It is kept from "
        "training all the same, so that no row is judged by in one month and trained on in the "
        "next.",
        "data.evaluation_share, data.max_evaluation_rows",
    ),
}

MISSED = {
    "facts_changed": "The variant would have had other numbers or protected words.",
    "failed": "The endpoint gave no translation.",
    "group_used_up": "Every other term of the group is in the row already.",
    "implausible_length": "The translation is far longer or shorter than the question.",
    "no_known_word": "No word of the question is in a dictionary.",
    "no_list": "The question has no list of terms of one group.",
    "other_script": "The translation came back in another script.",
    "term_used_alone": "The term also stands outside the list, where it may mean more.",
    "too_short": "The question is too short to bear a typing error.",
    "unchanged": "The question came out as it was.",
}
VARIANTS = {
    "kept": "It joined the training rows.",
    "contaminated": "It came near an evaluation or guard row.",
    "duplicate": "Its question is that of a training row, or of another variant.",
    "over_cap": "There are enough variants (`augmentation.max_share`).",
}
REPAIRS = {
    "encoding": "UTF-8 that was decoded as something else is decoded again, where that is sure.",
    "unicode": "Unicode normalisation (`unicode_form`).",
    "control_characters": "Control characters go; other line breaks become line feeds.",
    "zero_width": "Characters that nobody sees go; joiners stay where scripts and emoji need them.",
    "html": "Tags go and entities are decoded, outside code (`strip_html`).",
    "markdown": "The marks of Markdown go; only with `markdown: strip`.",
    "punctuation_runs": "Runs of one punctuation mark are cut (`max_punctuation_run`).",
    "whitespace": "Runs of spaces become one, at most one empty line stays, ends are cut; code "
    "keeps its spaces.",
    "special_tokens": "Special tokens of chat templates get a space inside, so that they are only "
    "text (`special_tokens` adds more).",
    "masked_<kind>": "Private data is replaced by a mask such as `[EMAIL]` (`privacy`).",
    "truncated": "The oldest turns, then the middle of the question go; only with `too_long: "
    "truncate`.",
}
