"""``mmer explain`` as a user runs it, on models with fresh weights."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

import mmer_fairseq
from mmer_fairseq.checkpoints.fairseq_form import checkpoint
from mmer_fairseq.cli.main import main

mmer_fairseq.register()

from mmer_fairseq.criterions.emotion_prediction_cri import EmotionPredictionCriterionConfig  # noqa: E402
from mmer_fairseq.models.lf import LFConfig  # noqa: E402
from mmer_fairseq.models.mme2e import MESMConfig  # noqa: E402
from mmer_fairseq.tasks.emotion_prediction import EmotionPrediction, EmotionPredictionConfig  # noqa: E402

SMALL = {"trans_dim": 8, "trans_nlayers": 1, "trans_nheads": 2, "text_dim": 8, "sparse_threshold": 0.5}
RAW = {"video_encoder": "face_pixels", "audio_encoder": "mel_pieces:log"}


def flags(config: Any, name: str) -> dict[str, Any]:
    return {**OmegaConf.to_container(OmegaConf.structured(config), enum_to_str=True), "_name": name}


def written(corpus: Path, file: Path, model: Any = None, **task_flags: Any) -> Path:
    """A checkpoint of a model whose weights are as they are drawn."""
    config = EmotionPredictionConfig(data=str(corpus), **{**RAW, **task_flags})
    task = EmotionPrediction.setup_task(config)
    torch.manual_seed(0)
    model_flags = flags(MESMConfig(**SMALL), "mme2e_sparse") if model is None else model
    made = task.build_model(OmegaConf.create(model_flags))
    content = checkpoint(
        made.state_dict(),
        model_flags=model_flags,
        task_flags=flags(config, "emotion_prediction"),
        criterion_flags=flags(EmotionPredictionCriterionConfig(), "emotion_prediction_cri"),
    )
    torch.save({**content, "task_state": task.state_dict()}, file)
    return file


@pytest.fixture(scope="module")
def corpus(twelve, tmp_path_factory) -> Path:
    """A corpus of whose test clips one lacks the picture, one the sound, and one both."""
    folder = tmp_path_factory.mktemp("explain") / "corpus"
    shutil.copytree(twelve, folder, copy_function=os.link, ignore=shutil.ignore_patterns(".mmer", "*.tsv"))
    for split in ("train", "valid", "test"):
        with open(twelve / f"{split}.tsv", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines, delimiter="\t"))
        if split == "test":
            for row, lacking in zip(rows, (["video"], ["audio"], ["audio", "video"])):
                row.update(dict.fromkeys(lacking, ""))
        with open(folder / f"{split}.tsv", "w", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0], delimiter="\t", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def sparse(corpus) -> Path:
    return written(corpus, corpus.parent / "mesm.pt")


def explain(*words: object) -> int:
    return main(["explain", *map(str, words), "--cpu"])


def test_a_clip_of_the_training_corpus(corpus, sparse, capsys):
    assert explain("--path", sparse, "--clip", "valid01-1") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("valid01-1 (valid): label content, prediction ")
    picture = sparse.parent / "explain-valid01-1.png"
    assert lines[-1] == str(picture)
    with Image.open(picture) as opened:
        assert min(opened.size) > 1000
    about = json.loads(picture.with_suffix(".json").read_text())
    assert (about["clip"], about["split"], about["label"]) == ("valid01-1", "valid", "content")
    assert sum(about["scores"].values()) == pytest.approx(1, abs=1e-5)
    best = max(about["scores"], key=about["scores"].get)
    assert about["prediction"] == f"{best} ({about['scores'][best]:.2f})"
    assert lines[0].endswith(about["prediction"])
    video, audio = about["kept"]["video"], about["kept"]["audio"]
    assert [stage["sites"] for stage in video["stages"]] == [[24, 24], [12, 12], [6, 6]]
    assert [stage["sites"] for stage in audio["stages"]] == [[64, 16], [32, 8], [16, 4]]
    assert video["starts in seconds"] == [0.5 * k for k in range(video["pictures"])]
    assert audio["starts in seconds"] == pytest.approx([0.4 * k for k in range(audio["pictures"])])
    for modality, what in (("video", "pictures"), ("audio", "pieces")):
        kept = about["kept"][modality]
        shown = "; ".join(
            f"stage {k} ({s['sites'][0]}×{s['sites'][1]} sites) {100 * s['kept']:.1f} %"
            for k, s in enumerate(kept["stages"], 1)
        )
        assert f"  {modality}, {kept['pictures']} {what}, kept: {shown}" in lines
        for stage in kept["stages"]:
            assert 0 < stage["kept"] < 0.9
            assert stage["kept"] == pytest.approx(np.mean(stage["kept of each picture"]), abs=1e-5)


def test_what_is_shown_is_what_the_model_keeps(corpus, sparse):
    from mmer_fairseq.evaluation.explain import explain as explained
    from mmer_fairseq.evaluation.trained import load_trained

    trained = load_trained(str(sparse), str(corpus), "valid", flags={}, cpu=True)
    found = explained(trained, "valid01-2", "valid")
    number = [clip.id for clip in trained.dataset.clips].index("valid01-2")
    batch = trained.dataset.collater([trained.dataset[k] for k in range(3)])["net_input"]
    kept = trained.model.selection(**batch)
    for modality, seen in found.seen.items():
        for stage, mask in zip(seen.kept, kept[modality][number]):
            assert (stage != mask.numpy()).mean() < 0.01  # alone or in a batch, but for rounding
    frames = batch["streams"]["video"][number][: batch["lengths"]["video"][number]]
    np.testing.assert_array_equal(found.seen["video"].pictures, frames.permute(0, 2, 3, 1).numpy())
    sound = found.seen["audio"]
    assert sound.seconds == pytest.approx(int(batch["lengths"]["audio"][number]) / 16000)
    assert sound.pictures.shape[1:] == (128, 32)
    assert found.text == found.clip.media["text"]


def test_several_clips_and_what_they_lack(corpus, sparse, tmp_path, capsys):
    out = tmp_path / "new" / "m.svg"
    ids = [row.split("\t")[0] for row in (corpus / "test.tsv").read_text().splitlines()[1:]]
    chosen = [*ids, "train01-1", ids[0]]
    assert explain(corpus, "--path", sparse, "--clip", ", ".join(chosen), "--out", out) == 0
    lines = capsys.readouterr().out.splitlines()
    names = sorted(path.name for path in out.parent.iterdir())
    assert names == sorted(f"m-{clip}.{end}" for clip in {*chosen} for end in ("svg", "json"))
    assert lines.count("  video: this clip has no video") == 2
    assert lines.count("  audio: this clip has no audio") == 2
    assert "this clip has no video" in (out.parent / f"m-{ids[2]}.svg").read_text()
    about = json.loads((out.parent / f"m-{ids[0]}.json").read_text())
    assert list(about["kept"]) == ["audio"]
    assert about["not shown"] == {"video": "this clip has no video"}


def test_what_is_not_read_and_what_cannot_be(corpus, tmp_path, capsys):
    broken = tmp_path / "broken"
    shutil.copytree(corpus, broken, copy_function=os.link, ignore=shutil.ignore_patterns(".mmer"))
    path = written(broken, tmp_path / "m.pt", bad_clips="missing")
    assert explain("--path", path, "--clip", "train01-1", "--modalities", "text,video") == 0
    assert "\n  audio: not read here\n" in capsys.readouterr().out
    for medium in broken.rglob("train01-1.mp4"):
        medium.unlink()
        medium.write_bytes(b"no video")
    assert explain("--path", path, "--clip", "train01-1") == 0
    assert "\n  video: cannot be read\n" in capsys.readouterr().out


def test_stored_features_are_not_pictures(corpus, tmp_path, capsys):
    path = written(corpus, tmp_path / "half.pt", features="audio=w", audio_encoder=None, labels="sentiment")
    assert explain("--path", path, "--clip", "train01-1") == 0
    shown = capsys.readouterr().out
    assert "  audio: no pictures of it are computed, so nothing is selected\n" in shown
    assert "label sentiment -1.5, prediction sentiment " in shown
    words = {"features": "audio=w", "audio_encoder": None, "video_encoder": None, "modalities": "audio"}
    path = written(corpus, tmp_path / "none.pt", **words)
    assert explain("--path", path, "--clip", "train01-1") == 2
    assert capsys.readouterr().err.endswith(
        ": expected a model that gets pictures: --video-encoder face_pixels or --audio-encoder mel_pieces; found "
        "audio: standardise. Train with one of them; where stored features are read, nothing is selected.\n"
    )


def test_labels_of_several(corpus, tmp_path, capsys):
    path = written(
        corpus, tmp_path / "many.pt", labels="emotions", modalities="text,video", audio_encoder=None
    )
    assert explain("--path", path, "--clip", "train01-1") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("train01-1 (train): label angry, prediction ")
    assert len(lines) == 3


def test_another_architecture(corpus, tmp_path, capsys):
    words = {"features": "audio=w", "modalities": "audio", "audio_encoder": None, "video_encoder": None}
    path = written(corpus, tmp_path / "lf.pt", flags(LFConfig(), "lf_rnn"), **words)
    assert explain("--path", path, "--clip", "train01-1") == 2
    assert capsys.readouterr().err.endswith(
        f"--path {path}: expected a model that selects what it computes (--arch mme2e_sparse or mme2e_sparse_wide); "
        "found LFRNNModel, which computes everything. Name a checkpoint of one of these.\n"
    )


def test_faults(corpus, sparse, tmp_path, capsys):
    state = torch.load(sparse, weights_only=False)
    state["cfg"]["task"]["data"] = "gone"
    torch.save(state, tmp_path / "gone.pt")
    for words, message in (
        (
            ["--path", tmp_path / "gone.pt", "--clip", "a"],
            "found no folder 'gone'. Name the corpus: mmer explain ",
        ),
        (["--path", sparse, "--clip", "valid01"], "found 'valid01'. Write one of valid01-"),
        (
            ["--path", sparse, "--clip", " ,"],
            "--clip: expected ids of clips; found ' ,'. Name one or several.",
        ),
        (
            ["--path", tmp_path / "no.pt", "--clip", "a"],
            "expected a checkpoint that fairseq-train wrote with ",
        ),
        (
            ["--path", sparse, "--clip", "train01-1", "--split", "tset"],
            "one of train, valid, test; found 'tset'",
        ),
        (
            ["--path", sparse, "--clip", "train01-1", "--out", tmp_path / "x.gif"],
            "expected a file name ending in .png, .pdf, .svg; found '.gif'. Change the ending of --out.",
        ),
    ):
        assert explain(*words) == 2
        assert message in capsys.readouterr().err


@pytest.fixture(scope="module")
def faces(corpus, tmp_path_factory) -> Path:
    """The faces of the middle, two a second."""
    out = tmp_path_factory.mktemp("faces") / "faces"
    words = ["faces", corpus, "--out", out, "--detector", "centre", "--labels", "emotion", "--workers", 1]
    assert main([str(word) for word in words]) == 0
    return out


def test_the_whole_pictures_behind_the_faces(corpus, faces, tmp_path, capsys):
    path = written(faces, tmp_path / "faces.pt", modalities="text,video", audio_encoder=None)
    assert explain("--path", path, "--clip", "valid01-1", "--out", tmp_path / "a.png") == 0
    whole = ["--path", path, "--clip", "valid01-1", "--original", corpus, "--out", tmp_path / "b.png"]
    assert explain(*whole) == 0
    heights = []
    for name in "ab":
        with Image.open(tmp_path / f"{name}.png") as opened:
            heights.append(opened.size[1])
    assert heights[1] > heights[0] + 150
    capsys.readouterr()
    assert explain(corpus, "--path", path, "--clip", "valid01-1", "--original", corpus) == 2
    err = capsys.readouterr().err
    assert "valid.tsv:2: expected a folder of faces with faces.json, as mmer faces writes it; found '" in err
    assert err.endswith("'. Leave out --original.\n")


def test_whole_pictures_are_those_that_were_cut(corpus, faces):
    from mmer_fairseq.cli._whole_pictures import whole_pictures
    from mmer_fairseq.corpus import Corpus
    from mmer_fairseq.corpus.streams import RawOptions, read_stream
    from mmer_fairseq.faces.crop import cut

    clip = Corpus.load(faces).clips("valid")[0]
    options = RawOptions(frame_size=48, frame_rate=2.0)
    read = read_stream(clip, "video", options).permute(0, 2, 3, 1).numpy()
    found = whole_pictures(str(corpus), clip, options, range(len(read)))
    assert len(found) == len(read) > 1
    for k, (picture, where) in found.items():
        error = np.abs(cut(picture, where, 48).astype(int) - read[k])
        assert error.mean() < 3  # of the JPEG
    other = np.abs(cut(*found[0], 48).astype(int) - read[1]).mean()
    assert other > np.abs(cut(*found[0], 48).astype(int) - read[0]).mean()


def test_faces_of_another_corpus(corpus, faces, toy, tmp_path):
    from mmer_fairseq.cli._whole_pictures import whole_pictures
    from mmer_fairseq.corpus import Corpus
    from mmer_fairseq.corpus.streams import RawOptions
    from mmer_fairseq.errors import InputError

    clip = Corpus.load(faces).clips("valid")[0]
    shutil.copytree(corpus, tmp_path / "other", copy_function=os.link)
    table = tmp_path / "other" / "valid.tsv"
    lines = table.read_text().splitlines()
    table.unlink()
    columns = lines[0].split("\t")
    lines[1] = "\t".join(
        lines[2].split("\t")[i] if c == "video" else x
        for i, (c, x) in enumerate(zip(columns, lines[1].split("\t")))
    )
    table.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError) as error:
        whole_pictures(str(tmp_path / "other"), clip, RawOptions(), [0])
    assert str(error.value) == (
        f"{table}:2: expected the video that the faces in {clip.media['video']} were cut from; found another one, "
        "or other times. Run mmer faces again, or leave out --original."
    )
    table.write_text("\n".join([lines[0], *lines[2:]]) + "\n")
    with pytest.raises(InputError) as error:
        whole_pictures(str(tmp_path / "other"), clip, RawOptions(), [0])
    assert str(error.value).startswith(
        f"--original {tmp_path / 'other'}: expected the corpus that the faces of 'valid01-1' were cut from; found "
        "no such clip with a video. Write 'valid"
    )
