"""One fault at a time in a good corpus of real files: ``mmer check --decode`` names each and its place."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Corpus
from mmer_fairseq.features.store import write_store

#: The row that is spoilt: line 4 of train.tsv.
ROW = 3
FORM = re.compile(r".*: expected .*; found .*\. [A-Z`].*\.", re.DOTALL)
Change = Callable[[Path], None]


@pytest.fixture
def bad(twelve: Path, tmp_path: Path) -> Path:
    """A copy to spoil. Media are hard links: replace them, never write into them."""
    shutil.copytree(twelve, tmp_path / "bad", copy_function=os.link)
    return tmp_path / "bad"


def put(path: Path, content: bytes | str) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def edit(name: str, old: str, new: str) -> Change:
    """Replace a text that must be in the file."""

    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        put(folder / name, text.replace(old, new, 1))

    return change


def rows(function: Callable[[list[str]], list[str]], split: str = "train") -> Change:
    def change(folder: Path) -> None:
        path = folder / f"{split}.tsv"
        put(path, "\n".join(function(path.read_text().splitlines())) + "\n")

    return change


def cell(column: str, value: str) -> Change:
    def fill(lines: list[str]) -> list[str]:
        cells = lines[ROW].split("\t")
        cells[lines[0].split("\t").index(column)] = value
        return [*lines[:ROW], "\t".join(cells), *lines[ROW + 1 :]]

    return rows(fill)


def times(start: str, end: str) -> Change:
    def fill(lines: list[str]) -> list[str]:
        crops = {0: "\tstart\tend", ROW: f"\t{start}\t{end}"}
        return [line + crops.get(index, "\t\t") for index, line in enumerate(lines)]

    return rows(fill)


def medium(folder: Path, modality: str) -> Path:
    lines = (folder / "train.tsv").read_text().splitlines()
    return folder / lines[ROW].split("\t")[lines[0].split("\t").index(modality)]


def spoil(modality: str, function: Callable[[bytes], bytes]) -> Change:
    def change(folder: Path) -> None:
        path = medium(folder, modality)
        put(path, function(path.read_bytes()))

    return change


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def hole(content: bytes) -> bytes:
    """Bytes in the middle that were never written."""
    at = len(content) // 2
    return content[: at - 2000] + bytes(range(250)) * 16 + content[at + 2000 :]


def wave(function: Callable[[np.ndarray], np.ndarray]) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        samples, rate = soundfile.read(io.BytesIO(content), dtype="float32")
        file = io.BytesIO()
        soundfile.write(file, function(samples), rate, format="WAV", subtype="FLOAT")
        return file.getvalue()

    return change


def with_value(value: float) -> Callable[[bytes], bytes]:
    def change(samples: np.ndarray) -> np.ndarray:
        samples[50] = value
        return samples

    return wave(change)


def only(kind: str) -> Callable[[bytes], bytes]:
    """An mp4 with one of its two tracks."""

    def change(content: bytes) -> bytes:
        file = io.BytesIO()
        with av.open(io.BytesIO(content)) as source, av.open(file, "w", format="mp4") as target:
            track = next(stream for stream in source.streams if stream.type == kind)
            copy = target.add_stream_from_template(track)
            for packet in source.demux(track):
                if packet.dts is not None:
                    packet.stream = copy
                    target.mux(packet)
        return file.getvalue()

    return change


def folder_instead(modality: str) -> Change:
    def change(folder: Path) -> None:
        path = medium(folder, modality)
        path.unlink()
        path.mkdir()

    return change


def sound_of(function: Callable[[bytes], bytes]) -> Change:
    """The sound of the row comes from its video, which is changed."""

    def change(folder: Path) -> None:
        video = medium(folder, "video")
        put(video, function(video.read_bytes()))
        cell("audio", str(video.relative_to(folder)))(folder)
        cell("video", "")(folder)

    return change


def transcript(content: bytes | None) -> Change:
    def change(folder: Path) -> None:
        cell("text", "words.txt")(folder)
        if content is not None:
            put(folder / "words.txt", content)

    return change


def trace(function: Callable[[list[str]], list[str]]) -> Change:
    return spoil("trace", lambda content: "\n".join(function(content.decode().splitlines())).encode())


def array(values: Any) -> Change:
    def change(folder: Path) -> None:
        cell("trace", "traces/mine.npy")(folder)
        if isinstance(values, bytes):
            put(folder / "traces" / "mine.npy", values)
        else:
            np.save(folder / "traces" / "mine.npy", values)

    return change


def shard(function: Callable[[bytes], bytes]) -> Change:
    def change(folder: Path) -> None:
        path = folder / "features" / "w" / "shard-00000.safetensors"
        put(path, function(path.read_bytes()))

    return change


def index(**changes: Any) -> Change:
    def change(folder: Path) -> None:
        path = folder / "features" / "w" / "store.json"
        put(path, json.dumps({**json.loads(path.read_text()), **changes}))

    return change


def store(ids: Callable[[list[str]], list[str]], **about: Any) -> Change:
    """Another store of the same name."""

    def change(folder: Path) -> None:
        corpus = Corpus.load(folder)
        names = ids([clip.id for split in corpus.splits for clip in corpus.clips(split)])
        shutil.rmtree(folder / "features" / "w")
        items = [(name, np.ones((5, 3), "f4")) for name in names]
        write_store(folder / "features" / "w", items, **{"modality": "audio", "rate": 4.0, **about})

    return change


def without_description(folder: Path) -> None:
    (folder / "corpus.yaml").unlink()
    (folder / ".mmer").mkdir(exist_ok=True)  # what training leaves there


#: Fault → what is done, the place it is told at, words of the message, number of messages.
CASES: dict[str, tuple[Change, str, str, int]] = {
    # corpus.yaml
    "no description": (without_description, "", "found features, media, ", 1),
    "empty description": (lambda d: put(d / "corpus.yaml", ""), "corpus.yaml: ", "found an empty file", 1),
    "bytes": (lambda d: put(d / "corpus.yaml", b"\xff\x00"), "corpus.yaml:1: ", "expected text in UTF-8", 1),
    "no YAML": (edit("corpus.yaml", "name: toy", "name: [toy"), "corpus.yaml:2: ", "expected valid YAML", 1),
    "a list": (lambda d: put(d / "corpus.yaml", "- a\n"), "corpus.yaml: ", "found a list", 1),
    "unknown key": (edit("corpus.yaml", "licence:", "license:"), "corpus.yaml:2: ", "Write 'licence'.", 1),
    "key twice": (edit("corpus.yaml", "name: toy", "name: toy\nname: b"), "corpus.yaml:2: ", "once", 1),
    "kind": (edit("corpus.yaml", "kind: classes", "kind: class"), "corpus.yaml:7: ", "Write 'classes'.", 1),
    "range": (edit("corpus.yaml", "- -3", "- 5"), "corpus.yaml:25: ", "expected 'range' to be [lowest, high", 1),
    "rate": (edit("corpus.yaml", "rate: 10", "rate: 0"), "corpus.yaml:34: ", "expected 'rate' to be above 0", 1),
    "text form": (edit("corpus.yaml", "text: words", "text: word"), "corpus.yaml:4: ", "Write 'text: words'", 1),
    "media root": (edit("corpus.yaml", "root: .", "root: gone"), "corpus.yaml:3: ", "media_root to be a folder", 1),
    "label column": (
        edit("corpus.yaml", "column: emotion", "column: emotoin"),
        "train.tsv:1: ",
        "Rename 'emotion' to 'emotoin', or correct corpus.yaml.",
        6,  # in each table, and with each of the other label spaces
    ),
    "store's path": (
        edit("corpus.yaml", "path: features/w", "path: features/v"),
        "features/v: ",
        "expected a feature store; found nothing there. Run mmer extract",
        1,
    ),
    "store's modality": (
        edit("corpus.yaml", "modality: audio", "modality: video"),
        "features/w: ",
        "expected a store made from video; found audio",
        1,
    ),
    # tables
    "empty table": (lambda d: put(d / "valid.tsv", ""), "valid.tsv: ", "found an empty file", 1),
    "no tables": (lambda d: [p.unlink() for p in d.glob("*.tsv")] and None, "", "expected one <split>.tsv", 1),
    "header alone": (rows(lambda lines: lines[:1], "valid"), "valid.tsv:1: ", "found only the header", 1),
    "no header": (rows(lambda lines: lines[1:], "valid"), "valid.tsv:1: ", "expected a header with", 4),
    "commas": (
        rows(lambda lines: [line.replace("\t", ",") for line in lines], "valid"),
        "valid.tsv:1: ",
        "expected column names separated by tabs",
        1,
    ),
    "unknown column": (edit("train.tsv", "\tturn", "\ttrun"), "train.tsv:1: ", "Write 'turn'.", 1),
    "column twice": (edit("train.tsv", "\tturn", "\tdialogue"), "train.tsv:1: ", "'dialogue' 2 times", 1),
    "short row": (
        rows(lambda lines: [*lines[:ROW], lines[ROW].rsplit("\t", 2)[0], *lines[ROW + 1 :]]),
        "train.tsv:4: ",
        "expected 14 cells separated by tabs; found 12",
        1,
    ),
    "empty row": (
        rows(lambda lines: [*lines[:ROW], "", *lines[ROW:]]), "train.tsv:4: ", "found an empty line", 1
    ),
    "id twice": (rows(lambda lines: [*lines, lines[ROW]]), "train.tsv:8: ", "is the id of train.tsv:4", 1),
    "no id": (cell("id", ""), "train.tsv:4: ", "expected an id; found an empty cell", 1),
    "latin-1": (
        lambda d: put(d / "test.tsv", (d / "test.tsv").read_bytes() + b"\xe9\n"), "test.tsv:5: ", "found byte 0xe9", 1
    ),
    # labels
    "label": (cell("emotion", "hapy"), "train.tsv:4: ", "Write 'happy'.", 1),
    "no label": (cell("emotion", ""), "train.tsv:4: ", "found an empty cell. Write the label, or take", 1),
    "yes or no": (cell("sad", "2"), "train.tsv:4: ", "expected sad to be 0 or 1; found '2'", 1),
    "score": (cell("sentiment", "nan"), "train.tsv:4: ", "to be a number from -3 to 3; found 'nan'", 1),
    "score's range": (cell("sentiment", "7"), "train.tsv:4: ", "found '7'. Correct the value or the range", 1),
    # times
    "before 0": (times("-1", ""), "train.tsv:4: ", "expected start to be seconds, 0 or more; found '-1'", 1),
    "backwards": (times("1", "0.5"), "train.tsv:4: ", "expected end to be after start", 1),
    "after the end": (times("90", ""), "train.tsv:4: media/", "expected start and end inside the medium", 2),
    # transcripts
    "no transcript": (transcript(None), "train.tsv:4: ", "expected a transcript; found no such file", 1),
    "empty transcript": (transcript(b" \n"), "train.tsv:4: ", "expected a transcript; found an empty file", 1),
    "transcript of bytes": (transcript(b"a\n\xff"), "words.txt:2: ", "found byte 0xff", 1),
    "transcript of NUL": (transcript(bytes(9)), "words.txt:1: ", "found a NUL character", 1),
    # sound
    "no sound file": (lambda d: medium(d, "audio").unlink(), "train.tsv:4: media/", "found no such file", 1),
    "folder as sound": (folder_instead("audio"), "train.tsv:4: media/", "found a folder", 1),
    "0 bytes": (spoil("audio", lambda _: b""), "train.tsv:4: media/", "found an empty file (0 bytes)", 1),
    "text as wav": (spoil("audio", lambda _: b"no sound\n" * 9), "train.tsv:4: media/", "found text (by its", 1),
    "half a wav": (spoil("audio", half), "train.tsv:4: media/", "bytes (truncated)", 1),
    "header of a wav": (spoil("audio", lambda b: b[:44]), "train.tsv:4: media/", "found 44 bytes (truncated)", 1),
    "no samples": (spoil("audio", wave(lambda x: x[:0])), "train.tsv:4: media/", "without a sample", 1),
    "silence": (spoil("audio", wave(lambda x: 0 * x)), "train.tsv:4: media/", "found silence", 1),
    "NaN": (spoil("audio", with_value(np.nan)), "train.tsv:4: media/", "found nan at 0.00", 1),
    "infinity": (spoil("audio", with_value(np.inf)), "train.tsv:4: media/", "found inf at 0.00", 1),
    "no sound track": (sound_of(only("video")), "train.tsv:4: media/", "found only picture", 1),
    # pictures
    "no video file": (lambda d: medium(d, "video").unlink(), "train.tsv:4: media/", "found no such file", 1),
    "png as mp4": (
        spoil("video", lambda _: b"\x89PNG\r\n\x1a\n" + bytes(99)), "train.tsv:4: media/", "a PNG picture", 1
    ),
    "wav as mp4": (
        lambda d: put(medium(d, "video"), medium(d, "audio").read_bytes()), "train.tsv:4: media/", "a WAV", 1
    ),
    "half an mp4": (spoil("video", half), "train.tsv:4: media/", "(truncated)", 1),
    "start of an mp4": (spoil("video", lambda b: b[:32]), "train.tsv:4: media/", "a moov box", 1),
    "hole in an mp4": (spoil("video", hole), "train.tsv:4: media/", "expected a file that decodes without", 1),
    "no picture track": (spoil("video", only("audio")), "train.tsv:4: media/", "found only sound", 1),
    # traces
    "no trace": (lambda d: medium(d, "trace").unlink(), "train.tsv:4: ", "expected a trace file; found no such", 1),
    "trace without steps": (trace(lambda x: x[:1]), "train.tsv:4: ", "expected a trace of one step at least", 1),
    "short trace": (trace(lambda x: x[:3]), "train.tsv:4: ", "expected a trace about as long as the clip", 1),
    "trace's header": (trace(lambda x: x[1:]), "traces/", "expected a header with the columns valence", 1),
    "word in a trace": (trace(lambda x: [*x[:2], "a,b", *x[3:]]), "traces/", "expected 2 numbers separated", 1),
    "value of a trace": (trace(lambda x: [*x[:2], "9,0", *x[3:]]), "traces/", "from -1 to 1; found 9", 1),
    "trace's width": (array(np.zeros((15, 3))), "train.tsv:4: ", "found shape [15, 3]", 1),
    "foreign array": (array(b"no array"), "train.tsv:4: ", "found a file of another kind, or a damaged one", 1),
    # feature stores
    "store without index": (
        lambda d: (d / "features/w/store.json").unlink(), "features/w: ", "a folder without store.json", 1
    ),
    "version of a store": (index(version=9), "features/w/store.json: ", "damaged or foreign file", 1),
    "no shard": (
        lambda d: (d / "features/w/shard-00000.safetensors").unlink(), "features/w/", "found no such file", 1
    ),
    "cut shard": (shard(lambda b: b[:-9]), "features/w/shard-00000.safetensors: ", "as its header says; found", 1),
    "other bytes": (
        shard(lambda b: b[:-9] + bytes([b[-9] ^ 255]) + b[-8:]), "features/w/shard", "than were written", 1
    ),
    "clips not in a store": (store(lambda ids: ids[2:]), "features/w: ", "found none for 2: ", 1),
    "clips of another corpus": (store(lambda ids: [*ids, "zz"]), "features/w: ", "found others: zz", 1),
    "store: of nothing": (cell("audio", "store:x"), "train.tsv:4: ", "found 'x'. Add the store under", 1),
}  # fmt: skip


def test_the_corpus_is_good_before_it_is_spoilt(twelve: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(twelve), "--decode", "--jobs", "1"]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", CASES)
def test_each_fault_has_a_readable_message(name: str, bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, place, words, number = CASES[name]
    change(bad)
    assert main(["check", str(bad), "--decode", "--jobs", "1"]) == 1
    printed = capsys.readouterr().out.replace(f"{bad}/", "").replace(str(bad), "").splitlines()
    faults = [line for line in printed if "; found " in line]
    assert any(line.startswith(place) and words in line for line in faults), printed
    assert all(FORM.fullmatch(line) for line in faults), faults
    assert len(faults) == number, faults
    assert printed[-1] == ("1 fault" if number == 1 else f"{number} faults")
