"""Writing a corpus: it loads again, or nothing is written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from mmer_fairseq.corpus import Corpus, register_features, write_corpus
from mmer_fairseq.errors import InputError

DESCRIPTION = {
    "name": "w",
    "licence": "MIT",
    "labels": {
        "emotion": {"kind": "classes", "column": "emotion", "classes": ["happy", "sad"]},
        "s": {"kind": "score", "columns": ["s"], "range": [-3, 3]},
    },
}
ROWS = {
    "train": [
        {"s": "1", "emotion": "happy", "id": "a", "speaker": "ann", "text": "Größe, é"},
        {"id": "b", "emotion": "sad", "s": "-1.5", "audio": "b.wav"},
    ],
    "test": [{"id": "c", "emotion": "sad", "s": "0", "text": "x"}],
}
YAML = """\
# mine
name: w
features:   # stores
  old: {path: features/old, modality: video}

# the labels
labels:
  emotion: {kind: classes, column: emotion, classes: [happy, sad]}  # two
"""


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_what_is_written_loads_again(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "corpus"
    write_corpus(directory, description=DESCRIPTION, rows=ROWS)
    assert names(directory) == ["corpus.yaml", "test.tsv", "train.tsv"]
    assert (directory / "train.tsv").read_text(encoding="utf-8").splitlines() == [
        "id\ttext\taudio\tspeaker\ts\temotion",
        "a\tGröße, é\t\tann\t1\thappy",
        "b\t\tb.wav\t\t-1.5\tsad",
    ]
    corpus = Corpus.load(directory, labels="s")
    assert [clip.label for clip in corpus.clips("train")] == [(1.0,), (-1.5,)]
    assert corpus.clips("train")[0].media == {"text": "Größe, é"}


def test_writing_again_replaces(tmp_path: Path) -> None:
    write_corpus(tmp_path, description=DESCRIPTION, rows=ROWS)
    write_corpus(tmp_path, description={**DESCRIPTION, "name": "again"}, rows=ROWS)
    assert Corpus.load(tmp_path).name == "again"


@pytest.mark.parametrize("character", ["\t", "\n", "\r", "\x00"])
def test_cells_that_would_break_the_table(tmp_path: Path, character: str) -> None:
    rows = {"train": [{"id": "a", "emotion": "sad", "s": "0", "text": f"x{character}y"}]}
    with pytest.raises(InputError) as caught:
        write_corpus(tmp_path / "new", description=DESCRIPTION, rows=rows)
    assert str(caught.value) == (
        f"{tmp_path}/new/train.tsv:2: expected text without tabs, line breaks and NUL; found 'x{character}y'"
        ". Replace them by blanks."
    ).replace(f"'x{character}y'", repr(f"x{character}y"))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("cells", "found"),
    [({"emotion": "glad"}, "found 'glad'"), ({"s": "4"}, "found '4'"), ({"vidio": "x"}, "Write 'video'")],
)
def test_what_would_not_load_is_not_written(tmp_path: Path, cells: dict[str, str], found: str) -> None:
    rows = {"train": [{"id": "a", "emotion": "sad", "s": "0", "text": "x", **cells}]}
    with pytest.raises(InputError, match=found):
        write_corpus(tmp_path / "new", description=DESCRIPTION, rows=rows)
    assert not (tmp_path / "new").exists()


def test_a_corpus_that_is_there_survives_a_fault(tmp_path: Path) -> None:
    write_corpus(tmp_path, description=DESCRIPTION, rows=ROWS)
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    with pytest.raises(InputError):
        write_corpus(tmp_path, description={"name": "x"}, rows=ROWS)
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == before


def test_splits_of_another_corpus_are_not_mixed_in(tmp_path: Path) -> None:
    write_corpus(tmp_path, description=DESCRIPTION, rows=ROWS)
    with pytest.raises(InputError) as caught:
        write_corpus(tmp_path, description=DESCRIPTION, rows={"train": ROWS["train"]})
    assert str(caught.value) == (
        f"{tmp_path}: expected no split files besides train.tsv; found test.tsv. Remove them or choose "
        f"another "
        "folder."
    )


def test_registering_keeps_what_the_user_wrote(folder) -> None:
    directory = folder({"train.tsv": "id\ttext\temotion\na\tx\tsad\n"}, description=YAML)
    register_features(directory, name="w2v", path=directory / "features/w2v", modality="audio")
    text = (directory / "corpus.yaml").read_text()
    assert "# mine\n" in text
    assert (
        "\n# the labels\nlabels:\n  emotion: {kind: classes, column: emotion, classes: [happy, sad]}  # two\n"
        in text
    )
    features = Corpus.load(directory).features
    assert {name: (entry.path, entry.modality) for name, entry in features.items()} == {
        "old": (directory / "features/old", "video"),
        "w2v": (directory / "features/w2v", "audio"),
    }


def test_registering_again_replaces_the_entry(folder) -> None:
    directory = folder({"train.tsv": "id\ttext\temotion\na\tx\tsad\n"})
    for path in ("/far/one", "/far/two"):
        register_features(directory, name="w2v", path=path, modality="audio")
    assert yaml.safe_load((directory / "corpus.yaml").read_text())["features"] == {
        "w2v": {"path": "/far/two", "modality": "audio"}
    }


def test_registering_in_yaml_of_one_line(folder) -> None:
    one_line = "{name: w, labels: {e: {kind: classes, column: e, classes: [a]}}}\n"
    directory = folder({"train.tsv": "id\te\ttext\na\ta\tx\n"}, description=one_line)
    register_features(directory, name="w2v", path="/far", modality="audio")
    assert list(Corpus.load(directory).features) == ["w2v"]


def test_registering_in_the_older_layout(folder) -> None:
    files = {"m/x": "", "train_a.tsv": "m\na.wav\n", "label_file_train.csv": "id,label\na,neu\n"}
    directory = folder(files, description=None)
    for name in ("one", "two"):
        register_features(directory, name=name, path=directory / name, modality="audio")
    assert list(Corpus.load(directory).features) == ["one", "two"]


def test_registering_from_several_processes_loses_nothing(folder) -> None:
    directory = folder({"train.tsv": "id\ttext\temotion\na\tx\tsad\n"})
    with ThreadPoolExecutor(8) as pool:
        for i in range(16):
            pool.submit(register_features, directory, name=f"s{i}", path=f"/s{i}", modality="audio")
    assert len(Corpus.load(directory).features) == 16


def test_a_fault_in_an_entry(folder) -> None:
    directory = folder({"train.tsv": "id\ttext\temotion\na\tx\tsad\n"})
    before = (directory / "corpus.yaml").read_bytes()
    with pytest.raises(
        InputError, match="expected 'modality' to be one of text, audio, video, physio; found 'sound'"
    ):
        register_features(directory, name="s", path="/s", modality="sound")
    assert (directory / "corpus.yaml").read_bytes() == before


def test_registering_in_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"none: expected a folder; found No such file or directory\. Correct"
    ):
        register_features(tmp_path / "none", name="s", path="/s", modality="audio")
    with pytest.raises(InputError, match=r"corpus.yaml: expected a corpus description; found no such file"):
        register_features(tmp_path, name="s", path="/s", modality="audio")


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        InputError,
        match=r"file/new: expected room on the disk and permission to write; found .*\. Mend it and run the same",
    ):
        write_corpus(tmp_path / "file" / "new", description=DESCRIPTION, rows=ROWS)
