"""MME2E (FE2E): from pixels, sound and words to emotions in one network.

Source: Dai et al., "Multimodal End-to-End Sparse Model for Emotion Recognition", NAACL 2021, and its published code,
where the fully end-to-end model is called MME2E.

Letters for shapes: B clips, T steps, N images of all clips, D width, C outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.checks import check_range, check_stream
from mmer_fairseq.modules.cls_transformer import ClsTransformer
from mmer_fairseq.modules.dense import is_dense
from mmer_fairseq.modules.late_fusion import LateFusion
from mmer_fairseq.modules.masks import padding_mask
from mmer_fairseq.modules.vgg import HALVINGS, DenseCNN, flat_size
from mmer_fairseq.networks.late_fusion import check_modalities, packed_steps

#: In the order of the fusion weights.
MODALITIES = ("text", "video", "audio")
POOLINGS = ("first", "mean")
#: Width between the CNN and the transformer.
FLAT = 1024
#: Channels, height, width of one step.
Image = tuple[int, int, int]


class Branch(nn.Module):
    """Sound or picture: steps [N, D] → one vector a clip [B, E].

    Steps that are images go through the CNN and two linear layers; steps of any other width than E through one.
    """

    def __init__(
        self,
        *,
        dim: int,
        image: Image | None,
        cnn: Callable[[int], nn.Module],
        transformer: ClsTransformer,
        width: int,
    ) -> None:
        """Build it.

        Args:
            dim: D.
            image: what a step is, C·H·W = D; None: a vector of features.
            cnn: builds the CNN for so many channels.
            transformer: that reads the steps.
            width: E.
        """
        super().__init__()
        self.image = image
        self.cnn: nn.Module | None = None
        self.flatten: nn.Linear | None = None
        self.project: nn.Linear | None = None
        if image is not None:
            self.cnn = cnn(image[0])
            self.flatten = nn.Linear(flat_size(*image[1:]), FLAT)
            self.project = nn.Linear(FLAT, width)
        elif dim != width:
            self.project = nn.Linear(dim, width)
        self.transformer = transformer

    def forward(self, x: Tensor, lengths: Tensor, guide: Tensor | None) -> Tensor:
        """Read.

        Args:
            x: [N, D].
            lengths: LongTensor [B] on the CPU, steps of each clip.
            guide: [B, D of text], or None.
        """
        return self.transformer(self.steps(x, lengths, guide), lengths)

    def steps(self, x: Tensor, lengths: Tensor, guide: Tensor | None, **asked: Any) -> Tensor:
        """[N, D] → [N, E]; ``asked`` goes to the CNN."""
        if self.cnn is not None and self.flatten is not None:
            count = x.shape[0]
            if is_dense():
                clips = torch.arange(count) // (count // lengths.shape[0])
            elif count == 0:
                return _nothing(self, x)
            else:
                clips = torch.arange(len(lengths)).repeat_interleave(lengths).to(x.device)
            y = self.cnn(x.view(count, *(self.image or ())), guide, clips, **asked)
            x = F.relu(self.flatten(y.flatten(1)))
        return x if self.project is None else self.project(x)


def _nothing(branch: Branch, x: Tensor) -> Tensor:
    """No step of the branch's width, which still leads back to every weight, as data-parallel training needs."""
    assert branch.project is not None
    zero = sum(p.reshape(-1)[0] * 0.0 for p in branch.parameters() if p.requires_grad)
    return x.new_zeros(0, branch.project.out_features) + zero


