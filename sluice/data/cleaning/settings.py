"""All that cleaning reads: small, frozen, and picklable, so that it travels to the workers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluice.data.cleaning.installed_rules import installed_rules
from sluice.data.tokens import special_tokens
from sluice.lake import file_digest
from sluice.recipe import CleaningSection, PrivacySection, Recipe


@dataclass(frozen=True, slots=True)
class CleanSettings:
    """What cleaning depends on, beside the rows.

    Without a tokenizer (`tokenizer_json` None) rows are not bounded in tokens. `language` is the
    model's; `special_tokens` are those of its chat template.
    """

    cleaning: CleaningSection = field(default_factory=CleaningSection)
    privacy: PrivacySection = field(default_factory=PrivacySection)
    system_prompt: str | None = None
    tokenizer_json: Path | None = None
    special_tokens: tuple[str, ...] = ()
    language: str = "en"

    @classmethod
    def of(cls, recipe: Recipe, tokenizer_json: Path | None) -> CleanSettings:
        """The settings of a recipe, and of the base model whose tokenizer this is."""
        return cls(
            cleaning=recipe.cleaning,
            privacy=recipe.privacy,
            system_prompt=recipe.model.system_prompt,
            tokenizer_json=tokenizer_json,
            special_tokens=() if tokenizer_json is None else special_tokens(tokenizer_json),
            language=recipe.model.language,
        )

    def identity(self) -> dict[str, Any]:
        """JSON-ready; equal for settings that clean alike, wherever the files lie.

        Rules of installed packages count with the version of their package.
        """
        tokenizer = self.tokenizer_json
        return {
            "cleaning": self.cleaning.model_dump(mode="json"),
            "privacy": self.privacy.model_dump(mode="json"),
            "system_prompt": self.system_prompt,
            "tokenizer": None if tokenizer is None else file_digest(tokenizer),
            "special_tokens": list(self.special_tokens),
            "language": self.language,
            "installed_rules": [f"{rule.name} {rule.version}" for rule in installed_rules()],
        }
