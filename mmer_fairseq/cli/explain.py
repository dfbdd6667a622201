"""``mmer explain``: which parts of a clip's pictures and sound a model computed."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mmer_fairseq.cli._checkpoint import add_model_arguments, load
from mmer_fairseq.errors import InputError

HELP = "draw which parts of a clip's faces and sound a sparse model selected"

EPILOG = """For models that select what they compute, such as --arch mme2e_sparse: faces and spectrogram of a clip, the sites
that each stage kept, and how many these are, as a picture and as a JSON file of the same name beside it.

  mmer explain --path runs/mesm/checkpoint_best.pt --clip test01-1
  mmer explain data/toy --path runs/mesm/checkpoint_best.pt --clip test01-1,test01-2 --split test --out mesm.png"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "data", nargs="?", metavar="DATA", help="corpus folder, before all flags (default: that of the training)"
    )
    add_model_arguments(parser, split=None)
    parser.add_argument("--clip", required=True, metavar="ID[,ID…]", help="clips to draw, one picture each")
    parser.add_argument(
        "--out",
        metavar="FILE",
        help=".png, .pdf or .svg; of several clips, the id is added (default: explain-ID.png beside the checkpoint)",
    )


def run(args: argparse.Namespace) -> int:
    """Explain each clip, print how much was kept, and write the files.

    Raises:
        InputError: a flag, the checkpoint, the corpus or a clip is not what it should be.
    """
    ids = list(dict.fromkeys(word.strip() for word in args.clip.split(",") if word.strip()))
    if not ids:
        raise InputError.of(
            where="--clip", expected="ids of clips", found=repr(args.clip), remedy="name one or several"
        )
    import mmer_fairseq  # fairseq takes seconds to import: not before the flags are known to be good

    mmer_fairseq.register()
    from mmer_fairseq.corpus import Corpus
    from mmer_fairseq.evaluation import explain

    known = explain.recorded(args.path)
    args.data = args.data or explain.corpus_of(args.path, known["data"])
    corpus = Corpus.load(args.data, labels=args.labels or known["labels"])
    places = explain.find_clips(corpus, ids, args.split)
    trained = load(args, places[ids[0]])
    explain.check_selects(trained, args.path)
    for clip_id, split in places.items():
        found = explain.explain(trained, clip_id, split)
        path = _path(args, clip_id, several=len(ids) > 1)
        _write(found, path)
        print(_told(found))
        print(path)
    return 0


def _path(args: argparse.Namespace, clip_id: str, *, several: bool) -> Path:
    name = quote(clip_id, safe=" ")
    if not args.out:
        return Path(args.path).parent / f"explain-{name}.png"
    out = Path(args.out)
    return out.with_name(f"{out.stem}-{name}{out.suffix}") if several else out


def _write(found: Any, path: Path) -> None:
    """The picture, and the numbers beside it."""
    from mmer_fairseq.corpus.write import replace_file
    from mmer_fairseq.plots import canvas
    from mmer_fairseq.plots.selection import selection_figure

    title = f"{found.clip.id} ({found.clip.split})    label: {found.label}    prediction: {found.prediction}"
    notes = [f"{modality}: {note}" for modality, note in found.notes.items()]
    figure = selection_figure(title, list(found.seen.values()), text=found.text, notes=notes)
    canvas.save(figure, path)
    about = {
        "clip": found.clip.id,
        "split": found.clip.split,
        "text": found.text,
        "label": found.label,
        "prediction": found.prediction,
        "scores": {name: round(score, 6) for name, score in found.scores.items()},
        "kept": {modality: seen.about() for modality, seen in found.seen.items()},
        "not shown": dict(found.notes),
    }
    replace_file(path.with_suffix(".json"), json.dumps(about, indent=1, ensure_ascii=False) + "\n")


def _told(found: Any) -> str:
    """What the terminal says of a clip."""
    lines = [f"{found.clip.id} ({found.clip.split}): label {found.label}, prediction {found.prediction}"]
    for modality, seen in found.seen.items():
        what = "pictures" if seen.pictures.ndim == 4 else "pieces"
        stages = "; ".join(
            f"stage {k} ({stage.shape[1]}×{stage.shape[2]} sites) {100 * share:.1f} %"
            for k, (stage, share) in enumerate(zip(seen.kept, seen.shares), 1)
        )
        lines.append(f"  {modality}, {len(seen.pictures)} {what}, kept: {stages}")
    lines += [f"  {modality}: {note}" for modality, note in found.notes.items()]
    return "\n".join(lines)
