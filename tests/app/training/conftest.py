"""What the tests of training share."""

from __future__ import annotations

from typing import Any


def small_bert(words: int) -> Any:
    """A network shaped as BERT's with so many words, too small to learn anything of worth."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=words,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
    )
    return BertModel(config)
