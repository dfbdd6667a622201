"""The files of a feature store, and reading what they say about themselves without trusting it.

A store is a folder with ``store.json`` and shards ``shard-00000.safetensors`` …, each of which holds some
clips' arrays [T, D] under their ids. A shard carries, in its header, what made it and a checksum of every
clip; ``store.json`` is written last and gathers the headers, so a folder without it is an unfinished store.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmer_fairseq.corpus.write import writing
from mmer_fairseq.errors import InputError

FORMAT = "mmer feature store"
VERSION = 1
INDEX = "store.json"
PLAN = "plan.json"
DTYPES = {"float16": "F16", "float32": "F32"}

_SHARD = re.compile(r"shard-\d{5}\.safetensors")
_AGAIN = "make it again with mmer extract or mmer import, or restore the file"
_MAX_HEADER = 100 << 20  # safetensors' own limit, in bytes


@dataclass(frozen=True)
class Made:
    """What a store holds and what made it.

    Attributes:
        modality: ``text``, ``audio``, ``video`` or ``physio``.
        dim: D, the width of a vector.
        rate: vectors a second, in Hz (0: no clock).
        encoder: name of the encoder ('' for arrays from elsewhere).
        fingerprint: sha256 of its checkpoint ('' if there is none).
        dtype: ``float32`` or ``float16``.
        options: how the media were read, where that changes the vectors.
    """

    modality: str
    dim: int
    rate: float
    encoder: str = ""
    fingerprint: str = ""
    dtype: str = "float32"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Shard:
    """One shard: its file, its size in bytes, and clip id → (steps, CRC-32 of its bytes)."""

    file: str
    bytes: int
    clips: Mapping[str, tuple[int, int]]


def shard_name(number: int) -> str:
    """``shard-00007.safetensors``."""
    return f"shard-{number:05d}.safetensors"


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file that is either there whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with writing(path):
        with open(partial, "w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)


def read_header(path: Path, made: Made) -> tuple[Shard, dict[str, str]]:
    """Read the header of a shard and check it against the file's size and against what the store holds.

    Returns:
        The shard, and clip id → reason for the clips that were left out of it.

    Raises:
        InputError: missing, truncated, not a shard, or made by something else.
    """
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= min(size - 8, _MAX_HEADER):
                raise ValueError("its header is not one of safetensors")
            header = json.loads(file.read(length))
        ours = json.loads(header.pop("__metadata__")["mmer"])
        other = {key: value for key, value in asdict(made).items() if ours["made"].get(key) != value}
        if other:
            raise InputError.of(
                where=path,
                expected=f"vectors made as the rest of the store: {_listed(other, other)}",
                found=_listed(other, ours["made"]),
                remedy=_AGAIN,
            )
        if set(header) != set(ours["crc32"]):
            raise ValueError("its list of clips does not match its arrays")
        clips, ends = {}, [0]
        for clip_id, entry in header.items():
            steps, width = entry["shape"]
            if width != made.dim or entry["dtype"] != DTYPES[made.dtype] or steps < 1:
                raise ValueError(f"'{clip_id}' has shape [{steps}, {width}] and type {entry['dtype']}")
            clips[clip_id] = (int(steps), int(ours["crc32"][clip_id]))
            ends.append(int(entry["data_offsets"][1]))
        skipped = {str(clip_id): str(why) for clip_id, why in ours["skipped"].items()}
    except OSError as error:
        raise _unreadable(path, "a shard of the store", error) from error
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError.of(
            where=path,
            expected="a shard of a feature store",
            found=f"a damaged or foreign file ({error or type(error).__name__})",
            remedy=_AGAIN,
        ) from error
    if 8 + length + max(ends) != size:
        raise InputError.of(
            where=path,
            expected=f"{8 + length + max(ends)} bytes, as its header says",
            found=f"{size} bytes",
            remedy=_AGAIN,
        )
    return Shard(path.name, size, clips), skipped


def write_index(folder: Path, made: Made, count: int, weights: str = "") -> None:
    """Gather the headers of shards 0 … count − 1 into ``store.json``, which makes the store complete.

    Args:
        folder: of the store.
        made: what it holds.
        count: of shards.
        weights: ``NAME:PATH`` of the encoder ('': not known), see ``features.weights``. It helps to find the encoder
            again and says nothing of the content, so shards do not carry it and stores are not compared by it.
    """
    shards, left_out = [], {}
    for number in range(count):
        shard, skipped = read_header(folder / shard_name(number), made)
        shards.append(
            {"file": shard.file, "bytes": shard.bytes, "clips": {k: list(v) for k, v in shard.clips.items()}}
        )
        left_out.update(skipped)
    content = {
        "format": FORMAT,
        "version": VERSION,
        "made": asdict(made),
        "shards": shards,
        "skipped": left_out,
        "weights": weights,
    }
    write_json(folder / INDEX, content)


def read_index(folder: Path) -> tuple[Made, list[Shard], dict[str, str], str]:
    """Read ``store.json``.

    Returns:
        What the store holds, its shards, clip id → reason for the clips that were left out, and ``NAME:PATH`` of the
        encoder as it was written ('' in stores of earlier versions).

    Raises:
        InputError: no store, an unfinished one, or a damaged or foreign file.
    """
    path = folder / INDEX
    try:
        content = json.loads(path.read_bytes())
        if content["format"] != FORMAT or content["version"] != VERSION:
            raise ValueError(f"format {content['format']!r}, version {content['version']!r}")
        made = Made(**content["made"])
        well_formed = (
            made.dtype in DTYPES
            and isinstance(made.dim, int)
            and made.dim > 0
            and isinstance(made.rate, (int, float))
            and all(isinstance(s, str) for s in (made.modality, made.encoder, made.fingerprint))
        )
        if not well_formed:
            raise ValueError(f"it describes itself as {content['made']}")
        shards = []
        for entry in content["shards"]:
            if not _SHARD.fullmatch(entry["file"]):  # a stranger's file must not lead out of the folder
                raise ValueError(f"'{entry['file']}' is no name of a shard")
            clips = {str(k): (int(steps), int(crc)) for k, (steps, crc) in entry["clips"].items()}
            shards.append(Shard(entry["file"], int(entry["bytes"]), clips))
        skipped = {str(k): str(v) for k, v in content["skipped"].items()}
        weights = str(content.get("weights", ""))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _no_index(folder) from error
    except OSError as error:
        raise _unreadable(path, "the index of a feature store", error) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError.of(
            where=path,
            expected=f"the index of a feature store ('{FORMAT}', version {VERSION})",
            found=f"a damaged or foreign file ({error or type(error).__name__})",
            remedy=_AGAIN,
        ) from error
    return made, shards, skipped, weights


def _listed(keys: Iterable[str], values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {values.get(key)!r}" for key in keys)


def _unreadable(path: Path, what: str, error: OSError) -> InputError:
    if isinstance(error, (FileNotFoundError, IsADirectoryError)):
        found = "a folder" if path.is_dir() else "no such file"
        return InputError.of(where=path, expected=what, found=found, remedy=_AGAIN)
    found = error.strerror or type(error).__name__
    return InputError.of(
        where=path, expected=what, found=found, remedy="make the file and its folder readable"
    )


def _no_index(folder: Path) -> InputError:
    if (folder / PLAN).is_file():
        found, remedy = "an unfinished store", "run the same mmer extract again: it goes on where it stopped"
    elif folder.is_dir():
        found, remedy = f"a folder without {INDEX}", "name the folder that mmer extract or mmer import wrote"
    else:
        found = "a file" if folder.exists() else "nothing there"
        remedy = "run mmer extract, or correct the path in corpus.yaml"
    return InputError.of(where=folder, expected="a feature store", found=found, remedy=remedy)
