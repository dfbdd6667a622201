"""Initial weights."""

from __future__ import annotations

import math

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


def attention_init(module: nn.Module) -> None:
    """Give one attention of this package the initial weights of torch's; use it as ``network.apply(attention_init)``.

    ``torch.nn.MultiheadAttention`` draws queries, keys and values as one matrix of 3 D × D (Xavier) and starts all
    biases at 0.
    """
    layers = [getattr(module, f"{part}_proj", None) for part in ("q", "k", "v", "out")]
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    if len(linear) < len(layers):
        return
    for layer in linear[:3]:
        bound = math.sqrt(6 / (3 * layer.out_features + layer.in_features))
        nn.init.uniform_(layer.weight, -bound, bound)
    for layer in linear:
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
