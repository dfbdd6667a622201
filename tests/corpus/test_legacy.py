"""The older SSE-FT layout, as one corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.legacy import LEGACY_SPACES
from mmer_fairseq.errors import InputError

IEMOCAP = ["neu", "sad", "ang", "hap", "exc"]


def layout(
    labels: list[str], *, root: str = "media", split: str = "train", lists: str = "atv"
) -> dict[str, str]:
    """Files of one split; the root folder is made by a file in it."""
    ids = [f"{split}{i}" for i in range(len(labels))]
    suffixes = {"a": "wav", "t": "txt", "v": "mp4"}
    files = {f"{root}/{clip}.wav": "" for clip in ids}
    for letter in lists:
        lines = [root, *(f"{clip}.{suffixes[letter]}\t123" for clip in ids)]
        files[f"{split}_{letter}.tsv"] = "\n".join(lines) + "\n"
    rows = [f"{clip},{label},extra" for clip, label in zip(ids, labels)]
    files[f"label_file_{split}.csv"] = "\n".join(["id,label,more", *rows]) + "\n"
    return files


@pytest.fixture
def write(folder):
    return lambda files: folder(files, description=None)


def test_iemocap(write) -> None:
    directory = write({**layout(IEMOCAP), **layout(["sad"], split="test")})
    corpus = Corpus.load(directory)
    assert corpus.splits == ("train", "test")
    assert corpus.text_form == "ids"
    assert corpus.label_space == LEGACY_SPACES["iemocap"]
    clips = corpus.clips("train")
    assert [clip.label for clip in clips] == [0, 1, 2, 3]
    assert corpus.left_out["train"] == [("train4", "exc")]
    assert clips[0].media == {
        "text": f"{directory}/media/train0.txt",
        "audio": f"{directory}/media/train0.wav",
        "video": f"{directory}/media/train0.mp4",
    }
    assert clips[0].text_is_path
    assert clips[1].where == f"{directory}/train_t.tsv:3"


def test_meld_and_its_class_order(write) -> None:
    names = ["neutral", "sadness", "anger", "joy", "surprise", "fear", "disgust"]
    corpus = Corpus.load(write(layout(names)))
    assert corpus.label_space.name == "meld"
    assert [clip.label for clip in corpus.clips("train")] == list(range(7))


def test_mosi(write) -> None:
    corpus = Corpus.load(write(layout(["-3", "0.0", "2.6"])))
    assert corpus.label_space == LEGACY_SPACES["mosi"]
    assert [clip.label for clip in corpus.clips("train")] == [(-3.0,), (0.0,), (2.6,)]


def test_a_label_space_of_the_users_own(write) -> None:
    from dataclasses import replace

    space = replace(LEGACY_SPACES["mosi"], ignore=("0",))
    corpus = Corpus.load(write(layout(["-3", "0.0"])), legacy_labels=space)
    assert corpus.left_out["train"] == [("train1", "0.0")]


@pytest.mark.parametrize("lists", ["a", "tv", "at"])
def test_absent_lists_are_missing_modalities(write, lists: str) -> None:
    corpus = Corpus.load(write(layout(["neu"], lists=lists)))
    names = {"a": "audio", "t": "text", "v": "video"}
    assert set(corpus.clips("train")[0].media) == {names[letter] for letter in lists}


def test_a_tensor_beside_the_sound_is_read_when_only_that_exists(write) -> None:
    files = layout(["neu", "sad"])
    files["media/train0.pt"] = files.pop("media/train0.wav")
    files["media/train1.pt"] = ""
    clips = Corpus.load(write(files)).clips("train")
    assert [Path(clip.media["audio"]).name for clip in clips] == ["train0.pt", "train1.wav"]


def test_the_root_may_be_absolute_or_below_the_current_folder(
    write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = layout(["neu"])
    files["train_a.tsv"] = f"{tmp_path}/corpus/media\ntrain0.wav\n"
    files["train_v.tsv"] = "corpus/media\ntrain0.mp4\n"
    directory = write(files)
    monkeypatch.chdir(tmp_path)
    media = Corpus.load(directory).clips("train")[0].media
    assert media["audio"] == f"{directory}/media/train0.wav"
    assert media["video"] == f"{directory}/media/train0.mp4"


def test_labels_of_no_clip_are_a_remark(write) -> None:
    files = layout(["neu", "sad"])
    files["label_file_train.csv"] += "train9,neu\n"
    corpus = Corpus.load(write(files))
    assert corpus.remarks == (f"{corpus.directory}/label_file_train.csv: 1 label of ids in no list: train9",)


def test_feature_stores_are_named_in_their_own_file(write) -> None:
    corpus = Corpus.load(
        write({**layout(["neu"]), "features.yaml": "w2v: {path: features/w, modality: audio}\n"})
    )
    assert corpus.features["w2v"].path == corpus.directory / "features/w"


def test_a_fault_in_the_list_of_stores(write, faults) -> None:
    assert faults(write({**layout(["neu"]), "features.yaml": "w2v: {path: w, modality: adio}\n"})) == [
        "features.yaml:1: expected 'modality' to be one of text, audio, video, physio; found 'adio'. Write "
        "'audio'."
    ]


def change(**lines: str) -> dict[str, str]:
    """Two clips, with some files written anew (``__`` stands for '.')."""
    return {**layout(["neu", "sad"]), **{name.replace("__", "."): text for name, text in lines.items()}}


CASES = [
    (
        change(train_a__tsv="nowhere\ntrain0.wav\ntrain1.wav\n"),
        "train_a.tsv:1: expected the root folder of the files; found 'nowhere', which is no folder. Write "
        "the folder "
        "that holds the files in the first line.",
    ),
    (
        change(train_v__tsv="media\ntrain1.mp4\ntrain0.mp4\n"),
        "train_v.tsv:2: expected the same ids in the same order as train_t.tsv ('train0' here); found "
        "'train1'. List "
        "the same ids in the same order in all lists of the split.",
    ),
    (
        change(train_v__tsv="media\ntrain0.mp4\n"),
        "train_v.tsv:3: expected the same ids in the same order as train_t.tsv ('train1' here); found the "
        "end of the "
        "list. List the same ids in the same order in all lists of the split.",
    ),
    (
        change(train_v__tsv="media\ntrain0.mp4\ntrain1.mp4\ntrain2.mp4\n"),
        "train_v.tsv:4: expected the same ids in the same order as train_t.tsv (the end of the list here); "
        "found "
        "'train2'. List the same ids in the same order in all lists of the split.",
    ),
    (
        change(label_file_train__csv="id,label\ntrain0,neu\n"),
        "train_t.tsv:3: expected a label for every id in label_file_train.csv; found none for 'train1'. Add "
        "the line, "
        "or take the id out of the lists (the first line of the file is its header).",
    ),
    (
        change(label_file_train__csv="id,label\ntrain0,neu\ntrain1,sadd\n"),
        "label_file_train.csv:3: expected label to be one of neu, sad, ang, hap; found 'sadd'. Write 'sad'.",
    ),
    (
        change(label_file_train__csv="id,label\ntrain0,neu\ntrain1,sad\ntrain2\n"),
        "label_file_train.csv:4: expected '<id>,<label>'; found 'train2'. Correct the line.",
    ),
    (
        change(label_file_train__csv="id,label\ntrain0,neu\ntrain1,sad\ntrain0,sad\n"),
        "label_file_train.csv:4: expected the id 'train0' once; found it in line 2 as well. Correct the "
        "line.",
    ),
    (
        change(label_file_train__csv="id,label\ntrain0,good\ntrain1,bad\n"),
        "DIR: expected labels of IEMOCAP (neu, sad, …) or MELD (neutral, joy, …), or numbers from -3 to 3; "
        "found good, "
        "bad. Correct the second column of the label files, or write a corpus.yaml.",
    ),
    (
        change(label_file_train__csv="id,label\ntrain0,0.5\ntrain1,3.5\n"),
        "label_file_train.csv:3: expected label to be a number from -3 to 3; found '3.5'. Correct the value "
        "or the "
        "range.",
    ),
    (
        change(train_a__tsv="media\ntrain0.wav\n../train1.wav\n"),
        "train_a.tsv:3: expected a file inside the root folder (media); found '../train1.wav'. Move the "
        "file there, "
        "or write another root folder in line 1.",
    ),
    (
        {"label_file_train.csv": "id,label\na,neu\n"},
        "DIR: expected train_a.tsv, train_t.tsv or train_v.tsv beside label_file_train.csv; found none of "
        "them. Add the "
        "lists of files, or remove the label file.",
    ),
    (
        {name: text for name, text in change().items() if not name.startswith("label")},
        "label_file_train.csv: expected a label file; found no such file. Correct the path or add the file.",
    ),
    (
        {"m/x": "", "train_a.tsv": "m\n", "label_file_train.csv": "id,label\na,neu\n"},
        "train_a.tsv: expected a root folder and one file name at least; found only the root folder. List "
        "the files.",
    ),
    (
        {"m/x": "", "train_a.tsv": "m\na.wav\na.wav\n", "label_file_train.csv": "id,label\na,neu\n"},
        "train_a.tsv:3: expected ids that are unique in the whole corpus; found 'a', which is the id of "
        "train_a.tsv:2 "
        "as well. Rename or remove one of the two clips.",
    ),
]


@pytest.mark.parametrize(("files", "fault"), CASES)
def test_faults(write, faults, files: dict[str, str], fault: str) -> None:
    directory = write(files)
    assert [found.replace(str(directory), "DIR") for found in faults(directory)] == [fault]


def test_loading_raises_the_fault(write) -> None:
    with pytest.raises(InputError, match="found 'sadd'"):
        Corpus.load(write(change(label_file_train__csv="id,label\ntrain0,neu\ntrain1,sadd\n")))
