"""What a checkpoint remembers of how its training run read clips, so that it can be used without the corpus."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import torch

from mmer_fairseq.corpus import Corpus, LabelSpace
from mmer_fairseq.corpus.streams import RawOptions
from mmer_fairseq.data.plan import Stream
from mmer_fairseq.data.sources import JoinedSource, RawSource, StoredSource
from mmer_fairseq.data.trace_sources import RawTrace, StoredTrace
from mmer_fairseq.data.windows import Windows
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.store import FeatureStore
from mmer_fairseq.media.folder_text import own_tokenizer
from mmer_fairseq.media.text import GPT2BPETokenizer, SentencePieceTokenizer, Tokenizer

FORMAT = 1
#: Where ``mmer faces`` notes how it found the faces of a corpus.
FACES = Path("faces") / "plan.json"
#: Files of GPT-2's tokens, as fairseq publishes them.
GPT2_FILES = ("encoder.json", "vocab.bpe", "dict.txt")
_LABELS = ("name", "kind", "names", "columns", "range", "rate", "invalid")


def reading_state(
    flags: Any,
    corpus: Corpus,
    plan: Mapping[str, Stream],
    *,
    objective: str,
    num_outputs: int,
    windows: Windows | None,
) -> dict[str, Any]:
    """Plain numbers, texts and, for a tokenizer, the bytes of its files.

    Args:
        flags: of the task.
        corpus: that the run reads.
        plan: its streams.
        objective: says how outputs become scores.
        num_outputs: of the model.
        windows: over traces; None: labels are of whole clips.
    """
    labels = corpus.label_space
    return {
        "format": FORMAT,
        "labels": {key: _plain(getattr(labels, key)) for key in _LABELS},
        "objective": objective,
        "outputs": num_outputs,
        "windows": None if windows is None else asdict(windows),
        "context": flags.context,
        "tuned": str(flags.thresholds) != "0.5",
        "faces": _faces(corpus),
        "streams": {m: _stream_state(flags, corpus, stream) for m, stream in plan.items()},
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _faces(corpus: Corpus) -> dict[str, Any] | None:
    """How ``mmer faces`` found the faces that the corpus has in place of its videos; None: it has none."""
    file = Path(corpus.directory) / FACES
    try:
        found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _stream_state(flags: Any, corpus: Corpus, stream: Stream) -> dict[str, Any]:
    source = stream.source
    if isinstance(source, RawTrace):
        source = source.source
    if isinstance(source, RawSource):
        options = {f.name: _plain(getattr(source.options, f.name)) for f in fields(RawOptions)}
        options.pop("tokenizer")
        return {
            "options": options,
            "max_samples": source.max_samples,
            "min_samples": source.min_samples,
            "tokenizer": _tokenizer_state(flags, corpus, source.options.tokenizer),
        }
    if isinstance(source, StoredTrace):
        stores = list(source.stores)
    else:
        assert isinstance(source, (StoredSource, JoinedSource))
        parts = source.parts if isinstance(source, JoinedSource) else (source,)
        stores = [part.store for part in parts]
    return {"stores": [_store_state(store) for store in stores]}


def _store_state(store: FeatureStore) -> dict[str, Any]:
    kept = {key: store.meta[key] for key in ("encoder", "fingerprint", "dtype", "dim", "rate", "weights")}
    return {"name": store.name, **kept, "options": dict(store.meta["options"])}


def _tokenizer_state(flags: Any, corpus: Corpus, tokenizer: Tokenizer | None) -> dict[str, Any] | None:
    """Where ids come from; None: the corpus has ids, or the stream is no text."""
    if tokenizer is None:
        return None
    if flags.gpt2_bpe:
        folder = Path(flags.gpt2_bpe)
        files = {name: folder / name for name in GPT2_FILES if (folder / name).exists()}
        return {"kind": "gpt2_bpe", "files": _contents(files)}
    if isinstance(tokenizer, SentencePieceTokenizer):
        model = Path(flags.tokenizer_model or Path(corpus.directory) / "tokenizer.model")
        return {"kind": "sentencepiece", "files": _contents({"tokenizer.model": model})}
    return {"kind": "encoder", "files": {}}  # it lies beside the encoder's weights


def _contents(files: Mapping[str, Path]) -> dict[str, torch.Tensor]:
    # as tensors, which torch's safe loading takes in all versions
    return {
        name: torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8)
        for name, path in files.items()
    }


def label_space(state: Mapping[str, Any]) -> LabelSpace:
    """The label space that :func:`reading_state` remembered."""
    known: Any = {key: tuple(x) if isinstance(x, list) else x for key, x in state["labels"].items()}
    return LabelSpace(**known)


def raw_options(state: Mapping[str, Any], encoder: str) -> RawOptions:
    """How a stream's media become tensors.

    Args:
        state: of one stream that was read from media.
        encoder: of the stream, ``NAME`` or ``NAME:PATH``.

    Raises:
        InputError: its tokenizer lies beside the encoder's weights, and these are not there.
    """
    known = {f.name for f in fields(RawOptions)}
    stored: Mapping[str, Any] = state["options"]
    options: Any = {k: tuple(x) if isinstance(x, list) else x for k, x in stored.items() if k in known}
    return replace(RawOptions(**options), tokenizer=_tokenizer(state["tokenizer"], encoder))


def _tokenizer(state: Mapping[str, Any] | None, encoder: str) -> Tokenizer | None:
    if state is None:
        return None
    if state["kind"] == "encoder":
        tokenizer = own_tokenizer(encoder)
        if tokenizer is None:
            raise InputError.of(
                where=f"text encoder {encoder}",
                expected="the folder with the encoder's weights and tokenizer",
                found="no tokenizer there",
                remedy="name the folder with --encoder text=NAME:PATH",
            )
        return tokenizer
    with tempfile.TemporaryDirectory() as folder:
        for name, content in state["files"].items():
            (Path(folder) / name).write_bytes(content.numpy().tobytes())
        if state["kind"] == "gpt2_bpe":
            return GPT2BPETokenizer.of_folder(folder)
        return SentencePieceTokenizer(Path(folder) / "tokenizer.model")
