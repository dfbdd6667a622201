"""Initial weights."""

from __future__ import annotations

from torch import nn


def bert_init(module: nn.Module, std: float = 0.02) -> None:
    """Give one module BERT's initial weights; use it as ``network.apply(bert_init)``.

    Linear and Embedding weights come from N(0, std); biases and the padding row of an embedding are 0. Norms
    keep torch's 1 and 0.

    Source: Devlin et al., "BERT", 2019, and its published code (``initializer_range``).
    """
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, mean=0.0, std=std)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        nn.init.zeros_(module.weight.data[module.padding_idx])
