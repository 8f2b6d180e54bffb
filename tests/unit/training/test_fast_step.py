"""The fast training step computes what transformers, PEFT and TRL compute."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model

from sluice.training.fast import adapter_linear, answer_loss, isolated_attention, layer_parts
from sluice.training.fast.flat_rows import flat_rows, pieces_of

COMMON = {"vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
GATED = {**COMMON, "intermediate_size": 64, "num_key_value_heads": 2}
FAMILIES: dict[str, Any] = {
    "llama": transformers.LlamaConfig(**GATED),
    "qwen2": transformers.Qwen2Config(**GATED),
    "qwen3": transformers.Qwen3Config(**GATED, head_dim=8),
    "mistral, with a window": transformers.MistralConfig(**GATED, sliding_window=5),
    "gemma": transformers.GemmaConfig(**GATED, head_dim=8),
    "glm": transformers.GlmConfig(**GATED, head_dim=8, pad_token_id=0),
    "phi": transformers.PhiConfig(**COMMON, intermediate_size=64),
    "gpt-neox": transformers.GPTNeoXConfig(**COMMON, intermediate_size=64),
}
ROWS = [[5, 6, 7, 8, 9, 10, 11, 12, 13], [20, 21, 22], [30, 31, 32, 33], [40, 41, 42, 43, 44]]


def build(family: str) -> Any:
    """A tiny model; its weights are large enough that every token changes what follows."""
    config = FAMILIES[family]
    config.initializer_range = 0.3
    torch.manual_seed(0)
    models: Any = transformers.AutoModelForCausalLM
    return models.from_config(config, attn_implementation="sdpa").eval()


def with_lora(model: Any, **settings: Any) -> Any:
    adapted: Any = get_peft_model(
        model, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", **settings)
    )
    for name, weights in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.1)
    return adapted.train()


def batch_of(rows: list[list[int]]) -> dict[str, Any]:
    """Every second half is the answer."""
    return flat_rows(
        [
            {"input_ids": row, "labels": [-100] * (len(row) // 2) + row[len(row) // 2 :]}
            for row in rows
        ]
    )


def flat_hidden(model: Any, batch: dict[str, Any]) -> torch.Tensor:
    with isolated_attention.isolated_rows(batch["lengths"], batch["shared"]):
        return answer_loss.last_hidden(
            model, input_ids=batch["input_ids"], position_ids=batch["position_ids"]
        )


def ordinary_loss(model: Any, rows: list[list[int]], tokens: int) -> torch.Tensor:
    total = torch.zeros(())
    for row in rows:
        logits = model(input_ids=torch.tensor([row])).logits[0, :-1].float()
        first = max(len(row) // 2, 1)
        labels = torch.tensor([-100] * (first - 1) + row[first:])
        total = total + torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
    return total / tokens


def gradients(model: Any) -> dict[str, torch.Tensor]:
    found = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    return found


def assert_same(found: dict[str, Any], expected: dict[str, Any], tolerance: float) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        size = float(value.abs().max().clamp(min=1e-3))
        assert float((found[name] - value).abs().max()) <= tolerance * size, name


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
def test_rows_laid_one_behind_the_other_give_the_logits_of_single_rows(family: str) -> None:
    model = build(family)
    assert isolated_attention.applies(model) is None
    alone = {len(row): model(input_ids=torch.tensor([row])).logits[0] for row in ROWS}
    isolated_attention.use_isolated_attention(model)
    batch = batch_of(ROWS)
    together = model.get_output_embeddings()(flat_hidden(model, batch))[0]
    for length, found in zip(batch["lengths"], together.split(batch["lengths"]), strict=True):
        assert float((found - alone[length]).abs().max()) < 1e-5 * float(alone[length].abs().max())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_fast_step_has_the_loss_and_the_gradients_of_an_ordinary_one(family: str) -> None:
    model = with_lora(build(family))
    batch = batch_of(ROWS)
    tokens = int((batch["labels"] != -100).sum())
    assert answer_loss.applies(model) is None
    assert adapter_linear.applies(model) is None
    expected = ordinary_loss(model, ROWS, tokens)
    expected.backward()
    right = gradients(model)
    isolated_attention.use_isolated_attention(model.get_base_model())
    with adapter_linear.fast_adapters(model) as layers:
        assert layers > 0
        head = model.get_output_embeddings()
        loss = answer_loss.answer_loss(flat_hidden(model, batch), head, batch["labels"], tokens)
        loss.backward()
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    assert_same(gradients(model), right, 2e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_all_rows_begin_with_is_computed_once_and_changes_nothing(family: str) -> None:
    model = with_lora(build(family))
    rows = [[9, 8, 7, 6, 5, 4, *row, *row] for row in ROWS]
    batch = batch_of(rows)
    # Six, but for the token that predicts the first learned one of the shortest row.
    assert batch["shared"] == 5
    assert batch["input_ids"].shape[1] < batch["tokens"] == sum(map(len, rows))
    tokens = int((batch["labels"] != -100).sum())
    expected = ordinary_loss(model, rows, tokens)
    expected.backward()
    right = gradients(model)
    isolated_attention.use_isolated_attention(model.get_base_model())
    head = model.get_output_embeddings()
    with adapter_linear.fast_adapters(model), layer_parts.fast_parts(model):
        for piece in pieces_of(batch):
            hidden = flat_hidden(model, piece)
            answer_loss.answer_loss(hidden, head, piece["labels"], tokens).backward()
    assert_same(gradients(model), right, 5e-4)


@given(st.lists(st.integers(2, 300), min_size=1, max_size=12), st.integers(0, 40))
def test_pieces_of_a_batch_hold_each_row_once(lengths: list[int], begun: int) -> None:
    rows = [[7] * begun + [100 + n] * (length + 2) for n, length in enumerate(lengths)]
    batch = batch_of(rows)
    pieces = pieces_of(batch)
    assert sum(piece["tokens"] for piece in pieces) == batch["tokens"] == sum(map(len, rows))
    learned = [label for piece in pieces for label in piece["labels"][0].tolist() if label >= 0]
    assert sorted(learned) == sorted(label for label in batch["labels"][0].tolist() if label >= 0)


def test_a_step_follows_the_optimizer() -> None:
    model = with_lora(build("llama"))
    isolated_attention.use_isolated_attention(model.get_base_model())
    batch = batch_of(ROWS)
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], lr=1e-2, fused=True
    )
    losses: list[float] = []
    with adapter_linear.fast_adapters(model):
        for _ in range(8):
            loss = answer_loss.answer_loss(
                flat_hidden(model, batch), model.get_output_embeddings(), batch["labels"], 12
            )
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


def test_the_adapter_layer_in_bf16_is_within_rounding_of_the_one_in_fp32() -> None:
    torch.manual_seed(1)
    model = with_lora(build("llama"))
    layer = next(
        m
        for m in model.modules()
        if type(m).__name__ == "Linear" and m is not None and hasattr(m, "lora_A")
    )
    x, slope = torch.randn(1, 50, 32), torch.randn(1, 50, 32)
    right = torch.autograd.grad(layer(x), list(layer.lora_A.parameters()), slope)[0]
    layer.base_layer.to(torch.bfloat16)
    with adapter_linear.fast_adapters(layer):
        out = layer(x.bfloat16())
        found = torch.autograd.grad(out, list(layer.lora_A.parameters()), slope.bfloat16())[0]
    assert found.dtype == torch.float32
    assert float((found - right).abs().max()) < 0.03 * float(right.abs().max())


def test_a_head_that_is_trained_gets_its_gradient() -> None:
    torch.manual_seed(2)
    head = torch.nn.Linear(16, 40)
    hidden = torch.randn(1, 300, 16, requires_grad=True)
    labels = torch.randint(0, 40, (1, 300))
    labels[0, 5:50] = -100
    tensors = [hidden, head.weight, head.bias]
    right = torch.nn.functional.cross_entropy(head(hidden)[0, :-1], labels[0, 1:], reduction="sum")
    expected = torch.autograd.grad(right / 7, tensors)
    found = torch.autograd.grad(answer_loss.answer_loss(hidden, head, labels, 7), tensors)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_rows_without_an_answer_give_a_loss_of_zero_and_no_error() -> None:
    hidden = torch.randn(1, 4, 8, requires_grad=True)
    labels = torch.full((1, 4), -100)
    loss = answer_loss.answer_loss(hidden, torch.nn.Linear(8, 12), labels, 0)
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert hidden.grad is not None
    assert float(hidden.grad.abs().max()) == 0.0


def test_the_same_batch_gives_the_same_bits() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model = with_lora(build("qwen2"))
        isolated_attention.use_isolated_attention(model.get_base_model())
        batch, runs = batch_of(ROWS), []
        with adapter_linear.fast_adapters(model):
            for _ in range(2):
                head = model.get_output_embeddings()
                hidden = flat_hidden(model, batch)
                answer_loss.answer_loss(hidden, head, batch["labels"], 9).backward()
                runs.append(gradients(model))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])


def test_models_that_do_more_take_the_ordinary_path() -> None:
    torch.manual_seed(0)
    capped: Any = transformers.Gemma2ForCausalLM(transformers.Gemma2Config(**GATED, head_dim=8))
    assert "attn_logit_softcapping" in (isolated_attention.applies(capped) or "")
    assert "scaled or capped" in (answer_loss.applies(capped) or "")
    state_space: Any = transformers.MambaForCausalLM(
        transformers.MambaConfig(vocab_size=96, hidden_size=32, num_hidden_layers=2, state_size=4)
    )
    assert isolated_attention.applies(state_space) is not None


@pytest.mark.parametrize("settings", [{"use_dora": True}, {"lora_dropout": 0.1}])
def test_variants_of_lora_and_dropout_are_left_to_peft(settings: dict[str, Any]) -> None:
    model = with_lora(build("llama"), **settings)
    assert adapter_linear.applies(model) is not None
    with adapter_linear.fast_adapters(model) as layers:
        assert layers == 0


def test_outside_of_training_everything_is_as_before() -> None:
    model = build("llama")
    ids = torch.tensor([[5, 6, 7, 0, 0], [8, 9, 10, 11, 12]])
    seen = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    before = model(input_ids=ids, attention_mask=seen).logits
    isolated_attention.use_isolated_attention(model)
    assert torch.equal(model(input_ids=ids, attention_mask=seen).logits, before)


def test_rows_of_unlike_length_do_not_pad_each_other() -> None:
    blocks = isolated_attention.blocks_of([10, 10, 11, 100, 101])
    assert [(block.count, block.length) for block in blocks] == [(3, 11), (2, 101)]
