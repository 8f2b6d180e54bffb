"""What the rest of Sluice needs to know of each training method.

Plain facts, read by documentation and by `sluice check`: importing this loads no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sluice.recipe.training import Method

Kept = Literal["weights", "adapter"]

_VECTORS_STAY = (
    "its vectors stand before every prompt and belong to no weight of the base, so that they "
    "cannot be added to one; serve it as an adapter"
)


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """One method.

    Attributes:
        trains: what is learned, as a sentence.
        source: where the method was described.
        kept: whether a model's folder holds `weights/` or an `adapter/`.
        peft_type: PEFT's name of the adapter's kind; None where there is no adapter.
        no_merge: why the adapter cannot become part of the base's weights; None where it can.
        alone: why such adapters cannot stand beside others over one base in memory; None where
            they can, with all methods of the same `peft_type` (and of the same quantisation).
        quantised: the base's weights are stored in 4 or 8 bits.
        whole: weights of the base itself are trained. They are kept in fp32 while they are, and
            rounded to the model's precision when they are saved: in bf16 a small step is lost.
        checkpointing: whether activations may be computed twice to save memory.
    """

    trains: str
    source: str
    kept: Kept = "adapter"
    peft_type: str | None = "LORA"
    no_merge: str | None = None
    alone: str | None = None
    quantised: bool = False
    whole: bool = False
    checkpointing: bool = True

    @property
    def before_prompt(self) -> bool:
        """Whether what is learned stands before the prompt and takes room in the context."""
        return self.peft_type in ("PREFIX_TUNING", "P_TUNING", "PROMPT_TUNING")

    @property
    def shares_base(self) -> bool:
        """Whether one base in memory can carry several such adapters."""
        return self.kept == "adapter" and self.alone is None


METHODS: dict[Method, MethodSpec] = {
    "full": MethodSpec(
        trains="All weights of the model.",
        source="Ordinary fine-tuning.",
        kept="weights",
        peft_type=None,
        no_merge="it has no adapter: its weights are the model",
        alone="each such model has all weights of its own",
        whole=True,
    ),
    "lora": MethodSpec(
        trains="Two thin matrices beside each linear layer, whose product is added to its weight.",
        source="Hu and others 2021, arXiv 2106.09685.",
    ),
    "qlora": MethodSpec(
        trains="LoRA beside a base whose weights are stored in 4 bits (NF4) or 8.",
        source="Dettmers and others 2023, arXiv 2305.14314; LLM.int8(): arXiv 2208.07339.",
        quantised=True,
    ),
    "dora": MethodSpec(
        trains="LoRA for the direction of each row of a weight, and one number for its length.",
        source="Liu and others 2024, arXiv 2402.09353.",
    ),
    "pissa": MethodSpec(
        trains="LoRA that starts from each weight's largest singular values. It is saved as the "
        "difference to that start: an ordinary LoRA of twice the rank, over the unchanged base.",
        source="Meng and others 2024, arXiv 2404.02948.",
    ),
    "hybrid": MethodSpec(
        trains="LoRA beside each linear layer, and the embeddings or the head whole.",
        source="Hu and others 2021, arXiv 2106.09685, section 7.",
        whole=True,
    ),
    "adalora": MethodSpec(
        trains="Low-rank matrices in the form of singular values; the least important of them, "
        "over all layers, are set to zero while training goes on.",
        source="Zhang and others 2023, arXiv 2303.10512.",
        peft_type="ADALORA",
    ),
    "vera": MethodSpec(
        trains="Two vectors for each linear layer, which scale random matrices that all share.",
        source="Kopiczko and others 2024, arXiv 2310.11454.",
        peft_type="VERA",
    ),
    "ia3": MethodSpec(
        trains="One factor for each output of the key and value projections and for each input of "
        "the second feed-forward layer.",
        source="Liu and others 2022, arXiv 2205.05638.",
        peft_type="IA3",
    ),
    "prefix": MethodSpec(
        trains="Keys and values that stand before the prompt in every layer (P-Tuning v2).",
        source="Liu and others 2021, arXiv 2110.07602; Li and Liang 2021, arXiv 2101.00190.",
        peft_type="PREFIX_TUNING",
        no_merge=_VECTORS_STAY,
        checkpointing=False,  # the prefix is a cache, which recomputing would extend twice
    ),
    "p_tuning": MethodSpec(
        trains="Vectors before the prompt, written by a small network that is not kept.",
        source="Liu and others 2021, arXiv 2103.10385.",
        peft_type="P_TUNING",
        no_merge=_VECTORS_STAY,
    ),
    "prompt": MethodSpec(
        trains="Vectors before the prompt, starting from words of the vocabulary or from a text.",
        source="Lester and others 2021, arXiv 2104.08691.",
        peft_type="PROMPT_TUNING",
        no_merge=_VECTORS_STAY,
    ),
}
