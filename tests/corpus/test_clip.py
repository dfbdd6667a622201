"""Clips: which modalities they have, and from where."""

from __future__ import annotations

import pytest

from mmer_fairseq.corpus.clip import Clip


def clip(**media: str) -> Clip:
    return Clip("a", media, False, None, None, "", "", "", 0, "train.tsv:2", "train")


def test_has() -> None:
    assert clip(audio="/a.wav").has("audio")
    assert not clip(audio="/a.wav").has("video")


@pytest.mark.parametrize(
    ("modality", "cell", "stores"),
    [
        ("audio", "/a.wav", ()),
        ("audio", "store:egemaps", ("egemaps",)),
        ("audio", "store:egemaps,wav2vec", ("egemaps", "wav2vec")),
        ("text", "store:glove", ("glove",)),
        ("text", "store: it was open", ()),
    ],
)
def test_stores(modality: str, cell: str, stores: tuple[str, ...]) -> None:
    assert clip(**{modality: cell}).stores(modality) == stores


def test_most_clips_have_no_rate_of_their_own() -> None:
    assert clip().rate is None


def test_a_missing_modality_is_in_no_store() -> None:
    assert clip().stores("video") == ()
