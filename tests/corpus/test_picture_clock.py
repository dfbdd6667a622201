"""``pictures: {clock: clip}``: folders of numbered pictures that start and end do not crop."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.clip_faults import inspect_clip
from mmer_fairseq.corpus.streams import RawOptions, read_stream, stream_seconds
from mmer_fairseq.corpus.subsequences import Stretch, SubsequenceReader, Subsequences
from mmer_fairseq.errors import InputError
from mmer_fairseq.media.picture_folder import crop_numbers


@pytest.fixture
def write(tmp_path: Path):
    """A corpus of one clip from 3.3 s to 5.3 s, whose video is four pictures at 2 Hz, the third missing."""
    (tmp_path / "v").mkdir()
    for number in (1, 2, 4):
        grey = Image.fromarray(np.full((8, 8, 3), 10 * number, dtype=np.uint8))
        grey.save(tmp_path / "v" / f"{number:05d}.png")
    (tmp_path / "train.tsv").write_text("id\tvideo\tstart\tend\trate\te\na\tv\t3.3\t5.3\t2\tx\n")

    def make(pictures: str) -> Path:
        labels = "labels: {e: {kind: classes, column: e, classes: [x]}}\n"
        (tmp_path / "corpus.yaml").write_text(f"name: c\n{labels}{pictures}\n")
        return tmp_path

    return make


def shown(pictures) -> list[int]:
    return (pictures[:, 0, 0, 0] // 10).tolist()


@pytest.mark.parametrize(("rate", "numbers"), [(None, [1, 2, 2, 4]), (2.0, [1, 2, 2, 4]), (1.0, [1, 2])])
def test_the_pictures_are_the_clip(write, rate, numbers):
    clip = Corpus.load(write("pictures: {clock: clip}")).clips("train")[0]
    assert clip.picture_span == (None, None)
    assert shown(read_stream(clip, "video", RawOptions(frame_rate=rate, frame_size=8))) == numbers
    assert stream_seconds(clip, "video") == pytest.approx(2.0)
    assert stream_seconds(replace(clip, end=None), "video") == 2.0
    finding = partial(inspect_clip, decode=True, text_form="words")((clip, []))
    assert (finding.faults, finding.seconds) == ([], 2.0)
    reader = SubsequenceReader("video", RawOptions(frame_size=8), Subsequences(2, 1), 2)
    assert shown(reader.read(clip, Stretch(np.array([1, 3]), 2.0))) == [1, 2, 2, 4]


@pytest.mark.parametrize(
    ("rate", "numbers"), [(None, [1, 2, 4]), (2.0, [1, 2, 4]), (4.0, [1, 1, 2, 2, 4, 4])]
)
def test_what_is_missing_is_left_out_where_no_moment_counts(write, rate, numbers):
    clip = Corpus.load(write("pictures: {clock: clip}")).clips("train")[0]
    options = RawOptions(frame_rate=rate, frame_size=8, hold_gaps=False)
    assert shown(read_stream(clip, "video", options)) == numbers
    # pictures of a whole recording are frames: the one before is shown
    frames = read_stream(replace(clip, own_pictures=False, start=0.0, end=2.0), "video", options)
    assert len(frames) == (4 if rate is None else 2 * rate)
    late = replace(clip, own_pictures=True)
    (Path(clip.media["video"]) / "00001.png").unlink()
    (Path(clip.media["video"]) / "00002.png").unlink()
    assert shown(read_stream(late, "video", replace(options, frame_rate=1.0))) == [4, 4]  # all would be lost


def test_what_stands_between_the_moments_is_seen(tmp_path):
    for number in (1, 11, 21, 31):  # of a tracker that looks at each tenth frame
        Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(tmp_path / f"{number:05d}.png")
    moments = crop_numbers(tmp_path, rate=30.0, frame_rate=6.0)
    assert moments.tolist() == [1, 6, 11, 16, 21, 26, 31]
    assert crop_numbers(tmp_path, rate=30.0, frame_rate=6.0, hold_gaps=False).tolist() == [1, 11, 21, 31]
    moments = crop_numbers(tmp_path, rate=30.0, frame_rate=4.0, hold_gaps=False)
    (tmp_path / "00001.png").unlink()
    late = crop_numbers(tmp_path, rate=30.0, frame_rate=4.0, hold_gaps=False)
    assert late.tolist() == moments.tolist()[1:]
    there = np.array([1, 11, 21, 31])
    shown = there[np.searchsorted(there, moments, side="right") - 1]
    assert shown.tolist() == [1, 11, 21, 31]  # each once


def test_without_it_the_clip_is_cut_from_the_recording(write):
    clip = Corpus.load(write("")).clips("train")[0]
    assert clip.picture_span == (3.3, 5.3)
    with pytest.raises(InputError, match="expected start and end inside the medium"):
        read_stream(clip, "video", RawOptions())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "pictures: clip",
            "corpus.yaml:3: expected 'pictures' to be a mapping with 'clock'; found 'clip' (str)",
        ),
        ("pictures: {clock: film}", "corpus.yaml:3: expected 'clock' to be recording or clip; found 'film'"),
        (
            "pictures: {rate: 2}",
            "corpus.yaml:3: expected the keys of 'pictures' to be among clock; found 'rate'",
        ),
    ],
)
def test_faults_of_the_entry(write, text, message):
    with pytest.raises(InputError) as error:
        Corpus.load(write(text))
    assert message in str(error.value)
