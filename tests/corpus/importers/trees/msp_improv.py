"""A synthetic tree of MSP-IMPROV."""

from __future__ import annotations

import shutil
from pathlib import Path

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Corpus

SPEAKERS = [f"{gender}{session:02d}" for session in range(1, 7) for gender in "FM"]
TARGETS = {"A": "Angry", "S": "Sad", "H": "Happy", "N": "Neutral"}
CLIPS = [
    f"MSP-IMPROV-S{k:02d}{letter}-{speaker}-{kind}-FM01"
    for speaker in SPEAKERS
    for k, (letter, kind) in enumerate(zip("ASHN", "PRST"), start=1)
]
TIED, OTHER, SMALL = CLIPS[1], CLIPS[6], CLIPS[11]


def primary(clip: str) -> list[str]:
    """What five annotators chose."""
    if clip == TIED:
        return ["Angry", "Angry", "Sad", "Sad", "Happy"]
    if clip == OTHER:
        return ["Other", "Other", "other-bored", "Sad", "Angry"]
    if clip == SMALL:
        return ["Neutral", "Neutral", "Sad", "Happy", "Other"]
    target = TARGETS[clip[14]]
    return [target, target, target, "Neutral", "Sad"]


def block(clip: str, *, means: str = "A:2.500000; V:2.000000; D:3.6; N:4.6;") -> str:
    letter = {TIED: "X", OTHER: "O", SMALL: "N"}.get(clip, clip[14])
    lines = [f"{clip.replace('MSP', 'UTD')}.avi; {letter}; {means}"]
    for k, emotion in enumerate(primary(clip)):
        more = ",Frustrated" if emotion == "Angry" else ", Excited, Other" if k == 0 else ""
        lines.append(f"A{k}; {emotion}; {emotion}{more}; A:2.000000; V:1.000000; D:3; N:5;")
    return "\n".join(lines)


def evaluations() -> str:
    return "\n\n".join(map(block, CLIPS)) + "\n"


def make(folder: Path, kit) -> Path:
    """Every turn is the same short sound and the same film of three pictures."""
    folder.mkdir()
    sound = kit.wav(folder.parent / "a.wav", seconds=0.3)
    film = kit.mp4(folder.parent / "a.mp4", frames=3)
    for clip in CLIPS:
        for source, ending in ((sound, "wav"), (film, "mp4")):
            path = folder / place(clip, ending)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, path)
    (folder / "Evalution.txt").write_text(evaluations())
    return folder


def place(clip: str, ending: str) -> str:
    folder = {"wav": "Audio", "mp4": "Video", "avi": "Video"}[ending]
    return f"{folder}/session{clip[17:19]}/{clip}.{ending}"


def run(tmp_path: Path, words: str = "", out: str = "out") -> int:
    return main(
        ["import", "msp-improv", str(tmp_path / out), "--root", str(tmp_path / "improv"), *words.split()]
    )


def clips(corpus: Corpus) -> dict:
    return {clip.id: clip for split in corpus.splits for clip in corpus.clips(split)}


def labels(corpus: Corpus) -> dict[str, str]:
    return {clip.id: corpus.label_space.names[clip.label] for clip in clips(corpus).values()}


def label_file(tmp_path: Path, change=lambda text: text) -> Path:
    lines = ["FileName,angry,sad,neutral,happy,EmoAct,Split_Set"]
    for clip in CLIPS:
        hot = [str(int(letter == clip[14])) for letter in "ASNH"]
        part = {"05": "Development", "06": "Test"}.get(clip[17:19], "Train")
        lines.append(",".join([f"{clip}.wav", *hot, "3.5", part]))
    path = tmp_path / "labels.csv"
    path.write_text(change("\n".join(lines) + "\n"))
    return path
