"""What a checkpoint remembers of its reading, and gets back."""

from __future__ import annotations

import io

import pytest
import torch

from mmer_fairseq.corpus import Corpus
from mmer_fairseq.data.plan import plan_streams
from mmer_fairseq.data.reading import label_space, raw_options, reading_state
from mmer_fairseq.data.task_config import EmotionPredictionConfig


@pytest.mark.parametrize("labels", ["emotion", "emotions", "sentiment", "affect"])
def test_labels_and_options_come_back_from_a_file(twelve, labels):
    flags = EmotionPredictionConfig(data=str(twelve), labels=labels, frame_rate=5.0, max_text_tokens=40)
    corpus = Corpus.load(twelve, labels=labels)
    plan = plan_streams(flags, corpus)
    state = reading_state(flags, corpus, plan, objective="x", num_outputs=4, windows=None)
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    back = torch.load(file, weights_only=True)
    space = label_space(back)
    for name in ("name", "kind", "names", "range", "rate", "invalid"):
        assert getattr(space, name) == getattr(corpus.label_space, name)
    for modality, stream in plan.items():
        source = getattr(stream.source, "source", stream.source)
        found, wanted = raw_options(back["streams"][modality], stream.spec.encoder), source.options
        if modality == "text":
            assert found.tokenizer.fingerprint == wanted.tokenizer.fingerprint
            assert found.tokenizer.encode("so new").tolist() == wanted.tokenizer.encode("so new").tolist()
        assert {**vars(found), "tokenizer": None} == {**vars(wanted), "tokenizer": None}


def test_faces_of_the_corpus_are_remembered(twelve, tmp_path):
    import shutil

    folder = tmp_path / "corpus"
    shutil.copytree(twelve, folder, ignore=shutil.ignore_patterns(".mmer"))
    (folder / "faces").mkdir()
    (folder / "faces" / "plan.json").write_text('{"detector": "haar", "rate": 2.0}')
    flags = EmotionPredictionConfig(data=str(folder))
    corpus = Corpus.load(folder)
    plan = plan_streams(flags, corpus)
    state = reading_state(flags, corpus, plan, objective="x", num_outputs=4, windows=None)
    assert state["faces"] == {"detector": "haar", "rate": 2.0}
