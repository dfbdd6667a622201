"""JMT against the plain way, and what the plain way does not know: missing streams, other lengths, positions."""

from __future__ import annotations

import itertools
import runpy
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mmer_fairseq.checkpoints.jmt import (
    fusion_to_network,
    intra_to_network,
    parts_of,
    pretrainer_to_network,
    sizes_of,
)
from mmer_fairseq.errors import InputError
from mmer_fairseq.networks.jmt import JMT

PLAIN = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "plain_jmt.py"))
VARIANTS = (("TRANSFORMER", "SELF_ATTEN"), ("TRANSFORMER", "FC"), ("FC", "FC"), ("NONE", "FC"))
DIM = 16


def streams(batch: int, steps: int, **widths: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(7)
    widths = widths or {"video": DIM, "audio": DIM}
    return {
        m: torch.randn(batch, steps, width, generator=generator, dtype=torch.float64)
        for m, width in widths.items()
    }


def run(network: JMT, given: dict[str, Tensor], **counts: list[int]) -> Tensor:
    lengths = {m: torch.tensor(counts.get(m, [x.shape[1]] * len(x))) for m, x in given.items()}
    return network(given, lengths)["logits"]


def small(*names: str, **flags) -> JMT:
    torch.manual_seed(4)
    flags = {"outputs": 2, "dim": DIM, "head_dim": 12, **flags}
    return JMT(streams=names or ("video", "audio"), **flags).double().eval()


@pytest.mark.parametrize(
    ("batch", "steps"), [(1, 3), (5, 1), (4, 9)], ids=["few rows", "one step", "many rows"]
)
@pytest.mark.parametrize(("heads", "layers"), [(1, 1), (1, 3), (2, 2), (8, 1)])
@pytest.mark.parametrize(("joint", "output"), VARIANTS)
def test_outputs_and_gradients_are_those_of_the_plain_way(
    joint: str, output: str, heads: int, layers: int, batch: int, steps: int
):
    torch.manual_seed(1)
    plain = PLAIN["PlainJMT"](joint, output, dim=DIM, heads=heads, layers=layers).double()
    for parameter in plain.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    state = plain.state_dict()
    sizes = sizes_of(state, "plain")
    assert (sizes.joint_modalities, sizes.output_format, sizes.dim) == (joint, output, DIM)
    network = small(
        heads=heads, layers=sizes.layers, joint_modalities=joint, output_format=output, head_dim=sizes.head_dim,
        original_behaviour=True,
    )  # fmt: skip
    network.load_state_dict(fusion_to_network(state, "plain"))
    given = streams(batch, steps)
    expected = torch.stack(plain(given["audio"], given["video"]), dim=-1)
    if (joint, output) == ("TRANSFORMER", "FC"):
        expected = expected.transpose(0, 1)
    found = run(network, given)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    weights = torch.linspace(-1, 2, expected.numel(), dtype=torch.float64).view_as(expected)
    for outputs in (expected, found):
        (outputs * weights).sum().backward()
    theirs = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in plain.named_parameters()}
    for name, gradient in fusion_to_network(theirs, "plain").items():
        torch.testing.assert_close(network.get_parameter(name).grad, gradient, rtol=0, atol=1e-9)


def test_without_the_switch_the_baseline_attends_over_time():
    plain = PLAIN["PlainJMT"]("NONE", "FC", dim=DIM, over_time=True).double()
    network = small(joint_modalities="NONE", head_dim=128)
    network.load_state_dict(fusion_to_network(plain.state_dict(), "plain"))
    given = streams(3, 5)
    expected = torch.stack(plain(given["audio"], given["video"]), dim=-1)
    torch.testing.assert_close(run(network, given), expected, rtol=0, atol=1e-12)
    network.original_behaviour = True
    assert not torch.allclose(run(network, given), expected, atol=1e-6)


