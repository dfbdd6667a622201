"""What comes into JMT: the streams of a batch as rows of one layout, and the checks of its flags.

Letters for shapes: B clips, S steps, N real steps of all clips, D width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.align import align
from mmer_fairseq.modules.checks import check_range, check_stream
from mmer_fairseq.modules.dense import everywhere, largest
from mmer_fairseq.modules.positions import sinusoids
from mmer_fairseq.modules.rows import Rows

#: Streams in the order of the original, which has the first two.
ORDER = ("video", "audio", "physio", "text")


@dataclass(frozen=True)
class Inputs:
    """The streams of a batch, all in one layout.

    Attributes:
        streams: modality → rows [N, D], zero where the clip has no such stream.
        rows: where they lie.
        counted: LongTensor [B], steps of each clip's longest stream.
        longest: the same, but 1 for a clip without anything.
        steps: S that the batch came with.
        there: modality → BoolTensor [N], whether the clip of a row has it; None: every clip has everything.
    """

    streams: dict[str, Tensor]
    rows: Rows
    counted: Tensor
    longest: Tensor
    steps: int
    there: Mapping[str, Tensor] | None

    def present_only(self, modality: str, x: Tensor) -> Tensor:
        """[N, D] → the same, zero where the clip has no such stream."""
        return x if self.there is None else torch.where(self.there[modality][:, None], x, 0.0)

    def alone(self, modality: str) -> Tensor:
        """BoolTensor [N], True where the clip of a row has this stream and no other."""
        assert self.there is not None
        return torch.stack(list(self.there.values())).sum(dim=0).eq(1) & self.there[modality]

    def placed(self, x: Tensor, positions: bool) -> Tensor:
        """[N, D] → each row divided by its length, and with a position of length 1 where that is asked for."""
        norm = torch.linalg.vector_norm(x, dim=1, keepdim=True)
        # 1e-12 as in torch's normalize, but half precision has no such number; a row of zeros stays zeros, and its
        # gradient is not multiplied by 1e12
        norm = norm.clamp(min=max(1e-12, torch.finfo(x.dtype).tiny)).masked_fill(norm == 0, 1.0)
        x = x / norm
        if not positions:
            return x
        table = torch.nn.functional.normalize(sinusoids(self.rows.steps, x.shape[1]), dim=1).to(x)
        return x + self.rows.pack(table[None].expand(self.rows.batch, -1, -1))


def lay_out(streams: Mapping[str, Tensor], lengths: Mapping[str, Tensor], dims: Mapping[str, int]) -> Inputs:
    """Check a batch, bring the streams of each clip to one number of steps, and pack its real steps.

    Args:
        streams: modality → FloatTensor [B, S, D].
        lengths: modality → LongTensor [B], real steps; 0: the clip has no such stream.
        dims: modality → D, of the streams to take.

    Raises:
        InputError: a stream is not there or has another width.
    """
    xs = {m: check_stream(m, streams, lengths, dim, "--embed-dim") for m, dim in dims.items()}
    counts = torch.stack([lengths[m] for m in dims]).cpu()  # decided there, without waiting for the device
    counted = counts.amax(dim=0)
    longest = counted.clamp(min=1)
    device = next(iter(xs.values())).device
    steps = largest(*(x.shape[1] for x in xs.values()))
    rows = Rows(longest, device, steps)
    there = None
    if not everywhere(counts.gt(0)):
        shown = counts.gt(0).to(device)[:, :, None, None].expand(-1, -1, rows.steps, 1)
        there = {m: rows.pack(own)[:, 0] for m, own in zip(dims, shown)}
    packed = {}
    for (m, x), own in zip(xs.items(), counts):
        if everywhere(own.eq(longest)):
            x = x[:, : rows.steps]
        else:
            x = align(x, own.to(device), longest.to(device), rows.steps)
        x = rows.pack(x)
        packed[m] = x if there is None else torch.where(there[m][:, None], x, 0.0)
    return Inputs(packed, rows, counted.to(device), longest.to(device), steps, there)


def check_choice(flag: str, given: str, choices: Sequence[str]) -> str:
    """The choice that was meant, whatever its case.

    Raises:
        InputError: it is none of them.
    """
    for choice in choices:
        if str(given).lower() == choice.lower():
            return choice
    raise InputError.of(
        where=flag, expected=" or ".join(choices), found=given, remedy=f"write {flag} {choices[0]}"
    )


def check_numbers(*, dim: int, head_dim: int, heads: int, layers: int, dropouts: Sequence[float]) -> None:
    """Refuse numbers that their flags do not allow.

    Raises:
        InputError: with the name of the flag.
    """
    check_range("--embed-dim", dim, 4)
    check_range("--head-dim", head_dim, 1)
    check_range("--num-heads", heads, 1)
    check_range("--num-layers", layers, 1)
    for name, dropout in zip("va", dropouts):
        check_range(f"--{name}-dropout", dropout, 0, 1)
    if dim % heads:
        raise InputError.of(
            where="--embed-dim and --num-heads",
            expected="a width that is a multiple of the number of heads",
            found=f"width {dim}, {heads} heads",
            remedy="change one of the two",
        )
