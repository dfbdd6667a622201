"""Training with modalities that are taken away: ``--modality-dropout audio=0.2,video=0.2``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from mmer_fairseq.data.flags import check_modalities, comma_list
from mmer_fairseq.errors import InputError

FLAG = "--modality-dropout"


def parse_dropout(text: str | None, modalities: Collection[str]) -> dict[str, float]:
    """``"audio=0.2,video=0.2"`` → probability of each modality to be taken away.

    Args:
        text: the flag's value.
        modalities: those of the run.

    Raises:
        InputError: not of this form, not a probability below 1, or not a modality of the run.
    """
    found: dict[str, float] = {}
    for part in comma_list(text):
        name, _, number = (piece.strip() for piece in part.partition("="))
        check_modalities([name], FLAG)
        if name in found:
            raise InputError.of(
                where=FLAG, expected="each modality once", found=f"{name!r} twice", remedy="leave one out"
            )
        try:
            found[name] = float(number)
        except ValueError:
            found[name] = -1.0
        if not 0 <= found[name] < 1:
            raise InputError.of(
                where=FLAG,
                expected="MODALITY=PROBABILITY, a number from 0 to below 1",
                found=repr(part),
                remedy="write for example audio=0.2,video=0.2",
            )
        if name not in modalities:
            raise InputError.of(
                where=FLAG,
                expected=f"modalities of this run ({', '.join(modalities)})",
                found=repr(name),
                remedy="leave it out, or choose others with --modalities",
            )
    return found


def dropped(
    probabilities: Mapping[str, float], present: Sequence[str], random: np.random.Generator
) -> set[str]:
    """Choose what a clip loses this time.

    As in AuxFormer, one number u in [0, 1) decides: the modalities' probabilities are laid end to end, in an order
    drawn anew, and what u falls on is lost. So each is lost with exactly its probability where they add up to 1 or
    less. Above that they lap over: two may be lost at once, but a clip always keeps one of what it has.

    Args:
        probabilities: modality → its own.
        present: the modalities that the clip has.
        random: draws the order and u.

    Returns:
        What is taken away.
    """
    order = [present[k] for k in random.permutation(len(present))]
    u, start, lost = random.random(), 0.0, []
    for modality in order:
        p = probabilities.get(modality, 0.0)
        if (u - start) % 1.0 < p:
            lost.append(modality)
        start += p
    return set(lost[: max(len(present) - 1, 0)])
