"""Arrays in memory → a corpus with feature stores."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmer_fairseq.corpus.clip import MODALITIES, STORE_PREFIX
from mmer_fairseq.corpus.faults import hint, some
from mmer_fairseq.corpus.importers._arrays.labels import Labels
from mmer_fairseq.corpus.importers._arrays.vectors import Arrays, clip_vectors, standardised
from mmer_fairseq.corpus.importers._stores import save_vectors
from mmer_fairseq.corpus.write import write_corpus, writing
from mmer_fairseq.errors import InputError


def import_arrays(
    directory: str | Path,
    *,
    ids: Sequence[str],
    labels: Labels | Sequence[Labels],
    splits: Sequence[str],
    features: Mapping[str, tuple[str, Arrays]],
    lengths: Mapping[str, Sequence[int]] | None = None,
    rates: Mapping[str, float] | None = None,
    texts: Sequence[str] | None = None,
    media: Mapping[str, Sequence[str]] | None = None,
    media_root: str | Path | None = None,
    speakers: Sequence[Any] | None = None,
    dialogues: Sequence[Any] | None = None,
    turns: Sequence[Any] | None = None,
    standardise_by: Sequence[Any] | None = None,
    drop_unlabelled: bool = False,
    dtype: str = "float32",
    name: str = "",
    licence: str = "",
    link: str = "",
) -> Path:
    """Write a corpus from arrays that someone already has.

    Args:
        directory: a folder that does not exist or is empty. It appears complete or not at all.
        ids: one of each of the N clips.
        labels: the label spaces; the first is the default.
        splits: ``train``, ``valid``, ``test`` or another name for each clip (see ``corpus.splitting``).
        features: name of the store → (modality, array [N, D], array [N, T, D], or one array [T_i, D] a
            clip). None or an array of no steps: the clip has no such modality.
        lengths: store → valid steps of each clip of an array [N, T, D] (0: no such modality).
        rates: store → vectors a second in Hz (default 0: no clock).
        texts: transcripts ('': none).
        media: modality → path of each clip's medium ('': none). What has a medium and features is read from the
            medium unless ``--features`` names the store.
        media_root: folder that these paths start from (default: that of the corpus).
        speakers: of each clip ('': unknown).
        dialogues: of each clip.
        turns: position of each clip in its dialogue.
        standardise_by: group of each clip (its speaker, say) within which every feature is brought to zero mean
            and unit variance; None: features stay as they are.
        drop_unlabelled: leave out the clips that lack a label (default: they are a fault).
        dtype: ``float32`` or ``float16``, of the stored features.
        name: of the corpus (default: of the folder).
        licence: of the data.
        link: where the data come from.

    Returns:
        The folder.

    Raises:
        InputError: lengths or ids do not fit together, a value is not finite, a label is wrong, or the
        folder is
            not empty.
    """
    spaces = [labels] if isinstance(labels, Labels) else list(labels)
    columns = {"text": texts, "speaker": speakers, "dialogue": dialogues, "turn": turns, **_media(media)}
    target = Path(directory).absolute()
    _vacant(target)
    _same_length(
        len(ids),
        {
            "splits": splits,
            **{f"labels '{space.name}'": space.values for space in spaces},
            **{f"features '{store}'": array for store, (_, array) in features.items()},
            **{f"lengths '{store}'": array for store, array in (lengths or {}).items()},
            **{f"media '{modality}'": paths for modality, paths in (media or {}).items()},
            **columns,
            "standardise_by": standardise_by,
        },
    )
    keep = _labelled(spaces, ids, drop_unlabelled)

    def kept(values: Any) -> list[Any]:
        return [values[index] for index in keep]

    ids = [str(clip).strip() for clip in kept(ids)]
    spaces = [replace(space, values=kept(space.values)) for space in spaces]
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    with writing(target):
        scratch.mkdir(parents=True)
    try:
        cells: list[dict[str, str]] = [{"id": clip} for clip in ids]
        for store, (modality, arrays) in features.items():
            steps = lengths[store] if lengths and store in lengths else None
            vectors = clip_vectors(store, ids, kept(arrays), None if steps is None else kept(steps))
            if standardise_by is not None:
                vectors = standardised(vectors, kept(standardise_by))
            save_vectors(scratch, store, modality, vectors, (rates or {}).get(store, 0.0), dtype)
            for row, (_, array) in zip(cells, vectors):
                if len(array):
                    row[modality] = f"{row[modality]},{store}" if modality in row else STORE_PREFIX + store
        for column, values in columns.items():
            for row, value in zip(cells, kept(values) if values is not None else ()):
                row[column] = " ".join(str(value).split()) or row.get(column, "")
        for space in spaces:
            for row, labelled in zip(cells, space.cells(scratch, ids)):
                row.update(labelled)
        rows: dict[str, list[dict[str, str]]] = {}
        for split, row in zip(kept(splits), cells):
            rows.setdefault(str(split), []).append(row)
        description = _description(target, spaces, features, name, licence, link)
        if media_root is not None:
            description["media_root"] = str(Path(media_root).absolute())
        write_corpus(scratch, description=description, rows=rows)
        _vacant(target)
        if target.exists():
            target.rmdir()
        scratch.rename(target)
    except InputError as error:  # the user knows nothing of the scratch folder
        raise InputError(str(error).replace(str(scratch), str(target))) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def _media(media: Mapping[str, Sequence[str]] | None) -> dict[str, Sequence[str] | None]:
    """The columns of media."""
    known = [modality for modality in MODALITIES if modality != "text"]
    for modality in media or {}:
        if modality not in known:
            raise InputError.of(
                where="media",
                expected=f"the modality to be one of {', '.join(known)}",
                found=f"'{modality}'",
                remedy="give transcripts as texts"
                if modality == "text"
                else hint(modality, known, "correct it"),
            )
    return dict(media or {})


def _labelled(spaces: Sequence[Labels], ids: Sequence[str], drop: bool) -> list[int]:
    """Positions of the clips that have all their labels."""
    keep = list(range(len(ids)))
    for space in spaces:
        lacking = set(space.lacking())
        keep = [index for index in keep if index not in lacking]
        if lacking and not drop:
            raise InputError.of(
                where=f"labels '{space.name}'",
                expected="a label for every clip",
                found=f"none (empty or NaN) for {some(ids[index] for index in sorted(lacking))}",
                remedy="add them, or leave these clips out with --drop-unlabelled (drop_unlabelled=True)",
            )
    if not keep:
        raise InputError.of(
            where="labels", expected="clips with labels", found="none", remedy="name the array of the labels"
        )
    return keep


def _description(
    target: Path,
    spaces: Iterable[Labels],
    features: Mapping[str, tuple[str, Arrays]],
    name: str,
    licence: str,
    link: str,
) -> dict[str, Any]:
    description: dict[str, Any] = {"name": name or target.name}
    description.update({key: text for key, text in (("licence", licence), ("link", link)) if text})
    description["labels"] = {space.name: space.describe() for space in spaces}
    stores = {
        store: {"path": f"features/{store}", "modality": modality}
        for store, (modality, _) in features.items()
    }
    return {**description, "features": stores} if stores else description


def _vacant(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError.of(
            where=target,
            expected="a folder that does not exist or is empty",
            found="one with files in it" if target.is_dir() else "a file",
            remedy="choose another folder or remove it",
        )


def _same_length(clips: int, given: Mapping[str, Any]) -> None:
    for what, values in given.items():
        if values is not None and len(values) != clips:
            raise InputError.of(
                where=what,
                expected=f"one entry for each of the {clips} ids",
                found=len(values),
                remedy="give all arrays the same clips in the same order",
            )
