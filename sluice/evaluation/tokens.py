"""How text is cut into tokens for scores: by the language of the recipe, and named in the results.

    language   BLEU (sacrebleu's name)               ROUGE
    en         `13a`: words and punctuation          words of a-z and 0-9 (as rouge_score does)
    zh         `zh`: Han characters, words between   Han characters, words and numbers between

Cut at spaces, a Chinese sentence is one word, and every score of it is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

Language = Literal["en", "zh"]
BLEU_TOKENIZER: dict[Language, str] = {"en": "13a", "zh": "zh"}
# rouge_score_rs names its profiles; `unicode-v1` cuts Han into characters and keeps runs of
# Latin letters and numbers (`3.50`) whole, after NFKC and case folding.
ROUGE_TOKENIZER: dict[Language, str] = {"en": "rouge-score", "zh": "unicode-v1"}


def bleu_tokens(language: Language) -> Callable[[str], list[str]]:
    """The function that cuts a text as sacrebleu does for this language."""
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
    from sacrebleu.tokenizers.tokenizer_zh import TokenizerZh

    tokenizer: Any = TokenizerZh() if language == "zh" else Tokenizer13a()

    def cut(text: str) -> list[str]:
        line: str = tokenizer(text.rstrip())
        return line.split()

    return cut


def rouge_tokenizer(language: Language) -> Any:
    """The tokenizer object that rouge_score_rs takes for this language; it runs in Rust."""
    import rouge_score_rs.tokenizers as profiles

    names: Any = profiles
    return names.UnicodeTokenizer() if language == "zh" else names.DefaultTokenizer()


def tokenizer_names(language: Language) -> dict[str, str]:
    """Which tokenizer each metric used, for reports."""
    return {"bleu": BLEU_TOKENIZER[language], "rouge": ROUGE_TOKENIZER[language]}
