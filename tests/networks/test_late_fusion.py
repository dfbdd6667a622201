"""LF-RNN and LF-Transformer: as the plain way, without padding's part in it, and heads that fit."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmer_fairseq.checkpoints.mme2e import sizes_of, to_network
from mmer_fairseq.errors import InputError
from mmer_fairseq.networks.late_fusion import LFRNN, LateFusionNetwork, LFTransformer, heads_for

PLAIN = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "plain_mme2e.py"))["PlainLateFusion"]
DIMS = {"text": 8, "audio": 6, "video": 5}
AUDIO, VIDEO = [2, 4, 1], [3, 1, 2]


def both(layers: int, original: bool = True) -> tuple[torch.nn.Module, LateFusionNetwork]:
    torch.manual_seed(0)
    plain = PLAIN(dims=tuple(DIMS.values()), layers=layers, outputs=3).double()
    sizes = sizes_of(plain.state_dict(), "plain")
    assert (sizes.dims, sizes.layers, sizes.outputs, sizes.fused) == (DIMS, layers, 3, 3)
    kind = {"layers": layers, "dropout": 0.0} if layers else {}
    network = (LFTransformer if layers else LFRNN)(
        dims=DIMS, outputs=3, original_behaviour=original, **kind
    ).double()
    network.load_state_dict(to_network(plain.state_dict(), tuple(DIMS), "plain"))
    return plain.eval(), network


def given() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return tuple(  # type: ignore[return-value]
        torch.randn(*shape, generator=generator, dtype=torch.float64)
        for shape in ((3, 4, 8), (sum(AUDIO), 6), (sum(VIDEO), 5))
    )


def ours(network: LateFusionNetwork, text: list[int]) -> Tensor:
    words, audio, video = given()
    streams = {
        "text": words,
        "audio": pad_sequence(list(audio.split(AUDIO)), True),
        "video": pad_sequence(list(video.split(VIDEO)), True),
    }
    lengths = {"text": torch.tensor(text), "audio": torch.tensor(AUDIO), "video": torch.tensor(VIDEO)}
    return network(streams, lengths)["logits"]


@pytest.mark.parametrize("layers", [0, 2])
def test_as_the_plain_way(layers: int):
    plain, network = both(layers)
    words, audio, video = given()
    words[1, 2:] = 0
    expected = plain(words, audio, AUDIO, video, VIDEO)
    logits = ours(network, [4, 2, 4])
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-12)
    logits.square().sum().backward()
    expected.square().sum().backward()
    gradients = to_network({n: p.grad for n, p in plain.named_parameters()}, tuple(DIMS), "plain")
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("layers", [0, 2])
def test_by_default_padding_takes_no_part(layers: int):
    """Each clip gives what the plain way gives for it alone, where nothing is padded."""
    plain, network = both(layers, original=False)
    logits = ours(network, [4, 2, 3])
    words, audio, video = given()
    for clip, steps in enumerate([4, 2, 3]):
        parts = [audio.split(AUDIO)[clip], video.split(VIDEO)[clip]]
        text = words[clip : clip + 1, :steps]
        if not layers:  # the plain way reads text's backward direction where it has seen one word
            _, (last, _) = plain.rnns["t"](text)
            own = plain.affines["t"](torch.cat([last[0], last[1]], dim=1))
            rest = [
                plain.affines[m](torch.cat(list(plain.rnns[m](x[None])[1][0]), dim=1))
                for m, x in zip("av", parts)
            ]
            expected = plain.weighted_fusion(torch.stack([own, *rest], -1)).squeeze(-1)
        else:
            expected = plain(text, parts[0], [len(parts[0])], parts[1], [len(parts[1])])
        torch.testing.assert_close(logits[clip], expected[0], rtol=0, atol=1e-12)


def test_what_is_missing_adds_nothing():
    _, network = both(0, original=False)
    whole, without = ours(network, [4, 2, 3]), ours(network, [4, 0, 3])
    weight = network.fusion.weights.weight[0, 0]
    words = given()[0][1:2, :2]
    text = network.heads["text"](network.read("text", words, torch.tensor([2])))
    torch.testing.assert_close(whole[1] - without[1], (weight * text)[0], rtol=0, atol=1e-12)


def test_heads_divide_the_width():
    assert [heads_for(m, d, 0) for m, d in (("text", 300), ("audio", 144), ("video", 35))] == [4, 2, 5]
    assert [heads_for(m, d, 0) for m, d in (("text", 77), ("audio", 33), ("video", 34))] == [1, 1, 2]
    assert heads_for("text", 77, 7) == 7
    with pytest.raises(InputError, match="--heads-text: expected a number that divides the width 77 of text"):
        heads_for("text", 77, 4)


def test_unknown_modalities():
    with pytest.raises(InputError, match="text, audio, video, which is what late fusion takes"):
        LFRNN(dims={"physio": 4}, outputs=2)
