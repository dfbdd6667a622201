"""``mmer import arrays`` (its parts: ``_arrays/``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.check import check
from mmer_fairseq.features.store import FeatureStore

N = 24


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Features and their metadata in two files: ids begin differently, and the rows are in another order."""
    noise = np.random.default_rng(0)
    emotions = ["happy", "sad"]
    np.savez(
        tmp_path / "features.npz",
        ids=np.array([f"01-{i:02d}" for i in range(N)]),
        au=noise.normal(size=(N, 3)).astype(np.float32),
        egemaps=noise.normal(size=(N, 4)),
        lld=noise.normal(size=(N, 6, 2)),
        steps=np.arange(N) % 7,
        actor=np.arange(N) % 6,
        vad=noise.uniform(-1, 1, size=(N, 2)),
    )
    rows = [f'03-{i:02d},{emotions[i % 2]},{i % 6},"well, clip {i}",{i / 10}' for i in reversed(range(N))]
    (tmp_path / "meta.csv").write_text("\n".join(["file,emotion,actor,words,score", *rows]) + "\n")
    return tmp_path / "features.npz", tmp_path / "meta.csv"


def run(out: Path, files: tuple[Path, ...], words: str) -> int:
    return main(["import", "arrays", str(out), "--arrays", *map(str, files), *words.split()])


TWO = "--ids ids meta:file --id-part ^..-(.*) --features audio=egemaps:egemaps video=au:au"


def clips(corpus: Corpus):
    return [clip for split in corpus.splits for clip in corpus.clips(split)]


