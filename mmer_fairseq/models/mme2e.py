"""MME2E and MESM in fairseq: ``--arch mme2e``, ``--arch mme2e_sparse``. The networks are ``networks/mme2e*.py``.

The CNNs read what the encoders ``face_pixels`` and ``mel_pieces`` give; other encoders and stored features are read by
the transformers alone.
"""

import logging
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Tuple

from fairseq.dataclass import FairseqDataclass
from fairseq.models import register_model
from torch import Tensor

from mmer_fairseq.encoders import face_pixels, mel_pieces
from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.encoders.registry import encoder_name, is_pretrained, parse_spec
from mmer_fairseq.models._fusion import FusionModel, taken
from mmer_fairseq.models._presets import flag, register_presets
from mmer_fairseq.networks.mme2e import MME2E, MODALITIES
from mmer_fairseq.networks.mme2e_sparse import MESM

logger = logging.getLogger(__name__)

#: Encoder → the image that a step of it is.
IMAGES = {"face_pixels": face_pixels.IMAGE, "mel_pieces": mel_pieces.IMAGE}


@dataclass
class MME2EConfig(FairseqDataclass):
    trans_dim: int = flag(64, "width of the transformers of sound and picture")
    trans_nlayers: int = flag(4, "layers of each transformer")
    trans_nheads: int = flag(4, "attention heads; their number divides the width")
    dropout: float = flag(0.1, "dropout probability in the transformers, 0 to 1")
    text_dim: int = flag(
        768, "width of text (stored features: their own; ALBERT: 768 base, 1024 large, 2048 xlarge)"
    )
    text_pooling: str = flag(
        "auto", "what the text is: first (its CLS vector), mean (of its steps), auto: mean of stored features"
    )
    load_checkpoint_heads: bool = flag(False, "require the checkpoint's output layers, never train new ones")


@dataclass
class MESMConfig(MME2EConfig):
    sparse_threshold: float = flag(
        0.9, "share of the text-guided attention that a selection keeps, above 0; 1 keeps everything"
    )
    original_behaviour: bool = flag(
        False,
        "compute what the original code computes, an untrained selection and a scrambled first stage (old checkpoints)",
    )


@register_model("mme2e", dataclass=MME2EConfig)
class MME2EModel(FusionModel):
    """Encoders of the streams, then MME2E."""

    recipe = {"lr": "3e-4", "video_encoder": "face_pixels", "audio_encoder": "mel_pieces:log"}

    @classmethod
    def build_model(cls, cfg: Any, task: Any) -> "MME2EModel":
        streams = taken(task.streams, MODALITIES, "MME2E")
        names = {m: parse_spec(encoder_name(stream))[0] for m, stream in streams.items()}
        images = {m: IMAGES[name] for m, name in names.items() if name in IMAGES}
        for m in streams:
            if m not in images and m in ("audio", "video") and streams[m].form != "features":
                own = "face_pixels" if m == "video" else "mel_pieces"
                logger.info(
                    "%s: no CNN reads the encoder %s; --%s-encoder %s is end to end", m, names[m], m, own
                )
        pooling = cfg.text_pooling
        if pooling == "auto":
            pooling = "mean" if "text" in streams and streams["text"].form == "features" else "first"
        network = cls.network_of(
            cfg,
            dims={m: _width(m, stream, images, cfg) for m, stream in streams.items()},
            outputs=task.num_outputs,
            images=images,
            trans_dim=cfg.trans_dim,
            layers=cfg.trans_nlayers,
            heads=cfg.trans_nheads,
            dropout=cfg.dropout,
            text_pooling=pooling,
        )
        return cls.around(network, cfg, task)

    @staticmethod
    def network_of(cfg: Any, **sizes: Any) -> MME2E:
        """The network in these sizes."""
        return MME2E(**sizes)


@register_model("mme2e_sparse", dataclass=MESMConfig)
class MESMModel(MME2EModel):
    """Encoders of the streams, then MESM."""

    @staticmethod
    def network_of(cfg: Any, **sizes: Any) -> MME2E:
        return MESM(threshold=cfg.sparse_threshold, original_behaviour=cfg.original_behaviour, **sizes)

    def selection(
        self, streams: Dict[str, Tensor], lengths: Dict[str, Tensor]
    ) -> Dict[str, List[List[Tensor]]]:
        """The sites that are kept; see :meth:`mmer_fairseq.networks.mme2e_sparse.MESM.selection`."""
        assert isinstance(self.network, MESM)
        return self.network.selection(*self.encoders(streams, lengths))


def _width(modality: str, stream: StreamSpec, images: Mapping[str, Tuple[int, int, int]], cfg: Any) -> int:
    """Of a step: as stored, of an image, of text's encoder, or what the transformer wants of a small one."""
    if modality in images:
        channels, height, width = images[modality]
        return channels * height * width
    if stream.form == "features":
        return stream.dim
    return cfg.text_dim if modality == "text" and is_pretrained(stream) else cfg.trans_dim


# The defaults are those of its README and paper; its code's own are wider.
_WIDE = dict(trans_dim=512, trans_nlayers=2, trans_nheads=8)
register_presets(__name__, globals(), MME2EModel, MME2EConfig, {"mme2e_wide": _WIDE})
register_presets(__name__, globals(), MESMModel, MESMConfig, {"mme2e_sparse_wide": _WIDE})
PRESETS: Dict[str, Dict[str, int]] = {"mme2e_wide": _WIDE, "mme2e_sparse_wide": _WIDE}
