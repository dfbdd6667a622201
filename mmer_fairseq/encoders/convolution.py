"""Strided convolution stacks over padded sequences: lengths, and group norm that does not see padding."""

from __future__ import annotations

import ast
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.masks import padding_mask

#: (channels, kernel, stride) of one convolution.
Layer = tuple[int, int, int]


def conv_length(lengths: Tensor, kernel: int, stride: int) -> Tensor:
    """Output steps of an unpadded convolution: floor((n − kernel) / stride) + 1, and 0 where n < kernel."""
    return torch.where(lengths < kernel, 0, torch.div(lengths - kernel, stride, rounding_mode="floor") + 1)


def chain_length(lengths: Tensor, layers: Sequence[Layer]) -> Tensor:
    """Output steps of a chain of unpadded convolutions; at least 1 for a clip of at least one input step.

    A clip shorter than the receptive field counts as zero-padded up to it.
    """
    n = lengths.clamp(min=receptive_field(layers))
    for _, kernel, stride in layers:
        n = conv_length(n, kernel, stride)
    return torch.where(lengths > 0, n, 0)


def receptive_field(layers: Sequence[Layer]) -> int:
    """Input steps that one output step of the chain sees."""
    field = 1
    for _, kernel, stride in reversed(layers):
        field = (field - 1) * stride + kernel
    return field


def total_stride(layers: Sequence[Layer]) -> int:
    """Input steps from one output step to the next."""
    stride = 1
    for layer in layers:
        stride *= layer[2]
    return stride


def zero_padded(x: Tensor, lengths: Tensor, at_least: int) -> Tensor:
    """Zero the padded steps of [B, T] and pad T with zeros to ``at_least``."""
    x = x.masked_fill(padding_mask(lengths, x.size(1)), 0.0)
    return F.pad(x, (0, max(at_least - x.size(1), 0)))


def masked_group_norm(
    x: Tensor, lengths: Tensor, groups: int, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """``F.group_norm`` whose statistics are taken over the valid steps of each clip alone.

    Args:
        x: [B, C, T].
        lengths: LongTensor [B], valid steps, at least 1.
        groups: G, a divisor of C.
        weight: [C] or None.
        bias: [C] or None.
        eps: added to the variance.

    Returns:
        [B, C, T] in the type of x, computed in float32; padded steps hold finite values without meaning.
    """
    dtype = x.dtype
    x = x.float()
    batch, channels, steps = x.shape
    mask = padding_mask(lengths, steps)[:, None, None, :]  # [B, 1, 1, T]
    if batch * steps > 1 and not bool(mask.any()):  # torch refuses to norm a single value
        y = F.group_norm(x, groups, _float(weight), _float(bias), eps)
        return y.to(dtype)
    grouped = x.view(batch, groups, channels // groups, steps)
    count = (lengths * (channels // groups)).view(-1, 1, 1, 1)
    centred = grouped - grouped.masked_fill(mask, 0.0).sum((2, 3), keepdim=True) / count
    centred = centred.masked_fill(mask, 0.0)
    variance = centred.square().sum((2, 3), keepdim=True) / count
    y = (centred * (variance + eps).rsqrt()).view(batch, channels, steps)
    if weight is not None:
        y = y * weight.float()[:, None]
    if bias is not None:
        y = y + bias.float()[:, None]
    return y.to(dtype)


def _float(x: Tensor | None) -> Tensor | None:
    return None if x is None else x.float()


def masked_layer_norm(x: Tensor, lengths: Tensor, eps: float = 1e-5) -> Tensor:
    """Zero mean and unit variance over the valid steps of each clip of [B, T]; padded steps become 0."""
    mask = padding_mask(lengths, x.size(1))
    y = masked_group_norm(x[:, None], lengths, 1, None, None, eps)[:, 0]
    return y.masked_fill(mask, 0.0)


def parse_layers(text: str, where: str) -> list[Layer]:
    """Read fairseq's ``"[(512, 10, 5)] + [(512, 3, 2)] * 4"`` without evaluating it as code.

    Raises:
        InputError: anything but lists of three positive integers, added or repeated.
    """
    try:
        layers = _evaluate(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise _bad_layers(text, where) from error
    if not isinstance(layers, list) or not layers:
        raise _bad_layers(text, where)
    for layer in layers:
        if not (
            isinstance(layer, tuple) and len(layer) == 3 and all(isinstance(n, int) and n > 0 for n in layer)
        ):
            raise _bad_layers(text, where)
    return layers


def _evaluate(node: ast.expr) -> object:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _evaluate(node.left), _evaluate(node.right)
        if isinstance(left, list) and isinstance(right, list):
            return left + right
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        left, right = _evaluate(node.left), _evaluate(node.right)
        if isinstance(left, list) and isinstance(right, int) and 0 < right * len(left) <= 100:
            return left * right
    else:
        return ast.literal_eval(node)
    raise ValueError("not a list of layers")


def _bad_layers(text: str, where: str) -> InputError:
    return InputError.of(
        where=where,
        expected="convolution layers as '[(channels, kernel, stride)] + [(…)] * n'",
        found=repr(text)[:200],
        remedy="use a checkpoint written by fairseq",
    )
