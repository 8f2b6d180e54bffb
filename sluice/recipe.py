"""The recipe: one YAML file says what is trained, on what, how it is judged, and how it is served.

Every default is in this file and nowhere else; `docs/reference/recipe.md` is generated from it.
Reading a recipe imports neither torch, prefect, mlflow nor great_expectations, so that
`sluice check` answers at once. Parsing, with lines and suggestions, is in `sluice.recipe_file`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Method = Literal["lora"]
Metric = Literal[
    "bleu", "rouge_1", "rouge_2", "rouge_l", "perplexity", "empty_rate", "cut_off_rate"
]
LOWER_IS_BETTER: frozenset[str] = frozenset({"perplexity", "empty_rate", "cut_off_rate"})
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]


class Section(BaseModel):
    """Frozen, and closed: a key that nobody reads is an error, not a silent no-op."""

    # No number of a recipe may be infinite or NaN: a margin of infinity is a rule that never fails.
    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False
    )


class ModelSection(Section):
    """The model that is trained, and the name under which it is registered and served."""

    name: Name = Field(description="Name of the registered model and of the served model.")
    base: str = Field(
        min_length=1,
        description="Base model: `package:NAME/FILE.gguf` (a model that an installed Python "
        "package carries), a local folder in Hugging Face format, or a hub id.",
    )
    revision: str | None = Field(
        default=None, description="Commit of the hub repository; pin it for repeatable runs."
    )
    system_prompt: str | None = Field(
        default=None,
        description="System message put before every question, in training, evaluation and "
        "serving alike. None leaves the chat template's own default.",
    )
    language: Literal["en", "zh"] = Field(
        default="en",
        description="Language of the answers: decides how text is cut into tokens for scores and "
        "near-duplicates (words, or characters for Chinese).",
    )


class DataSection(Section):
    """Where rows come from, and which of them are kept away from training."""

    landing: Path | None = Field(
        default=None,
        description="Folder that fresh files are dropped into (*.jsonl). "
        "None: `landing/` in SLUICE_HOME.",
    )
    evaluation: Path | None = Field(
        default=None,
        description="Held-out JSONL file that every model is scored on. Relative to the recipe.",
    )
    evaluation_share: float = Field(
        default=0.0,
        ge=0.0,
        lt=0.5,
        description="Share of incoming rows, chosen by a stable hash of the question, that joins "
        "the evaluation rows and is never trained on.",
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


class CleaningSection(Section):
    """Rules that repair or drop single rows. Each drop has a reason code."""

    unicode_form: Literal["NFC", "NFKC", "none"] = Field(
        default="NFC",
        description="Unicode normalisation. NFC keeps Chinese full-width punctuation, which NFKC "
        "would turn into ASCII.",
    )
    strip_html: bool = Field(default=True, description="Remove HTML tags and decode entities.")
    min_question_chars: int = Field(default=2, ge=0, description="Shorter questions are dropped.")
    min_answer_chars: int = Field(default=8, ge=0, description="Shorter answers are dropped.")
    max_chars: int = Field(
        default=4000, ge=1, description="Rows with more characters in all messages are dropped."
    )
    max_tokens: int = Field(
        default=512,
        ge=8,
        description="Rows with more tokens of the base model's own tokenizer are dropped, so that "
        "the trainer never cuts an answer off.",
    )
    drop_duplicates: bool = Field(
        default=True, description="Keep only the first of rows whose cleaned text is equal."
    )


class ContractSection(Section):
    """Limits of the data contracts; the contracts themselves are code in `data_contracts/`."""

    min_rows: int = Field(
        default=50, ge=1, description="Fewer training rows than this stop the run."
    )
    max_quarantined_share: float = Field(
        default=0.1,
        ge=0.0,
        le=1.0,
        description="Rows that break a contract are set aside; above this share the batch fails.",
    )


class TrainingSection(Section):
    """Supervised fine-tuning with TRL's SFTTrainer; the loss is taken on answers only."""

    method: Method = Field(default="lora", description="Parameter-efficient method (PEFT).")
    learning_rate: float = Field(
        default=2e-4, gt=0, lt=1, description="Peak learning rate. LoRA: 1e-4 to 2e-4 is usual."
    )
    epochs: float = Field(default=3.0, gt=0, description="Passes over the training rows.")
    batch_size: int = Field(default=8, ge=1, description="Rows per optimizer step and device.")
    gradient_accumulation: int = Field(
        default=1, ge=1, description="Batches that are summed before each optimizer step."
    )
    rank: int = Field(default=16, ge=1, description="LoRA rank r.")
    alpha: int = Field(default=32, ge=1, description="LoRA alpha; usually 2r.")
    dropout: float = Field(
        default=0.0,
        ge=0.0,
        lt=1.0,
        description="Adapter dropout. 0 by default: on a CPU it costs about a third of the speed.",
    )
    warmup_ratio: float = Field(
        default=0.05, ge=0.0, lt=1.0, description="Share of steps in which the rate rises."
    )
    scheduler: Literal["linear", "cosine", "constant_with_warmup"] = Field(
        default="cosine", description="How the learning rate falls after the warm-up."
    )
    weight_decay: float = Field(default=0.0, ge=0.0, lt=1.0, description="AdamW weight decay.")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto",
        description="auto: bf16 where the processor or GPU computes in it, else fp32.",
    )
    threads: int | None = Field(
        default=None, ge=1, description="CPU threads. None: all cores that the process may use."
    )
    checkpoint_every_steps: int = Field(
        default=20, ge=1, description="A killed training loses at most this many steps."
    )
    timeout_minutes: float = Field(
        default=24 * 60, gt=0, description="Training is stopped, as a failure, after this time."
    )
    seed: int = Field(default=7, ge=0, description="Seed of data order and adapter weights.")


