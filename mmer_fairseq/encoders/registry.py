"""Which encoders there are, and how one is built from ``NAME`` or ``NAME:PATH``."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Callable

from mmer_fairseq.encoders import (
    albert,
    bert,
    clips,
    embedding,
    fabnet,
    face_pixels,
    frames,
    i3d,
    identity,
    logmel,
    mel_pieces,
    opensmile,
    physio_cnn,
    r2plus1d,
    resnet_logmel,
    roberta,
    standardise,
    swin_face,
    wav2vec,
    wav2vec2,
    wavlm,
)
from mmer_fairseq.encoders.base import Encoder, StreamSpec
from mmer_fairseq.errors import InputError

logger = logging.getLogger(__name__)

Builder = Callable[[StreamSpec, int, str], Encoder]


@dataclass(frozen=True)
class Entry:
    """One encoder.

    Attributes:
        form: the form of stream it takes.
        builder: (spec, width asked for, path) → encoder.
        help: one line for ``--help``.
        pretrained: its weights come from a file that the user names, or it has none to train; it is frozen
            unless told otherwise.
        frame_size: pixels (height = width) to give it; trained weights work with no other. 0: any.
        frame_rate: frames a second to give it unless the user says otherwise, in Hz; 0: as recorded.
        sample_rate: samples a second to give it, in Hz; trained weights work with no other. 0: any.
        emotions: of what it gives for a frame, the last so many numbers are the logits of an emotion; 0: none.
        default: what stands after the colon if the user writes only the name; '': the user must name a path.
    """

    form: str
    builder: Builder
    help: str
    pretrained: bool = False
    frame_size: int = 0
    frame_rate: float = 0.0
    sample_rate: int = 0
    emotions: int = 0
    default: str = ""

    def form_of(self, name: str) -> str:
        """How a user writes the encoder: ``NAME``, ``NAME:PATH`` or ``NAME[:SET]``."""
        return name + ("[:SET]" if self.default else ":PATH" if self.pretrained else "")


ENCODERS: dict[str, Entry] = {
    "identity": Entry("features", identity.build, "stored features as they are"),
    "standardise": Entry("features", standardise.build, "stored features, zero mean and unit variance each"),
    "embedding": Entry("tokens", embedding.build, "small trainable text encoder"),
    "logmel": Entry("samples", logmel.build, "small trainable log-mel CNN", sample_rate=16000),
    "frames": Entry("frames", frames.build, "small trainable image CNN", frame_size=64),
    "wav2vec": Entry("samples", wav2vec.build, "wav2vec 1.0, fairseq checkpoint", True, sample_rate=16000),
    "wav2vec2": Entry(
        "samples",
        wav2vec2.build,
        "wav2vec 2.0, checkpoint of fairseq or Hugging Face (PATH@N: its first N layers)",
        True,
        sample_rate=16000,
    ),
    "hubert": Entry(
        "samples",
        wav2vec2.build_hubert,
        "HuBERT, fairseq checkpoint (PATH@N: its first N layers)",
        True,
        sample_rate=16000,
    ),
    "wavlm": Entry(
        "samples",
        wavlm.build,
        "WavLM, folder of Hugging Face (PATH@N: its first N layers)",
        True,
        sample_rate=16000,
    ),
    "resnet18": Entry(
        "samples",
        resnet_logmel.build,
        "ResNet-18 on log-mel spectrograms, a file of weights, 'imagenet' (downloaded) or 'random'",
        True,
        sample_rate=resnet_logmel.RATE,
    ),
    "opensmile": Entry(
        "samples",
        opensmile.build,
        f"openSMILE's descriptors, sets {', '.join(opensmile.SETS)}",
        True,
        sample_rate=opensmile.RATE,
        default=next(iter(opensmile.SETS)),
    ),
    "mel_pieces": Entry(
        "samples",
        mel_pieces.build,
        f"pieces of mel spectrograms for MME2E's CNN, {' or '.join(mel_pieces.SETS)}",
        True,
        sample_rate=mel_pieces.RATE,
        default=mel_pieces.SETS[0],
    ),
    "face_pixels": Entry(
        "frames",
        face_pixels.build,
        "pixels of small faces for MME2E's CNN",
        True,
        frame_size=face_pixels.SIZE,
        frame_rate=2.0,
        default="mme2e",
    ),
    "albert": Entry("tokens", albert.build, "ALBERT, folder of Hugging Face", True),
    "bert": Entry("tokens", bert.build, "BERT, folder of Hugging Face", True),
    "roberta": Entry(
        "tokens",
        roberta.build,
        "RoBERTa, fairseq checkpoint (folder or model.pt) or folder of Hugging Face (XLM-RoBERTa, too)",
        True,
    ),
    "fabnet": Entry("frames", fabnet.build, "FAb-Net face encoder, its released .pth", True, frame_size=256),
    "r2plus1d": Entry(
        "frames",
        r2plus1d.build,
        "R(2+1)D-18 on clips of face images, a file of weights, 'kinetics400' (downloaded) or 'random'; behind it "
        f"@{', @'.join(r2plus1d.REDUCTIONS)}",
        True,
        frame_size=clips.SIZE,
    ),
    "i3d": Entry(
        "frames",
        i3d.build,
        "I3D and a temporal CNN on clips of face images, a file of weights or 'random'",
        True,
        frame_size=clips.SIZE,
    ),
    "swin_face": Entry(
        "frames",
        swin_face.build,
        "FacialMMT's Swin-T face model: features and emotion of a face, its released file, FaceX-Zoo's, or 'random' "
        "(SWIN+FACENET: features of InceptionResnetV1)",
        True,
        frame_size=swin_face.SIZE,
        emotions=swin_face.EMOTIONS,
    ),
    "physio": Entry("series", physio_cnn.build, "small trainable CNN of biosignals"),
}

#: The encoder of a stream that names none, by form.
FORM_DEFAULTS = {
    "tokens": "embedding",
    "samples": "logmel",
    "frames": "frames",
    "series": "physio",
    "features": "identity",
}

#: The encoder of a raw (not stored) modality that names none.
DEFAULTS = {"text": "embedding", "audio": "logmel", "video": "frames", "physio": "physio"}


def parse_spec(text: str, where: str = "encoder") -> tuple[str, str]:
    """Split ``NAME`` or ``NAME:PATH`` into the encoder's name and its path (its default, or '' if it needs none).

    Args:
        text: what the user wrote.
        where: the flag it was written for, for messages.

    Raises:
        InputError: no such encoder; a path is missing, or given to an encoder that reads none.
    """
    name, _, path = text.partition(":")
    if name not in ENCODERS:
        known = ", ".join(e.form_of(n) for n, e in ENCODERS.items())
        raise InputError.of(
            where=where, expected=f"one of {known}", found=f"'{text}'", remedy="write one of these names"
        )
    path = path or ENCODERS[name].default
    if ENCODERS[name].pretrained != bool(path):
        raise InputError.of(
            where=where,
            expected=f"'{name}:PATH'" if ENCODERS[name].pretrained else f"'{name}' alone",
            found=f"'{text}'",
            remedy="name the checkpoint file after a colon (nothing is downloaded)"
            if ENCODERS[name].pretrained
            else "leave the path out: this encoder is trained with the model",
        )
    return name, path


def encoder_name(spec: StreamSpec) -> str:
    """``spec.encoder``, or the default of its form."""
    return spec.encoder or FORM_DEFAULTS[spec.form]


def is_pretrained(spec: StreamSpec) -> bool:
    """Whether the stream's encoder has its weights from a file, and so a width of its own."""
    return ENCODERS[parse_spec(encoder_name(spec))[0]].pretrained


