"""Repairs of single rows, and the rules that drop them."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Annotated, Literal

from pydantic import Field, field_validator

from sluice.recipe.section import Section

RULE_GROUP = "sluice.cleaning_rules"  # the entry points by which a package adds rules of its own

# In the order in which they are done; `sluice.data.cleaning` has what they do.
REPAIR_NAMES = (
    "encoding",
    "unicode",
    "control_characters",
    "zero_width",
    "html",
    "markdown",
    "punctuation_runs",
    "whitespace",
    "special_tokens",
)
RULE_NAMES = (
    "question_too_short",
    "answer_empty",
    "answer_too_short",
    "too_many_characters",
    "encoding_damage",
    "answer_repeats_question",
    "boilerplate",
    "refusal",
    "duplicate_lines",
    "duplicate_paragraphs",
    "repeated_phrase",
    "repeated_passages",
    "hash_symbols",
    "ellipses",
    "bullet_lines",
    "few_letters",
    "word_length",
    "other_language",
    "too_many_tokens",
)

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2}$")]


class CleaningSection(Section):
    """Repairs of single rows, and the rules that drop them. Each drop has a reason code."""

    off: tuple[str, ...] = Field(
        default=("refusal",),
        description="Repairs and rules that are switched off, by name. A rule's name is its "
        "reason code.",
    )
    unicode_form: Literal["NFC", "NFKC", "none"] = Field(
        default="NFC",
        description="Unicode normalisation. NFC keeps Chinese full-width punctuation, which NFKC "
        "would turn into ASCII.",
    )
    strip_html: bool = Field(
        default=True,
        description="Remove HTML tags and decode entities, except inside Markdown code.",
    )
    markdown: Literal["keep", "strip"] = Field(
        default="keep",
        description="strip: take away the marks of Markdown and keep its text. keep: the model "
        "learns to answer in Markdown where the rows do.",
    )
    max_punctuation_run: int = Field(
        default=3, ge=1, description="Longer runs of one punctuation mark are cut to this length."
    )
    special_tokens: tuple[str, ...] = Field(
        default=(),
        description="More texts that a row may not hold as such, beside the special tokens of the "
        "base model and of the usual chat templates.",
    )
    min_question_chars: int = Field(default=2, ge=0, description="Shorter questions are dropped.")
    min_answer_chars: int = Field(default=8, ge=0, description="Shorter answers are dropped.")
    max_chars: int = Field(
        default=4000, ge=1, description="Rows with more characters in all messages are too long."
    )
    max_tokens: int = Field(
        default=512,
        ge=8,
        description="Rows with more tokens of the base model's own tokenizer are too long, so "
        "that the trainer never cuts an answer off.",
    )
    too_long: Literal["drop", "truncate"] = Field(
        default="drop",
        description="What happens to rows that are too long. truncate: the oldest turns go first, "
        "then the middle of the question; an answer is never cut, so a row whose answer alone is "
        "too long is dropped all the same.",
    )
    max_damaged_chars: int = Field(
        default=0,
        ge=0,
        description="Rows with more characters that a wrong decoding left behind are dropped.",
    )
    boilerplate: tuple[str, ...] = Field(
        default=(),
        description="More phrases, in any case of letters, whose answers are dropped as "
        "boilerplate.",
    )
    languages: tuple[Language, ...] = Field(
        default=(),
        description="ISO 639-1 codes of the languages that answers may be in (`[en, zh]`). Empty: "
        "no filter.",
    )
    language_confidence: Share = Field(
        default=0.9,
        description="How sure the identifier must be of another language to drop a row.",
    )
    min_language_letters: int = Field(
        default=40, ge=1, description="Answers with fewer letters pass the language filter."
    )
    min_measured_words: int = Field(
        default=50,
        ge=1,
        description="Answers with fewer words pass the rules of repetition and symbols below. In "
        "scripts without spaces two characters count as a word.",
    )
    max_duplicate_lines: Share = Field(
        default=0.30, description="Largest share of lines that repeat an earlier line."
    )
    max_duplicate_line_chars: Share = Field(
        default=0.20, description="Largest share of characters in such lines."
    )
    max_duplicate_paragraphs: Share = Field(
        default=0.30, description="Largest share of paragraphs that repeat an earlier one."
    )
    max_duplicate_paragraph_chars: Share = Field(
        default=0.20, description="Largest share of characters in such paragraphs."
    )
    max_top_phrase: tuple[Share, Share, Share] = Field(
        default=(0.20, 0.18, 0.16),
        description="Largest share of characters in the most frequent phrase of 2, 3 and 4 words.",
    )
    max_repeated_passages: tuple[Share, Share, Share, Share, Share, Share] = Field(
        default=(0.15, 0.14, 0.13, 0.12, 0.11, 0.10),
        description="Largest share of characters in passages of 5, 6, 7, 8, 9 and 10 words that "
        "repeat an earlier one.",
    )
    max_hashes: float = Field(default=0.1, ge=0.0, description="Most `#` signs per word.")
    max_ellipses: float = Field(default=0.1, ge=0.0, description="Most ellipses per word.")
    max_bullet_lines: Share = Field(
        default=1.0,
        description="Largest share of lines that begin with a bullet. 1: lists are wanted.",
    )
    max_ellipsis_lines: Share = Field(
        default=0.3, description="Largest share of lines that end with an ellipsis."
    )
    min_letter_share: Share = Field(
        default=0.4,
        description="Smallest share of words with a letter among those with a letter or digit (of "
        "letters among characters, in scripts without spaces).",
    )
    min_word_length: float = Field(
        default=1.5, ge=0.0, description="Smallest mean length of words, in scripts with spaces."
    )
    max_word_length: float = Field(
        default=12.0, ge=1.0, description="Largest mean length of words, in scripts with spaces."
    )

    @field_validator("off")
    @classmethod
    def _known(cls, off: tuple[str, ...]) -> tuple[str, ...]:
        unknown = set(off) - {*REPAIR_NAMES, *RULE_NAMES}
        if unknown:  # looking through all installed packages takes a while, so only now
            unknown -= {found.name for found in entry_points(group=RULE_GROUP)}
        if unknown:
            raise ValueError(
                f"no repair or rule is called {', '.join(sorted(unknown))}; there are "
                f"{', '.join((*REPAIR_NAMES, *RULE_NAMES))}, and those of installed packages"
            )
        return off

    def on(self, name: str) -> bool:
        """Whether a repair or rule is switched on."""
        return name not in self.off
