"""MESM: MME2E whose CNNs compute, image by image, only the sites that the text's attention selects.

Source: Dai et al., "Multimodal End-to-End Sparse Model for Emotion Recognition", NAACL 2021, and its published code.
Other than in the code the selection is trained (see ``modules/selection.py``), and images and clips are never mixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.selection import SparseCNN
from mmer_fairseq.modules.sites import Sites
from mmer_fairseq.networks.mme2e import MME2E, Branch


class MESM(MME2E):
    """The sparse variant; what it takes and gives is MME2E's.

    Where a clip has no text, or the network none, pictures and sound select by themselves.
    """

    def __init__(
        self,
        *,
        dims: Mapping[str, int],
        threshold: float = 0.9,
        original_behaviour: bool = False,
        **others: Any,
    ) -> None:
        """Build it.

        Args:
            dims: those of :class:`MME2E`.
            threshold: share of the attention that a selection keeps, above 0; 1 keeps all sites.
            original_behaviour: compute what the original code computes, for its checkpoints: the selection is not
                trained, and its first stage lays features down in the wrong places, across clips.
            others: those of :class:`MME2E`.

        Raises:
            InputError: those of :class:`MME2E`, or a threshold out of range.
        """
        if not 0 < threshold <= 1:
            raise InputError.of(
                where="--sparse-threshold",
                expected="a number above 0, up to 1, which keeps everything",
                found=threshold,
                remedy="change it",
            )

        def cnn(channels: int) -> SparseCNN:
            return SparseCNN(
                channels,
                text_dim=dims.get("text", 0),
                threshold=threshold,
                original_behaviour=original_behaviour,
            )

        super().__init__(dims=dims, cnn=cnn, **others)

    @torch.no_grad()
    def selection(
        self, streams: Mapping[str, Tensor], lengths: Mapping[str, Tensor]
    ) -> dict[str, list[list[Tensor]]]:
        """What is selected; the arguments are those of :meth:`forward`, best of a network in eval mode.

        Returns:
            Modality whose steps are images → clip → for each of the three stages a BoolTensor [T, H, W] over the clip's
            T images, True where a site is kept. Stage i sees images at 1/2, 1/4, 1/8 of their size.
        """
        guide = self._text(streams, lengths)
        found: dict[str, list[list[Tensor]]] = {}
        for m, branch in self.branches.items():
            if not isinstance(branch, Branch) or branch.image is None:
                continue
            x, counts = self._steps(m, streams, lengths)
            stages: list[Sites] = []
            branch.steps(x, counts, guide, **({"selected": stages} if len(x) else {}))
            if not stages:
                empty = torch.zeros(0, *(side >> 1 for side in branch.image[1:]), dtype=torch.bool)
                found[m] = [[empty[:, :: 1 << i, :: 1 << i] for i in range(3)] for _ in counts]
                continue
            cut = [sites.mask.split(counts.tolist()) for sites in stages]
            found[m] = [[stage[clip] for stage in cut] for clip in range(len(counts))]
        return found
