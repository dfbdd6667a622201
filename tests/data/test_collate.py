"""The batch that every model takes."""

from __future__ import annotations

import torch

from mmer_fairseq.data.collate import collate
from mmer_fairseq.data.dataset import nothing

EMPTY = {
    "text": nothing("tokens"),
    "audio": nothing("samples"),
    "video": nothing("frames", size=4),
    "physio": nothing("features", dim=3),
}


def item(index: int, target: torch.Tensor, **streams: torch.Tensor) -> dict:
    return {"index": index, "streams": streams, "target": target}


def batch() -> dict:
    return collate(
        [
            item(5, torch.tensor(1), text=torch.tensor([0, 9, 2]), audio=torch.ones(7)),
            item(
                2,
                torch.tensor(0),
                text=torch.tensor([0, 2]),
                video=torch.full((2, 3, 4, 4), 255, dtype=torch.uint8),
            ),
        ],
        EMPTY,
        padding_idx=1,
    )


def test_pads_to_the_longest_clip_of_the_batch():
    streams = batch()["net_input"]["streams"]
    assert streams["text"].tolist() == [[0, 9, 2], [0, 2, 1]]
    assert streams["audio"].shape == (2, 7)
    assert streams["video"].shape == (2, 2, 3, 4, 4)
    assert streams["audio"][1].abs().sum() == 0


def test_lengths_are_zero_where_a_modality_is_missing():
    lengths = batch()["net_input"]["lengths"]
    assert {name: each.tolist() for name, each in lengths.items()} == {
        "text": [3, 2],
        "audio": [7, 0],
        "video": [0, 2],
        "physio": [0, 0],
    }


def test_a_modality_that_no_clip_has_keeps_one_padded_step():
    physio = batch()["net_input"]["streams"]["physio"]
    assert physio.shape == (2, 1, 3)
    assert physio.abs().sum() == 0


def test_text_that_no_clip_has_is_padding():
    merged = collate([item(0, torch.tensor(1))], EMPTY, padding_idx=1)
    assert merged["net_input"]["streams"]["text"].tolist() == [[1]]


def test_frames_become_floats_between_0_and_1():
    video = batch()["net_input"]["streams"]["video"]
    assert video.dtype == torch.float32
    assert video[1].unique().tolist() == [1.0]


def test_counts():
    merged = batch()
    assert merged["id"].tolist() == [5, 2]
    assert merged["nsentences"] == 2
    assert merged["ntokens"] == 3 + 2 + 7 + 2


def test_class_targets_are_long_and_scores_double():
    assert batch()["target"].tolist() == [1, 0]
    assert batch()["target"].dtype == torch.long
    scores = collate([item(0, torch.tensor([0.1, 2.0])), item(1, torch.tensor([1.0, 3.0]))], EMPTY, 1)[
        "target"
    ]
    assert scores.dtype == torch.float64
    assert scores.shape == (2, 2)


def test_traces_are_padded_and_masked_where_there_is_no_label():
    hole = torch.tensor([[0.5, float("nan")], [0.25, 1.0]])
    merged = collate([item(0, hole), item(1, torch.ones(1, 2))], EMPTY, 1)
    assert merged["target"].shape == (2, 2, 2)
    assert merged["target"].isfinite().all()
    assert merged["target_mask"].tolist() == [[[False, True], [False, False]], [[False, False], [True, True]]]


def test_no_clips_give_an_empty_batch():
    assert collate([], EMPTY, 1) == {}
