from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from mmer_fairseq.corpus.clip import Clip
from mmer_fairseq.corpus.corpus import Corpus
from mmer_fairseq.corpus.streams import RawOptions, read_stream, stream_seconds
from mmer_fairseq.errors import InputError
from mmer_fairseq.media.sound import load_sound
from mmer_fairseq.media.text import SentencePieceTokenizer, train_sentencepiece
from mmer_fairseq.media.video import load_frames


def clip(
    start: float | None = None, end: float | None = None, text_is_path: bool = False, **media: object
) -> Clip:
    return Clip(
        id="a",
        media={modality: str(cell) for modality, cell in media.items()},
        text_is_path=text_is_path,
        start=start,
        end=end,
        speaker="",
        dialogue="",
        turn="",
        label=0,
        where="train.tsv:3",
        split="train",
    )


@pytest.fixture
def tokenizer(tmp_path: Path) -> SentencePieceTokenizer:
    train_sentencepiece(["hello my dear world"] * 3, tmp_path / "a.model", vocab_size=30)
    return SentencePieceTokenizer(tmp_path / "a.model")


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "a.wav", np.sin(np.arange(24000) / 7), 24000)
    return tmp_path / "a.wav"


def test_every_modality_of_a_real_corpus(toy: Path):
    options = RawOptions(
        tokenizer=SentencePieceTokenizer(toy / "tokenizer.model"), frame_rate=10, frame_size=32
    )
    for row in Corpus.load(toy).clips("valid"):
        if row.has("text"):
            ids = read_stream(row, "text", options)
            assert (ids[0], ids[-1], ids.dtype) == (0, 2, torch.int64)
        if row.has("audio"):
            sound = read_stream(row, "audio", options)
            assert abs(len(sound) / 16000 - stream_seconds(row, "audio")) < 0.1
            assert sound.dtype == torch.float32
        if row.has("video"):
            frames = read_stream(row, "video", options)
            assert frames.shape[1:] == (3, 32, 32)
            assert abs(len(frames) / 10 - stream_seconds(row, "video")) <= 0.1
            assert frames.dtype == torch.uint8


def test_the_times_of_a_clip_crop_its_media(toy: Path, wav: Path):
    sound = read_stream(clip(0.25, 0.5, audio=wav), "audio", RawOptions(sample_rate=8000))
    assert torch.equal(sound, load_sound(wav, start=0.25, end=0.5, rate=8000))
    film = next(row.media["video"] for row in Corpus.load(toy).clips("train") if row.has("video"))
    options = RawOptions(frame_rate=5, frame_size=24)
    frames = read_stream(clip(0.4, 1.0, video=film), "video", options)
    assert torch.equal(frames, load_frames(film, start=0.4, end=1.0, rate=5, size=24)[0])
    assert len(read_stream(clip(video=film), "video", RawOptions(max_frames=4))) == 4
    # Sound may come from a film.
    assert len(read_stream(clip(0.4, 1.0, audio=film), "audio", options)) == 9600


def test_biosignals(tmp_path: Path):
    np.save(tmp_path / "a.npy", np.arange(80.0).reshape(40, 2))
    assert read_stream(clip(physio=tmp_path / "a.npy"), "physio", RawOptions()).shape == (40, 2)
    cropped = read_stream(clip(1.0, 2.0, physio=tmp_path / "a.npy"), "physio", RawOptions(physio_rate=4.0))
    assert cropped[:, 0].tolist() == [8.0, 10.0, 12.0, 14.0]
    with pytest.raises(InputError, match=r"train\.tsv:3: .*a\.npy: expected a clock to crop by"):
        read_stream(clip(1.0, 2.0, physio=tmp_path / "a.npy"), "physio", RawOptions())


def test_words_and_ids(tmp_path: Path, tokenizer: SentencePieceTokenizer):
    words = RawOptions(tokenizer=tokenizer)
    wanted = tokenizer.encode("hello my world").tolist()
    file = tmp_path / "a.txt"
    file.write_text("\ufeffhello my\nworld\n", encoding="utf-8")
    # A text is whole, whatever the times of the clip.
    assert read_stream(clip(0.1, 0.2, text="hello my world"), "text", words).tolist() == wanted
    assert read_stream(clip(text=file, text_is_path=True), "text", words).tolist() == wanted
    file.write_text("0 31414\t232 2\n")
    assert read_stream(clip(text=file, text_is_path=True), "text", RawOptions()).tolist() == [
        0,
        31414,
        232,
        2,
    ]
    assert read_stream(clip(text="31414 232"), "text", RawOptions()).tolist() == [0, 31414, 232, 2]


def test_a_long_text_is_shortened_and_says_so(
    tokenizer: SentencePieceTokenizer, caplog: pytest.LogCaptureFixture
):
    options = RawOptions(max_tokens=6)
    with caplog.at_level(logging.WARNING):
        assert read_stream(clip(text="0 5 6 7 8 2"), "text", options).tolist() == [0, 5, 6, 7, 8, 2]
        assert not caplog.messages
        assert read_stream(clip(text="0 5 6 7 8 9 2"), "text", options).tolist() == [0, 5, 6, 7, 8, 2]
    assert caplog.messages == ["train.tsv:3: 7 tokens, the first 6 are used"]


def test_text_files_at_fault(tmp_path: Path, tokenizer: SentencePieceTokenizer):
    options = RawOptions(tokenizer=tokenizer)
    file = tmp_path / "a.txt"
    with pytest.raises(InputError, match=r"train\.tsv:3: expected a transcript; found no such file"):
        read_stream(clip(text=file, text_is_path=True), "text", options)
    file.touch()
    with pytest.raises(InputError, match=r"train\.tsv:3: expected a transcript; found an empty file"):
        read_stream(clip(text=file, text_is_path=True), "text", options)
    file.write_text("hello")
    with pytest.raises(InputError, match=r"train\.tsv:3: .*a\.txt: expected token ids .* found 'hello'"):
        read_stream(clip(text=file, text_is_path=True), "text", RawOptions())


