"""Recordings of IEMOCAP's utterances: cut from those of whole dialogues, or the sentences of the release."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mmer_fairseq.corpus.importers._iemocap.evaluations import Turn
from mmer_fairseq.corpus.importers._iemocap.names import Name
from mmer_fairseq.corpus.importers._public.left_out import LeftOut
from mmer_fairseq.corpus.importers._public.recordings import there
from mmer_fairseq.errors import InputError
from mmer_fairseq.media.sound_sources import open_sound

FILMS = Path("dialog") / "avi" / "DivX"
SOUNDS = Path("dialog") / "wav"
SENTENCES = Path("sentences") / "wav"

_CHANNELS = {"left": 0, "right": 1}


@dataclass(frozen=True)
class Media:
    """Files of an utterance (None: there is none).

    Attributes:
        film: of the dialogue.
        sound: of the dialogue, else of the utterance alone.
        whole: ``sound`` is that of the dialogue.
    """

    film: Path | None
    sound: Path | None
    whole: bool

    @property
    def cut(self) -> bool:
        """Its files last longer than the utterance."""
        return self.film is not None or (self.sound is not None and self.whole)


def find_media(
    turns: Mapping[str, Turn], root: Path, modalities: Collection[str], own: bool, left_out: LeftOut
) -> dict[str, Media]:
    """The files of each utterance.

    The times of a clip hold for all its media, so that beside a film of the dialogue only the sound of the dialogue
    will do.

    Args:
        turns: whose.
        root: of the sessions.
        modalities: that are wanted.
        own: the sound of one microphone is wanted, which only that of a dialogue has.
        left_out: told what is missing.

    Raises:
        InputError: there is no file of a modality at all.
    """
    names = {clip: turn.name for clip, turn in turns.items()}
    films, sounds, sentences = (
        _look(root, where, names, left_out) if wanted else {}
        for where, wanted in (
            (FILMS, "video" in modalities),
            (SOUNDS, "audio" in modalities),
            (SENTENCES, "audio" in modalities and not own),
        )
    )
    media = {}
    for clip in names:
        film, sound, sentence = films.get(clip), sounds.get(clip), sentences.get(clip)
        whole = sound is not None and ("video" in modalities or own or sentence is None)
        media[clip] = Media(film, sound if whole else (None if film else sentence), whole)
    for what, has, where in (
        ("audio", [clip for clip, one in media.items() if one.sound], f"{SOUNDS} or {SENTENCES}"),
        ("video", list(films), str(FILMS)),
    ):
        if what in modalities and not has:
            raise InputError.of(
                where=root,
                expected=f"{what} in Session*/{where}",
                found="none",
                remedy=f"fetch it, correct --root, or leave {what} out of --modalities",
            )
        if what in modalities:
            left_out.note(f"without {what}", sorted(set(names) - set(has)))
    if "video" not in modalities and not own:
        cut = [clip for clip, one in media.items() if one.whole]
        left_out.note(f"without a file in {SENTENCES}, whose sound is cut from {SOUNDS}", cut)
    else:
        alone = [clip for clip, one in media.items() if one.sound and not one.whole]
        left_out.note(f"without a file in {SOUNDS}, whose sound is that of {SENTENCES}", alone)
    if not own and any(one.whole for one in media.values()):
        left_out.notes.append(
            f"sound cut from {SOUNDS} is the mean of both speakers' microphones: keep them apart with "
            "--own-microphone"
        )
    return media


def _look(root: Path, where: Path, names: Mapping[str, Name], left_out: LeftOut) -> dict[str, Path]:
    """Utterance → its file in one kind of folder of the sessions."""
    folders = {name.session: root / f"Session{name.session}" / where for name in names.values()}
    if where == SENTENCES:
        paths = {clip: folders[name.session] / name.dialogue / f"{clip}.wav" for clip, name in names.items()}
    else:
        ending = ".avi" if where == FILMS else ".wav"
        paths = {clip: folders[name.session] / f"{name.dialogue}{ending}" for clip, name in names.items()}
    found, empty = there(paths)
    left_out.note(f"with an empty file in {where}, taken as none", empty)
    return found


def own_file(folder: Path, name: Name) -> Path:
    """Where :func:`write_own` puts the sound of one speaker's microphone."""
    return folder / "audio" / f"{name.dialogue}_{name.side}.wav"


def write_own(folder: Path, sounds: Iterable[tuple[Name, Path]]) -> None:
    """Write one channel of the sound of dialogues, whole, as 16-bit files of one channel.

    Args:
        folder: of the corpus.
        sounds: an utterance, and the sound of its dialogue.

    Raises:
        InputError: a file is damaged, or has other than two channels.
    """
    import soundfile  # type: ignore[import-untyped]

    (folder / "audio").mkdir(exist_ok=True)
    for target, (name, path) in {own_file(folder, name): (name, path) for name, path in sounds}.items():
        with open_sound(path, str(path)) as file:
            if file.channels != len(_CHANNELS):
                raise InputError.of(
                    where=path,
                    expected="two channels, one for each speaker's microphone",
                    found=file.channels,
                    remedy="take the file as the corpus has it, or leave out --own-microphone",
                )
            samples = file.read(dtype="int16")
            rate = file.samplerate
        soundfile.write(target, samples[:, _CHANNELS[name.side]], rate, subtype="PCM_16")
