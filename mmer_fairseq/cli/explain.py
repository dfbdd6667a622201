"""``mmer explain``: which parts of a clip's pictures and sound a model computed."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mmer_fairseq.cli._checkpoint import add_model_arguments
from mmer_fairseq.errors import InputError

HELP = "draw which parts of a clip's faces and sound a sparse model selected"

EPILOG = """For models that select what they compute, such as --arch mme2e_sparse: faces and spectrogram of a clip, the
sites that each stage kept, and how many these are, as a picture and as a JSON file of the same name beside it.

  mmer explain --path runs/mesm/checkpoint_best.pt --clip test01-1
  mmer explain data/toy --path runs/mesm/checkpoint_best.pt --clip test01-1,test01-2 --split test --out mesm.png

Where the pictures are faces that mmer faces cut out, --original DIR names the corpus that it was given: the whole
pictures are drawn, too."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "data",
        nargs="?",
        metavar="DATA",
        help="corpus folder, before all flags (default: that of the training)",
    )
    add_model_arguments(parser, split=None)
    parser.add_argument("--clip", required=True, metavar="ID[,ID…]", help="clips to draw, one picture each")
    parser.add_argument(
        "--original", metavar="DIR", help="corpus that mmer faces cut the faces from: draw its pictures, too"
    )
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
    from mmer_fairseq.evaluation.trained import load_trained

    known = explain.recorded(args.path)
    args.data = args.data or explain.corpus_of(args.path, known["data"])
    corpus = Corpus.load(args.data, labels=args.labels or known["labels"])
    places = explain.find_clips(corpus, ids, args.split)
    flags = {name: getattr(args, name) for name in ("labels", "modalities", "features")}
    flags["eval_matric"] = False  # it leaves clips out
    trained = load_trained(args.path, args.data, places[ids[0]], flags=flags, cpu=args.cpu)
    explain.check_selects(trained, args.path)
    for clip_id, split in places.items():
        found = explain.explain(trained, clip_id, split)
        path = _path(args, clip_id, several=len(ids) > 1)
        _write(found, path, _whole(args.original, found, trained) if args.original else {})
        print(_told(found))
        print(path)
    return 0


def _path(args: argparse.Namespace, clip_id: str, *, several: bool) -> Path:
    name = quote(clip_id, safe=" ")
    if not args.out:
        return Path(args.path).parent / f"explain-{name}.png"
    out = Path(args.out)
    return out.with_name(f"{out.stem}-{name}{out.suffix}") if several else out


def _whole(original: str, found: Any, trained: Any) -> dict[str, Any]:
    """Modality → whole pictures of those that are drawn."""
    from mmer_fairseq.cli._whole_pictures import whole_pictures
    from mmer_fairseq.plots.selection import evenly

    if "video" not in found.seen:
        return {}
    options = trained.dataset.sources["video"].options
    shown = evenly(len(found.seen["video"].pictures))
    return {"video": whole_pictures(original, found.clip, options, shown)}


def _write(found: Any, path: Path, whole: dict[str, Any]) -> None:
    """The picture, and the numbers beside it."""
    from mmer_fairseq.corpus.write import replace_file
    from mmer_fairseq.plots import canvas
    from mmer_fairseq.plots.selection import selection_figure

    title = f"{found.clip.id} ({found.clip.split})    label: {found.label}    prediction: {found.prediction}"
    notes = [f"{modality}: {note}" for modality, note in found.notes.items()]
    parts = sorted(found.seen.values(), key=lambda seen: -seen.pictures.ndim)  # faces above sound
    figure = selection_figure(title, parts, text=found.text, notes=notes, whole=whole)
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
