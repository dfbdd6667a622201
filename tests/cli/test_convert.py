"""``mmer convert``: an original checkpoint comes in and fairseq scores with it what the original would."""

from __future__ import annotations

import argparse
import csv
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus.importers.arrays import Labels, import_arrays

TESTS = Path(__file__).parents[1]
PlainSSEFT = runpy.run_path(str(TESTS / "benchmarks" / "plain_sse_ft.py"))["PlainSSEFT"]

LETTERS = {"t": "text", "a": "audio", "v": "video"}
SETTINGS = {
    "arch": "robertEMO_large",
    "task": "emotion_prediction",
    "data": "./T_data/meld",
    "encoder_attention_heads": 2,
    "encoder_layers": 2,
    "dropout": 0.1,
    "max_positions_t": 512,
    "num_classes": 7,
    "softmax_target_meld": True,
    "max_sample_size": 150000,
}


class Meter:
    """Stands for fairseq 0.8's meters, which its checkpoints hold."""


def original(dims: dict[str, int], letters: str = "tav", outputs: int = 7) -> PlainSSEFT:
    torch.manual_seed(3)
    positions = {"t": 512, "a": 40, "v": 30}
    sizes = {"ffn_dim": 12, "heads": 2, "layers": 2, "cross_layers": 1, "outputs": outputs}
    return PlainSSEFT(letters, dims=dims, positions=positions, **sizes).eval()


def save(path: Path, state: dict[str, Tensor], **changes: object) -> Path:
    """As fairseq 0.8 did."""
    content = {
        "args": argparse.Namespace(**SETTINGS),
        "model": state,
        "optimizer_history": [{"criterion_name": "EmotionPredictionCriterion", "best_loss": 1.5}],
        "extra_state": {"epoch": 3, "train_iterator": {"epoch": 3, "iterations_in_epoch": 0}},
        "last_optimizer_state": None,
        **changes,
    }
    torch.save({key: value for key, value in content.items() if value is not ...}, path)
    return path


def convert(*words: object) -> int:
    return main(["convert", "--from", "sse-ft", *map(str, words)])


DIMS = {"t": 8, "a": 6, "v": 4}


@pytest.mark.slow
@pytest.mark.parametrize("letters", ["tav", "av"])
def test_fairseq_scores_like_the_original(letters: str, tmp_path: Path, command):
    plain = original(DIMS, letters)
    frozen = {"model_wav2vec.feature_extractor.conv_layers.0.0.weight": torch.zeros(2, 1, 10)}
    old = save(tmp_path / "old.pt", {**plain.state_dict(), **frozen})
    rng = np.random.default_rng(0)
    lengths = {"t": [5, 3, 1, 4], "a": [9, 9, 2, 7], "v": [3, 6, 1, 5]}
    arrays = {m: [rng.normal(size=(n, DIMS[m])).astype("float32") for n in lengths[m]] for m in LETTERS}
    names = ("neutral", "sadness", "anger", "joy", "surprise", "fear", "disgust")
    import_arrays(
        tmp_path / "corpus",
        ids=["c0", "c1", "c2", "c3"],
        labels=Labels([0, 1, 2, 3], names=names),
        splits=["valid"] * 4,
        features={f"store_{m}": (LETTERS[m], arrays[m]) for m in LETTERS},
    )
    features = ",".join(f"{LETTERS[m]}=store_{m}" for m in letters)
    assert convert(old, tmp_path / "new.pt", "--data", tmp_path / "corpus", "--features", features) == 0
    words = ["fairseq-validate", tmp_path / "corpus", "--user-dir", "mmer_fairseq", "--cpu"]
    words += ["--task", "emotion_prediction", "--path", tmp_path / "new.pt", "--batch-size", 3]
    command([*words, "--save-predictions", tmp_path / "scores.tsv"])
    with open(tmp_path / "scores.tsv", encoding="utf-8") as file:
        rows = {row["id"]: row for row in csv.DictReader(file, delimiter="\t")}
    for i in range(4):
        with torch.no_grad():
            logits = plain(
                {m: torch.from_numpy(arrays[m][i])[None] for m in letters},
                {m: torch.tensor([lengths[m][i]]) for m in letters},
            )["logits"][0]
        found = [float(rows[f"c{i}"][f"score_{name}"]) for name in names]
        np.testing.assert_allclose(found, logits.softmax(-1).numpy(), atol=1e-5)


