"""Training step (forward, loss, backward) of MME2E from frames, sound and words, ours against the plain way.

8 clips of mixed lengths: 70 faces of 48×48 pixels, 2 to 8 s of sound each (about 100 pieces), 6 to 40 tokens of text;
an ALBERT of base size (initial weights; the transformers package), trained with the network; README sizes. The plain
way is the published code's, without its face detector: text padded to 100 tokens, images with channels first,
sequences cut and padded one by one, ``nn.TransformerEncoder``, spectrograms clip by clip as its loader makes them.
Both have the same weights; outputs and gradients are compared first, in eval mode and double precision, on part of the
batch. The two take turns in one run; medians are reported, of the clock and of the processor.

    OMP_NUM_THREADS=1 python tests/benchmarks/step_mme2e.py
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

from plain_mme2e import PlainMME2E  # noqa: E402
from turns import report, take_turns  # noqa: E402

from mmer_fairseq.checkpoints.mme2e import to_network  # noqa: E402
from mmer_fairseq.encoders.face_pixels import IMAGE as FACE  # noqa: E402
from mmer_fairseq.encoders.face_pixels import FacePixels  # noqa: E402
from mmer_fairseq.encoders.logmel import mel_filters  # noqa: E402
from mmer_fairseq.encoders.mel_pieces import IMAGE as PIECE  # noqa: E402
from mmer_fairseq.encoders.mel_pieces import MelPieces  # noqa: E402
from mmer_fairseq.modules.masks import padding_mask  # noqa: E402
from mmer_fairseq.networks.mme2e import MME2E  # noqa: E402

FACES = [6, 12, 8, 5, 14, 9, 7, 9]
SECONDS = [3.4, 6.8, 4.3, 2.7, 7.9, 5.1, 3.9, 5.1]
TOKENS = [11, 31, 18, 6, 40, 22, 14, 20]
MODALITIES = ("text", "video", "audio")
DIMS = {"video": 6912, "audio": 4096}
PADDED = 100
OUTPUTS = 6

Clips = list[dict[str, Tensor]]


def albert(small: bool) -> nn.Module:
    """Initial weights of the base size, without dropout as published."""
    import transformers

    sizes = {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}
    if small:
        sizes = {"hidden_size": 24, "num_attention_heads": 2, "intermediate_size": 48, "num_hidden_layers": 2}
    config = transformers.AlbertConfig(
        **sizes, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, hidden_act="gelu_new"
    )
    return transformers.AlbertModel(config, add_pooling_layer=False)


def clips(share: float) -> Clips:
    """Faces [T, 3, 48, 48] in 0…1, sound at 16 kHz, tokens: that share of each clip."""
    generator = torch.Generator().manual_seed(5)
    found = []
    for faces, seconds, tokens in zip(FACES, SECONDS, TOKENS):
        found.append(
            {
                "video": torch.rand(max(round(faces * share), 1), *FACE, generator=generator),
                "audio": 0.1 * torch.randn(int(seconds * share * 16000), generator=generator),
                "text": torch.randint(5, 30000, (max(round(tokens * share), 2),), generator=generator),
            }
        )
    return found


class Plain(nn.Module):
    """ALBERT on text of 100 tokens, spectrograms clip by clip, then the plain network."""

    def __init__(self, text: nn.Module, network: PlainMME2E) -> None:
        super().__init__()
        self.text, self.network = text, network

    def forward(self, given: Clips, pieces: Sequence[Tensor] | None = None) -> Tensor:
        tokens = torch.stack([F.pad(clip["text"], (0, PADDED - len(clip["text"]))) for clip in given])
        mask = torch.stack([(torch.arange(PADDED) < len(clip["text"])).long() for clip in given])
        cls = self.text(input_ids=tokens, attention_mask=mask).last_hidden_state[:, 0]
        faces = torch.cat([clip["video"] for clip in given]).permute(0, 2, 3, 1) * 255
        if pieces is None:
            pieces = [plain_pieces(clip["audio"]) for clip in given]
        img_lens, spec_lens = [len(clip["video"]) for clip in given], [len(x) for x in pieces]
        return self.network(cls, faces, img_lens, torch.cat(pieces), spec_lens)


def plain_pieces(wave: Tensor) -> Tensor:
    """[samples] → [pieces, 1, 128, 32]."""
    window = torch.hann_window(400)
    spectrum = torch.stft(wave.float(), 400, 200, window=window, return_complex=True).abs().square()
    mel = mel_filters(128, 400, 16000, low=0.0).t() @ spectrum
    parts = F.pad(mel, (0, -mel.shape[1] % 32)).split(32, dim=1)
    return torch.stack(parts)[:, None].to(wave.dtype)


class Ours(nn.Module):
    """The encoders and the network as the model puts them together."""

    def __init__(self, text: nn.Module, network: MME2E) -> None:
        super().__init__()
        self.text, self.network = text, network
        self.faces, self.pieces = FacePixels(), MelPieces()

    def forward(self, streams: dict[str, Tensor], lengths: dict[str, Tensor]) -> Tensor:
        tokens, counts = streams["text"], lengths["text"]
        mask = (~padding_mask(counts, tokens.shape[1])).long()
        given, steps = (
            {"text": self.text(input_ids=tokens, attention_mask=mask).last_hidden_state},
            {"text": counts},
        )
        given["video"], steps["video"] = self.faces(streams["video"], lengths["video"])
        given["audio"], steps["audio"] = self.pieces(streams["audio"], lengths["audio"])
        return self.network(given, steps)["logits"]


def batch(given: Clips) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What our task collates."""
    streams = {m: pad_sequence([clip[m] for clip in given], batch_first=True) for m in MODALITIES}
    return streams, {m: torch.tensor([len(clip[m]) for clip in given]) for m in MODALITIES}


