"""``mmer import meld`` on tables and clips of the published form."""

from __future__ import annotations

import os
import shutil
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Clip, Corpus
from mmer_fairseq.corpus.check import check
from mmer_fairseq.corpus.importers._meld import decoding
from mmer_fairseq.corpus.importers._meld.clips import FOLDERS

HEADER = (
    "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"
)


def row(
    dialogue: int = 0,
    number: int = 0,
    text: str = "So let’s talk",
    speaker: str = "Ross",
    emotion: str = "joy",
    sentiment: str = "positive",
    end: str = "00:16:17,059",
) -> str:
    return f'1,"{text}",{speaker},{emotion},{sentiment},{dialogue},{number},8,21,"00:16:16,059","{end}"'


def table(*rows: str) -> str:
    return "\r\n".join([HEADER, *rows]) + "\r\n"


TRAIN = table(
    row(0, 0, "Yes, it’s … true"),
    row(0, 2, "No!", "Monica", "Disgust", "negative"),
    row(1, 0, speaker="Joey", emotion="anger", sentiment="negative"),
    row(1, 1, speaker="Joey", emotion="fear", sentiment="negative"),
)
DEV = table(
    row(0, 0, speaker="Monica", emotion="neutral", sentiment="neutral"), row(0, 1, speaker="The  Waiter")
)
TEST = table(row(0, 0, emotion="sadness", sentiment="negative"), row(0, 1, emotion="surprise"))


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory, kit) -> Path:
    return kit.mp4(tmp_path_factory.mktemp("meld") / "a.mp4", sound=True)


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    folder = tmp_path / "MELD.Raw"
    folder.mkdir()
    for name, text in (("train", TRAIN), ("dev", DEV), ("test", TEST)):
        (folder / f"{name}_sent_emo.csv").write_bytes(text.encode())
    return folder


@pytest.fixture
def root(tables: Path, film: Path) -> Path:
    """Every utterance has a clip; the test folder repeats one, and has files that macOS leaves."""
    for split, names in (
        ("train", ("dia0_utt0", "dia0_utt2", "dia1_utt0", "dia1_utt1")),
        ("valid", ("dia0_utt0", "dia0_utt1")),
        ("test", ("dia0_utt0", "dia0_utt1", "final_videos_testdia0_utt0")),
    ):
        folder = tables / "some" / FOLDERS[split][0]
        folder.mkdir(parents=True)
        for name in names:
            os.link(film, folder / f"{name}.mp4")
            (folder / f"._{name}.mp4").write_bytes(b"\x00\x05\x16\x07")
    return tables


def place(root: Path, split: str, name: str) -> Path:
    return root / "some" / FOLDERS[split][0] / f"{name}.mp4"


def rewrite(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def run(tables: Path, *words: str, clips: bool = False) -> int:
    more = ["--clips", str(tables), "--jobs", "1"] if clips else []
    return main(["import", "meld", str(tables.parent / "out"), "--csv-dir", str(tables), *more, *words])


def clips(folder: Path, labels: str | None = None) -> dict[str, Clip]:
    corpus = Corpus.load(folder, labels)
    return {clip.id: clip for split in corpus.splits for clip in corpus.clips(split)}


def test_text_alone(tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tables) == 0
    printed = capsys.readouterr().out
    for told in (
        "train_sent_emo.csv: 4 utterances; MELD has 9989 there\n",
        "train and valid share 1 speaker (Monica)\n",
        "train and test share 1 speaker (Ross)\n",
        "scores on these splits are of voices and faces known from training",
        "train 4, valid 2, test 2 clips",
    ):
        assert told in printed
    assert "put right" not in printed
    report = check(tmp_path / "out", decode=True)
    assert report.faults == []
    found = clips(tmp_path / "out")
    assert list(found) == [
        *("train-d0-u0", "train-d0-u2", "train-d1-u0", "train-d1-u1"),
        *("dev-d0-u0", "dev-d0-u1", "test-d0-u0", "test-d0-u1"),
    ]
    first, second = found["train-d0-u0"], found["train-d0-u2"]
    assert first.media == {"text": "Yes, it’s … true"}
    assert (first.start, first.end) == (None, None)
    assert (second.speaker, second.dialogue, second.turn) == ("Monica", "train-d0", "2")
    assert found["dev-d0-u1"].speaker == "The Waiter"
    corpus = Corpus.load(tmp_path / "out")
    assert corpus.label_space.names == ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
    assert [found[clip].label for clip in found] == [4, 5, 6, 2, 0, 4, 3, 1]
    assert [clip.label for clip in clips(tmp_path / "out", "sentiment").values()] == [1, 2, 2, 2, 0, 1, 2, 1]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (TRAIN.encode("cp1252"), "read as Windows-1252"),
        (
            TRAIN.encode("cp1252").decode("latin-1").encode(),
            "characters of Windows-1252 put right in 3 lines",
        ),
        (TRAIN.encode().decode("cp1252").encode(), "characters of Windows-1252 put right in 3 lines"),
        (b"\xef\xbb\xbf" + TRAIN.replace("\r\n", "\n").encode(), ""),
    ],
)
def test_encodings(tables: Path, tmp_path: Path, capsys, content: bytes, told: str) -> None:
    (tables / "train_sent_emo.csv").write_bytes(content)
    assert run(tables) == 0
    assert clips(tmp_path / "out")["train-d0-u0"].media["text"] == "Yes, it’s … true"
    printed = capsys.readouterr().out
    assert f"train_sent_emo.csv: {told}\n" in printed or (not told and "1252" not in printed)


