"""Which encoder stored features get, and what a checkpoint remembers of a stream."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.importers.arrays import Labels, import_arrays
from mmer_fairseq.corpus.importers.toy import write_toy_corpus
from mmer_fairseq.data.flags import RANGES, StreamFlags
from mmer_fairseq.data.plan import plan_streams
from mmer_fairseq.data.stream_state import stream_state
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.write import write_store

DEFAULTS = {
    **dict.fromkeys(StreamFlags.__annotations__),
    **{name: low for name, (low, _) in RANGES.items()},
    "max_sample_size": None,
}


def flags(**given) -> SimpleNamespace:
    return SimpleNamespace(**{**DEFAULTS, **given})


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    random = np.random.default_rng(1)
    folder = import_arrays(
        tmp_path / "corpus",
        ids=[f"c{k}" for k in range(12)],
        labels=Labels(values=["a", "b"] * 6, kind="classes", name="emotion"),
        splits=["train"] * 8 + ["valid"] * 4,
        features={"mine": ("audio", random.normal(size=(12, 3)) * 100 + 7)},
    )
    return Corpus.load(folder)


def vectors(corpus: Corpus, split: str) -> np.ndarray:
    from mmer_fairseq.features.store import FeatureStore

    store = FeatureStore.open(corpus.features["mine"].path)
    return np.concatenate([store.get(clip.id).numpy() for clip in corpus.clips(split)]).astype("float64")


def test_vectors_from_elsewhere_are_standardised_over_the_training_split(corpus, caplog):
    with caplog.at_level(logging.INFO):
        spec = plan_streams(flags(), corpus)["audio"].spec
    assert spec.encoder == "standardise"
    np.testing.assert_allclose(spec.mean, vectors(corpus, "train").mean(0))
    np.testing.assert_allclose(spec.deviation, vectors(corpus, "train").std(0))
    assert (
        "audio: features of mine are brought to zero mean and unit variance "
        "(--audio-encoder identity: as stored)" in caplog.messages
    )


def test_the_training_split_may_have_another_name(corpus):
    spec = plan_streams(flags(), corpus, "valid")["audio"].spec
    np.testing.assert_allclose(spec.mean, vectors(corpus, "valid").mean(0))


def test_as_stored_when_asked(corpus):
    spec = plan_streams(flags(audio_encoder="identity"), corpus)["audio"].spec
    assert (spec.encoder, spec.mean, spec.deviation) == ("identity", (), ())


def test_what_an_encoder_gave_stays_as_it_is(corpus):
    write_store(
        corpus.features["mine"].path,
        [(f"c{k}", np.ones((2, 3))) for k in range(12)],
        modality="audio",
        encoder="wav2vec",
        fingerprint="0" * 64,
        overwrite=True,
    )
    assert plan_streams(flags(), corpus)["audio"].spec.encoder == "identity"
    assert plan_streams(flags(audio_encoder="standardise"), corpus)["audio"].spec.encoder == "standardise"


def test_evaluating_needs_no_training_split(corpus):
    spec = plan_streams(flags(), corpus, "elsewhere")["audio"].spec
    assert (spec.encoder, spec.mean) == ("standardise", ())


def test_statistics_are_left_to_the_weights(corpus):
    state = stream_state(plan_streams(flags(), corpus))["audio"]
    assert (state["encoder"], state["dim"]) == ("standardise", 3)
    assert not {"mean", "deviation"} & set(state)


def test_encoder_of_media_for_stored_features(corpus):
    with pytest.raises(
        InputError,
        match=r"--audio-encoder logmel: expected identity or standardise for stored features \(mine\); "
        r"found both an encoder and a store\. Leave out --audio-encoder",
    ):
        plan_streams(flags(audio_encoder="logmel"), corpus)


def test_albert_brings_its_own_tokens(twelve, tmp_path):
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["we are here now", "are you here"] * 5), model_prefix=str(tmp_path / "spiece"),
        vocab_size=16, pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols=["[CLS]", "[SEP]"], minloglevel=2,
    )  # fmt: skip
    asked = flags(modalities="text", text_encoder=f"albert:{tmp_path}", max_text_tokens=512)
    corpus = Corpus.load(twelve)
    text = plan_streams(asked, corpus)["text"]
    assert text.spec.vocab_size == 16
    ids = text.source.read(corpus.clips("train")[0], random=None)
    assert (ids[0], ids[-1]) == (2, 3)
    with pytest.raises(
        InputError, match=r"spiece\.model: expected ALBERT's sentencepiece model; found no such"
    ):
        plan_streams(flags(modalities="text", text_encoder="albert:elsewhere"), corpus)


def test_bert_brings_its_own_tokens_unless_others_are_named(twelve, tmp_path):
    pytest.importorskip("tokenizers")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "i", "##am", *"abcdefghijklmnopqrstuvwxyz"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    corpus = Corpus.load(twelve)
    asked = {"modalities": "text", "text_encoder": f"bert:{tmp_path}", "max_text_tokens": 512}
    text = plan_streams(flags(**asked), corpus)["text"]
    assert text.spec.vocab_size == len(words)
    assert len(text.fingerprint) == 64
    ids = text.source.read(corpus.clips("train")[0], random=None)
    assert (ids[0], ids[-1]) == (2, 3)
    with pytest.raises(
        InputError, match="expected a sentencepiece model for the transcripts; found no such file"
    ):
        plan_streams(flags(**asked, tokenizer_model=str(tmp_path / "none.model")), corpus)


def test_pictures_are_changed_where_pictures_are_read(tmp_path):
    streams = plan_streams(
        flags(modalities="audio,video", picture_augmentation="flip", sample_rate=16000, max_frames=9),
        Corpus.load(write_toy_corpus(tmp_path / "toy", clips=10)),
    )
    assert streams["video"].source.augmentation.flip == 0.5
    assert streams["audio"].source.augmentation is None


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        (
            "picture_augmentation",
            "flip",
            "--picture-augmentation has no effect: no video is read as a medium",
        ),
        ("speed_perturbation", 0.2, "--speed-perturbation has no effect: no audio is read as a medium"),
    ],
)
def test_changes_of_media_that_are_not_read_are_said(corpus, caplog, flag, value, said):
    with caplog.at_level(logging.WARNING):
        plan_streams(flags(features="audio=mine", **{flag: value}), corpus)
    assert said in caplog.text


@pytest.mark.parametrize("label", ["emotion", "trace"])
def test_pictures_that_are_missing_stand_for_their_moment_in_traces_alone(tmp_path, label):
    (tmp_path / "v").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "v" / "00001.png")
    np.save(tmp_path / "t.npy", np.zeros((4, 1)))
    (tmp_path / "corpus.yaml").write_text(
        "name: c\npictures: {clock: clip}\nlabels:\n"
        "  emotion: {kind: classes, column: emotion, classes: [x]}\n"
        "  trace: {kind: trace, column: trace, names: [v], rate: 2}\n"
    )
    (tmp_path / "train.tsv").write_text("id\tvideo\temotion\ttrace\na\tv\tx\tt.npy\n")
    given = flags(modalities="video", seq_length=8, subseq_length=2, stride=2, dilation=1)
    stream = plan_streams(given, Corpus.load(tmp_path, label))["video"]
    source = stream.source.source if label == "trace" else stream.source
    assert source.options.hold_gaps == (label == "trace")
