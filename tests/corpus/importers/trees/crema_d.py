"""A synthetic clone of the repository of CREMA-D."""

from __future__ import annotations

import shutil
from pathlib import Path

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Corpus

ACTORS = range(1001, 1011)
CODES = ("ANG", "SAD", "DIS", "FEA", "NEU", "HAP")
LETTERS = dict(zip(CODES, "ASDFNH"))
NAMES = dict(zip(CODES, ("angry", "sad", "disgust", "fear", "neutral", "happy")))
CLIPS = [f"{actor}_{s}_{code}_XX" for actor in ACTORS for s, code in zip(("IEO", "DFA") * 3, CODES)]
TIED, SMALL = "1003_IEO_DIS_XX", "1004_DFA_FEA_XX"


def counts(clip: str, block: int) -> dict[str, int]:
    """Votes: 6 of 10 for the intended emotion; but one tie, one clip without a majority, and voices are sad."""
    letter = LETTERS[clip.split("_")[2]]
    votes = {**dict.fromkeys("ADFHNS", 0), "N": 4}
    votes[letter] += 6
    if block == 1:
        votes = {**dict.fromkeys("ADFHNS", 0), "S": 9, "A": 1}
    elif clip == TIED:
        votes = {**dict.fromkeys("ADFHNS", 0), "D": 3, "A": 3, "H": 2}
    elif clip == SMALL:
        votes = {**dict.fromkeys("ADFHNS", 0), "F": 4, "A": 2, "S": 3, "H": 1}
    return votes


def table(header: str = ",A,D,F,H,N,S,fileName,numResponses") -> str:
    lines = [header]
    for block in (1, 2, 3):
        for k, clip in enumerate(CLIPS, start=1):
            votes = counts(clip, block)
            cells = [block * 100000 + k, *(votes[letter] for letter in "ADFHNS"), clip, sum(votes.values())]
            lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


def make(folder: Path, kit) -> Path:
    """Every clip is the same short sound and the same film of three pictures."""
    for name in ("AudioWAV", "VideoFlash", "processedResults"):
        (folder / name).mkdir(parents=True)
    sound = kit.wav(folder.parent / "a.wav", seconds=0.3)
    film = kit.mp4(folder.parent / "a.mp4", frames=3)
    for clip in CLIPS:
        shutil.copy(sound, folder / "AudioWAV" / f"{clip}.wav")
        shutil.copy(film, folder / "VideoFlash" / f"{clip}.mp4")
    (folder / "processedResults" / "tabulatedVotes.csv").write_text(table())
    people = [f"{actor},{20 + actor % 50},Female,Asian,Not Hispanic" for actor in ACTORS]
    (folder / "VideoDemographics.csv").write_text(
        "\n".join(["ActorID,Age,Sex,Race,Ethnicity", *people]) + "\n"
    )
    return folder


def run(tmp_path: Path, words: str = "", out: str = "out") -> int:
    return main(
        ["import", "crema-d", str(tmp_path / out), "--root", str(tmp_path / "CREMA-D"), *words.split()]
    )


def clips(corpus: Corpus) -> dict:
    return {clip.id: clip for split in corpus.splits for clip in corpus.clips(split)}


def labels(corpus: Corpus) -> dict[str, str]:
    return {clip.id: corpus.label_space.names[clip.label] for clip in clips(corpus).values()}


def label_file(tmp_path: Path, *, soft: bool = False, change=lambda text: text) -> Path:
    parts = ["Train"] * 6 + ["Development"] * 2 + ["Test"] * 2
    lines = ["FileName,angry,sad,disgust,fear,neutral,happy,Split_Set"]
    for clip in CLIPS:
        shares = [0.75 if code == clip.split("_")[2] else 0.05 for code in CODES]
        hot = shares if soft else [float(share > 0.5) for share in shares]
        part = parts[int(clip[:4]) - 1001]
        lines.append(",".join([f"{clip}.wav", *map(str, hot), part]))
    path = tmp_path / "labels.csv"
    path.write_text(change("\n".join(lines) + "\n"))
    return path