def test_two_files_matched_by_ids(tmp_path: Path, files, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    words = f"{TWO} --texts words --labels emotion --speakers meta:actor --split-by speaker --licence MIT"
    assert run(out, files, words) == 0
    assert (
        capsys.readouterr().out
        == f"{out}: train 16, valid 4, test 4 clips; look at it with: mmer check {out}\n"
    )
    report = check(out, open_store=FeatureStore.open)
    assert report.faults == []
    assert report.shared_speakers == {}
    corpus = Corpus.load(out)
    for clip in clips(corpus):
        number = int(clip.id)
        assert clip.label == number % 2
        assert clip.speaker == str(number % 6)
        assert clip.media["text"] == f"well, clip {number}"
        wanted = np.load(files[0])["au"][number]
        np.testing.assert_array_equal(
            FeatureStore.open(corpus.features["au"].path).get(clip.id)[0].numpy(), wanted
        )


def test_features_standardised_within_each_speaker(tmp_path: Path, files) -> None:
    words = f"{TWO} --labels emotion --speakers meta:actor --split-by speaker --standardise-by speaker"
    assert run(tmp_path / "out", files, words) == 0
    corpus = Corpus.load(tmp_path / "out")
    store = FeatureStore.open(corpus.features["egemaps"].path)
    for speaker in range(6):
        rows = np.stack(
            [store.get(clip.id)[0].numpy() for clip in clips(corpus) if clip.speaker == str(speaker)]
        )
        np.testing.assert_allclose(rows.mean(0), 0, atol=1e-6)
        np.testing.assert_allclose(rows.std(0), 1, atol=1e-6)


def test_folds(tmp_path: Path, files) -> None:
    words = f"{TWO} --labels emotion --speakers meta:actor --split-by speaker --folds 6 --fold"
    tests = []
    for fold in (1, 2, 3):
        assert run(tmp_path / f"fold{fold}", files, f"{words} {fold}") == 0
        tests.append({clip.speaker for clip in Corpus.load(tmp_path / f"fold{fold}").clips("test")})
    assert [len(speakers) for speakers in tests] == [1, 1, 1]
    assert len(set.union(*tests)) == 3


def test_lengths_rates_and_scores(tmp_path: Path, files) -> None:
    words = (
        "--ids ids --features audio=lld --lengths lld=steps --rate lld=10 --dtype float16 "
        "--labels vad --label-kind score --label-names v a --range -1 1 --split-by clip --fractions 0.5 0 0.5"
    )
    assert run(tmp_path / "out", files[:1], words) == 0
    corpus = Corpus.load(tmp_path / "out")
    assert corpus.splits == ("train", "test")
    assert corpus.label_space.names == ("v", "a")
    store = FeatureStore.open(corpus.features["lld"].path)
    assert (store.rate, store.meta["dtype"]) == (10.0, "float16")
    for clip in clips(corpus):
        steps = int(clip.id[3:]) % 7
        assert clip.has("audio") == (steps > 0)
        assert not steps or store.length(clip.id) == steps


def test_one_array_a_clip_and_traces(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    arrays = {}
    for i in range(5):
        arrays[f"s{i}/audio"] = noise.normal(size=(10 + i, 3))
        arrays[f"s{i}/gold"] = noise.uniform(-1, 1, size=(10 + i, 2))
    arrays["s1/gold"][3] = np.nan
    np.savez(tmp_path / "a.npz", **arrays)
    words = (
        "--features audio=lld:{id}/audio --rate lld=10 --labels {id}/gold --label-kind trace --label-name "
        "affect "
        "--label-names arousal valence --range -1 1 --label-rate 10 --split-by clip"
    )
    assert run(tmp_path / "out", (tmp_path / "a.npz",), words) == 0
    assert check(tmp_path / "out", open_store=FeatureStore.open).faults == []
    corpus = Corpus.load(tmp_path / "out")
    for clip in clips(corpus):
        np.testing.assert_allclose(corpus.label_space.target(clip), arrays[f"{clip.id}/gold"], rtol=1e-6)


def test_a_number_that_marks_steps_without_annotation(tmp_path: Path) -> None:
    gold = {f"s{i}/gold": np.array([[0.5], [-5.0], [np.nan], [-0.5]]) for i in range(5)}
    np.savez(tmp_path / "a.npz", **gold, **{f"s{i}/x": np.ones((4, 2)) for i in range(5)})
    words = (
        "--features audio=x:{id}/x --rate x=10 --labels {id}/gold --label-kind trace --label-names v "
        "--range -1 1 --label-rate 10 --split-by clip --invalid -5"
    )
    assert run(tmp_path / "out", (tmp_path / "a.npz",), words) == 0
    assert check(tmp_path / "out", open_store=FeatureStore.open).faults == []
    corpus = Corpus.load(tmp_path / "out")
    for clip in clips(corpus):
        np.testing.assert_array_equal(corpus.label_space.target(clip)[:, 0], [0.5, np.nan, np.nan, -0.5])


def test_rows_that_are_time_steps(tmp_path: Path) -> None:
    rows = [f"c{i % 3},{i},{i / 10},{-i / 10}" for i in range(9)]
    (tmp_path / "steps.csv").write_text("\n".join(["clip,x1,v,a", *rows]) + "\n")
    words = (
        "--ids clip --steps steps --features video=au:x* --labels v a --label-kind trace --label-name vad "
        "--label-rate 5 --split-by clip"
    )
    assert run(tmp_path / "out", (tmp_path / "steps.csv",), words) == 0
    corpus = Corpus.load(tmp_path / "out")
    clip = next(clip for clip in clips(corpus) if clip.id == "c1")
    np.testing.assert_allclose(
        corpus.label_space.target(clip), [[0.1, -0.1], [0.4, -0.4], [0.7, -0.7]], rtol=1e-6
    )
    assert FeatureStore.open(corpus.features["au"].path).get("c1")[:, 0].tolist() == [1.0, 4.0, 7.0]


def test_ids_that_only_one_file_has(tmp_path: Path, files, capsys: pytest.CaptureFixture[str]) -> None:
    text = files[1].read_text().replace("03-05", "03-55")
    files[1].write_text(text)
    words = f"{TWO} --labels emotion --split-by clip"
    assert run(tmp_path / "out", files, words) == 2
    assert "found 24 ids, without 05 and with 55 besides" in capsys.readouterr().err
    assert run(tmp_path / "out", files, f"{words} --common") == 0
    assert "ids that not all files have, left out: 05, 55" in capsys.readouterr().out
    assert len(clips(Corpus.load(tmp_path / "out"))) == N - 1


def test_media_and_features_besides(tmp_path: Path, files) -> None:
    words = (
        f"--ids ids meta:file --id-part ^..-(.*) --media audio={{emotion}}/{{meta:file}}.wav video={{id}}.mp4 "
        f"--media-root {tmp_path} --features audio=egemaps --labels emotion --split-by clip"
    )
    assert run(tmp_path / "out", files, words) == 0
    corpus = Corpus.load(tmp_path / "out")
    assert set(corpus.features) == {"egemaps"}
    for clip in clips(corpus):
        emotion = ["happy", "sad"][int(clip.id) % 2]
        assert clip.media == {
            "audio": f"{tmp_path}/{emotion}/03-{clip.id}.wav",
            "video": f"{tmp_path}/{clip.id}.mp4",
        }


def test_media_lie_in_the_corpus_by_default(tmp_path: Path, files) -> None:
    words = "--ids file --media audio={file}.wav --labels emotion --split-by clip"
    assert run(tmp_path / "out", files[1:], words) == 0
    corpus = Corpus.load(tmp_path / "out")
    assert all(clip.media == {"audio": f"{tmp_path}/out/{clip.id}.wav"} for clip in clips(corpus))


def test_transcripts_alone(tmp_path: Path, files) -> None:
    words = "--ids file --texts words --labels score --label-kind score --split-by clip"
    assert run(tmp_path / "out", files[1:], words) == 0
    assert check(tmp_path / "out", open_store=FeatureStore.open).faults == []
    corpus = Corpus.load(tmp_path / "out")
    assert corpus.features == {}
    assert all(clip.media == {"text": f"well, clip {int(clip.id[3:])}"} for clip in clips(corpus))


def test_clips_without_a_label(tmp_path: Path, files, capsys: pytest.CaptureFixture[str]) -> None:
    files[1].write_text(files[1].read_text().replace("03-05,sad", "03-05,"))
    assert run(tmp_path / "out", files, f"{TWO} --labels emotion --split-by clip --drop-unlabelled") == 0
    assert "clips without a label, left out: 05\n" in capsys.readouterr().out


CASES = [
    (
        "--ids ids --labels actor --split-by clip",
        "--features, --media, --texts: expected what the clips consist of; found none of them. Name features, "
        "media or transcripts.",
    ),
    (
        "--ids ids --media audio=all.wav --labels actor --split-by clip",
        "--media: expected a path with {KEY} for what differs from clip to clip; found 'all.wav'. Write",
    ),
    ("--ids ids --media audio={actro}.wav --labels actor --split-by clip", "Write 'actor'."),
    (
        "--ids ids --media sound={id}.wav --labels actor --split-by clip",
        "media: expected the modality to be one of audio, video, physio; found 'sound'.",
    ),
    (
        "--ids ids --media text={id}.txt --labels actor --split-by clip",
        "found 'text'. Give transcripts as texts.",
    ),
    (
        "--ids ids --features audio=egemaps --labels actor",
        "--splits, --split-by: expected one of them; found none.",
    ),
    (
        "--ids ids --features audio=egemaps --labels actor --split-by speaker",
        "--split-by speaker: expected --speakers KEY; found no such flag. Name the array of the speakers.",
    ),
    (
        "--ids ids --features audio=egemaps --labels actor --split-by clip --standardise-by speaker",
        "--standardise-by speaker: expected --speakers KEY; found no such flag. Name the array of the speakers.",
    ),
    (
        "--ids ids --features egemaps --labels actor",
        "--features: expected MODALITY=STORE:KEY; found 'egemaps'.",
    ),
    (
        "--ids ids --features audio=egemaps --labels actor --rate lld=10",
        "--rate: expected a store of --features (egemaps); found 'lld'. Correct the name.",
    ),
    (
        "--ids ids --features audio=egemaps --labels actor --rate egemaps=fast",
        "--rate: expected Hz; found 'fast'. Write a number.",
    ),
    ("--ids ids --features audio=egemaps --labels actro", "Write 'actor'."),
    ("--ids idz --features audio=egemaps --labels actor", "Write 'ids'."),
    (
        "--ids ids --id-part ( --features audio=egemaps --labels actor",
        "--id-part: expected a regular expression; found missing ), unterminated subpattern at position 0. "
        "Correct it.",
    ),
    (
        "--features audio=egemaps --labels actor",
        "expected the name of its ids among ids, au, egemaps, lld, steps, …",
    ),
    (
        "--ids ids --features audio=egemaps --labels actor --split-by clip --folds 2",
        "splits: expected 3 folds or more",
    ),
    (
        "--ids ids --features sound=egemaps --labels actor --split-by clip",
        "features 'egemaps': expected the modality to be one of text, audio, video, physio; found 'sound'.",
    ),
]


@pytest.mark.parametrize(("words", "fault"), CASES)
def test_faults(tmp_path: Path, files, capsys: pytest.CaptureFixture[str], words: str, fault: str) -> None:
    assert run(tmp_path / "out", files[:1], words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert fault in error
    assert not (tmp_path / "out").exists()


def test_two_files_of_one_name(tmp_path: Path, files, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "out", (files[0], files[0]), "--features audio=egemaps --labels actor") == 2
    assert "--arrays: expected files of different names; found several 'features'" in capsys.readouterr().err
