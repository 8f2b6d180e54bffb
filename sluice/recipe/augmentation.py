"""Rows that are made from other rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from sluice.recipe.section import Section

NoiseKind = Literal["drop", "duplicate", "swap", "replace"]


class _Dictionary(Section):
    """Files of groups of terms."""

    files: tuple[Path, ...] = Field(
        min_length=1,
        description="UTF-8 files of terms that may stand for each other, one group per line, "
        "separated by commas or tabs. Relative to the recipe. `#` starts a comment line.",
    )
    share: float = Field(
        default=1.0,
        gt=0.0,
        le=1.0,
        description="Share of the training rows, chosen by a stable hash, that this method tries.",
    )


class SynonymMethod(_Dictionary):
    """Words of the question are replaced by synonyms from a dictionary."""

    method: Literal["synonyms"] = Field(description="Synonyms from a dictionary.")
    rate: float = Field(
        default=0.3,
        gt=0.0,
        le=1.0,
        description="Chance of each known word to be replaced; at least one is.",
    )


class TermMethod(_Dictionary):
    """One term of a list in the question is swapped for another of its group."""

    method: Literal["terms"] = Field(
        description="Swap one term of a list (of symptoms, of parts) for another of its group, in "
        "question and answer alike. Only terms that change nothing in the answer belong in one "
        "group: leave out those that decide it."
    )
    min_terms: int = Field(
        default=2, ge=2, description="A list has at least this many terms of one group."
    )


class NoiseMethod(Section):
    """Slips of the keyboard in the question; the answer stays clean."""

    method: Literal["noise"] = Field(description="Typing errors in the question.")
    rate: float = Field(
        default=0.03,
        gt=0.0,
        le=0.5,
        description="Chance of each letter or Chinese character to be mistyped; at least one is.",
    )
    kinds: tuple[NoiseKind, ...] = Field(
        default=("drop", "duplicate", "swap", "replace"),
        min_length=1,
        description="What happens to a character. replace: by one that sounds or looks alike "
        "(Chinese), or by its neighbour on the keyboard (Latin letters).",
    )
    share: float = Field(
        default=1.0,
        gt=0.0,
        le=1.0,
        description="Share of the training rows, chosen by a stable hash, that this method tries.",
    )


class BackTranslationMethod(Section):
    """The question is translated to another language and back, by a model at an endpoint."""

    method: Literal["back_translation"] = Field(
        description="Translate the question to `pivot` and back. The questions leave this machine "
        "if the endpoint is elsewhere."
    )
    base_url: str = Field(
        pattern=r"^https?://[^\s@]+$",
        description="OpenAI-compatible endpoint, up to and with its `/v1`.",
    )
    model: str = Field(min_length=1, description="Name of the model at the endpoint.")
    api_key_env: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="Environment variable that holds the key. The key itself is never in a recipe.",
    )
    pivot: str = Field(
        default="German", min_length=1, description="The other language, as the model knows it."
    )
    language: str | None = Field(
        default=None,
        description="Language of the questions. None: that of the row, and where it is unknown "
        "Chinese or English, by the script.",
    )
    share: float = Field(
        default=0.1,
        gt=0.0,
        le=1.0,
        description="Share of the training rows, chosen by a stable hash, that is sent; each costs "
        "two requests, once.",
    )
    timeout_seconds: float = Field(
        default=60.0, gt=0, le=600, description="Longest wait for one answer."
    )
    retries: int = Field(
        default=2, ge=0, le=10, description="More attempts after a failure that may pass."
    )
    parallel_requests: int = Field(
        default=4, ge=1, le=64, description="Requests at a time from one process."
    )
    max_failed_share: float = Field(
        default=0.1,
        ge=0.0,
        le=1.0,
        description="Share of the rows sent that may fail; above it the run stops.",
    )


AugmentationMethod = Annotated[
    SynonymMethod | TermMethod | NoiseMethod | BackTranslationMethod,
    Field(discriminator="method"),
]


class AugmentationSection(Section):
    """Made-up variants of training rows, marked as such. Off by default."""

    methods: tuple[AugmentationMethod, ...] = Field(
        default=(), description="How variants are made, each at most once. None listed: off."
    )
    max_share: float = Field(
        default=0.5,
        gt=0.0,
        le=4.0,
        description="Most augmented rows, as a share of the real training rows.",
    )
    protect: tuple[str, ...] = Field(
        default=(), description="Names and words that no method changes, whatever their case."
    )
    seed: int = Field(default=7, ge=0, description="Seed of everything that is drawn.")

    @model_validator(mode="after")
    def _each_method_once(self) -> AugmentationSection:
        names = [method.method for method in self.methods]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"lists {', '.join(twice)} more than once: put its files in one list")
        if any(not word.strip() for word in self.protect):
            raise ValueError("`protect` has an empty word")
        return self