class EvaluationSection(Section):
    """How base, champion and candidate are scored: same rows, same code, same run."""

    max_new_tokens: int = Field(default=96, ge=1, description="Longest answer that is generated.")
    batch_size: int = Field(default=16, ge=1, description="Questions answered at a time.")
    resamples: int = Field(
        default=2000, ge=200, description="Resamples of the paired bootstrap (Koehn 2004)."
    )
    confidence: float = Field(
        default=0.95, gt=0.5, lt=1.0, description="Level of the intervals that are shown."
    )
    samples: int = Field(
        default=5, ge=0, description="Answers that are shown side by side in the report."
    )


class BetterRule(Section):
    """The candidate must be better: the whole interval of the difference lies on the good side."""

    rule: Literal["better"]
    metric: Metric
    than: Literal["baseline", "base"] = "baseline"


class NotWorseRule(Section):
    """The candidate may lose at most `margin` (a share of the other's score if `relative`)."""

    rule: Literal["not_worse"]
    metric: Metric
    margin: float = Field(gt=0)
    relative: bool = False
    than: Literal["baseline", "base"] = "baseline"


class LimitRule(Section):
    """The candidate's own score must keep a limit, whatever the others did."""

    rule: Literal["at_least", "at_most"]
    metric: Metric
    limit: float


GateRule = Annotated[BetterRule | NotWorseRule | LimitRule, Field(discriminator="rule")]


class GateSection(Section):
    """The rules that a candidate must pass. All must pass; what cannot be told is inconclusive."""

    rules: tuple[GateRule, ...] = Field(
        default=(
            BetterRule(rule="better", metric="rouge_l"),
            NotWorseRule(rule="not_worse", metric="bleu", margin=1.0),
            NotWorseRule(rule="not_worse", metric="perplexity", margin=0.05, relative=True),
            LimitRule(rule="at_most", metric="empty_rate", limit=0.02),
        ),
        min_length=1,
        description="Rules; `baseline` is the champion, or the base model while there is none.",
    )
    min_rows: int = Field(
        default=50, ge=2, description="With fewer evaluation rows the verdict is inconclusive."
    )


class ApprovalSection(Section):
    """A person's yes, bound to the evidence it was given for."""

    expires_hours: float = Field(
        default=72.0, gt=0, description="Unanswered after this time, the candidate is not promoted."
    )


class ServingSection(Section):
    """The gateway: OpenAI-compatible chat completions over the champion."""

    host: str = Field(default="127.0.0.1", description="Address that the gateway listens on.")
    port: int | None = Field(
        default=None, ge=1, le=65535, description="Port of the gateway. None: any free port."
    )
    max_new_tokens: int = Field(
        default=256, ge=1, description="Longest answer, whatever a request asks for."
    )
    smoke_question: str = Field(
        default="Hello!",
        min_length=1,
        description="Asked of every candidate on the gateway itself before it may take traffic.",
    )


class ScheduleSection(Section):
    """When a retrain starts by itself."""

    watch_landing: bool = Field(
        default=True,
        description="Start a retrain when a new file has settled in the landing folder.",
    )
    poll_seconds: float = Field(
        default=5.0, gt=0, description="How often the landing folder is looked at."
    )
    settle_seconds: float = Field(
        default=5.0, ge=0, description="A file must keep its size and time this long to be read."
    )
    cron: str | None = Field(
        default=None, description="Also retrain on this cron schedule, e.g. `0 3 * * *`."
    )


class Recipe(Section):
    """The whole recipe."""

    model: ModelSection
    data: DataSection
    cleaning: CleaningSection = CleaningSection()
    contract: ContractSection = ContractSection()
    training: TrainingSection = TrainingSection()
    evaluation: EvaluationSection = EvaluationSection()
    gate: GateSection = GateSection()
    approval: ApprovalSection = ApprovalSection()
    serving: ServingSection = ServingSection()
    schedule: ScheduleSection = ScheduleSection()
