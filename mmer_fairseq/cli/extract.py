"""``mmer extract``: run a frozen encoder once over a corpus, so that training reads its output."""

from __future__ import annotations

import argparse
import os

from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.streams import RawOptions
from mmer_fairseq.corpus.subsequences import Subsequences
from mmer_fairseq.encoders import ENCODERS
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.extract import extract
from mmer_fairseq.features.local_engine import LocalEngine
from mmer_fairseq.features.ray_engine import RayEngine
from mmer_fairseq.features.store import FeatureStore
from mmer_fairseq.features.work import Engine
from mmer_fairseq.media.folder_text import own_tokenizer
from mmer_fairseq.media.text import GPT2BPETokenizer, SentencePieceTokenizer, Tokenizer

HELP = "run a frozen encoder once over a corpus and store its output"

EPILOG = """A run that was stopped or killed goes on where it was when the same command is given again.

  mmer extract data/toy --modality audio --encoder wav2vec:wav2vec_large.pt --name wav2vec
  mmer extract data/toy --modality text --encoder roberta:roberta.large --gpt2-bpe roberta.large --name roberta
  fairseq-train data/toy --features audio=wav2vec,text=roberta …

Traces: with --subseq-length a store holds one vector for each step of a clip's trace, of the sub-sequence that ends
there. Each picture is decoded once and each sub-sequence encoded once, however long training goes on.

  mmer extract data/aff-wild2 --modality video --encoder r2plus1d:kinetics400 --name r2d1 --subseq-length 32
  fairseq-train data/aff-wild2 --features video=r2d1 --subseq-length 32 …

Several machines: --engine ray spreads the work over a Ray cluster (pip install 'mmer_fairseq[ray]'). The corpus and the
encoder lie on a disk that all machines have under the same path.

  ray start --head --port 6379    # on one machine; on each other: ray start --address=HEAD:6379
  mmer extract data/toy --modality audio --encoder wav2vec:w2v.pt --name wav2vec --engine ray --ray-address auto"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``mmer extract``."""
    trained = ", ".join(entry.form_of(name) for name, entry in ENCODERS.items() if entry.pretrained)
    parser.add_argument("directory", metavar="DIR", help="folder of the corpus")
    parser.add_argument("--modality", required=True, metavar="M", help="text, audio or video")
    parser.add_argument("--encoder", required=True, metavar="NAME:PATH", help=f"one of {trained}")
    parser.add_argument("--name", required=True, help="of the store, which is written to DIR/features/NAME")
    parser.add_argument("--splits", metavar="S[,S…]", help="splits to encode (default: all)")
    parser.add_argument(
        "--dtype", default="float32", help="float32 or float16, half the size (default: float32)"
    )
    parser.add_argument(
        "--workers",
        type=_whole,
        default=0,
        metavar="N",
        help="processes, each with one thread and a copy of the encoder (default: one a core, at most 4; in a Ray "
        "cluster: as many as there is room for)",
    )
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="who encodes: processes of this machine, or a Ray cluster; the store is the same (default: local)",
    )
    parser.add_argument(
        "--ray-address",
        metavar="ADDRESS",
        help="of the cluster for --engine ray: auto or HOST:PORT (default: $RAY_ADDRESS, else a Ray of its own with "
        "--workers workers)",
    )
    parser.add_argument(
        "--batch-size", type=_whole, default=8, metavar="N", help="clips at once (default: 8)"
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 … (default: cpu)")
    parser.add_argument(
        "--skip-bad",
        type=_whole,
        default=0,
        metavar="N",
        help="leave out up to N clips whose medium is broken, and name them in the store (default: 0)",
    )
    parser.add_argument(
        "--frame-rate", type=float, default=0.0, metavar="HZ", help="frames a second (default: all)"
    )
    parser.add_argument(
        "--max-frames", type=_whole, default=300, metavar="N", help="of a clip (default: 300)"
    )
    parser.add_argument(
        "--max-text-tokens", type=_whole, default=512, metavar="N", help="of a clip (default: 512)"
    )
    parser.add_argument("--labels", metavar="NAME", help="label space (default: the corpus' first)")
    parser.add_argument(
        "--subseq-length",
        type=_whole,
        default=0,
        metavar="N",
        help="traces: one vector a step, of the N steps that end with it (default: clips are encoded whole)",
    )
    parser.add_argument(
        "--dilation",
        type=_whole,
        default=4,
        metavar="N",
        help="traces: every N-th step of a sub-sequence gives a picture (default: 4)",
    )
    parser.add_argument("--allow-silent", action="store_true", help="take sound whose samples are all equal")
    parser.add_argument(
        "--gpt2-bpe", metavar="DIR", help="folder with encoder.json, vocab.bpe and dict.txt of RoBERTa"
    )
    parser.add_argument(
        "--tokenizer-model", metavar="FILE", help="sentencepiece model, for an encoder trained with it"
    )


def run(args: argparse.Namespace) -> int:
    """Extract, and say what is there now."""
    corpus = Corpus.load(args.directory, labels=args.labels)
    words = args.modality == "text" and corpus.text_form == "words"
    options = RawOptions(
        frame_rate=args.frame_rate or None,
        max_frames=args.max_frames,
        max_tokens=args.max_text_tokens,
        tokenizer=_tokenizer(args) if words else None,
        allow_silent=args.allow_silent,
    )
    path = extract(
        corpus,
        modality=args.modality,
        encoder=args.encoder,
        name=args.name,
        options=options,
        splits=args.splits.split(",") if args.splits else None,
        dtype=args.dtype,
        batch_size=max(args.batch_size, 1),
        device=args.device,
        skip_bad=args.skip_bad,
        subsequences=Subsequences(args.subseq_length, max(args.dilation, 1)) if args.subseq_length else None,
        engine=_engine(args),
    )
    print(summary(FeatureStore.open(path)))
    return 0


def _engine(args: argparse.Namespace) -> Engine:
    workers = args.workers or min(os.cpu_count() or 1, 4)
    if args.engine == "local":
        if args.ray_address:
            raise InputError.of(
                where="--ray-address",
                expected="--engine ray with it",
                found="--engine local",
                remedy="write both, or neither",
            )
        return LocalEngine(workers)
    address = args.ray_address or os.environ.get("RAY_ADDRESS", "")
    return RayEngine(args.workers if address else workers, address)


def summary(store: FeatureStore) -> str:
    """What a store holds, in a few lines."""
    size = sum(file.stat().st_size for file in store.path.iterdir()) / 1e6
    about = f"{len(store)} clips, vectors of {store.dim} {store.meta['dtype']} numbers"
    rate = f", {store.rate:g} vectors a second" if store.rate else ""
    lines = [f"{store.path}: {about}{rate}, {size:.1f} MB"]
    skipped = store.meta["skipped"]
    if skipped:
        lines.append(f"left out: {len(skipped)}")
        lines += [f"  {clip_id}: {why}" for clip_id, why in skipped.items()]
    lines.append(f"train with --features {store.modality}={store.name}")
    return "\n".join(lines)


def _tokenizer(args: argparse.Namespace) -> Tokenizer:
    if args.tokenizer_model:
        return SentencePieceTokenizer(args.tokenizer_model)
    own = None if args.gpt2_bpe else own_tokenizer(args.encoder)
    if own is not None:
        return own
    if not args.gpt2_bpe:
        raise InputError.of(
            where="mmer extract --modality text",
            expected="the tokenizer that the encoder was trained with, because the corpus holds words",
            found="none",
            remedy="name RoBERTa's folder with --gpt2-bpe, or a sentencepiece model with --tokenizer-model",
        )
    return GPT2BPETokenizer.of_folder(args.gpt2_bpe)


def _whole(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 on, found {text}")
    return number
