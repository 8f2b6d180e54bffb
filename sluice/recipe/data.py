"""Where rows come from, and which of them are kept away from training."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from sluice.recipe.section import Name, Section
from sluice.recipe.template import Template, as_written, paths_of

LANDING = "landing"  # the name under which the landing folder is kept beside the other sources
TAKEN_NAMES = frozenset({LANDING, "held-out", "released"})
MADE_UP_TAGS = frozenset({"augmented", "augmented_from"})  # they tell made-up rows from real ones

Form = Literal[
    "auto",
    "alpaca",
    "prompt_completion",
    "messages",
    "sharegpt",
    "text",
    "input_output",
    "input_label",
    "mapping",
]


class MappingSection(Section):
    """Templates that build a conversation from a row of any form.

    `{field}` stands for a field, `{a.b.0.c}` for a nested one, `{field?}` for one that may be
    missing, `{{` and `}}` for braces. Numbers are written plainly, objects as JSON.
    """

    system: Template | None = Field(default=None, description="Template of the system message.")
    instruction: Template = Field(min_length=1, description="Template of the question.")
    input: Template | None = Field(
        default=None, description="Template of what the question is about; put below it."
    )
    output: Template = Field(min_length=1, description="Template of the answer.")
    tags: dict[str, Template] = Field(
        default={}, description="Templates of tags, by name. One that comes out blank is no tag."
    )
    received_at: Template | None = Field(
        default=None,
        description="Template of the time at which the row was received: ISO 8601, or seconds or "
        "milliseconds since 1970.",
    )
    names: dict[str, dict[str, str]] = Field(
        default={},
        description="What is written for the values of a field, by field: "
        "`{label: {0: negative, 1: positive}}`. A row with another value is rejected.",
    )
    join: str = Field(default="\n", description="What is put between the texts of a list.")

    @field_validator("names", mode="before")
    @classmethod
    def _values_as_written(cls, names: object) -> object:
        # YAML reads 0 and true as numbers and truth values; rows may have them as either.
        return as_written(names)

    @model_validator(mode="after")
    def _fields_are_used(self) -> MappingSection:
        if not paths_of(self.output):
            raise ValueError(
                "`output` names no field, so every row would teach the same answer; "
                "write one in braces, as in {answer}"
            )
        rest = (self.system, self.input, self.received_at, *self.tags.values())
        used = {path for t in (self.instruction, self.output, *rest) if t for path in paths_of(t)}
        _refuse_taken(self.tags)
        unused = sorted(set(self.names) - used)
        if unused:
            raise ValueError(f"`names` has {', '.join(unused)}, which no template names")
        return self


class SourceSection(Section):
    """One place that rows come from. Exactly one of `uri`, `query`, `dataset` and `gateway`."""

    name: Name = Field(description="Name of the source, as it stands in each of its rows.")
    uri: str | None = Field(
        default=None,
        description="File, folder, glob or fsspec URL (`s3://bucket/*.jsonl.gz`), relative to the "
        "recipe. JSONL, JSON, CSV, TSV, Parquet and Arrow, also compressed with gzip or zstd.",
    )
    query: str | None = Field(
        default=None,
        description="SQL query; needs `database`. The whole result is compared with what was read "
        "before, unless there is a `watermark`.",
    )
    watermark: str | None = Field(
        default=None,
        description="Column of the query that only grows (`id`). The query then has `:watermark` "
        "where the largest value that was read is to be put: `WHERE id > :watermark`.",
    )
    watermark_start: int | float | str = Field(
        default=0, description="Value of `:watermark` before anything was read."
    )
    database: str | None = Field(
        default=None,
        description="SQLAlchemy URL, in which `${NAME}` stands for an environment variable.",
    )
    dataset: str | None = Field(
        default=None, description="Folder written by `datasets`, or the id of a data set on a hub."
    )
    split: str = Field(default="train", description="Split of `dataset`.")
    revision: str | None = Field(default=None, description="Commit of a data set on a hub.")
    gateway: bool = Field(
        default=False,
        description="Requests that users rated, from the gateway's own log "
        "(`serving.log_requests`). Those rated good train as they are, corrected ones with the "
        "correction; bad and unrated ones do not.",
    )
    form: Form = Field(default="auto", description="Form of the rows. auto: found, and told.")
    mapping: MappingSection | None = Field(
        default=None, description="Templates, for rows of any other form."
    )

    @model_validator(mode="after")
    def _one_place(self) -> SourceSection:
        given = [self.uri, self.query, self.dataset, self.gateway or None]
        if sum(place is not None for place in given) != 1:
            raise ValueError("needs exactly one of `uri`, `query`, `dataset` and `gateway: true`")
        if (self.query is None) != (self.database is None):
            raise ValueError("`query` and `database` belong together")
        if self.watermark is not None and ":watermark" not in (self.query or ""):
            raise ValueError("with a `watermark`, the `query` has `:watermark` somewhere")
        if self.watermark is None and ":watermark" in (self.query or ""):
            raise ValueError("the query has `:watermark`: name its column in `watermark`")
        return self


class WindowSection(Section):
    """Only the newest rows: the last `batches`, or those of the last `days`."""

    batches: int | None = Field(
        default=None,
        ge=1,
        description="Newest batches to train on, by when they were taken in. What was appended to "
        "a file is a batch of its own.",
    )
    days: float | None = Field(
        default=None, gt=0, description="Days since a batch was taken in, at most."
    )

    @model_validator(mode="after")
    def _one_measure(self) -> WindowSection:
        if (self.batches is None) == (self.days is None):
            raise ValueError("needs exactly one of `batches` and `days`")
        return self


class DataSection(Section):
    """Where rows come from, and which of them are kept away from training."""

    landing: Path | None = Field(
        default=None,
        description="Folder that fresh files are dropped into. None: `landing/` in SLUICE_HOME.",
    )
    sources: tuple[SourceSection, ...] = Field(
        default=(), description="More places that rows come from, beside the landing folder."
    )
    form: Form = Field(
        default="auto", description="Form of the landing folder's rows. auto: found, and told."
    )
    mapping: MappingSection | None = Field(
        default=None, description="Templates for landing rows of any other form."
    )
    tags: tuple[str, ...] = Field(
        default=("intent", "category", "contributor"),
        description="Fields of a row that are kept as its tags, where it has them.",
    )
    window: Literal["all"] | WindowSection = Field(
        default="all", description="Which batches are trained on."
    )
    max_line_bytes: int = Field(
        default=1024 * 1024, ge=64, description="Longer lines are rejected, unread."
    )
    max_nesting: int = Field(
        default=32, ge=2, le=256, description="Rows that are nested deeper are rejected."
    )
    max_decompressed_bytes: int = Field(
        default=64 * 1024**3,
        ge=1024,
        description="A compressed file that unpacks to more is refused.",
    )
    evaluation: Path | None = Field(
        default=None,
        description="Held-out file that every model is scored on. Relative to the recipe.",
    )
    guards: tuple[Path, ...] = Field(
        default=(),
        description="More files whose rows may not be trained on, like those of `evaluation`.",
    )
    evaluation_share: float = Field(
        default=0.0,
        ge=0.0,
        lt=0.5,
        description="Share of incoming rows, chosen by a stable hash of the question, that joins "
        "the evaluation rows and is never trained on.",
    )
    max_evaluation_rows: int = Field(
        default=2000,
        ge=1,
        description="Most rows that `evaluation_share` may choose, those with the lowest hash.",
    )
    validation_share: float = Field(
        default=0.05,
        ge=0.0,
        lt=0.5,
        description="Share of training rows, chosen by a stable hash, that the trainer only "
        "measures its loss on.",
    )
    near_duplicate: float = Field(
        default=0.55,
        gt=0.0,
        le=1.0,
        description="Jaccard similarity of token bigrams from which a training question or answer "
        "counts as a copy of an evaluation row, and the row is removed from training.",
    )
    max_reject_share: float = Field(
        default=0.2,
        ge=0.0,
        le=1.0,
        description="Share of unreadable lines above which a batch is refused as a whole.",
    )

    @model_validator(mode="after")
    def _something_to_judge_on(self) -> DataSection:
        if self.evaluation is None and self.evaluation_share == 0.0:
            raise ValueError(
                "nothing to evaluate on: name a held-out file in `evaluation`, "
                "or set `evaluation_share` above 0"
            )
        return self

    @model_validator(mode="after")
    def _tags_are_free(self) -> DataSection:
        _refuse_taken(self.tags)
        return self

    @model_validator(mode="after")
    def _one_name_each(self) -> DataSection:
        names = [source.name for source in self.sources]
        wrong = sorted({n for n in names if names.count(n) > 1 or n.lower() in TAKEN_NAMES})
        if wrong:
            raise ValueError(
                f"each of the `sources` needs a name of its own, other than "
                f"{' and '.join(sorted(TAKEN_NAMES))}: {', '.join(wrong)}"
            )
        return self


def _refuse_taken(tags: Iterable[str]) -> None:
    taken = sorted(MADE_UP_TAGS.intersection(tags))
    if taken:
        raise ValueError(
            f"no tag may be called {' or '.join(taken)}: rows that augmentation makes up are known "
            "by it; map the field to a tag with another name"
        )
