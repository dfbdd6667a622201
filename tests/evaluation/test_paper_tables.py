"""The tables of the MME2E paper against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from mmer_fairseq.errors import InputError
from mmer_fairseq.evaluation.paper_tables import FORMS, Decisions, paper_table, scores

IEMOCAP = ("sad", "angry", "excited", "frustrated", "happy", "neutral")
MOSEI = ("anger", "disgust", "fear", "happy", "sad", "surprise")


def decisions(labels, model="m", seed=0) -> Decisions:
    random = np.random.default_rng(seed)
    target = (random.random((200, 6)) < 0.3).astype(float)
    decided = np.where(random.random((200, 6)) < 0.7, target, 1 - target)
    return Decisions(model, "p.tsv", labels, target.tolist(), decided.tolist())


@pytest.mark.parametrize(
    ("form", "labels", "first"),
    [
        ("mme2e-iemocap", IEMOCAP, sk.accuracy_score),
        ("mme2e-mosei", MOSEI, sk.balanced_accuracy_score),
    ],
)
def test_numbers_are_those_of_scikit_learn_in_the_order_of_the_paper(form, labels, first):
    made = decisions(labels)
    target, decided = np.array(made.target), np.array(made.decided)
    order = [1, 2, 3, 4, 5, 0] if labels == IEMOCAP else range(6)
    a, f1 = scores(FORMS[form], made)
    assert a == pytest.approx([first(target[:, c], decided[:, c]) for c in order], abs=1e-12)
    assert f1 == pytest.approx([sk.f1_score(target[:, c], decided[:, c]) for c in order], abs=1e-12)
    cells = paper_table(FORMS[form], [made]).splitlines()[2].split()
    assert cells[1] == f"{100 * a[0]:.1f}/{100 * f1[0]:.1f}"
    assert cells[-1] == f"{100 * np.mean(a):.1f}/{100 * np.mean(f1):.1f}"


def test_the_form_is_the_papers():
    perfect = Decisions("MESM", "p.tsv", MOSEI, np.eye(6).tolist(), np.eye(6).tolist())
    none = Decisions("LF", "p.tsv", MOSEI, np.eye(6).tolist(), np.zeros((6, 6)).tolist())
    assert paper_table(FORMS["mme2e-mosei"], [perfect, none]).splitlines() == [
        "CMU-MOSEI: weighted accuracy / F1 in percent",
        "model        angry    disgusted         fear        happy          sad    surprised          avg",
        "MESM   100.0/100.0  100.0/100.0  100.0/100.0  100.0/100.0  100.0/100.0  100.0/100.0  100.0/100.0",
        "LF        50.0/0.0     50.0/0.0     50.0/0.0     50.0/0.0     50.0/0.0     50.0/0.0     50.0/0.0",
    ]


@pytest.mark.parametrize("labels", [MOSEI, IEMOCAP[:5], (*IEMOCAP[:5], "sad")])
def test_other_emotions(labels):
    with pytest.raises(InputError) as error:
        scores(FORMS["mme2e-iemocap"], Decisions("m", "p.tsv", labels, [], []))
    assert str(error.value) == (
        "p.tsv: expected decisions on the emotions of the table (angry, excited, frustrated, happy, neutral, sad); "
        f"found {', '.join(labels)}. Name predictions of a model for these labels, or another --form."
    )
