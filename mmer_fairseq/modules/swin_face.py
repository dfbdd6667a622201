"""A Swin transformer that reads an emotion off a face: torchvision's blocks under FaceX-Zoo's head.

Source: Liu et al., "Swin Transformer", ICCV 2021; Wang et al., "FaceX-Zoo", 2021, for the head, which recognises whose
face it is; Zheng et al., ACL 2023 (FacialMMT), for the two layers above it.

Letters for shapes: N images, B clips, T frames, E width of a face's vector, C outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.checks import check_range
from mmer_fairseq.modules.masks import padding_mask


class SwinFace(nn.Module):
    """Faces [N, 3, S, S] → logits [N, C]; the plain sizes are Swin-T's.

    Faces are scaled to [-1, 1]. Those of FacialMMT come with blue first.
    """

    def __init__(
        self,
        *,
        outputs: int,
        image_size: int = 224,
        patch_size: int = 4,
        embed_dim: int = 96,
        depths: Sequence[int] = (2, 2, 6, 2),
        heads: Sequence[int] = (3, 6, 12, 24),
        window: int = 7,
        mlp_ratio: float = 4.0,
        stochastic_depth: float = 0.3,
        face_dim: int = 512,
        hidden_dim: int = 64,
    ) -> None:
        """Build it.

        Args:
            outputs: C.
            image_size: S in pixels, a multiple of patch · window · 2^(stages − 1).
            patch_size: side of a patch in pixels.
            embed_dim: width of the first stage; each other one is twice as wide as that before it.
            depths, heads: blocks and attention heads of each stage.
            window: side of a window in patches.
            mlp_ratio: width inside the feed-forward parts, in widths of the stage.
            stochastic_depth: probability in training that the last block is left out for an image; it grows from 0 at
                the first.
            face_dim: E.
            hidden_dim: width between the two layers of the emotion.

        Raises:
            InputError: a number out of range, or sizes that do not fit each other.
        """
        super().__init__()
        from torchvision.models.swin_transformer import SwinTransformer  # loads for a second

        self.image_size = image_size
        self._check(image_size, patch_size, embed_dim, depths, heads, window, stochastic_depth)
        swin = SwinTransformer(
            patch_size=[patch_size] * 2,
            embed_dim=embed_dim,
            depths=list(depths),
            num_heads=list(heads),
            window_size=[window] * 2,
            mlp_ratio=mlp_ratio,
            stochastic_depth_prob=stochastic_depth,
            num_classes=1,
        )
        width = embed_dim << (len(depths) - 1)
        side = image_size // (patch_size << (len(depths) - 1))
        self.stages = swin.features
        self.norm = swin.norm
        self.face = nn.Linear(width * side * side, face_dim)
        self.face_norm = nn.BatchNorm1d(face_dim)
        self.hidden = nn.Linear(face_dim, hidden_dim)
        self.classifier = nn.Linear(hidden_dim, outputs)
        self.output_layers = ("classifier",)
        nn.init.trunc_normal_(self.face.weight, std=0.02)
        nn.init.zeros_(self.face.bias)

    def forward(self, images: Tensor) -> Tensor:
        """[N, 3, S, S] → logits [N, C]; N may be 0.

        Raises:
            InputError: images of another size.
        """
        return self.classifier(F.relu(self.hidden(self.features(images))))

    def features(self, images: Tensor) -> Tensor:
        """[N, 3, S, S] → what tells whose face it is, [N, E].

        Raises:
            InputError: images of another size.
        """
        if images.shape[1:] != (3, self.image_size, self.image_size):
            raise InputError.of(
                where="face images",
                expected=f"3 × {self.image_size} × {self.image_size}",
                found=" × ".join(map(str, images.shape[1:])),
                remedy="resize the faces, or build the face model for this size",
            )
        if len(images) == 0:
            return self._nothing(images)
        if len(images) == 1 and self.training:  # batch norm has no statistics of a single image
            return self.features(images.expand(2, -1, -1, -1))[:1]
        x = self.norm(self.stages(images)).flatten(1)
        return self.face_norm(self.face(x))

    def of_frames(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Logits of the real frames of clips; the others are not looked at.

        Args:
            frames: [B, T, 3, S, S].
            lengths: LongTensor [B], frames of each clip; 0: it has none.

        Returns:
            [B, T, C], zero at padding.
        """
        real = (~padding_mask(lengths, frames.shape[1])).flatten().nonzero().squeeze(1)
        logits = self(frames.flatten(0, 1).index_select(0, real))
        laid = logits.new_zeros(frames.shape[0] * frames.shape[1], logits.shape[1])
        return laid.index_copy(0, real, logits).view(*frames.shape[:2], -1)

    def _nothing(self, images: Tensor) -> Tensor:
        """No face, which still leads back to every weight, as data-parallel training needs."""
        zero = sum(p.reshape(-1)[0] * 0.0 for p in self.parameters() if p.requires_grad)
        return images.new_zeros(0, self.face.out_features).to(self.face.weight.dtype) + zero

    @staticmethod
    def _check(
        image_size: int,
        patch_size: int,
        embed_dim: int,
        depths: Sequence[int],
        heads: Sequence[int],
        window: int,
        stochastic_depth: float,
    ) -> None:
        check_range("stochastic depth", stochastic_depth, 0, 1)
        for name, number in (("image size", image_size), ("patch size", patch_size), ("window", window)):
            check_range(name, number, 1)
        if len(depths) != len(heads) or sum(depths) < 2 or min(*depths, *heads) < 1:
            raise InputError.of(
                where="stages of the face model",
                expected="blocks and attention heads, 1 or more, for as many stages, and two blocks in all",
                found=f"depths {list(depths)}, heads {list(heads)}",
                remedy="change one of the two",
            )
        unit = patch_size * window << (len(depths) - 1)
        if image_size % unit:
            raise InputError.of(
                where="image size of the face model",
                expected=f"a multiple of {unit}: patch {patch_size}, window {window}, {len(depths)} stages",
                found=image_size,
                remedy="change one of these",
            )
        for stage, count in enumerate(heads):
            if (embed_dim << stage) % count:
                raise InputError.of(
                    where=f"stage {stage + 1} of the face model",
                    expected="a width that is a multiple of its number of heads",
                    found=f"width {embed_dim << stage}, {count} heads",
                    remedy="change one of the two",
                )
