"""What spoils sound and picture on purpose: noise at a stated ratio, blur, a covered part. Plain tensors in and out."""

from __future__ import annotations

import hashlib
import math
from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.files import PathLike
from mmer_fairseq.media.sound import load_sound

#: The grey that covers a part of a picture, of values in [0, 1].
GREY = 0.5
#: A Gaussian is cut at this many standard deviations, as in SciPy.
_CUT = 4.0


def generator_of(*names: object) -> torch.Generator:
    """A random generator on the CPU that depends on the names alone, not on batch, worker or call order."""
    digest = hashlib.sha256("\0".join(map(str, names)).encode("utf-8")).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def is_silent(wave: Tensor) -> bool:
    """Whether all samples [samples] are equal, or there is none."""
    return len(wave) == 0 or bool((wave == wave[0]).all())


def add_noise(
    wave: Tensor, snr_db: float, generator: torch.Generator, recording: Optional[Tensor] = None
) -> Tensor:
    """Add noise at a signal-to-noise ratio over the whole wave.

    Args:
        wave: FloatTensor [samples], any device.
        snr_db: 10 · log10(power of the wave ÷ power of the noise), power being the mean square.
        generator: on the CPU; draws white Gaussian noise, or where in ``recording`` to begin. The same state gives the
            same noise at every ratio, only louder.
        recording: FloatTensor [N] on the CPU, not silent; taken from there on, and from its beginning again when it
            ends. None: white noise.

    Returns:
        FloatTensor [samples] on the wave's device; not cut at -1 and 1, which would change the ratio. A silent wave
        has no ratio to anything and is returned as it is.
    """
    if is_silent(wave):
        return wave
    if recording is None:
        noise = torch.randn(len(wave), generator=generator).double()
    else:
        noise = _stretch(recording, len(wave), generator).double()
    power = float(wave.double().square().mean())
    factor = math.sqrt(power / float(noise.square().mean())) * 10 ** (-snr_db / 20)
    return wave + (factor * noise).to(wave)


def _stretch(recording: Tensor, samples: int, generator: torch.Generator) -> Tensor:
    """``samples`` samples of a recording, never silent ones alone."""
    steps = torch.arange(samples)
    start = int(torch.randint(len(recording), (1,), generator=generator))
    part = recording[(start + steps) % len(recording)]
    if bool(part.any()):
        return part
    return recording[
        (int(recording.abs().argmax()) + steps) % len(recording)
    ]  # a pause: begin at the loudest


def load_recording(path: PathLike, *, rate: int, where: str) -> Tensor:
    """Read a recording of noise.

    Args:
        path: a sound file, or a video with a sound track.
        rate: of the result, in Hz.
        where: flag that names it, for messages.

    Returns:
        FloatTensor [N] around a mean of 0.

    Raises:
        InputError: it cannot be read (see :func:`mmer_fairseq.media.sound.load_sound`), or is silent.
    """
    sound = load_sound(path, rate=rate, allow_silent=True, where=where)  # every fault but silence
    try:
        load_sound(path, rate=rate, where=where)  # looks at the samples before they are resampled
    except InputError as error:
        raise InputError.of(
            where=f"{where}: {path}",
            expected="a recording of noise",
            found=f"silence: all samples of {len(sound) / rate:.2f} s are equal",
            remedy=f"name another file, or leave out {where} for white noise",
        ) from error
    return sound - sound.mean()


def blur(frames: Tensor, sigma: float) -> Tensor:
    """Blur pictures with a Gaussian; beyond its edge a picture goes on with its last pixel.

    Args:
        frames: FloatTensor [T, C, H, W].
        sigma: standard deviation in pixels, above 0.

    Returns:
        FloatTensor [T, C, H, W].
    """
    reach = int(_CUT * sigma + 0.5)
    at = torch.arange(-reach, reach + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (at / sigma) ** 2)
    kernel = (weights / weights.sum()).to(frames)
    flat = frames.reshape(-1, 1, *frames.shape[2:])
    flat = F.conv2d(F.pad(flat, (reach, reach, 0, 0), mode="replicate"), kernel.view(1, 1, 1, -1))
    flat = F.conv2d(F.pad(flat, (0, 0, reach, reach), mode="replicate"), kernel.view(1, 1, -1, 1))
    return flat.view_as(frames)


def occlude(frames: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Cover a part of the pictures with a grey rectangle that stays where it is.

    Args:
        frames: FloatTensor [T, C, H, W] in [0, 1].
        share: of the picture's area, above 0, at most 1; met as closely as whole pixels allow.
        generator: on the CPU; draws the rectangle's form (sides up to 1 : 2) and place. The same state gives the
            same form and the same place between the edges for every share.

    Returns:
        FloatTensor [T, C, H, W], a copy.
    """
    rows, columns = frames.shape[2:]
    form, down, right = torch.rand(3, generator=generator).tolist()
    area = share * rows * columns
    height = math.sqrt(area * rows / columns) * 2 ** (form - 0.5)
    tall = min(rows, max(1, round(max(height, area / columns))))
    wide = min(columns, max(1, round(area / tall)))
    top, left = round(down * (rows - tall)), round(right * (columns - wide))
    covered = frames.clone()
    covered[:, :, top : top + tall, left : left + wide] = GREY
    return covered
