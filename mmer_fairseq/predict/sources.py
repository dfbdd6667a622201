"""Where a stream of a clip comes from: its medium, or a frozen encoder that is run on it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Union

import numpy as np
import torch
from torch import Tensor

from mmer_fairseq.corpus import Clip
from mmer_fairseq.corpus.streams import RawOptions, read_stream
from mmer_fairseq.corpus.subsequences import Stretch, SubsequenceReader, Subsequences
from mmer_fairseq.data.reading import raw_options
from mmer_fairseq.data.sources import RawSource
from mmer_fairseq.data.trace_sources import RawTrace
from mmer_fairseq.data.windows import Windows
from mmer_fairseq.encoders import ENCODERS, Encoder, StreamSpec, build_encoder, parse_spec
from mmer_fairseq.encoders.streams import each_chunk
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.extract import FORMS
from mmer_fairseq.features.weights import there
from mmer_fairseq.media.folder_text import own_tokenizer
from mmer_fairseq.media.text import GPT2BPETokenizer, Tokenizer

logger = logging.getLogger(__name__)


class CannotMakeError(Exception):
    """Why a modality cannot be made from media; the others go on."""


@dataclass
class EncodedPart:
    """One store's vectors, made anew.

    Attributes:
        options: how its media were read.
        encoder: frozen.
        half: the store keeps half precision.
        chunk: samples or pictures of a sub-sequence; 0: clips are encoded whole.
    """

    options: RawOptions
    encoder: Encoder
    half: bool
    chunk: int = 0

    def stored(self, vectors: Tensor) -> Tensor:
        """As the store gives them back."""
        return vectors.half().float() if self.half else vectors.float()


@dataclass
class EncodedSource:
    """Vectors of frozen encoders, side by side where there are several.

    Attributes:
        modality: which.
        parts: one for each store that the model was trained on.
        subsequences: over traces; None: whole clips.
    """

    modality: str
    parts: tuple[EncodedPart, ...]
    device: str = "cpu"
    subsequences: Subsequences | None = None

    def present(self, clip: Clip) -> bool:
        """Whether the clip has the modality as a medium."""
        return clip.has(self.modality)

    @property
    def options(self) -> RawOptions:
        """Of the first part."""
        return self.parts[0].options

    @torch.no_grad()
    def read(self, clip: Clip, *, random: Any = None) -> Tensor:
        """FloatTensor [T, ΣD]; see ``data.sources.JoinedSource`` for other rates."""
        vectors = []
        for part in self.parts:
            x = read_stream(clip, self.modality, part.options).to(self.device)[None]
            y, lengths = part.encoder(x, torch.tensor([x.shape[1]], device=self.device))
            vectors.append(part.stored(y[0, : int(lengths[0])].cpu()))
        steps = max(len(each) for each in vectors)
        middle = torch.arange(steps).double() + 0.5
        chosen = [each[(middle * (len(each) / steps)).long().clamp(max=len(each) - 1)] for each in vectors]
        return torch.cat(chosen, dim=1)

    @torch.no_grad()
    def read_stretch(self, clip: Clip, stretch: Stretch, seconds: float) -> Tensor:
        """FloatTensor [S, ΣD], a vector for each target."""
        assert self.subsequences is not None
        vectors = []
        for part in self.parts:
            reader = SubsequenceReader(self.modality, part.options, self.subsequences, part.chunk)
            x = reader.read(clip, stretch, seconds)[None].to(self.device)
            length = torch.tensor([x.shape[1]], device=self.device)
            y, _ = each_chunk(part.encoder, x, length, part.chunk)
            vectors.append(part.stored(y[0].cpu()))
        return torch.cat(vectors, dim=1)


Source = Union[RawSource, RawTrace, EncodedSource]


def build_source(
    spec: StreamSpec,
    state: Mapping[str, Any],
    windows: Windows | None,
    trace_rate: float,
    encoder: str,
    device: str,
) -> Source:
    """The source of a stream.

    Args:
        spec: of the checkpoint.
        state: what the checkpoint remembers of its reading, see ``data.reading``.
        windows: over traces; None: whole clips.
        trace_rate: steps a second of traces, in Hz.
        encoder: that the user names for stored features, ``NAME:PATH`` ('': as remembered, if it is there still).
        device: for encoders of stored features.

    Raises:
        CannotMakeError: stored features that nothing here can make.
        InputError: an encoder that is named is not the right one.
    """
    if "stores" in state:
        named = [part for part in encoder.split("+") if part]
        parts = [
            _part(spec, store, windows, trace_rate, named[k] if k < len(named) else "", device)
            for k, store in enumerate(state["stores"])
        ]
        return EncodedSource(
            spec.modality, tuple(parts), device, windows.subsequences if windows is not None else None
        )
    raw = RawSource(
        spec.modality, raw_options(state, spec.encoder), state["max_samples"], state["min_samples"]
    )
    if windows is None:
        return raw
    reader = SubsequenceReader(spec.modality, raw.options, windows.subsequences, spec.chunk)
    return RawTrace(raw, reader)


def _part(
    spec: StreamSpec,
    store: Mapping[str, Any],
    windows: Windows | None,
    trace_rate: float,
    named: str,
    device: str,
) -> EncodedPart:
    wanted = named or _known(store)
    if wanted:
        return _built(spec, store, windows, trace_rate, wanted, device)
    if not store["encoder"]:
        raise CannotMakeError(
            f"the model takes stored features ({store['name']}) that no encoder of this package made"
        )
    remembered = str(store.get("weights", ""))  # checkpoints of earlier versions have none
    why = ""
    if remembered and there(remembered):
        try:
            return _built(spec, store, windows, trace_rate, remembered, device)
        except InputError:
            why = ", where something else is now"
    where = remembered.partition(":")[2]
    raise CannotMakeError(
        f"the model takes features of the encoder {store['encoder']} ({store['name']}); say where its weights are with "
        f"--encoder {spec.modality}={store['encoder']}:PATH"
        + (f" (they were at {where}{why})" if where else "")
    )


def _built(
    spec: StreamSpec,
    store: Mapping[str, Any],
    windows: Windows | None,
    trace_rate: float,
    wanted: str,
    device: str,
) -> EncodedPart:
    modality, name = spec.modality, store["name"]
    kind, path = parse_spec(wanted, f"--encoder {modality}")
    form = FORMS.get(modality, "")
    made = store["options"]
    if windows is not None and made.get("subseq_length") is None:
        raise CannotMakeError(
            f"the model takes features of whole recordings ({name}) where labels are traces; extract them with "
            "mmer extract --subseq-length, and train on those"
        )
    options = RawOptions(
        **{k: v for k, v in made.items() if k in ("sample_rate", "frame_rate", "frame_size", "hold_gaps")}
    )
    options = replace(
        options,
        max_frames=made.get("max_frames", options.max_frames),
        max_tokens=made.get("max_tokens", options.max_tokens),
        tokenizer=_tokenizer(modality, wanted, path, made) if form == "tokens" else None,
    )
    rate = {"samples": float(options.sample_rate), "frames": float(options.frame_rate or 0.0)}.get(form, 0.0)
    chunk = 0
    if windows is not None:
        chunk = windows.subsequences.chunk(form, trace_rate, rate)
    built = build_encoder(
        StreamSpec(
            modality,
            form,
            f"{kind}:{path}" if path else kind,
            frozen=True,
            rate=rate,
            vocab_size=options.tokenizer.vocab_size if options.tokenizer is not None else 0,
            frame_size=options.frame_size if form == "frames" else 0,
            chunk=chunk,
        ),
        0,
    ).freeze()
    if built.fingerprint != store["fingerprint"] or built.dim != store["dim"]:
        raise InputError.of(
            where=f"--encoder {modality}={wanted}",
            expected=f"the encoder that made the features '{name}' ({store['encoder']}, {store['dim']} numbers, "
            f"fingerprint {store['fingerprint'][:40]})",
            found=f"{built.dim} numbers, fingerprint {built.fingerprint[:40]}",
            remedy="name the weights that mmer extract was given",
        )
    return EncodedPart(options, built.to(device), store["dtype"] == "float16", chunk)


def _known(store: Mapping[str, Any]) -> str:
    """``NAME:SET`` of an encoder without weights: its fingerprint ends with the set."""
    entry = ENCODERS.get(store["encoder"])
    if entry is None or not entry.default:
        return ""
    return f"{store['encoder']}:{store['fingerprint'].split()[-1]}"


def _tokenizer(modality: str, encoder: str, path: str, made: Mapping[str, Any]) -> Tokenizer:
    tokenizer: Tokenizer | None = own_tokenizer(encoder)
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    if tokenizer is None and (folder / "encoder.json").exists():
        tokenizer = GPT2BPETokenizer.of_folder(folder)
    if tokenizer is None or tokenizer.fingerprint != made.get("tokenizer"):
        raise CannotMakeError(
            f"the tokenizer of its stored features does not lie beside {path} "
            "(encoder.json, vocab.bpe and dict.txt, or a Hugging Face folder)"
        )
    return tokenizer


def read_item(source: Source, clip: Clip) -> Tensor:
    """A whole clip's stream, read without chance."""
    assert not isinstance(source, RawTrace)
    return source.read(clip, random=None)


def read_stretch(
    source: Source, clip: Clip, targets: np.ndarray, rate: float, around: Any, seconds: float
) -> Tensor:
    """The sub-sequences that end with ``targets``."""
    stretch = Stretch(targets, rate, around)
    if isinstance(source, EncodedSource):
        return source.read_stretch(clip, stretch, seconds)
    assert isinstance(source, RawTrace)
    return source.read(clip, stretch, seconds)
