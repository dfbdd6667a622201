"""Loading a checkpoint: without its corpus, of an earlier version, with stored features."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmer_fairseq import load
from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Corpus
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.store import FeatureStore

LF = ("lf_rnn", "--feature-dim", "8", "--frame-rate", "5", "--frame-size", "16")


def write_wav2vec(path: Path, seed: int = 0) -> Path:
    """A tiny wav2vec 1.0 checkpoint."""
    from mmer_fairseq.encoders.fairseq_checkpoint import fairseq_module

    module = fairseq_module("fairseq.models.wav2vec.wav2vec")
    settings = {"conv_feature_layers": "[(8, 40, 160)]", "conv_aggregator_layers": "[(6, 2, 1)]"}
    settings.update(arch="wav2vec", prediction_steps=2, infonce=False)
    config = module.Wav2VecConfig()
    for name, value in settings.items():
        setattr(config, name, value)
    torch.manual_seed(seed)
    state = module.Wav2VecModel(config).state_dict()
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"args": argparse.Namespace(**settings), "model": state}, path)
    return path


def test_importing_the_package_is_light():
    code = "import sys, mmer_fairseq; mmer_fairseq.load; assert not {'torch', 'fairseq'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_earlier_version_without_corpus(made):
    path = made("forgetful", *LF, forget=True)
    with pytest.raises(InputError) as error:
        load(path)
    assert str(error.value) == (
        f"{path}: expected a checkpoint that says how its clips are read, or the corpus of its training; found one "
        "of an earlier version or of mmer convert, and no folder /nowhere/corpus. "
        "Name a corpus of the same form with --data DIR."
    )


def test_earlier_version_with_corpus(made, small, twelve):
    clip = Corpus.load(twelve).clips("test")[0]
    old, new = load(made("forgetful", *LF, forget=True), data=twelve), load(small)
    given = dict(text=clip.media["text"], video=clip.media["video"])
    assert old.clip(**given).scores == pytest.approx(new.clip(**given).scores, abs=1e-6)


def test_no_checkpoint(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path / "none.pt")


def test_no_such_device(small):
    with pytest.raises(InputError, match=r"--device: expected a device of this machine .* found 'warp'"):
        load(small, "warp")


def test_modalities(small):
    assert set(load(small, modalities=["text"]).sources) == {"text"}
    with pytest.raises(InputError) as error:
        load(small, modalities=["smell"])
    assert str(error.value) == (
        "--modalities: expected modalities that the model takes (text, audio, video); found smell. Leave it out."
    )


def test_encoder_of_no_modality(small):
    with pytest.raises(InputError) as error:
        load(small, encoders={"smell": "logmel"})
    assert str(error.value) == (
        "--encoder: expected MODALITY=NAME:PATH, the modality one of text, audio, video, physio; found smell=logmel. "
        "Correct it."
    )


def test_features_from_elsewhere_cannot_be_made(made):
    path = made("hand_made", *LF, "--features", "audio=w")
    predictor = load(path)
    assert predictor.unavailable == {
        "audio": "the model takes stored features (w) that no encoder of this package made"
    }
    assert set(predictor.sources) == {"text", "video"}


def test_nothing_can_be_made(made):
    path = made("only_hand_made", *LF, "--features", "audio=w", "--modalities", "audio")
    with pytest.raises(InputError) as error:
        load(path)
    assert str(error.value) == (
        f"{path}: expected a modality that can be made from media; found audio: the model takes stored features (w) "
        "that no encoder of this package made. Give what is named, or train on media or on features of mmer extract."
    )


@pytest.fixture(scope="module")
def extracted(twelve, tmp_path_factory):
    """The corpus with stored features of its sound, made by an encoder without weights."""
    corpus = tmp_path_factory.mktemp("stored") / "corpus"
    shutil.copytree(twelve, corpus, copy_function=os.link, ignore=shutil.ignore_patterns(".mmer"))
    text = (corpus / "corpus.yaml").read_text()
    (corpus / "corpus.yaml").unlink()
    (corpus / "corpus.yaml").write_text(text)
    words = ["--modality", "audio", "--encoder", "mel_pieces:log", "--name", "mel", "--dtype", "float16"]
    assert main(["extract", str(corpus), *words]) == 0
    return corpus


def test_features_are_made_anew(made, extracted):
    path = made("stored", *LF, "--features", "audio=mel", corpus=extracted)
    clip = Corpus.load(extracted).clips("test")[0]
    vectors = load(path).sources["audio"].read(clip)
    stored = FeatureStore.open(extracted / "features" / "mel").get(clip.id)
    assert vectors.shape == stored.shape
    assert float((vectors - stored).abs().max()) < 1e-2 * float(stored.abs().max())


def test_another_encoder_than_the_features(made, extracted):
    path = made("stored", *LF, "--features", "audio=mel", corpus=extracted)
    with pytest.raises(InputError) as error:
        load(path, encoders={"audio": "mel_pieces:power"})
    assert str(error.value).startswith(
        "--encoder audio=mel_pieces:power: expected the encoder that made the features 'mel' (mel_pieces, "
    )
    assert str(error.value).endswith("Name the weights that mmer extract was given.")


@pytest.fixture(scope="module")
def inside(twelve, tmp_path_factory):
    """The corpus with stored features of its sound, made by a wav2vec that lies in it, and that file's place."""
    corpus = tmp_path_factory.mktemp("inside") / "corpus"
    shutil.copytree(twelve, corpus, ignore=shutil.ignore_patterns(".mmer"))
    weights = write_wav2vec(corpus / "models" / "tiny.pt")
    words = ["--modality", "audio", "--encoder", f"wav2vec:{weights}", "--name", "w2v", "--workers", "1"]
    assert main(["extract", str(corpus), *words]) == 0
    return corpus, weights


