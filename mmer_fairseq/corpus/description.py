"""``corpus.yaml``: what a corpus is, its label spaces and its feature stores.

name: toy
licence: MIT
link: https://…            # optional
media_root: .              # relative to corpus.yaml, or absolute
text: words                # words | ids (RoBERTa's BPE ids)
physio: {rate: 512, channels: [eda, ecg]}  # optional, both: Hz and channels of the biosignals
pictures: {clock: clip}    # optional: folders of numbered pictures count from the beginning of their clip, and start
                           # and end do not crop them (default: recording, which start and end crop)
labels:                    # one or several label spaces; the first is the default
  emotion:   {kind: classes, column: emotion, classes: [neutral, joy], map: {happiness: joy}, ignore: [xxx]}
                           # map: labels of another label set, and the class that each is read as
  emotions:  {kind: multilabel, columns: [happy, sad]}
  sentiment: {kind: score, columns: [sentiment], range: [-3, 3]}
  affect:    {kind: trace, column: trace, names: [valence, arousal], rate: 10, range: [-1, 1], invalid: -5}
features:                  # feature stores, relative to corpus.yaml or absolute
  wav2vec: {path: features/wav2vec, modality: audio}
other_columns: [gender]    # columns of the split files that nothing reads
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmer_fairseq.corpus.clip import CLIP_COLUMNS, MODALITIES
from mmer_fairseq.corpus.faults import Fault, hint
from mmer_fairseq.corpus.fields import Fields, shown
from mmer_fairseq.corpus.labels import LabelSpace
from mmer_fairseq.corpus.spaces import read_space
from mmer_fairseq.corpus.yamlfile import Lines, parse_yaml

FILE = "corpus.yaml"
TEXT_FORMS = ("words", "ids")
CLOCKS = ("recording", "clip")

REQUIRED = ("name", "labels")
OPTIONAL = ("licence", "link", "media_root", "text", "physio", "pictures", "features", "other_columns")
STORE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


@dataclass(frozen=True)
class FeatureEntry:
    """A feature store of a corpus: its name, its absolute path, and the modality it was made from."""

    name: str
    path: Path
    modality: str


@dataclass(frozen=True)
class Description:
    """What ``corpus.yaml`` says.

    Attributes:
        root_where: ``path:line`` of the media root.
        physio_rate: steps per second of the biosignals in Hz; 0: it does not say.
        physio_channels: what their channels are; (): it does not say.
        picture_clock: what numbered pictures count from, the beginning of the ``recording`` or of the ``clip``.
    """

    name: str
    media_root: Path
    text_form: str = "words"
    licence: str = ""
    link: str = ""
    labels: Mapping[str, LabelSpace] = field(default_factory=dict)
    features: Mapping[str, FeatureEntry] = field(default_factory=dict)
    other_columns: tuple[str, ...] = ()
    root_where: str = ""
    physio_rate: float = 0.0
    physio_channels: tuple[str, ...] = ()
    picture_clock: str = CLOCKS[0]

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that a split file may have."""
        label_columns = [column for space in self.labels.values() for column in space.columns]
        return tuple(dict.fromkeys([*CLIP_COLUMNS, *label_columns, *self.other_columns]))


def parse_description(text: str, path: Path, fault: Fault) -> Description | None:
    """Read the text of a ``corpus.yaml``.

    Args:
        text: its content.
        path: the file, for messages; its folder is what relative paths start from.
        fault: told about every fault.

    Returns:
        What it says; None when it is no YAML mapping or has no usable label space.
    """
    value, lines = parse_yaml(text, path, fault)
    if value is None:
        return None
    fields = Fields(lines, fault)
    fields.keys(value, (), REQUIRED, OPTIONAL)
    folder = path.parent.absolute()
    text_form = fields.text(value, "text", default="words")
    if text_form not in TEXT_FORMS:
        fields.wrong(("text",), "words or ids", repr(text_form), "write 'text: words' or 'text: ids'")
    spaces = fields.mapping(value, "labels")
    labels = {name: read_space(name, entry, fields) for name, entry in spaces.items()}
    features = parse_features(fields.mapping(value, "features"), folder, lines, fault)
    physio_rate, physio_channels = _physio(value, fields)
    description = Description(
        name=fields.text(value, "name", default=folder.name),
        media_root=Path(os.path.normpath(folder / fields.text(value, "media_root", default="."))),
        root_where=lines.where("media_root"),
        text_form=text_form,
        licence=fields.text(value, "licence"),
        link=fields.text(value, "link"),
        labels={name: space for name, space in labels.items() if space is not None},
        features=features,
        physio_rate=physio_rate,
        physio_channels=physio_channels,
        picture_clock=_picture_clock(value, fields),
        other_columns=(*fields.words(value, "other_columns"), *_columns_of_faulty(spaces, labels)),
    )
    if not spaces and isinstance(value.get("labels"), dict):
        fields.wrong(
            ("labels",), "one label space at least", "none", "describe the labels of the split files"
        )
    return description if description.labels else None