def test_what_is_written(tmp_path: Path, capsys: pytest.CaptureFixture):
    frozen = {"model_text2vec.model.x": torch.zeros(1), "model_vid2vec.y": torch.zeros(1)}
    old = save(tmp_path / "old.pt", {**original(DIMS).state_dict(), **frozen})
    assert convert(old, tmp_path / "new.pt") == 0
    printed = capsys.readouterr().out
    assert "text, audio, video; 2 layers, 1 cross-modal layers, 2 heads, 7 outputs" in printed
    assert "roberta (text, 1 tensors): left out" in printed
    assert "fabnet (video, 1 tensors): left out" in printed
    new = torch.load(tmp_path / "new.pt", weights_only=True)
    assert all(name.startswith("network.") for name in new["model"])
    assert new["cfg"]["model"]["encoder_embed_dim_a"] == DIMS["a"]
    expected = {
        "_name": "emotion_prediction",
        "modalities": "text,audio,video",
        "data": "./T_data/meld",
        "num_classes": 7,
        "softmax_target_meld": True,
        "max_sample_size": 150000,
        "audio_encoder": "identity",
    }
    task = new["cfg"]["task"]
    assert {name: task[name] for name in expected} == expected
    assert "features" in task  # fairseq's command line can change only what is there
    assert new["cfg"]["criterion"]["_name"] == "emotion_prediction_cri"


def test_the_older_torch_form_is_read(tmp_path: Path):
    content = {"args": argparse.Namespace(**SETTINGS), "model": original(DIMS).state_dict()}
    torch.save(content, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert convert(tmp_path / "old.pt", tmp_path / "new.pt") == 0


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_kept_encoders_are_written_and_loaded(tmp_path: Path, capsys: pytest.CaptureFixture):
    import mmer_fairseq

    mmer_fairseq.register()
    from fairseq import models
    from omegaconf import OmegaConf

    from mmer_fairseq.encoders.base import StreamSpec
    from mmer_fairseq.encoders.fabnet import _layers

    tiny = runpy.run_path(str(TESTS / "encoders" / "conftest.py"))
    roberta, _ = tiny["roberta_model"]()
    layers = [(8, 10, 5), (8, 8, 4), (8, 4, 2), (8, 4, 2), (8, 4, 2), (8, 1, 1), (8, 1, 1)]
    wav2vec, _ = tiny["wav2vec_model"](
        conv_feature_layers=str(layers), conv_aggregator_layers="[(8, 2, 1)]", skip_connections_feat=False
    )
    state = original({"t": 32, "a": 8, "v": 256}).state_dict()
    state.update({f"model_text2vec.model.{name}": x for name, x in tiny["as_of_2019"](roberta).items()})
    state.update({f"model_wav2vec.{name}": x for name, x in wav2vec.state_dict().items()})
    state.update({f"model_vid2vec.encoder.{name}": x for name, x in _layers(bias=True).state_dict().items()})
    assert convert(save(tmp_path / "old.pt", state), tmp_path / "new.pt", "--keep-encoders") == 0
    assert "wav2vec (audio, " in capsys.readouterr().out
    new = torch.load(tmp_path / "new.pt", weights_only=True)
    task = new["cfg"]["task"]
    assert task["audio_encoder"] == f"wav2vec:{tmp_path / 'new.wav2vec.pt'}"
    forms = {"text": "tokens", "audio": "samples", "video": "frames"}
    streams = {
        m: StreamSpec(modality=m, form=form, encoder=task[f"{m}_encoder"]) for m, form in forms.items()
    }
    model = models.build_model(
        OmegaConf.create(new["cfg"]["model"]), argparse.Namespace(streams=streams, num_outputs=7)
    )
    model.load_state_dict({name: x for name, x in new["model"].items() if name.startswith("network.")})
    whole = model.state_dict()
    assert all(
        torch.equal(x, whole[name]) for name, x in new["model"].items()
    )  # the encoders' come from files
    model.load_state_dict(new["model"])
    batch = {"text": torch.tensor([[0, 5, 2]]), "audio": torch.randn(1, 1600)}
    batch["video"] = torch.randint(256, (1, 2, 3, 256, 256), dtype=torch.uint8)
    logits = model.eval()(batch, {m: torch.tensor([x.shape[1]]) for m, x in batch.items()})["logits"]
    assert logits.isfinite().all()


def test_encoders_that_are_not_there_or_do_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture):
    from mmer_fairseq.encoders.fabnet import _layers

    old = save(tmp_path / "none.pt", original(DIMS).state_dict())
    assert convert(old, tmp_path / "new.pt", "--keep-encoders") == 2
    text = capsys.readouterr().err
    assert (
        "none.pt: expected the weights of its frozen encoders; found no model_text2vec.*, model_wav2vec.*, "
        in text
    )
    assert "Leave out --keep-encoders." in text
    state = original(DIMS, "v").state_dict()
    state.update({f"model_vid2vec.encoder.{name}": x for name, x in _layers(bias=True).state_dict().items()})
    assert convert(save(tmp_path / "width.pt", state), tmp_path / "new.pt", "--keep-encoders") == 2
    text = capsys.readouterr().err
    assert "width.pt: expected an encoder of video of width 4; found a fabnet of width 256." in text
    assert sorted(file.name for file in tmp_path.iterdir()) == ["none.pt", "width.pt"]


