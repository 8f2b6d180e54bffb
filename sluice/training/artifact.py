"""What a trained model's folder in the lake holds, and how it is read back.

model.json                  what it is: base, digests, method, precision, system prompt
adapter/                    PEFT adapter, safetensors only; or
weights/                    all the weights, where the method trains all of them
tokenizer/                  tokenizer and chat template, exactly as training used them
probe.safetensors           logits of the trained model on a few fixed prompts
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sluice.errors import IntegrityError
from sluice.lake import read_json, write_json
from sluice.training.base_model import BaseModel, resolve_base

MODEL_FILE = "model.json"
ADAPTER = "adapter"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
WEIGHTS = "weights"
TOKENIZER = "tokenizer"
PROBE = "probe.safetensors"


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """The facts in `model.json`.

    `precision` is the number type the model computes in, `quantization` how the base's weights are
    stored (nf4, int8, or None: as they are). `chat_digest` is of the chat template and the stop
    tokens that it was trained with. `started_from` is the digest of the trained model whose weights
    it went on from. `recipe_digest` covers what training reads of the recipe, so that equal inputs
    give equal bytes whatever else the recipe says.
    """

    base: str
    revision: str | None
    base_digest: str
    method: str
    precision: str
    system_prompt: str | None
    dataset_digest: str
    recipe_digest: str
    rows: int
    quantization: str | None = None
    remote_code: bool = False
    chat_digest: str | None = None
    started_from: str | None = None

    def write(self, folder: Path) -> None:
        """Write `model.json`."""
        write_json(folder / MODEL_FILE, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> TrainedModel:
        """Read `model.json`."""
        fields: dict[str, Any] = read_json(folder / MODEL_FILE)
        return cls(**fields)

    def find_base(self, cache: Path) -> BaseModel:
        """The base model on this machine.

        Raises:
            IntegrityError: it is not, byte for byte, the one that the adapter was trained on.
        """
        base = resolve_base(self.base, self.revision, cache, self.remote_code)
        if base.digest != self.base_digest:
            raise IntegrityError(
                f"{self.base} on this machine has digest {base.digest[:12]}, but the model was "
                f"trained on {self.base_digest[:12]}. An adapter means nothing on another base: "
                "restore that base, or train again."
            )
        return base
