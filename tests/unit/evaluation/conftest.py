"""Score tables to judge, and a tiny random model that stands in for a real one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sluice.evaluation.bootstrap import Estimate
from sluice.evaluation.score_table import METRICS, Difference, Scores
from tests.unit.evaluation.made_up import TEXTS, exact

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture
def make_scores() -> Callable[..., Scores]:
    """Scores in which the candidate is clearly better everywhere, but for what is overridden."""

    def make(
        *,
        rows: int = 90,
        champion: bool = True,
        candidate: dict[str, Estimate] | None = None,
        differences: dict[str, Difference] | None = None,
    ) -> Scores:
        models = ["base", *(["champion"] if champion else []), "candidate"]
        scores = {"bleu": exact(30, 4), "perplexity": exact(5, 0.5), "empty_rate": exact(0)}
        better = Difference(exact(5, 2), exact(0.2, 0.1))
        lower = Difference(exact(-1, 0.3), exact(-0.2, 0.1))
        default = {m: lower if m in ("perplexity", "empty_rate") else better for m in METRICS}
        return Scores(
            language="en",
            tokenizers={"bleu": "13a", "rouge": "rouge-score"},
            rows=rows,
            rows_digests=dict.fromkeys(models, "same"),
            confidence=0.95,
            resamples=2000,
            seed=7,
            models={
                m: dict.fromkeys(METRICS, exact(20, 3)) | scores | (candidate or {}) for m in models
            },
            differences={m: default | (differences or {}) for m in models if m != "candidate"},
        )

    return make


@pytest.fixture(scope="session")
def tiny_tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    core.train_from_iterator(TEXTS, trainer)
    # As with many base models, the end-of-text token is not what ends a turn.
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=special[1:],
        chat_template=CHATML,
    )


def _tiny_llama(tokenizer: Any) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(5)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.4,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config).eval()


@pytest.fixture(scope="session")
def tiny_model(tiny_tokenizer: Any) -> Any:
    return _tiny_llama(tiny_tokenizer)
