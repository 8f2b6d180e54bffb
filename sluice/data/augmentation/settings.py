"""The recipe's section with everything read that it names, ready to travel to other processes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from sluice.data.augmentation.back_translation import BackTranslation
from sluice.data.augmentation.dictionary import read_dictionary
from sluice.data.augmentation.noise import Noise
from sluice.data.augmentation.synonyms import Synonyms
from sluice.data.augmentation.terms import Terms
from sluice.data.augmentation.translator import Translator
from sluice.data.augmentation.variant import Maker
from sluice.home import cache_dir
from sluice.recipe import AugmentationSection
from sluice.recipe.augmentation import (
    AugmentationMethod,
    BackTranslationMethod,
    NoiseMethod,
    SynonymMethod,
)


@dataclass(frozen=True)
class AugmentSettings:
    """How variants are made. `digest` changes with whatever changes the variants."""

    makers: tuple[Maker, ...]
    shares: dict[str, float]  # of the rows that a method tries, by its name
    max_failed_share: float
    max_share: float
    seed: int
    digest: str


def augment_settings(
    section: AugmentationSection, recipe_dir: Path, translations: Path | None = None
) -> AugmentSettings:
    """Read the dictionaries that a recipe names.

    `translations` is the folder that keeps what an endpoint said. None: `back_translation/` in
    the user's cache, shared by all homes.

    Raises:
        RecipeError: a dictionary cannot be used.
    """
    folder = cache_dir() / "back_translation" if translations is None else translations
    makers = tuple(_maker(m, recipe_dir, folder, section.protect) for m in section.methods)
    failing = [m.max_failed_share for m in section.methods if isinstance(m, BackTranslationMethod)]
    return AugmentSettings(
        makers,
        {method.method: method.share for method in section.methods},
        failing[0] if failing else 0.0,
        section.max_share,
        section.seed,
        _digest(section, makers),
    )


def _maker(
    method: AugmentationMethod, recipe_dir: Path, translations: Path, protect: tuple[str, ...]
) -> Maker:
    if isinstance(method, NoiseMethod):
        return Noise(method.rate, method.kinds, protect)
    if isinstance(method, BackTranslationMethod):
        return BackTranslation(
            Translator(
                method.base_url,
                method.model,
                method.api_key_env,
                method.timeout_seconds,
                method.retries,
                translations,
            ),
            method.pivot,
            method.language,
            method.parallel_requests,
            protect,
        )
    dictionary = read_dictionary([recipe_dir / path.expanduser() for path in method.files])
    if isinstance(method, SynonymMethod):
        return Synonyms(dictionary, method.rate, protect)
    return Terms(dictionary, method.min_terms, protect)


def _digest(section: AugmentationSection, makers: tuple[Maker, ...]) -> str:
    """Of the section, and of what its dictionaries say instead of where they lie."""
    groups = [m.dictionary.groups for m in makers if isinstance(m, Synonyms | Terms)]
    said = section.model_dump(mode="json", exclude={"methods": {"__all__": {"files"}}})
    text = json.dumps([said, groups], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