@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("how", ["fc", "audio", "video"])
def test_two_backbones_of_one_modality(how: str, heads: int):
    torch.manual_seed(2)
    second = DIM if how == "video" else 24
    x = streams(3, 7, a=DIM, b=second)
    m = "video" if how == "video" else "audio"
    plain = PLAIN["PlainFcLayer"](DIM + second, DIM) if how == "fc" else None
    plain = (plain or PLAIN["PlainIntra"](DIM, heads, 2, other=24)).double()
    fusion, parts = parts_of(plain.state_dict(), m, "plain")
    assert (fusion, parts) == (
        "feat_concat_fc" if how == "fc" else "encoder_plus_self_attention",
        (DIM, second),
    )
    network = small(parts={m: parts}, intra_modal_fusion=fusion, heads=heads, layers=2)
    named = {n.split(".", 2)[2]: p for n, p in intra_to_network(plain.state_dict(), m, "plain").items()}
    network.intra[m].load_state_dict(named)
    found = network.intra[m](torch.cat([x["a"], x["b"]], dim=2).flatten(0, 1))
    torch.testing.assert_close(found.view(3, 7, DIM), plain(x["a"], x["b"]), rtol=0, atol=1e-12)


def test_pretraining_is_the_head_alone():
    plain = PLAIN["PlainPretrainer"](DIM).double()
    network = small("physio", goal="pretraining", head_dim=128)
    network.load_state_dict(pretrainer_to_network(plain.state_dict(), "plain"))
    given = streams(2, 6, physio=DIM)
    torch.testing.assert_close(
        run(network, given), torch.stack(plain(given["physio"]), dim=-1), rtol=0, atol=1e-12
    )


def test_tokens_of_two_streams_are_the_originals():
    names = {"video": "v", "audio": "p", "joint": "pv"}
    pairs = [f"{names[q]}<-{names[m]}" for q, m in small().pairs]
    assert pairs == ["v<-p", "p<-v", "pv<-v", "v<-pv", "pv<-p", "p<-pv"]
    three = small("text", "physio", "video").pairs
    assert three[:6] == tuple(itertools.permutations(("video", "physio", "text"), 2))
    assert three[6:] == tuple(
        pair for m in ("video", "physio", "text") for pair in (("joint", m), (m, "joint"))
    )


@pytest.mark.parametrize(("joint", "output"), VARIANTS)
@pytest.mark.parametrize("over_time", [True, False])
def test_order_of_steps_is_seen_with_positions_alone(joint: str, output: str, over_time: bool):
    given, order = streams(2, 6), torch.tensor([3, 0, 5, 1, 2, 4])
    turned = {m: x[:, order] for m, x in given.items()}
    flags = {"joint_modalities": joint, "output_format": output, "over_time": over_time}
    for positions in ("none", "sinusoidal"):
        network = small(positions=positions, **flags)
        with torch.no_grad():
            first, second = run(network, given), run(network, turned)
        first = first[:, order] if over_time else first
        same = torch.allclose(first, second, atol=1e-12)
        assert same == (positions == "none" or (joint == "FC" and not over_time))


