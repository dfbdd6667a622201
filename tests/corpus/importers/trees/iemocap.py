"""A synthetic tree of IEMOCAP."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import soundfile

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Clip, Corpus

CODES = ("ang", "hap", "exc", "sad", "neu", "fru", "xxx", "fea")
WORDS = {
    "ang": "angry",
    "hap": "happy",
    "exc": "excited",
    "sad": "sad",
    "neu": "neutral",
    "fru": "frustrated",
}
RATE = 8000
DIALOGUES = [f"Ses0{k}F_impro01" for k in range(1, 6)]


def utterances(dialogue: str) -> list[str]:
    """Speakers take turns."""
    return [f"{dialogue}_{'FM'[k % 2]}00{k // 2}" for k in range(len(CODES))]


EVERY = [clip for dialogue in DIALOGUES for clip in utterances(dialogue)]
FIRST = EVERY[0]
CODE = dict(zip(EVERY, CODES * len(DIALOGUES)))
SIX = [clip for clip in EVERY if CODE[clip] in WORDS]
TEST = SIX[3::4]


def line(k: int, clip: str) -> str:
    """Turn k lasts from 0.2 k + 0.1 to 0.2 k + 0.3 seconds."""
    return f"[{0.2 * k + 0.1:.4f} - {0.2 * k + 0.3:.4f}]\t{clip}\t{CODE[clip]}\t[2.5000, {1 + k / 2:.4f}, 3.0000]"


def evaluations(dialogue: str) -> str:
    blocks = ["% [START_TIME - END_TIME] TURN_NAME TURN_EMOTION [V, A, D]"]
    # the files are not sorted by time
    for k, clip in reversed(list(enumerate(utterances(dialogue)))):
        blocks.append(
            f"{line(k, clip)}\nC-E2:\tNeutral;\t()\nC-F1:\tAnger; Other;\t(x)\nA-E3:\tval 3; act 2; dom  2;\t()\n"
        )
    return "\n".join(blocks)


def transcript(dialogue: str) -> str:
    lines = [
        f"{clip} [{0.2 * k + 0.1:08.4f}-{0.2 * k + 0.3:08.4f}]: Well: that is turn {k}.  [LAUGHTER]"
        for k, clip in enumerate(utterances(dialogue))
    ]
    return "\n".join([*lines, "M: Yeah.", ""])


def make(root: Path, kit) -> Path:
    """Every dialogue lasts 2 s; its left channel is a quiet tone, its right one a loud one."""
    times = np.arange(2 * RATE) / RATE
    tones = np.stack([level * np.sin(2 * np.pi * 220 * times) for level in (0.1, 0.5)], axis=1)
    film = kit.mp4(root.parent / "a.avi", frames=20, fps=10)
    for dialogue in DIALOGUES:
        session = root / f"Session{dialogue[4]}"
        for name in ("EmoEvaluation/Categorical", "transcriptions", "wav", "avi/DivX"):
            (session / "dialog" / name).mkdir(parents=True)
        (session / "dialog" / "EmoEvaluation" / f"{dialogue}.txt").write_text(evaluations(dialogue))
        (session / "dialog" / "EmoEvaluation" / f"._{dialogue}.txt").write_bytes(b"\x00\x05")
        (session / "dialog" / "transcriptions" / f"{dialogue}.txt").write_text(transcript(dialogue))
        soundfile.write(session / "dialog" / "wav" / f"{dialogue}.wav", tones, RATE, subtype="PCM_16")
        shutil.copy(film, session / "dialog" / "avi" / "DivX" / f"{dialogue}.avi")
        sentences = session / "sentences" / "wav" / dialogue
        sentences.mkdir(parents=True)
        for clip in utterances(dialogue):
            soundfile.write(sentences / f"{clip}.wav", tones[: RATE // 5, 0], RATE)
    return root


def run(root: Path, words: str = "", out: str = "out") -> int:
    return main(["import", "iemocap", str(root.parent / out), "--root", str(root), *words.split()])


def clips(folder: Path, labels: str | None = None) -> dict[str, Clip]:
    corpus = Corpus.load(folder, labels)
    return {clip.id: clip for split in corpus.splits for clip in corpus.clips(split)}


def row(folder: Path, clip: str) -> dict[str, str]:
    """What the split files say of a clip."""
    for split in ("train", "valid", "test"):
        header, *rows = (line.split("\t") for line in (folder / f"{split}.tsv").read_text().splitlines())
        for cells in rows:
            if cells[0] == clip:
                return dict(zip(header, cells))
    raise KeyError(clip)


def speakers(folder: Path) -> dict[str, set[str]]:
    corpus = Corpus.load(folder, "vad")
    return {split: {clip.speaker for clip in corpus.clips(split)} for split in corpus.splits}


def split_files(folder: Path, change=lambda lists: None) -> Path:
    """Utterances of all dialogues are in all lists, as in those of MME2E."""
    folder.mkdir()
    lists = {"train": SIX[::4] + SIX[1::4], "valid": SIX[2::4], "test": TEST}
    change(lists)
    for split, names in lists.items():
        (folder / f"{split}_split.txt").write_text("".join(f"{name}\n" for name in names))
    return folder
