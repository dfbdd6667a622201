"""A synthetic tree of the raw release of CMU-MOSEI."""

from __future__ import annotations

import shutil
from pathlib import Path

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Clip, Corpus

VIDEOS = ["-3g5yACwYnA", "100178", "_0efYOjQYRc", "aa_1", "bb", "cc", "dd", "ee", "ff", "gg"]
CLIPS = [f"{video}_{k}" for video in VIDEOS for k in range(2)]
FIRST, SECOND, THIRD = CLIPS[:3]
ANSWERS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
HEADER = ",".join(
    ["HITId", "Input.VIDEO_ID", "Input.CLIP", *(f"Answer.{name}" for name in (*ANSWERS, "sentiment"))]
)
RATE = 8000


def answers(clip: str, *, sentiment: str = "1", emotions: str = "0,0,0,0,0,0", worker: int = 1) -> str:
    video, _, number = clip.rpartition("_")
    return f"hit{worker},batch/{video},{number},{emotions},{sentiment}\n"


def first_batch(clips=CLIPS) -> str:
    rows = [answers(clip, emotions="0,0,0,1,0,0") + answers(clip, sentiment="0", worker=2) for clip in clips]
    return HEADER + "\n" + "".join(rows)


def second_batch() -> str:
    return HEADER + "\n" + answers(FIRST, sentiment="-2", emotions="0,0.6667,0,0,2,0") + answers(SECOND)


def segments(video: str) -> str:
    """Clip 0 begins too early; they stand in any order."""
    return f"{video}___1___0.5___0.9___and ___ then\n\n{video}___0___-0.01___0.4___so it  is\n"


def make(root: Path, kit) -> Path:
    sound = kit.wav(root.parent / "a.wav", rate=RATE)
    film = kit.mp4(root.parent / "a.mp4", frames=10, fps=10, sound=True)
    for name in (
        "Labels/more",
        "Transcript/Segmented/Combined",
        "Videos/Full/Combined",
        "Audio/Full/WAV_16000",
        "Audio/Full/WAV_44100",
    ):
        (root / name).mkdir(parents=True)
    (root / "Labels" / "batch1.csv").write_text(first_batch())
    (root / "Labels" / "more" / "batch2.csv").write_text(second_batch())
    for video in VIDEOS:
        (root / "Transcript" / "Segmented" / "Combined" / f"{video}.txt").write_text(segments(video))
        shutil.copy(film, root / "Videos" / "Full" / "Combined" / f"{video}.mp4")
        for rate in ("16000", "44100"):
            shutil.copy(sound, root / "Audio" / "Full" / f"WAV_{rate}" / f"{video}.wav")
    return root


def run(root: Path, words: str = "", out: str = "out") -> int:
    return main(["import", "mosei", str(root.parent / out), "--root", str(root), *words.split()])


def clips(folder: Path, labels: str | None = None) -> dict[str, Clip]:
    corpus = Corpus.load(folder, labels)
    return {clip.id: clip for split in corpus.splits for clip in corpus.clips(split)}


def videos(folder: Path) -> dict[str, set[str]]:
    corpus = Corpus.load(folder)
    return {split: {clip.speaker for clip in corpus.clips(split)} for split in corpus.splits}


def split_files(folder: Path, change=lambda lists: None) -> Path:
    """Videos in two of them, clips in the other."""
    folder.mkdir()
    lists = {"train": VIDEOS[:6], "val": VIDEOS[6:8], "test": CLIPS[16:]}
    change(lists)
    for split, names in lists.items():
        (folder / f"{split}.txt").write_text("# made by hand\n" + "".join(f"{name}\n" for name in names))
    return folder