def wrong_files(folder: Path) -> dict[str, tuple[Path, str]]:
    """What is wrong → file, what the message must say."""
    state = original(DIMS).state_dict()
    whole = save(folder / "whole.pt", state)
    cut, empty, text = folder / "cut.pt", folder / "empty.pt", folder / "text.pt"
    cut.write_bytes(whole.read_bytes()[:-3000])
    empty.touch()
    text.write_text("hello")
    extra = save(folder / "extra.pt", {**state, "decoder.lm_head.bias": torch.zeros(1)})
    lacking = dict(state)
    del lacking["decoder.sentence_encoder.layers_ta.0.fc1.bias"]
    nan = {**state, "decoder.sentence_encoder.SE_embeddings_a.weight": torch.full((1, 6), float("nan"))}
    code = folder / "code.pt"
    torch.save({"args": argparse.Namespace(), "model": {}, "x": Meter()}, code)
    return {
        "missing": (folder / "no.pt", "found no such file"),
        "folder": (folder, "found a folder"),
        "empty": (empty, "found an empty file"),
        "text": (text, "found a file that torch cannot read"),
        "cut": (cut, "found a torch file that is cut off or damaged"),
        "code": (code, "Meter', which loading would have to run"),
        "no args": (save(folder / "a.pt", state, args=...), "found a dictionary with model, "),
        "no model": (save(folder / "b.pt", state, model=...), "found a dictionary with args, "),
        "no heads": (
            save(folder / "c.pt", state, args=argparse.Namespace()),
            "'args' with encoder_attention_heads",
        ),
        "other model": (
            save(folder / "d.pt", {"w": torch.ones(2, 2)}),
            "expected an SSE-FT checkpoint, with a matrix",
        ),
        "unknown": (extra, "found 1 unknown (decoder.lm_head.bias)"),
        "lacking": (save(folder / "e.pt", lacking), "1 missing (cross_stacks.text_audio.layers.0.fc1.bias)"),
        "nan": (
            save(folder / "f.pt", nan),
            "NaN or infinity in decoder.sentence_encoder.SE_embeddings_a.weight",
        ),
    }


def test_wrong_files_are_refused_in_words(tmp_path: Path, capsys: pytest.CaptureFixture):
    for fault, (path, message) in wrong_files(tmp_path).items():
        assert convert(path, tmp_path / "new.pt") == 2, fault
        text = capsys.readouterr().err
        assert text.startswith(f"error: {path}: expected "), text
        assert message in text, text
        assert not (tmp_path / "new.pt").exists()


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture):
    old = save(tmp_path / "old.pt", original(DIMS).state_dict())
    before = old.read_bytes()
    assert convert(old, old) == 2
    assert "expected a new file; found one that exists" in capsys.readouterr().err
    assert old.read_bytes() == before