class MME2E(nn.Module):
    """Text's first vector, a CNN and a transformer each for picture and sound, their logits fused late.

    A clip may lack any modality (length 0), even all: what is missing adds nothing to the weighted sum of logits.
    """

    def __init__(
        self,
        *,
        dims: Mapping[str, int],
        outputs: int,
        images: Mapping[str, Image] | None = None,
        trans_dim: int = 64,
        layers: int = 4,
        heads: int = 4,
        dropout: float = 0.1,
        text_pooling: str = "first",
        cnn: Callable[[int], nn.Module] = DenseCNN,
    ) -> None:
        """Build what the chosen modalities use, and nothing else.

        Args:
            dims: modality → width of a step; one or more of "text", "video", "audio".
            outputs: C.
            images: modality → (channels, height, width) where a step of picture or sound is a flattened image, which
                the CNN reads; height and width are multiples of 16. Others are features, read by the transformer alone.
            trans_dim: E, width of the transformers, a multiple of ``heads``.
            layers, heads: of each transformer.
            dropout: probability in the transformers.
            text_pooling: "first": the text is its first step, the CLS vector of encoders that have one; "mean": the
                mean of its steps.
            cnn: builds the CNN for so many channels.

        Raises:
            InputError: no or an unknown modality, an image of another size than its stream or the CNN has, or a number
                that its flag does not allow.
        """
        super().__init__()
        check_modalities(tuple(dims), "MME2E")
        self.modalities = tuple(m for m in MODALITIES if m in dims)
        self.output_layers = tuple(f"heads.{m}" for m in self.modalities)
        self.dims = {m: dims[m] for m in self.modalities}
        self.text_pooling = text_pooling
        images = {m: image for m, image in (images or {}).items() if m in self.dims}
        self._check(images, trans_dim, layers, heads, dropout)

        def transformer() -> ClsTransformer:
            return ClsTransformer(dim=trans_dim, layers=layers, heads=heads, dropout=dropout)

        self.branches = nn.ModuleDict(
            {
                m: Branch(dim=dim, image=images.get(m), cnn=cnn, transformer=transformer(), width=trans_dim)
                for m, dim in self.dims.items()
                if m != "text"
            }
        )
        self.heads = nn.ModuleDict(
            {m: nn.Linear(dim if m == "text" else trans_dim, outputs) for m, dim in self.dims.items()}
        )
        self.fusion = LateFusion(self.modalities)

    @property
    def dtype(self) -> torch.dtype:
        """The type of the weights."""
        return next(self.parameters()).dtype

    def forward(self, streams: Mapping[str, Tensor], lengths: Mapping[str, Tensor]) -> dict[str, Any]:
        """Predict.

        Args:
            streams: modality → FloatTensor [B, T, D]; modalities of other networks are not looked at.
            lengths: modality → LongTensor [B], real steps; 0: the clip has no such modality.

        Returns:
            {"logits": FloatTensor [B, C], "aux": {}}.

        Raises:
            InputError: a modality is not there or has another width.
        """
        guide = self._text(streams, lengths)
        logits = {} if guide is None else {"text": self.heads["text"](guide)}
        for m, branch in self.branches.items():
            x, counts = self._steps(m, streams, lengths)
            logits[m] = self.heads[m](branch(x, counts, guide))
        return {"logits": self.fusion(logits, {m: lengths[m] > 0 for m in self.modalities}), "aux": {}}

    def _text(self, streams: Mapping[str, Tensor], lengths: Mapping[str, Tensor]) -> Tensor | None:
        """The text's vectors [B, D], zero where a clip has none; None: a network without text."""
        if "text" not in self.dims:
            return None
        x = check_stream("text", streams, lengths, self.dims["text"], "--features or --text-encoder")
        counts = lengths["text"]
        if self.text_pooling == "first":
            return torch.where((counts > 0)[:, None], x[:, 0], 0.0).to(self.dtype)
        x = x.masked_fill(padding_mask(counts, x.shape[1])[..., None], 0.0)
        return (x.sum(dim=1) / counts.clamp(min=1)[:, None]).to(self.dtype)

    def _steps(
        self, modality: str, streams: Mapping[str, Tensor], lengths: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The real steps [N, D] of all clips, and their number a clip on the CPU."""
        flag = f"--features or --{modality}-encoder"
        x = check_stream(modality, streams, lengths, self.dims[modality], flag)
        counts = lengths[modality].cpu()
        return packed_steps(x, counts).to(self.dtype), counts

    def _check(
        self, images: Mapping[str, Image], trans_dim: int, layers: int, heads: int, dropout: float
    ) -> None:
        check_range("--trans-nlayers", layers, 1)
        check_range("--trans-nheads", heads, 1)
        check_range("--trans-dim", trans_dim, 1)
        check_range("--dropout", dropout, 0, 1)
        if self.text_pooling not in POOLINGS:
            raise InputError.of(
                where="--text-pooling",
                expected=" or ".join(POOLINGS),
                found=repr(self.text_pooling),
                remedy="choose one of the two",
            )
        if trans_dim % heads:
            raise InputError.of(
                where="--trans-dim and --trans-nheads",
                expected="a width that is a multiple of the number of heads",
                found=f"width {trans_dim}, {heads} heads",
                remedy="change one of the two",
            )
        for m, (channels, height, width) in images.items():
            if m == "text" or channels * height * width != self.dims[m] or (height | width) % (1 << HALVINGS):
                raise InputError.of(
                    where=f"images of {m}",
                    expected=f"sound or picture in images whose sides are multiples of {1 << HALVINGS}, "
                    f"{self.dims[m]} numbers each",
                    found=f"{channels} × {height} × {width}",
                    remedy="give the size that its encoder makes",
                )
