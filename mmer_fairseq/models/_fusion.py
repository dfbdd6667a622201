"""What every model here is: encoders of the streams, then a network that fuses what they give."""

import logging
from typing import Any, ClassVar, Collection, Dict, Mapping, Optional, Tuple

from fairseq.models import BaseFairseqModel
from torch import Tensor, nn

from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.encoders.streams import StreamEncoders
from mmer_fairseq.modules.state import CheckedLoading

logger = logging.getLogger(__name__)


class FusionModel(CheckedLoading, BaseFairseqModel):
    """Encoders, then a network. A subclass builds the network and hands it to :meth:`around`.

    The network has ``dims`` (modality → width that it takes), ``modalities``, ``output_layers`` (names of the linear
    layers that give the outputs) and ``forward(streams, lengths)``.
    """

    #: Flag → value that ``mmer compare`` trains it with where the user names none; encoders only where media are read.
    recipe: ClassVar[Mapping[str, str]] = {}

    def __init__(self, encoders: StreamEncoders, network: Any) -> None:
        super().__init__()
        self.encoders = encoders
        self.network: nn.Module = network
        self.modalities: Tuple[str, ...] = network.modalities
        self.output_layers = tuple(f"network.{name}" for name in network.output_layers)

    @classmethod
    def around(cls, network: Any, cfg: Any, task: Any, dropout: Optional[float] = None) -> Any:
        """The model of a network, with the encoders of the streams that it takes.

        Args:
            network: see the class.
            cfg: the model's flags.
            task: its ``streams`` say which encoders.
            dropout: of the small trainable encoders (None: as their stream says).
        """
        specs = {m: task.streams[m] for m in network.dims}
        model = cls(StreamEncoders(specs, network.dims, dropout), network)
        model.load_checkpoint_heads = cfg.load_checkpoint_heads
        return model

    def forward(
        self,
        streams: Dict[str, Tensor],
        lengths: Dict[str, Tensor],
        context: Optional[Dict[str, Tensor]] = None,
    ) -> Dict[str, Any]:
        return self.network(*self.encoders(streams, lengths, context))

    def max_positions(self) -> None:
        """None: a network with a longest input checks it and names its flag, so that no clip is dropped unseen."""
        return None


def taken(streams: Dict[str, StreamSpec], modalities: Collection[str], system: str) -> Dict[str, StreamSpec]:
    """The streams that a system takes; the others are named in the log. All, if it takes none: it will say so."""
    chosen = {m: spec for m, spec in streams.items() if m in modalities} or dict(streams)
    others = [m for m in streams if m not in chosen]
    if others:
        logger.info("%s takes %s; %s is not read", system, " and ".join(modalities), ", ".join(others))
    return chosen
