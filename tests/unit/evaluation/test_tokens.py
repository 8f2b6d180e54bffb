from __future__ import annotations

from sluice.evaluation.tokens import bleu_tokens, rouge_tokenizer, tokenizer_names


def test_chinese_is_cut_into_characters_and_latin_and_numbers_stay_whole() -> None:
    text = "退货期是30天，请联系 Support。"
    assert bleu_tokens("zh")(text) == [*"退货期是", "30", *"天，请联系", "Support", "。"]
    rouge = ["退", "货", "期", "是", "30", "天", "请", "联", "系", "support"]
    assert rouge_tokenizer("zh").tokenize(text) == rouge


def test_english_is_cut_into_words() -> None:
    assert bleu_tokens("en")("It's $5.50, ok.") == ["It's", "$", "5.50", ",", "ok", "."]
    assert rouge_tokenizer("en").tokenize("It's fine.") == ["it", "s", "fine"]


def test_results_name_their_tokenizers() -> None:
    assert tokenizer_names("zh") == {"bleu": "zh", "rouge": "unicode-v1"}
