"""openSMILE's low-level descriptors of a raw wave, 100 a second: pitch, loudness, spectrum, voice quality.

openSMILE is an optional package: ``pip install mmer_fairseq[opensmile]``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmer_fairseq.encoders.base import Encoder, StreamSpec
from mmer_fairseq.errors import InputError, optional

#: Descriptors a frame of each set; those of ComParE are 65, and the change of each.
SETS = {"ComParE_2016": 130, "eGeMAPSv02": 25, "GeMAPSv01b": 18}

RATE = 16000  # Hz; the spectral descriptors depend on it
_STEP = 160  # samples, 10 ms
_WINDOW = 960  # samples, 60 ms: the longest window of every set
_LOST = 4  # of the steps in a clip, those for which no set has a frame


class OpenSmile(Encoder):
    """Low-level descriptors, computed by openSMILE on the CPU, clip by clip. It has no weights to train.

    One frame every 10 ms; there are four fewer than steps of 10 ms, because of the 60 ms
    window. A clip shorter than the window is zero-padded up to it and gives two frames. openSMILE reads 16-bit
    samples, so values outside [−1, 1) are clipped. The descriptors have scales far apart (Hz, dB, ratios): train from a
    store of them with ``--audio-encoder standardise``.

    Source: Eyben et al., "openSMILE", 2010; ComParE 2016 (Schuller et al.) with changes is the input of
    AuxFormer (Goncalves and Busso, 2022).

    Args:
        feature_set: one of :data:`SETS`.

    Raises:
        InputError: no such set, or openSMILE is not installed.
    """

    def __init__(self, feature_set: str = "ComParE_2016") -> None:
        if feature_set not in SETS:
            raise InputError.of(
                where="encoder 'opensmile'",
                expected=f"a feature set, one of {', '.join(SETS)}",
                found=f"'{feature_set}'",
                remedy="write 'opensmile:SET' with one of them, or 'opensmile' for the first",
            )
        opensmile = _package()
        levels = ["LowLevelDescriptors"]
        if feature_set == "ComParE_2016":
            levels.append("LowLevelDescriptors_Deltas")
        super().__init__(
            SETS[feature_set], stride=_STEP, variant=f"opensmile {opensmile.__version__} {feature_set}"
        )
        self._extractors = [
            opensmile.Smile(
                feature_set=getattr(opensmile.FeatureSet, feature_set),
                feature_level=getattr(opensmile.FeatureLevel, level),
            )
            for level in levels
        ]

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """n ← floor(n / 160) − 4, of at least 960 samples."""
        steps = torch.div(lengths.clamp(min=_WINDOW), _STEP, rounding_mode="floor") - _LOST
        return torch.where(lengths > 0, steps, 0)

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, samples] at 16 kHz → [B, T', D], without gradient."""
        waves = x.detach().float().cpu().numpy()
        out = self.output_lengths(lengths)
        clips = [
            self._descriptors(wave[:length], steps)
            for wave, length, steps in zip(waves, lengths.tolist(), out.tolist())
        ]
        return pad_sequence(clips, batch_first=True).to(x.device), out

    def _descriptors(self, wave: np.ndarray, steps: int) -> Tensor:
        """[samples] → [steps, D]."""
        wave = np.pad(wave, (0, max(_WINDOW - len(wave), 0)))
        wave = np.clip(wave, -1.0, 1.0 - 2.0**-15)  # as 16-bit numbers, 1.0 would wrap around to −1
        parts = [extractor.process_signal(wave, RATE).to_numpy() for extractor in self._extractors]
        # frame k of the changes belongs to frame k of the descriptors; two more follow at the end
        fits = len(parts[0]) == steps and all(len(part) >= steps for part in parts)
        if not fits or sum(part.shape[1] for part in parts) != self.dim:
            raise InputError.of(
                where=f"openSMILE, clip of {len(wave)} samples",
                expected=f"{steps} frames of {self.dim} descriptors",
                found=" and ".join(str(part.shape) for part in parts),
                remedy="install it: pip install 'opensmile>=2.5,<3'",
            )
        frames = np.concatenate([part[:steps] for part in parts], axis=1)
        return torch.from_numpy(frames.astype(np.float32))


def _package() -> Any:
    return optional(
        "opensmile",
        where="encoder 'opensmile'",
        expected="the package opensmile",
        remedy="install it: pip install 'mmer_fairseq[opensmile]'",
    )


def build(spec: StreamSpec, width: int, path: str) -> OpenSmile:
    """Builder of ``opensmile`` and ``opensmile:SET`` for the registry."""
    return OpenSmile(path)