def test_media_at_fault_name_the_row(tmp_path: Path):
    for modality in ("audio", "video", "physio"):
        path = tmp_path / "none.npy"
        with pytest.raises(InputError) as error:
            read_stream(clip(**{modality: path}), modality, RawOptions())
        assert str(error.value).startswith(f"train.tsv:3: {path}: expected ")


def test_what_is_not_there_or_only_in_a_store():
    with pytest.raises(InputError) as error:
        read_stream(clip(text="hello"), "audio", RawOptions())
    assert str(error.value) == (
        "train.tsv:3: expected audio as words or a file for 'a'; found none. "
        "Leave the modality out for this clip or fill the cell."
    )
    with pytest.raises(InputError) as error:
        read_stream(clip(audio="store:wav2vec,egemaps"), "audio", RawOptions())
    assert str(error.value) == (
        "train.tsv:3: expected audio as words or a file for 'a'; "
        "found only stored features (wav2vec, egemaps). Train from the store: --features audio=wav2vec."
    )


def test_silence_must_be_allowed(tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", np.zeros(1600), 16000)
    silent = clip(audio=tmp_path / "a.wav")
    with pytest.raises(InputError, match="silence"):
        read_stream(silent, "audio", RawOptions())
    assert len(read_stream(silent, "audio", RawOptions(allow_silent=True))) == 1600


def test_lengths_come_without_decoding(tmp_path: Path, wav: Path, toy: Path):
    assert stream_seconds(clip(audio=wav), "audio") == 1.0
    assert stream_seconds(clip(0.25, audio=wav), "audio") == 0.75
    # With an end, not even the header is read.
    assert stream_seconds(clip(0.25, 0.5, audio=tmp_path / "none.wav"), "audio") == 0.25
    film = next(row.media["video"] for row in Corpus.load(toy).clips("train") if row.has("video"))
    assert stream_seconds(clip(video=film), "video") == pytest.approx(len(load_frames(film)[0]) / 25, abs=0.3)
    assert stream_seconds(clip(text="hello"), "text") == 0.0
    assert stream_seconds(clip(audio="store:a"), "audio") == 0.0


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Frames 1, 2 and 4 of six, and 6."""
    (tmp_path / "faces").mkdir()
    for number in (1, 2, 4, 6):
        Image.new("L", (9, 9), 10 * number).save(tmp_path / "faces" / f"{number:05d}.png")
    return tmp_path / "faces"


def shown(pictures: torch.Tensor) -> list[int]:
    return (pictures[:, 0, 0, 0] // 10).tolist()


def test_numbered_pictures_are_a_video(faces: Path):
    film = replace(clip(video=faces), rate=2.0)
    pictures = read_stream(film, "video", RawOptions(frame_size=8))
    assert pictures.shape == (6, 3, 8, 8)
    assert shown(pictures) == [1, 2, 2, 4, 4, 6]
    cropped = replace(film, start=1.0, end=2.5)
    assert shown(read_stream(cropped, "video", RawOptions())) == [2, 4, 4]
    assert shown(read_stream(film, "video", RawOptions(frame_rate=1.0))) == [1, 2, 4]
    assert shown(read_stream(film, "video", RawOptions(max_frames=2))) == [1, 2]


def test_pictures_run_at_the_rate_of_the_clip_or_else_of_the_options(faces: Path):
    assert stream_seconds(clip(video=faces), "video") == pytest.approx(6 / 30)
    assert stream_seconds(clip(video=faces), "video", RawOptions(picture_rate=3.0)) == 2.0
    own = replace(clip(video=faces), rate=2.0)
    assert stream_seconds(own, "video", RawOptions(picture_rate=3.0)) == 3.0
    assert stream_seconds(replace(own, start=0.5), "video") == 2.5
    assert shown(read_stream(clip(1.0, video=faces), "video", RawOptions(picture_rate=3.0))) == [4, 4, 6]


def test_one_picture_is_a_video_of_one_frame(faces: Path):
    face = replace(clip(video=faces / "00004.png"), start=7.0, end=9.0)
    assert shown(read_stream(face, "video", RawOptions(frame_rate=25.0, frame_size=8))) == [4]
    assert stream_seconds(face, "video") == pytest.approx(1 / 30)


def test_biosignals_at_another_rate(tmp_path: Path):
    path = tmp_path / "a.npy"
    np.save(path, np.ones((1024, 2)))
    options = RawOptions(physio_rate=512.0, physio_to_rate=100.0, physio_channels=("eda", "ecg"))
    assert read_stream(clip(physio=path), "physio", options).shape == (200, 2)
    assert read_stream(clip(0.5, 1.5, physio=path), "physio", options).shape == (100, 2)
    assert stream_seconds(clip(physio=path), "physio", options) == 2.0
    assert stream_seconds(clip(0.5, physio=path), "physio", options) == 1.5
    assert stream_seconds(clip(physio=path), "physio") == 0.0
    with pytest.raises(InputError, match=r"train\.tsv:3: .*a\.npy: expected 1 channel \(eda\); found 2"):
        read_stream(clip(physio=path), "physio", replace(options, physio_channels=("eda",)))
    (tmp_path / "a.csv").write_text("eda,ecg\n1,2\n")
    assert stream_seconds(clip(physio=tmp_path / "a.csv"), "physio", options) == 0.0
