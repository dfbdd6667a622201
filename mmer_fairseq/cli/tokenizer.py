"""``mmer tokenizer``: train a sentencepiece model on the transcripts of a corpus."""

from __future__ import annotations

import argparse
from pathlib import Path

from mmer_fairseq.corpus.corpus import Corpus
from mmer_fairseq.corpus.faults import stop
from mmer_fairseq.corpus.textfile import read_utf8
from mmer_fairseq.errors import InputError
from mmer_fairseq.media.text import train_sentencepiece

HELP = "train a tokenizer on the transcripts of a corpus"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("directory", metavar="DIR", help="the corpus")
    parser.add_argument(
        "--vocab-size",
        type=int,
        default=1000,
        metavar="N",
        help="pieces, special ones included; a small corpus gets fewer (default: %(default)s)",
    )
    parser.add_argument(
        "--splits",
        nargs="+",
        default=["train"],
        metavar="SPLIT",
        help="splits whose transcripts are learned from; others must stay unseen (default: train)",
    )
    parser.add_argument("--out", metavar="FILE", help="model to write (default: DIR/tokenizer.model)")


def run(args: argparse.Namespace) -> int:
    """Train, write, and say what was written.

    Raises:
        InputError: no corpus, no such split, texts that are ids already, or no words.
    """
    corpus = Corpus.load(args.directory)
    if corpus.text_form == "ids":
        raise InputError.of(
            where=args.directory,
            expected="texts that are words",
            found="texts that are token ids already",
            remedy="train without a tokenizer",
        )
    lines = []
    for split in args.splits:
        for clip in corpus.clips(split):
            if not clip.has("text") or clip.stores("text"):
                continue
            words = clip.media["text"]
            if clip.text_is_path:
                words = read_utf8(words, "a transcript", stop, clip.where) or ""
            lines.append(words)
    target = Path(args.out) if args.out else Path(args.directory) / "tokenizer.model"
    pieces = train_sentencepiece(lines, target, vocab_size=args.vocab_size)
    print(f"wrote {target}: {pieces} pieces from {len(lines)} transcripts of {', '.join(args.splits)}")
    return 0