def test_splits_that_are_there(tables: Path, tmp_path: Path, capsys) -> None:
    (tables / "test_sent_emo.csv").unlink()
    (tables / "dev_sent_emo.csv").rename(tables / "val_sent_emo.csv")
    assert run(tables, "--leave-out", "train-d0-u2") == 0
    printed = capsys.readouterr().out
    assert "no table of test\n" in printed
    assert "1 clip left out, as --leave-out says: train-d0-u2\n" in printed
    assert "share" not in printed.replace("--", "")
    assert Corpus.load(tmp_path / "out").splits == ("train", "valid")


def test_clips(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, clips=True) == 0
    printed = capsys.readouterr().out
    assert "1 file final_videos_test… passed over: repeats\n" in printed
    assert "taken as none" not in printed
    assert "without" not in printed
    report = check(tmp_path / "out", decode=True)
    assert report.faults == []
    found = clips(tmp_path / "out")
    for clip, split, name in (
        ("train-d0-u2", "train", "dia0_utt2"),
        ("dev-d0-u0", "valid", "dia0_utt0"),
        ("test-d0-u0", "test", "dia0_utt0"),
    ):
        path = str(place(root, split, name))
        assert {**found[clip].media, "text": ""} == {"text": "", "audio": path, "video": path}
    assert not (tmp_path / ".out.decoded").exists()