def test_positions_have_length_one():
    network = small("video", joint_modalities="FC", positions="sinusoidal")
    torch.nn.init.eye_(network.mix.weight)
    torch.nn.init.zeros_(network.mix.bias)
    given = streams(1, 4, video=DIM)
    seen = []
    network.mix.register_forward_hook(lambda _, x, y: seen.append(y))
    run(network, given)
    unit = given["video"] / given["video"].norm(dim=-1, keepdim=True)
    torch.testing.assert_close((seen[0] - unit[0]).norm(dim=-1), torch.ones(4, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_rows_of_zeros_are_finite_in_every_precision(dtype: torch.dtype):
    network = small().to(dtype)
    given = {m: x.to(dtype) for m, x in streams(3, 5).items()}
    given["video"][0, 2] = 0
    given["video"].requires_grad_()
    logits = run(network, given, video=[5, 3, 0], audio=[5, 3, 0])
    logits.float().square().sum().backward()
    assert logits.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    assert 0 < float(given["video"].grad[0, 2].abs().max()) < 100
    assert not given["video"].grad[2].any()


def test_streams_of_other_lengths_span_the_same_time():
    network = small("video", "audio", over_time=False)
    given = streams(2, 6)
    index = torch.tensor([0, 0, 1, 1, 2, 2])
    slow = {"video": given["video"], "audio": given["audio"][:, :3]}
    spread = {"video": given["video"], "audio": given["audio"][:, index]}
    torch.testing.assert_close(run(network, slow, audio=[3, 3]), run(network, spread), rtol=0, atol=1e-12)


def test_a_clip_is_the_mean_over_its_own_steps():
    network = small(over_time=False, joint_modalities="FC")
    given = streams(2, 6)
    short = {m: x[1:, :2] for m, x in given.items()}
    both = run(network, given, video=[6, 2], audio=[6, 2])
    assert both.shape == (2, 2)
    torch.testing.assert_close(both[1:], run(network, short), rtol=0, atol=1e-12)


def test_a_missing_stream_is_not_looked_at():
    """The last token whose query and memory are there is what comes out: here (video ← joint)."""
    network = small()
    given = streams(2, 5)
    seen = []
    network.fusion.attention.register_forward_hook(lambda _, x, y: seen.append(x))
    run(network, given, audio=[5, 0])
    last, tokens, absent = seen[0]
    assert absent.view(2, 5, 6)[:, 0].tolist() == [[False] * 6, [True, True, False, False, True, True]]
    torch.testing.assert_close(last[:5, 0], tokens[:5, 5])
    torch.testing.assert_close(last[5:, 0], tokens[5:, 3])


def test_dropout_is_each_heads_own():
    network = small(v_dropout=0.0, a_dropout=0.9).train()
    given = streams(2, 5)
    first, second = run(network, given), run(network, given)
    assert torch.equal(first[..., 0], second[..., 0])
    assert not torch.equal(first[..., 1], second[..., 1])


def test_logits_have_as_many_steps_as_the_batch():
    logits = run(small(), streams(2, 6), video=[4, 2], audio=[4, 2])
    assert logits.shape == (2, 6, 2)
    assert not logits[:, 4:].any()


@pytest.mark.parametrize(
    ("names", "flags", "message"),
    [
        (("smell",), {}, "--modalities: expected one or more of video, audio, physio, text, which is what JMT knows"),
        ((), {"streams": ()}, "found none. Choose with --modalities video,audio."),
        (("video", "audio"), {"goal": "pretraining"}, "--goal pretraining: expected a single stream; found video"),
        (("video",), {"goal": "tuning"}, "--goal: expected training or pretraining; found tuning."),
        (("video",), {"joint_modalities": "ALL"}, "--joint-modalities: expected TRANSFORMER or FC or NONE; found ALL."),
        (("video",), {"output_format": "MAX"}, "--output-format: expected SELF_ATTEN or FC; found MAX."),
        (("video",), {"positions": "learned"}, "--positions: expected none or sinusoidal; found learned."),
        (("video",), {"intra_modal_fusion": "sum"}, "--intra-modal-fusion: expected feat_concat_fc or encoder_plus_s"),
        (("video",), {"heads": 3}, "--embed-dim and --num-heads: expected a width that is a multiple of the number"),
        (("video",), {"layers": 0}, "--num-layers: expected 1 or more; found 0."),
        (("video",), {"heads": 0}, "--num-heads: expected 1 or more; found 0."),
        (("video",), {"dim": 2}, "--embed-dim: expected 4 or more; found 2."),
        (("video",), {"head_dim": 0}, "--head-dim: expected 1 or more; found 0."),
        (("video",), {"v_dropout": 1.5}, "--v-dropout: expected a number from 0 to 1; found 1.5."),
        (("video",), {"a_dropout": -1}, "--a-dropout: expected a number from 0 to 1; found -1."),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused_in_words(names: tuple, flags: dict, message: str):
    with pytest.raises(InputError) as caught:
        JMT(**{"streams": names, "outputs": 2, "dim": DIM, **flags})
    assert message in str(caught.value)


def test_wrong_batches_are_refused_in_words():
    network = small()
    with pytest.raises(InputError, match="expected the stream 'audio'; found video"):
        run(network, streams(2, 5, video=DIM))
    with pytest.raises(
        InputError, match=r"stream 'audio': expected vectors of width 16 \(--embed-dim\); found width 3"
    ):
        run(network, streams(2, 5, video=DIM, audio=3))