def networks(small: bool) -> tuple[Plain, Ours]:
    """Both ways, with the same weights (and one ALBERT)."""
    torch.manual_seed(1)
    text = albert(small)
    width = int(text.config.hidden_size)  # type: ignore[union-attr]
    sizes = {"layers": 1, "heads": 2} if small else {"layers": 4, "heads": 4}
    dim = 8 if small else 64
    plain = PlainMME2E(**sizes, dim=dim, text=width, outputs=OUTPUTS)
    ours = MME2E(
        dims={"text": width, **DIMS},
        outputs=OUTPUTS,
        images={"video": FACE, "audio": PIECE},
        trans_dim=dim,
        **sizes,
    )
    ours.load_state_dict(to_network(plain.state_dict(), MODALITIES, "plain"))
    return Plain(text, plain), Ours(text, ours)


def step(network: nn.Module, target: Tensor, *given: object) -> Tensor:
    """Forward and backward; the logits."""
    network.zero_grad(set_to_none=True)
    logits = network(*given)
    F.binary_cross_entropy_with_logits(logits, target.to(logits.dtype)).backward()
    return logits.detach()


def compare(small: bool) -> tuple[float, float, float]:
    """Largest differences of spectrograms relative to the largest, of logits, of gradients relative to each tensor's.

    Both networks read our spectrograms: in single precision two ways differ by 1e-7, and of a million windows of
    max-pooling one then takes another pixel.
    """
    plain, ours = (network.double().eval() for network in networks(small))
    given = [{m: x.double() if m != "text" else x for m, x in clip.items()} for clip in clips(0.1)[:3]]
    target = torch.rand(3, OUTPUTS)
    streams, lengths = batch(given)
    stored, counts = ours.pieces(streams["audio"], lengths["audio"])
    pieces = [x[:n].view(-1, *PIECE) for x, n in zip(stored, counts.tolist())]
    spectrograms = max(
        float((x - plain_pieces(clip["audio"])).abs().max() / x.abs().max()) for x, clip in zip(pieces, given)
    )
    expected = step(plain, target, given, pieces)
    theirs = {n: p.grad for n, p in plain.network.named_parameters() if p.grad is not None}
    wanted = to_network(theirs, MODALITIES, "plain")
    logits = step(ours, target, streams, lengths)
    differences = [
        float((p.grad - wanted[n]).abs().max() / wanted[n].abs().max().clamp(min=1e-6))
        for n, p in ours.network.named_parameters()
        if p.grad is not None
    ]
    return spectrograms, float((logits - expected).abs().max()), max(differences)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; exit status 1 if the two ways disagree."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="tiny text and transformers, to try it out")
    parser.add_argument("--share", type=float, default=1.0, help="of the length of every clip")
    parser.add_argument("--repeats", type=int, default=5, help="timed steps")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    spectrograms, logits, gradients = compare(args.small)
    agree = spectrograms <= 1e-5 and logits <= 1e-9 and gradients <= 1e-5
    plain, ours = (network.train() for network in networks(args.small))
    given = clips(args.share)
    streams, lengths = batch(given)
    target = (torch.arange(len(given) * OUTPUTS) % 2).view(-1, OUTPUTS)
    times = take_turns(
        {
            "plain": lambda: step(plain, target, given),
            "ours": lambda: step(ours, target, streams, lengths),
        },
        repeats=args.repeats,
        warm_up=1,
    )
    pieces = int(MelPieces().output_lengths(lengths["audio"]).sum())
    print(
        f"machine   {platform.machine()}, {args.threads} threads; Python {platform.python_version()}, "
        f"torch {torch.__version__}"
    )
    print(
        f"batch     {len(given)} clips, {int(lengths['video'].sum())} faces, {pieces} pieces, "
        f"{int(lengths['text'].sum())} tokens (plain way: {PADDED * len(given)})"
    )
    print(
        f"agree     {agree}: spectrograms to {spectrograms:.1e} of their largest number, logits to {logits:.1e}, "
        f"gradients to {gradients:.1e} of theirs"
    )
    report(times)
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