def test_the_encoder_of_features_is_found_again(made, inside):
    corpus, weights = inside
    path = made("weighted", *LF, "--features", "audio=w2v", corpus=corpus)
    predictor = load(path)
    assert predictor.unavailable == {}
    clip = Corpus.load(corpus).clips("test")[0]
    stored = FeatureStore.open(corpus / "features" / "w2v").get(clip.id)
    torch.testing.assert_close(predictor.sources["audio"].read(clip), stored, atol=1e-5, rtol=0)
    told = load(path, encoders={"audio": f"wav2vec:{weights}"})
    given = dict(text=clip.media["text"], audio=clip.media["audio"])
    assert predictor.clip(**given).scores == told.clip(**given).scores


@pytest.mark.parametrize("change", ["gone", "other", "damaged", "earlier"])
def test_the_encoder_of_features_is_not_where_it_was(made, inside, tmp_path, change):
    corpus, weights = inside
    state = torch.load(made("weighted", *LF, "--features", "audio=w2v", corpus=corpus), weights_only=True)
    (store,) = state["task_state"]["reading"]["streams"]["audio"]["stores"]
    assert store["weights"] == f"wav2vec:{weights}"
    where = tmp_path / "w.pt"
    if change == "other":
        write_wav2vec(where, seed=1)
    if change == "damaged":
        where.write_bytes(b"no weights")
    store["weights"] = f"wav2vec:{where}"
    if change == "earlier":
        del store["weights"]
    torch.save(state, tmp_path / "model.pt")
    message = (
        "the model takes features of the encoder wav2vec (w2v); say where its weights are with "
        "--encoder audio=wav2vec:PATH"
    )
    more = {"gone": f" (they were at {where})", "earlier": ""}
    more |= dict.fromkeys(("other", "damaged"), f" (they were at {where}, where something else is now)")
    assert load(tmp_path / "model.pt").unavailable == {"audio": message + more[change]}
    assert load(tmp_path / "model.pt", encoders={"audio": f"wav2vec:{weights}"}).unavailable == {}


def test_weights_of_an_encoder_have_moved(small, tmp_path):
    state = torch.load(small, weights_only=True)
    state["task_state"]["streams"]["audio"]["encoder"] = "wav2vec2:/gone/model.pt@4"
    torch.save(state, tmp_path / "moved.pt")
    with pytest.raises(InputError) as error:
        load(tmp_path / "moved.pt")
    assert str(error.value) == (
        f"{tmp_path}/moved.pt: expected the weights of its audio encoder wav2vec2 where they were in the training; "
        "found no /gone/model.pt. Say where they are with --encoder audio=wav2vec2:PATH."
    )