def emotions_of(spec: StreamSpec) -> int:
    """How many of the last numbers that the stream's encoder gives for a frame are the logits of an emotion."""
    return ENCODERS[parse_spec(encoder_name(spec))[0]].emotions


def build_encoder(spec: StreamSpec, width: int) -> Encoder:
    """Build the encoder of one stream, frozen or not as the stream says.

    Args:
        spec: the stream.
        width: features a step that the network wants; small trainable encoders give exactly that many, the
            others have a width of their own (``.dim``).

    Raises:
        InputError: unknown encoder, one for another form of stream, another sampling rate, or a bad
            checkpoint.
    """
    where = f"encoder of '{spec.modality}'"
    name, path = parse_spec(encoder_name(spec), where)
    entry = ENCODERS[name]
    if entry.form != spec.form:
        fitting = ", ".join(n for n, e in ENCODERS.items() if e.form == spec.form)
        raise InputError.of(
            where=where,
            expected=f"an encoder of {spec.form} ({fitting})",
            found=f"'{name}', which encodes {entry.form}",
            remedy="choose one of these, or give the modality in the other form",
        )
    if entry.pretrained:
        _fits("sampling rate in Hz (--sample-rate)", entry.sample_rate, spec.rate, name, where)
        _fits("frame size in pixels (--frame-size)", entry.frame_size, spec.frame_size, name, where)
    encoder = entry.builder(spec, width, path)
    untrained = getattr(encoder, "untrained", "")
    frozen = (entry.pretrained and not untrained) if spec.frozen is None else spec.frozen
    if untrained and not frozen:
        logger.info("%s: %s has initial weights, so the encoder is trained with the model", where, untrained)
    return encoder.freeze() if frozen else encoder


def _fits(what: str, needed: float, given: float, name: str, where: str) -> None:
    """0 on either side means: not stated."""
    if needed and given and needed != given:
        raise InputError.of(
            where=where,
            expected=f"a {what} of {needed:g}, which '{name}' needs",
            found=f"{given:g}",
            remedy=f"set it to {needed:g}",
        )
