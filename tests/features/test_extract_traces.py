"""One stored vector for each step of a trace: that of the sub-sequence that ends there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Corpus, write_corpus
from mmer_fairseq.corpus.streams import RawOptions, read_stream
from mmer_fairseq.corpus.subsequences import Subsequences
from mmer_fairseq.encoders import StreamSpec, build_encoder
from mmer_fairseq.errors import InputError
from mmer_fairseq.features import work
from mmer_fairseq.features.extract import extract
from mmer_fairseq.features.store import FeatureStore

LABELS = {
    "affect": {"kind": "trace", "column": "trace", "names": ["v"], "rate": 10, "invalid": -5},
    "emotion": {"kind": "classes", "column": "emotion", "classes": ["calm"]},
}
SUB = Subsequences(length=4, dilation=2)


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    """Three noises with traces at 10 Hz, one of them at its own 8 Hz."""
    random, folder = np.random.default_rng(3), tmp_path / "c"
    folder.mkdir()
    rows = []
    for k, (seconds, rate) in enumerate([(1.3, ""), (2.0, "8"), (0.4, "")]):
        soundfile.write(folder / f"{k}.wav", random.normal(0, 0.1, int(seconds * 16000)), 16000)
        np.save(folder / f"{k}.npy", np.full((int(seconds * float(rate or 10)), 1), -5.0 if k else 0.1))
        rows.append(
            {"id": f"c{k}", "audio": f"{k}.wav", "trace": f"{k}.npy", "rate": rate, "emotion": "calm"}
        )
    write_corpus(folder, description={"name": "n", "labels": LABELS}, rows={"train": rows})
    return Corpus.load(folder)


def run(corpus: Corpus, wav2vec: Path, **changes) -> FeatureStore:
    settings = {"modality": "audio", "encoder": f"wav2vec:{wav2vec}", "name": "w", "progress": False}
    return FeatureStore.open(extract(corpus, **{**settings, "subsequences": SUB, **changes}))


def test_each_step_gets_the_mean_vector_of_the_sound_that_ends_with_it(corpus, wav2vec, monkeypatch):
    monkeypatch.setattr(work, "_STRETCH", 5)
    store = run(corpus, wav2vec, batch_size=3)
    assert [store.length(f"c{k}") for k in range(3)] == [13, 16, 4]
    assert store.rate == 10.0
    assert store.meta["options"] == {"sample_rate": 16000, "subseq_length": 4, "dilation": 2}
    encoder = build_encoder(
        StreamSpec("audio", "samples", f"wav2vec:{wav2vec}", frozen=True, rate=16000.0), 0
    )
    for clip, rate in zip(corpus.clips("train"), (10, 8, 10)):
        wave = torch.cat([torch.zeros(6400), read_stream(clip, "audio", RawOptions()), torch.zeros(6400)])
        for step in (0, 3, store.length(clip.id) - 1):
            end = round((step + 1) / rate * 16000) + 6400
            y, lengths = encoder(wave[None, end - 6400 : end], torch.tensor([6400]))
            expected = y[0, : int(lengths)].mean(0)
            torch.testing.assert_close(store.get(clip.id)[step], expected, atol=1e-5, rtol=1e-4)


def test_the_result_depends_neither_on_workers_nor_on_batches_and_each_clip_is_a_shard(corpus, wav2vec):
    one, two = run(corpus, wav2vec), run(corpus, wav2vec, name="two", workers=2, batch_size=2)
    assert len(list(one.path.glob("shard-*"))) == 3
    for clip in corpus.clips("train"):
        torch.testing.assert_close(one.get(clip.id), two.get(clip.id), atol=1e-6, rtol=0)
    with pytest.raises(InputError, match="expected a store made with options"):
        run(corpus, wav2vec, subsequences=replace(SUB, dilation=1))


def test_rows_of_a_long_clip_are_read_alone(corpus, wav2vec):
    store = run(corpus, wav2vec)
    assert torch.equal(store.rows("c0", 3, 7), store.get("c0")[3:7])


def test_the_command(corpus, wav2vec, capsys):
    words = ["extract", corpus.directory, "--modality", "audio", "--encoder", f"wav2vec:{wav2vec}"]
    words += ["--name", "w", "--subseq-length", "4", "--dilation", "2", "--labels"]
    assert main([str(word) for word in [*words, "affect"]]) == 0
    assert "3 clips, vectors of 24 float32 numbers, 10 vectors a second" in capsys.readouterr().out
    assert main([str(word) for word in [*words, "emotion"]]) == 2
    assert (
        "--subseq-length: expected labels that are traces; found emotion (classes). Name a label space of traces "
        "with --labels, or leave --subseq-length out." in capsys.readouterr().err
    )


def test_words_have_no_place_in_time(corpus, wav2vec):
    with pytest.raises(InputError) as error:
        run(corpus, wav2vec, modality="text", encoder=f"roberta:{wav2vec}")
    assert str(error.value) == (
        "--subseq-length: expected sound or picture; found text, whose words have no place in time. Leave it out."
    )


def test_untrained_weights_make_no_store(corpus):
    with pytest.raises(InputError) as error:
        run(corpus, Path(), encoder="resnet18:random")
    assert str(error.value) == (
        "--encoder: expected an encoder with trained weights; found 'resnet18:random', in which the network would be "
        "random. Name a file with weights, or train it with the model."
    )