def _physio(value: dict[str, Any], fields: Fields) -> tuple[float, tuple[str, ...]]:
    """Rate in Hz (0: not said) and channels of the biosignals."""
    at, entry = ("physio",), value.get("physio", {})
    if not isinstance(entry, dict):
        remedy = "write {rate: …, channels: […]}"
        fields.wrong(at, "a mapping with 'rate' and 'channels'", shown(entry), remedy)
        return 0.0, ()
    fields.keys(entry, at, (), ("rate", "channels"))
    rate = fields.number(entry, "rate", at) if "rate" in entry else 0.0
    if "rate" in entry and rate is not None and not rate > 0:
        fields.wrong((*at, "rate"), "above 0 Hz", f"{rate:g}", "write the steps a second of the biosignals")
        rate = 0.0
    channels = fields.words(entry, "channels", at)
    if not channels and entry.get("channels") == []:
        fields.wrong((*at, "channels"), "a list of one entry at least", "an empty list", "name them")
    return rate or 0.0, channels


def _picture_clock(value: dict[str, Any], fields: Fields) -> str:
    at, entry = ("pictures",), value.get("pictures", {})
    if not isinstance(entry, dict):
        fields.wrong(at, "a mapping with 'clock'", shown(entry), "write {clock: clip}")
        return CLOCKS[0]
    fields.keys(entry, at, (), ("clock",))
    clock = fields.text(entry, "clock", at=at, default=CLOCKS[0])
    if clock not in CLOCKS:
        fields.wrong((*at, "clock"), " or ".join(CLOCKS), repr(clock), "write one of them")
    return clock


def _columns_of_faulty(entries: Mapping[str, Any], spaces: Mapping[str, LabelSpace | None]) -> list[str]:
    """Columns of label spaces with a fault: known all the same, so that one fault is not reported twice."""
    columns: list[str] = []
    for name, entry in entries.items():
        if spaces[name] is None and isinstance(entry, dict):
            named = [entry.get("column"), entry.get("columns")]
            columns += [str(x) for item in named for x in (item if isinstance(item, list) else [item]) if x]
    return columns


def parse_features(
    entries: Mapping[str, Any],
    folder: Path,
    lines: Lines,
    fault: Fault,
    keys: tuple[str, ...] = ("features",),
) -> dict[str, FeatureEntry]:
    """Read the mapping name → {path, modality} of the feature stores; paths start from ``folder``."""
    fields = Fields(lines, fault)
    found = {}
    for name, entry in entries.items():
        at = (*keys, name)
        if not STORE_NAME.fullmatch(name):
            fields.wrong(
                at, "a name of letters, digits, '_', '-', '.' and '+'", repr(name), "rename the store"
            )
            continue
        if not isinstance(entry, dict):
            fields.wrong(
                at, "a mapping with 'path' and 'modality'", repr(entry), "write {path: …, modality: …}"
            )
            continue
        fields.keys(entry, at, ("path", "modality"), ())
        path, modality = fields.text(entry, "path", at=at), fields.text(entry, "modality", at=at)
        if modality and modality not in MODALITIES:
            remedy = hint(modality, MODALITIES, f"write one of {', '.join(MODALITIES)}")
            fields.wrong((*at, "modality"), f"one of {', '.join(MODALITIES)}", repr(modality), remedy)
        elif path and modality:
            found[name] = FeatureEntry(name, Path(os.path.normpath(folder / path)), modality)
    return found
