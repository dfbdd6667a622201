"""Scores of many conditions from one pass, with a model that answers from what it is given."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from mmer_fairseq import metrics
from mmer_fairseq.criterions.emotion_prediction_cri import HIDDEN
from mmer_fairseq.errors import InputError
from mmer_fairseq.evaluation.conditions import Condition
from mmer_fairseq.evaluation.sweep import sweep
from mmer_fairseq.evaluation.variants import Chance

CONDITIONS = [Condition("subset", ("text", "physio")), Condition("subset", ("text",))]
TARGET = torch.tensor([0, 1, 0, 1, 1])


class Dataset(SimpleNamespace):
    def __len__(self) -> int:
        return len(self.clips)

    def clip_of(self, index: int) -> SimpleNamespace:
        return self.clips[index]


DATASET = Dataset(clips=[SimpleNamespace(id=f"c{k}") for k in range(5)], padding_idx=1)


class Task:
    """Takes a clip with physio for class 1."""

    def valid_step(self, sample, model, criterion):
        there = sample["net_input"]["lengths"]["physio"] > 0
        scores = torch.nn.functional.one_hot(there.long(), 2).double()
        sums = criterion.metrics.sums(scores, sample["target"])
        return 0, 0, {"clips": len(there), **{HIDDEN + key: value for key, value in sums.items()}}


def batches(*groups: list[int]):
    for rows in groups:
        streams = {
            "text": torch.ones(len(rows), 2, dtype=torch.long),
            "physio": torch.ones(len(rows), 3, 4),
        }
        lengths = {"text": torch.full((len(rows),), 2), "physio": TARGET[rows] * 3}
        yield {
            "id": torch.tensor(rows),
            "net_input": {"streams": streams, "lengths": lengths},
            "target": TARGET[rows],
        }


def swept(made):
    criterion = SimpleNamespace(metrics=metrics.build("classes", ["no", "yes"], "softmax"))
    return sweep(Task(), None, criterion, DATASET, made, CONDITIONS, Chance())


@pytest.mark.parametrize("groups", [([0, 1, 2, 3, 4],), ([4], [2, 0], [1, 3])])
def test_scores_are_of_the_whole_split(groups):
    complete, text = swept(batches(*groups))
    assert (complete.clips, text.clips) == (5, 5)
    assert (complete.values["accuracy"], complete.values["uar"]) == (1.0, 1.0)
    assert (text.values["accuracy"], text.values["uar"]) == (0.4, 0.5)


def test_a_lost_clip_stops_the_run():
    with pytest.raises(RuntimeError, match="4 clips were scored, but the split has 5"):
        swept(batches([0, 1, 2, 3]))


def test_a_fault_of_a_reading_process_is_told_without_its_traceback():
    def broken():
        yield from batches([0])
        raise InputError(
            "Caught InputError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n  File\n"
            "mmer_fairseq.errors.InputError: test.tsv:2: expected sound; found none. Correct it.\n"
        )

    with pytest.raises(InputError) as error:
        swept(broken())
    assert str(error.value) == "test.tsv:2: expected sound; found none. Correct it."
