"""Text encoder over dialogues: each encoded once for all its utterances in a batch, against once for each utterance.

Dialogues of ten utterances of 6 to 18 tokens; a RoBERTa of 6 layers and width 384 (initial weights; the transformers
package), forward and backward of one epoch in batches of two dialogues. The plain way is the published code's, which
gives each utterance its whole dialogue, padded to 512 tokens; in the middle stands the same without that padding. All
give the same vectors, which is checked first. They take turns in one run; tokens that the encoder is given are counted,
medians of the clock and of the processor reported.

    OMP_NUM_THREADS=1 python tests/benchmarks/context_dialogues.py
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

from turns import take_turns  # noqa: E402

from mmer_fairseq.encoders.streams import in_dialogue  # noqa: E402
from mmer_fairseq.modules.masks import padding_mask  # noqa: E402

UTTERANCES, TOGETHER, PADDED, VOCABULARY = 10, 2, 512, 1000

Batch = tuple[dict[str, Tensor], Tensor]


class Text(nn.Module):
    """A RoBERTa as our encoders are: tokens and their number → vectors; counts the tokens it gets, padding too."""

    def __init__(self, layers: int, width: int) -> None:
        super().__init__()
        import transformers

        config = transformers.RobertaConfig(
            vocab_size=VOCABULARY, hidden_size=width, num_hidden_layers=layers, num_attention_heads=width // 64 or 1,
            intermediate_size=4 * width, max_position_embeddings=PADDED + 2, hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )  # fmt: skip
        self.model = transformers.RobertaModel(config, add_pooling_layer=False)
        self.tokens = 0

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        self.tokens += x.numel()
        mask = ~padding_mask(lengths, x.shape[1])
        return self.model(input_ids=x, attention_mask=mask.long()).last_hidden_state, lengths


def batches(dialogues: int) -> list[Batch]:
    """Contexts as ``data.dialogues.collate_context`` makes them, and the lengths of the utterances."""
    generator = torch.Generator().manual_seed(7)
    found = []
    for start in range(0, dialogues, TOGETHER):
        texts, spans = [], []
        for row in range(min(TOGETHER, dialogues - start)):
            tokens = [0]
            for length in torch.randint(6, 19, (UTTERANCES,), generator=generator).tolist():
                if len(tokens) > 1:
                    tokens += [2, 2]
                spans.append((row, len(tokens) - 1, length + 1))
                tokens += torch.randint(4, VOCABULARY, (length,), generator=generator).tolist()
            texts.append(torch.tensor([*tokens, 2]))
        context = {
            "tokens": nn.utils.rnn.pad_sequence(texts, batch_first=True, padding_value=1),
            "lengths": torch.tensor([len(text) for text in texts]),
            "spans": torch.tensor(spans),
        }
        found.append((context, context["spans"][:, 2]))
    return found


def for_each(batch: Batch, padded: int = 0) -> Batch:
    """The same batch with a dialogue for each utterance."""
    context, lengths = batch
    rows, starts, counts = context["spans"].unbind(dim=1)
    tokens = context["tokens"].index_select(0, rows)
    if padded:
        tokens = F.pad(tokens, (0, padded - tokens.shape[1]), value=1)
    spans = torch.stack([torch.arange(len(rows)), starts, counts], dim=1)
    return {"tokens": tokens, "lengths": context["lengths"].index_select(0, rows), "spans": spans}, lengths


def epoch(text: Text, given: Sequence[Batch]) -> list[Tensor]:
    """Forward and backward over all batches; the vectors."""
    found = []
    for context, lengths in given:
        text.zero_grad(set_to_none=True)
        y, _ = in_dialogue(text, context, lengths)
        y.square().mean().backward()
        found.append(y.detach())
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; exit status 1 if the ways disagree."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dialogues", type=int, default=4)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args(argv)
    torch.manual_seed(0)
    text = Text(args.layers, args.width)
    once = batches(args.dialogues)
    ways = {
        "plain": [for_each(batch, PADDED) for batch in once],
        "unpadded": [for_each(batch) for batch in once],
        "once": once,
    }
    counts, vectors = {}, {}
    for name, given in ways.items():
        text.tokens = 0
        vectors[name] = epoch(text, given)
        counts[name] = text.tokens
    apart = max(float((a - b).abs().max()) for name in ways for a, b in zip(vectors[name], vectors["once"]))
    times = take_turns(
        {name: lambda given=given: epoch(text, given) for name, given in ways.items()},  # type: ignore[misc]
        repeats=args.repeats,
        warm_up=0,
    )
    print(f"machine  {platform.machine()}, {torch.get_num_threads()} threads; torch {torch.__version__}")
    print(f"agree    {apart <= 1e-5}: vectors to {apart:.1e}")
    print("way         tokens  (ratio)  clock (s)  (ratio)  processor (s)  (ratio)")
    for name in ways:
        clock, processor = (statistics.median(t[k] for t in times[name]) for k in (0, 1))
        bases = [statistics.median(t[k] for t in times["once"]) for k in (0, 1)]
        print(
            f"{name:9} {counts[name]:8} {counts[name] / counts['once']:8.1f} {clock:10.3f} {clock / bases[0]:8.1f}"
            f" {processor:14.3f} {processor / bases[1]:8.1f}"
        )
    return 0 if apart <= 1e-5 else 1


if __name__ == "__main__":
    sys.exit(main())
