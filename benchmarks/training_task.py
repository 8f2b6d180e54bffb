"""What all sides of the training benchmark are given: the same rows, base model and settings."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sluice.child_process import COMPUTE
from sluice.data.cleaning.clean import CleanSettings, clean_records
from sluice.data.held_out import read_whole
from sluice.data.parts import write_records
from sluice.data.record import Record
from sluice.recipe import Recipe, TrainingSection
from sluice.training.base_model import BaseModel
from sluice.training.chat import as_chat, as_prompt, chat_row

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples/customer_service"
MONTHS = ("2026-09.jsonl", "2026-10.jsonl")
EVALUATION_ROWS = 40
# What decides how many threads compute, how they wait, and how memory is handed out.
DECIDES_SPEED = (
    "OMP_",
    "GOMP_",
    "KMP_",
    "MKL_",
    "OPENBLAS_",
    "TORCH",
    "MALLOC_",
    "GLIBC_",
    "LD_PRELOAD",
)


@dataclass(frozen=True, slots=True)
class Task:
    """`parts` holds the rows as Sluice reads them, `lines` as the peers' scripts do.

    `older_base` is the same model for transformers 4. `tokens` are of all rows together, prompts
    and answers; `answer_tokens` those of the answers, which are learned.
    """

    recipe: Recipe
    base: BaseModel
    older_base: Path
    parts: Path
    lines: Path
    rows: int
    tokens: int
    answer_tokens: int

    @property
    def settings(self) -> TrainingSection:
        """The settings that all sides share."""
        return self.recipe.training

    def with_settings(self, **changed: Any) -> Task:
        """The same task with other training settings, checked anew."""
        fields = self.settings.model_dump() | changed
        settings = TrainingSection.model_validate(fields)
        return replace(self, recipe=self.recipe.model_copy(update={"training": settings}))


def training_rows(recipe: Recipe, count: int) -> list[Record]:
    """The first rows of the shop's months, cleaned as its recipe says.

    Raises:
        ValueError: there are fewer.
    """
    settings = CleanSettings.of(recipe, None)
    found = [row for name in MONTHS for row in read_whole(EXAMPLES / name, recipe.data)[0]]
    kept = clean_records(found, settings).kept
    if len(kept) < count:
        raise ValueError(f"There are {len(kept)} rows to train on; {count} were asked for.")
    return list(kept[:count])


def evaluation_rows(recipe: Recipe) -> list[Record]:
    """Rows that none of the sides trains on."""
    return read_whole(EXAMPLES / "evaluation.jsonl", recipe.data)[0][:EVALUATION_ROWS]


def make_task(
    rows: list[Record], recipe: Recipe, base: BaseModel, tokenizer: Any, folder: Path
) -> Task:
    """Write the rows in both forms into a folder made anew, and count their tokens."""
    system_prompt = recipe.model.system_prompt
    parts, lines = empty(folder) / "parts", folder / "rows.jsonl"
    write_records(parts, rows)
    write_records(folder / "none", [])
    with lines.open("w", encoding="utf-8") as file:
        for row in rows:
            prompt = as_prompt(row.prompt, system_prompt)
            completion = as_chat(row.messages[-1:], None)
            file.write(json.dumps({"prompt": prompt, "completion": completion}) + "\n")
    chats = [chat_row(tokenizer, row, system_prompt) for row in rows]
    answers = sum(len(chat.answer_ids) for chat in chats)
    prompts = sum(len(chat.prompt_ids) for chat in chats)
    older = older_form(base.folder, folder / "older-base")
    return Task(recipe, base, older, parts, lines, len(rows), prompts + answers, answers)


def older_form(base: Path, folder: Path) -> Path:
    """The model's folder as transformers 4 reads it.

    It does not know the keys of transformers 5, and falls back without a word: with rotary
    frequencies of 10 000 instead of the model's 100 000 it would train another model.
    """
    folder.mkdir()
    for path in base.iterdir():
        (folder / path.name).symlink_to(path)
    config: dict[str, Any] = json.loads((base / "config.json").read_text(encoding="utf-8"))
    rope: dict[str, Any] = config.pop("rope_parameters", {})
    older = {"rope_theta": rope["rope_theta"]} if "rope_theta" in rope else {}
    if "dtype" in config:
        older["torch_dtype"] = config.pop("dtype")
    _replace(folder / "config.json", config | older)
    tokenizer = json.loads((base / "tokenizer_config.json").read_text(encoding="utf-8"))
    if tokenizer.get("tokenizer_class") == "TokenizersBackend":
        tokenizer["tokenizer_class"] = "PreTrainedTokenizerFast"
    _replace(folder / "tokenizer_config.json", tokenizer)
    return folder


def _replace(link: Path, content: dict[str, Any]) -> None:
    link.unlink()
    link.write_text(json.dumps(content), encoding="utf-8")


def plain_environment() -> dict[str, str]:
    """This process's environment without what Sluice or a shell set to make computing faster.

    Every side begins with it; Sluice then sets for its own child what it sets in use.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if name not in COMPUTE and name != "PYTHONPATH" and not name.startswith(DECIDES_SPEED)
    }


def empty(folder: Path) -> Path:
    """A folder of this name, made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