def test_damaged_and_missing_clips_keep_their_text_and_are_named(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kit, film: Path
) -> None:
    whole = film.read_bytes()
    rewrite(place(root, "train", "dia1_utt0"), whole[: len(whole) // 2])
    kit.mp4(tmp_path / "mute.mp4")
    rewrite(place(root, "train", "dia1_utt1"), (tmp_path / "mute.mp4").read_bytes())
    rewrite(place(root, "valid", "dia0_utt1"), b"")
    place(root, "test", "dia0_utt0").unlink()
    place(root, "test", "dia0_utt1").unlink()
    os.link(film, place(root, "train", "dia7_utt8"))
    os.link(film, place(root, "train", "dia7"))
    os.link(film, root / "dia0_utt0.mp4")
    long = table(row(0, 0, end="00:15:00,000"), row(0, 2), row(1, 0), row(1, 1, end="nonsense"))
    (root / "train_sent_emo.csv").write_text(long)
    assert run(root, clips=True) == 0
    printed = capsys.readouterr().out
    damaged, mute = place(root, "train", "dia1_utt0"), place(root, "train", "dia1_utt1")
    line = root / "train_sent_emo.csv"
    for told in (
        f"train-d1-u0: audio and video taken as none: {line}:4: {damaged}: expected ",
        f"train-d1-u1: audio taken as none: {line}:5: {mute}: expected a file with a sound track; found only",
        "1 clip with an empty file, taken as none: dev-d0-u1\n",
        "1 clip without a file of its own, for which final_videos_test… is taken: test-d0-u0\n",
        "1 clip with a row but without a file: text alone: test-d0-u1\n",
        "1 clip without a row in the tables, passed over: train-d7-u8\n",
        f"files with names of no clip, passed over: some/{FOLDERS['train'][0]}/dia7.mp4\n",
        "files in no folder of a split, passed over: dia0_utt0.mp4\n",
        "train 4, valid 2, test 2 clips",
    ):
        assert told in printed
    assert "passed over: repeats" not in printed
    found = clips(tmp_path / "out")
    media = {clip: set(one.media) for clip, one in found.items()}
    everything = {"text", "audio", "video"}
    assert media == {
        **dict.fromkeys(found, everything),
        "train-d1-u0": {"text"},
        "train-d1-u1": {"text", "video"},
        "dev-d0-u1": {"text"},
        "test-d0-u1": {"text"},
    }
    assert check(tmp_path / "out", decode=True).faults == []


def test_far_too_long_clips_are_named(root: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_decode", lambda task, modalities: (task[0], decoding.Verdict(301.2, {})))
    (root / "train_sent_emo.csv").write_text(table(row(0, 0), row(0, 2, end="")))
    assert run(root, clips=True) == 0
    printed = capsys.readouterr().out
    assert (
        "clips far longer than their times say (--leave-out takes them out): train-d0-u0 (301 s, not 1 s), "
        in printed
    )
    assert "train-d0-u2" not in printed


def test_no_decode(root: Path, tmp_path: Path) -> None:
    rewrite(place(root, "train", "dia1_utt0"), b"broken")
    assert run(root, "--no-decode", "--modalities", "audio", clips=True) == 0
    assert {frozenset(clip.media) for clip in clips(tmp_path / "out").values()} == {frozenset({"audio"})}


def test_a_stopped_run_goes_on_where_it_was(root: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    decode = decoding._decode
    asked: list[str] = []

    def stopping(task, modalities):
        if len(asked) == 3:
            raise KeyboardInterrupt
        asked.append(task[0])
        return decode(task, modalities)

    monkeypatch.setattr(decoding, "_decode", stopping)
    rewrite(place(root, "train", "dia0_utt2"), b"broken")
    assert run(root, clips=True) == 130
    assert not (tmp_path / "out").exists()
    memory = tmp_path / ".out.decoded"
    memory.write_text(memory.read_text() + '["cut of')
    again: list[str] = []
    monkeypatch.setattr(
        decoding, "_decode", lambda task, modalities: (again.append(task[0]), decode(task, modalities))[1]
    )
    assert run(root, clips=True) == 0
    assert asked == ["train-d0-u0", "train-d0-u2", "train-d1-u0"]
    assert again == ["train-d1-u1", "dev-d0-u0", "dev-d0-u1", "test-d0-u0", "test-d0-u1"]
    assert "3 clips were decoded before; going on with 5\n" in capsys.readouterr().out
    assert set(clips(tmp_path / "out")["train-d0-u2"].media) == {"text"}
    assert not memory.exists()


def test_another_process_says_the_same(root: Path, tmp_path: Path) -> None:
    for name in ("dev", "test"):  # starting a process takes seconds: four clips go to one
        (root / f"{name}_sent_emo.csv").unlink()
    rewrite(place(root, "train", "dia0_utt2"), b"broken")
    assert run(root, "--jobs", "2", clips=True) == 0
    media = {clip: set(one.media) for clip, one in clips(tmp_path / "out").items()}
    assert [clip for clip in media if media[clip] == {"text"}] == ["train-d0-u2"]


def test_a_process_that_dies(root: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pool:
        def __init__(self, jobs: int, mp_context: object) -> None:
            assert jobs == 8

        def __enter__(self):
            return self

        def __exit__(self, *_) -> None: ...

        def map(self, *_, chunksize: int):
            raise BrokenProcessPool

    monkeypatch.setattr(decoding, "ProcessPoolExecutor", Pool)
    assert run(root, "--jobs", "9", clips=True) == 2
    assert capsys.readouterr().err == (
        "error: mmer import meld: expected 9 processes that decode; found one that was killed, or that a decoder "
        "crashed. Run it again with --jobs 1 to see at which clip, or with fewer jobs if memory ran out; what is "
        "decoded is kept.\n"
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            HEADER.replace("Emotion", "Emotional") + "\n",
            ":1: expected a header with the columns Utterance, Speaker, Emotion, Sentiment, Dialogue_ID, Utterance_ID; "
            "found 'Sr No.', 'Utterance', 'Speaker', 'Emotional', 'Sentiment', … (11 in all) (no Emotion). Rename to "
            "'Emotion' the column 'Emotional'.",
        ),
        (
            table(row(emotion="joi")),
            ":2: expected Emotion to be one of neutral, surprise, fear, sadness, joy, disgust, anger; found 'joi'. "
            "Write 'joy'.",
        ),
        (
            table(row(sentiment="mixed")),
            ":2: expected Sentiment to be one of neutral, positive, negative; found 'mixed'. Correct the cell, or take "
            "the table anew from its source.",
        ),
        (
            table(row(), row(dialogue=-1)),
            ":3: expected Dialogue_ID to be a whole number, 0 or more; found '-1'. Correct the cell, or take the table "
            "anew from its source.",
        ),
        (
            table(row(3, 4), row(3, 4, "again")),
            ":3: expected every utterance once in its split; found dialogue 3, utterance 4, which stand at "
            "{path}:2 as well. Remove one of the two lines.",
        ),
        (table(row(), "2,Hi"), ":3: expected 11 cells; found 2. Give every column a cell"),
        ("", ": expected a table of MELD; found an empty file. Take the file anew from its source."),
        (
            "PK\x00",
            ": expected a table of MELD; found something that is no text (a NUL byte). Take the file anew "
            "from its source.",
        ),
    ],
)
def test_faults_in_a_table(tables: Path, capsys, text: str, fault: str) -> None:
    path = tables / "dev_sent_emo.csv"
    path.write_text(text)
    assert run(tables) == 2
    assert f"error: {path}{fault.format(path=path)}" in capsys.readouterr().err


def test_faults_of_folders_and_flags(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fault(*words: str) -> str:
        assert main(["import", "meld", str(tmp_path / "out"), *words]) == 2
        return capsys.readouterr().err

    given = ("--csv-dir", str(root))
    assert fault("--csv-dir", str(tmp_path)) == (
        f"error: {tmp_path}: expected train_sent_emo.csv, dev_sent_emo.csv or test_sent_emo.csv in it; found none of "
        "them. Name the folder of MELD's tables with --csv-dir.\n"
    )
    assert fault(*given, "--modalities", "text", "audio") == (
        "error: --modalities: expected text alone, where there are no clips; found text, audio. Name the folder of the "
        "clips with --clips.\n"
    )
    assert fault(*given, "--clips", str(root), "--modalities", "text") == (
        "error: --clips: expected audio or video among --modalities; found text. Leave out --clips, or add one of "
        "them.\n"
    )
    assert fault(*given, "--clips", str(root), "--jobs", "0") == (
        "error: --jobs: expected 1 or more processes; found 0. Write a whole number.\n"
    )
    assert "--leave-out: expected utterances of the tables; found 'dia0_utt0'" in fault(
        *given, "--leave-out", "dia0_utt0"
    )
    (tmp_path / "empty").mkdir()
    assert fault(*given, "--clips", str(tmp_path / "empty")) == (
        f"error: {tmp_path / 'empty'}: expected clips dia0_utt0.mp4 … in the folders train_splits, "
        "dev_splits_complete, output_repeated_splits_test; found none. Unpack MELD's archives there, "
        "correct --clips, or leave it out for text only.\n"
    )
    shutil.copy(place(root, "train", "dia0_utt0"), tmp_path / "empty")
    assert "found dia0_utt0.mp4, in no such folder." in fault(*given, "--clips", str(tmp_path / "empty"))
    (root / "train").mkdir()
    shutil.copy(place(root, "train", "dia0_utt0"), root / "train")
    assert "expected one file of each clip; found" in fault(*given, "--clips", str(root))
    shutil.rmtree(root / "train")
    for path in (root / "some").rglob("dia*.mp4"):
        rewrite(path, b"broken")
    assert (
        f"error: {root}: expected most of the clips to be whole; found 8 of 8 with faults, such as: "
        in fault(*given, "--clips", str(root), "--jobs", "1")
    )
    shutil.copy(root / "dev_sent_emo.csv", root / "val_sent_emo.csv")
    assert fault(*given) == (
        f"error: {root}: expected one table of the valid split; found dev_sent_emo.csv and val_sent_emo.csv. Remove "
        "one of them.\n"
    )
