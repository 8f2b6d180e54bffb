"""The models that a gateway holds: one for each version, over as few bases as possible."""

from __future__ import annotations

import gc
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from sluice.training.artifact import ADAPTER, TOKENIZER, TrainedModel
from sluice.training.base_model import BaseModel
from sluice.training.chat import require_same_chat
from sluice.training.loading import load_tokenizer, load_trained
from sluice.training.shared_weights import Form, SharedWeights
from sluice.training.templates import with_template


@dataclass(frozen=True, slots=True)
class HeldModel:
    """A model in evaluation mode with its tokenizer.

    `weights` are those of its base, held for as long as one model computes with them; None where
    the model has all weights of its own.
    """

    model: Any
    tokenizer: Any
    weights: SharedWeights | None


class HeldModels:
    """Loads models, so that those over the same base in the same form share its weights.

    Bases are found by digest, precision and quantisation. A base goes with the last model that
    computes with it.
    """

    def __init__(self) -> None:
        self._bases: WeakValueDictionary[tuple[str, Form], SharedWeights] = WeakValueDictionary()
        self._loading = threading.Lock()

    @property
    def bases(self) -> int:
        """How many bases are in memory."""
        return len(self._bases)

    def trained(self, folder: Path, facts: TrainedModel, base: BaseModel) -> HeldModel:
        """A trained model, from its folder in the lake.

        Raises:
            IntegrityError: its chat template or stop tokens are not those of its training.
        """
        tokenizer = load_tokenizer(folder / TOKENIZER, trust_remote_code=facts.remote_code)
        weights = None
        if (folder / ADAPTER).is_dir():
            form = (facts.precision, facts.quantization)
            weights = self._base(base, form, remote_code=facts.remote_code)
            model = weights.adapted(folder / ADAPTER)
        else:
            model = load_trained(folder, base.folder, facts)
        require_same_chat(tokenizer, model, facts.chat_digest)
        return HeldModel(model, tokenizer, weights)

    def bare(self, base: BaseModel, precision: str, chat_template: str | None) -> HeldModel:
        """A base itself: over weights that are held in any form, else loaded in `precision`.

        Raises:
            TemplateError: it has no chat template of its own, and none is named.
        """
        tokenizer = load_tokenizer(base.folder, trust_remote_code=base.remote_code)
        tokenizer = with_template(tokenizer, chat_template)
        held = [form for digest, form in list(self._bases) if digest == base.digest]
        form = held[0] if held else (precision, None)
        weights = self._base(base, form, remote_code=base.remote_code)
        return HeldModel(weights.bare(), tokenizer, weights)

    def _base(self, base: BaseModel, form: Form, *, remote_code: bool) -> SharedWeights:
        with self._loading:
            found = self._bases.get((base.digest, form))
            if found is None:
                found = SharedWeights(base.folder, *form, remote_code=remote_code)
                self._bases[base.digest, form] = found
            return found


def collect_let_go() -> None:
    """Free the memory of models that nobody holds any more: their modules refer to each other."""
    gc.collect()
