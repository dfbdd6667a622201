"""Sound → how loud the voice is at each picture."""

from __future__ import annotations

import numpy as np

# Hz: most of what a voice has; hum and hiss lie outside.
_LOW, _HIGH = 120.0, 4000.0

# Seconds of a window, and between two of them.
_WINDOW, _HOP = 0.032, 0.01

# Of the windows, from the quietest: taken for the noise between words.
_QUIET = 10.0

_BANDS = 16  # of frequencies
_ABOVE = 1.5  # times the noise: what is louder is voice


def loudness(wave: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Loudness of the voice over time.

    Args:
        wave: float [samples], one channel.
        rate: of it, in Hz.

    Returns:
        Seconds of the windows' middles, and the root of the power between 120 Hz and 4 kHz that is above the
        noise's, scaled so that its 95th percentile is 1; all 0 where nothing is heard.
    """
    size, hop = max(8, round(_WINDOW * rate)), max(1, round(_HOP * rate))
    wave = np.asarray(wave, dtype=np.float32)
    padded = np.pad(wave, (size // 2, size))
    count = max(1, -(-len(wave) // hop))
    windows = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop][:count]
    spectrum = np.abs(np.fft.rfft(windows * np.hanning(size).astype(np.float32), axis=1)) ** 2
    hertz = np.fft.rfftfreq(size, 1.0 / rate)
    band = (hertz >= _LOW) & (hertz <= _HIGH)
    # each band of frequencies less its own noise: a fan is loud where a voice is not
    first = np.unique(np.linspace(0, int(band.sum()), _BANDS + 1)[:-1].astype(int))
    power = np.add.reduceat(spectrum[:, band], first, axis=1)
    kernel = np.ones(3) / 3
    power = np.stack([np.convolve(column, kernel, mode="same") for column in power.T])
    noise = np.percentile(power, _QUIET, axis=1, keepdims=True)
    power = np.maximum(power - _ABOVE * noise, 0.0).sum(axis=0)
    loud = np.sqrt(power)
    top = float(np.percentile(loud, 95))
    if top <= 1e-9:
        return np.arange(len(loud)) * hop / rate, np.zeros(len(loud))
    return np.arange(len(loud)) * hop / rate, np.minimum(loud / top, 1.5)


def heard_share(loud: np.ndarray) -> float:
    """Share of the time in which a voice is heard, 0 … 1."""
    return float((loud > 0.15).mean()) if len(loud) else 0.0


def shifted(
    seconds: np.ndarray, loud: np.ndarray, times: np.ndarray, lags: np.ndarray, length: float
) -> np.ndarray:
    """Loudness at each picture, the voice moved by each lag in a circle.

    Args:
        seconds: of ``loud``.
        loud: as :func:`loudness` gives them.
        times: of the pictures, in seconds.
        lags: in seconds; positive: the voice comes after the lips.
        length: of the clip in seconds, after which its beginning comes again.

    Returns:
        float64 [lags, pictures].
    """
    return np.interp((times[None] + lags[:, None]) % length, seconds, loud)
