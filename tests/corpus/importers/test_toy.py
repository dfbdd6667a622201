"""`mmer import toy`: real files, the same every time, and nobody else's folder overwritten."""

from __future__ import annotations

import argparse
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.check import check
from mmer_fairseq.corpus.importers import toy
from mmer_fairseq.corpus.importers.toy import write_toy_corpus
from mmer_fairseq.errors import InputError

SMALL = {"clips": 10, "size": 48}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_corpus(tmp_path_factory.mktemp("toy") / "corpus", **SMALL)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_corpus_has_no_faults_and_shares_no_speaker(corpus: Path):
    report = check(corpus, decode=True)
    assert report.faults == []
    assert {name: split.clips for name, split in report.splits.items()} == {"train": 6, "valid": 2, "test": 2}
    assert report.shared_speakers == {}


@pytest.mark.parametrize(
    ("labels", "kind", "size"),
    [
        ("emotion", "classes", 4),
        ("emotions", "multilabel", 4),
        ("sentiment", "score", 1),
        ("affect", "trace", 2),
    ],
)
def test_all_four_label_spaces_load(corpus: Path, labels: str, kind: str, size: int):
    loaded = Corpus.load(corpus, labels=labels)
    assert (loaded.label_space.kind, loaded.label_space.size) == (kind, size)
    assert len([loaded.label_space.target(clip) for clip in loaded.clips("train")]) == 6


def test_traces_last_as_long_as_their_clips(corpus: Path):
    loaded = Corpus.load(corpus, labels="affect")
    for clip in loaded.clips("train"):
        seconds = soundfile.info(clip.media["audio"]).duration
        steps = len(loaded.label_space.target(clip))
        assert (steps - 1) / 10 < seconds <= steps / 10 + 1e-9


def test_films_have_moving_pictures_and_the_sound_of_the_wav(corpus: Path):
    clip = Corpus.load(corpus).clips("train")[0]
    with av.open(clip.media["video"]) as film:
        assert film.streams.video[0].average_rate == 25
        pictures = np.stack([frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)])
    with av.open(clip.media["video"]) as film:
        track = np.concatenate([frame.to_ndarray()[0] for frame in film.decode(audio=0)])
    sound, rate = soundfile.read(clip.media["audio"])
    assert rate == 16000
    assert pictures.shape == (round(len(sound) / rate * 25), 48, 48, 3)
    assert np.abs(np.diff(pictures.astype(float), axis=0)).max() > 100
    steps = min(len(track), len(sound))
    assert np.corrcoef(track[:steps], sound[:steps])[0, 1] > 0.9


def test_same_parameters_same_bytes_whatever_the_threads(corpus: Path, tmp_path: Path):
    again = write_toy_corpus(tmp_path / "again", **SMALL, jobs=1)
    assert contents(again) == contents(corpus)
    other = contents(write_toy_corpus(tmp_path / "other", **SMALL, seed=2))
    assert all(
        other[f"media/{kind}"] != contents(corpus)[f"media/{kind}"]
        for kind in ("train01-1.wav", "train01-1.mp4")
    )


def test_a_finished_corpus_is_left_alone_and_its_features_stay_named(tmp_path: Path):
    folder = write_toy_corpus(tmp_path / "corpus", **SMALL)
    with open(folder / "corpus.yaml", "a", encoding="utf-8") as description:
        description.write("features:\n  own: {path: features/own, modality: audio}\n")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    write_toy_corpus(folder, **SMALL)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_lost_shortened_and_never_finished_files_are_written_again(tmp_path: Path, corpus: Path):
    folder = write_toy_corpus(tmp_path / "corpus", **SMALL)
    (folder / "media" / "train01-1.mp4").unlink()
    (folder / "media" / "train01-2.wav").write_bytes(b"RIFF")
    (folder / "valid.tsv").unlink()
    write_toy_corpus(folder, **SMALL)
    assert contents(folder) == contents(corpus)


def test_an_interrupted_import_goes_on(tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch):
    real, written = toy.write_clip, []

    def stop_after_three(folder, plan, speaker, **options):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(plan.id)
        return real(folder, plan, speaker, **options)

    monkeypatch.setattr(toy, "write_clip", stop_after_three)
    with pytest.raises(KeyboardInterrupt):
        write_toy_corpus(tmp_path / "corpus", **SMALL, jobs=1)
    assert not (tmp_path / "corpus" / "corpus.yaml").exists()
    monkeypatch.setattr(toy, "write_clip", real)
    assert contents(write_toy_corpus(tmp_path / "corpus", **SMALL)) == contents(corpus)


def test_missing_cells_are_empty_and_the_rest_is_unchanged(tmp_path: Path, corpus: Path):
    folder = write_toy_corpus(tmp_path / "holes", **SMALL, missing=0.5)
    assert check(folder).faults == []
    clips = [clip for split in ("train", "valid", "test") for clip in Corpus.load(folder).clips(split)]
    absent = {m: sum(m not in clip.media for clip in clips) for m in ("text", "audio", "video")}
    assert all(0 < count < 10 for count in absent.values())
    assert all(clip.media for clip in clips)
    whole, holes = contents(corpus), contents(folder)
    assert {name for name in holes if name.endswith(".wav")} < set(whole)
    assert all(whole[name] == data for name, data in holes.items() if name.endswith((".wav", ".csv")))
    silent = next(clip for clip in clips if "video" in clip.media and "audio" not in clip.media)
    with av.open(silent.media["video"]) as film:
        assert not film.streams.audio


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (
            {"clips": 9},
            "mmer import toy, --clips: expected 10 … 100000; found 9. Give --clips a value in that range.",
        ),
        ({"seed": -1}, "--seed: expected 0 or more; found -1"),
        ({"missing": 1.0}, "--missing: expected 0 … 0.9; found 1.0"),
        ({"missing": float("nan")}, "--missing: expected 0 … 0.9; found nan"),
        ({"size": 97}, "--size: expected an even number of pixels, 32 … 512; found 97"),
        ({"jobs": 0}, "--jobs: expected 1 or more; found 0"),
    ],
)
def test_parameters_out_of_range(tmp_path: Path, wrong: dict, expected: str):
    with pytest.raises(InputError) as error:
        write_toy_corpus(tmp_path / "corpus", **wrong)
    assert expected in str(error.value)
    assert not (tmp_path / "corpus").exists()


def test_command_line(tmp_path: Path, corpus: Path, capsys: pytest.CaptureFixture[str]):
    parser = argparse.ArgumentParser()
    toy.add_arguments(parser)
    assert vars(parser.parse_args([str(tmp_path)]))["clips"] == 150
    words = [str(tmp_path / "corpus"), "--clips", "10", "--size", "48", "--jobs", "2"]
    assert toy.run(parser.parse_args(words)) == 0
    assert capsys.readouterr().out == f"toy corpus of 10 clips: {tmp_path / 'corpus'}\n"
    assert contents(tmp_path / "corpus") == contents(corpus)
