"""AuxFormer against the plain way, and what the plain way does not do: padding, missing modalities, one modality."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mmer_fairseq.checkpoints.auxformer import network_of, sizes_of, to_network
from mmer_fairseq.errors import InputError
from mmer_fairseq.networks.auxformer import AuxFormer

PLAIN = Path(__file__).parents[1] / "benchmarks" / "plain_auxformer.py"
PlainAuxFormer = runpy.run_path(str(PLAIN))["PlainAuxFormer"]
WIDTHS = {"audio": 9, "video": 12}


def network(**flags: object) -> AuxFormer:
    torch.manual_seed(0)
    sizes = {
        "outputs": 4,
        "audio_dim": 9,
        "video_dim": 12,
        "dim": 12,
        "heads": 3,
        "layers": 2,
        "hidden": (8, 6),
    }
    return AuxFormer(**{**sizes, **flags}).double()


def streams(batch: int = 4, audio: int = 11, video: int = 7) -> dict[str, Tensor]:
    torch.manual_seed(1)
    steps = {"audio": audio, "video": video}
    return {m: torch.randn(batch, steps[m], width, dtype=torch.float64) for m, width in WIDTHS.items()}


FULL = {"audio": torch.tensor([11, 11, 11, 11]), "video": torch.tensor([7, 7, 7, 7])}
MIXED = {"audio": torch.tensor([11, 4, 0, 6]), "video": torch.tensor([2, 7, 5, 0])}


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(
    ("audio_dim", "video_dim", "dim", "heads", "layers", "outputs", "steps"),
    [(20, 12, 12, 4, 2, 6, (9, 5)), (10, 33, 10, 5, 3, 4, (4, 13)), (8, 16, 8, 1, 1, 10, (6, 6))],
)
def test_original_behaviour_is_the_plain_way(
    audio_dim: int,
    video_dim: int,
    dim: int,
    heads: int,
    layers: int,
    outputs: int,
    steps: tuple,
    causal: bool,
):
    torch.manual_seed(0)
    plain = PlainAuxFormer(
        audio_dim=audio_dim, video_dim=video_dim, dim=dim, heads=heads, layers=layers, outputs=outputs, causal=causal,
    ).double().eval()  # fmt: skip
    state = plain.state_dict()
    ours = network_of(sizes_of(state, "file"), heads, causal=causal).double().eval()
    ours.load_state_dict(to_network(state, "file"))
    given = {
        "audio": torch.randn(3, steps[0], audio_dim).double(),
        "video": torch.randn(3, steps[1], video_dim).double(),
    }
    given["audio"][1, 2:], given["video"][2] = 0.0, 0.0  # padding, and a modality of zeros
    lengths = {"audio": torch.tensor([steps[0], 2, steps[0]]), "video": torch.tensor([steps[1], steps[1], 0])}
    output = ours(given, lengths)
    expected = plain(given["audio"], given["video"])
    for name, theirs in zip(("main", "audio", "video"), expected):
        mine = output["main"] if name == "main" else output["aux"][name]
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-11)
    torch.testing.assert_close(output["logits"], sum(expected) / 3, rtol=0, atol=1e-11)


@pytest.mark.parametrize("causal", [True, False])
def test_nothing_of_the_batch_changes_a_clip(causal: bool):
    made, given = network(causal=causal).eval(), streams()
    whole = made(given, MIXED)
    for clip in range(4):
        alone = {m: x[clip : clip + 1, : int(MIXED[m][clip])] for m, x in given.items()}
        # an absent modality comes as one padded step, as the encoders give it
        alone = {m: x if x.shape[1] else torch.zeros(1, 1, WIDTHS[m]).double() for m, x in alone.items()}
        output = made(alone, {m: n[clip : clip + 1] for m, n in MIXED.items()})
        torch.testing.assert_close(output["logits"][0], whole["logits"][clip], rtol=0, atol=1e-11)


def test_padding_is_not_looked_at():
    made, given = network().eval(), streams()
    before = made(given, MIXED)["logits"]
    for m, x in given.items():
        for clip in range(4):
            x[clip, int(MIXED[m][clip]) :] = float("nan")
    assert torch.equal(made(given, MIXED)["logits"], before)


def test_what_is_missing_does_not_vote():
    made = network().eval()
    output = made(streams(), MIXED)
    assert output["aux_votes"]["audio"].tolist() == [True, True, False, True]
    assert output["aux_votes"]["video"].tolist() == [True, True, True, False]
    main, audio, video = output["main"], output["aux"]["audio"], output["aux"]["video"]
    expected = torch.stack([
        (main + audio + video)[0] / 3, (main + audio + video)[1] / 3, (main + video)[2] / 2, (main + audio)[3] / 2,
    ])  # fmt: skip
    torch.testing.assert_close(output["logits"], expected)
    nothing = {m: torch.zeros(4, dtype=torch.long) for m in WIDTHS}
    output = made(streams(), nothing)
    assert torch.equal(output["logits"], output["main"])
    assert output["logits"].isfinite().all()


def test_a_step_does_not_see_later_ones():
    made = network().eval()
    given = streams()
    sequence = {m: made._sequence(m, given, FULL) for m in WIDTHS}

    def crossed() -> Tensor:
        memory = made._memory("audio", sequence["audio"], sequence["video"])
        return made.cross["audio"](sequence["audio"].x, sequence["audio"].rows, memory=memory).view(4, 11, 12)

    before = crossed()
    sequence["video"].x.view(4, 7, 12)[:, 4:] *= torch.randn(
        12
    ).double()  # from 4/7 of the time on: audio steps 6, 7, …
    sequence["audio"].x.view(4, 11, 12)[:, 9:] *= torch.randn(12).double()
    after = crossed()
    torch.testing.assert_close(after[:, :6], before[:, :6], rtol=0, atol=0)
    assert not torch.allclose(after[:, 6:9], before[:, 6:9])


@pytest.mark.parametrize("modalities", [("audio", "video"), ("audio",), ("video",)])
def test_every_parameter_receives_a_gradient(modalities: tuple):
    made = network(modalities=modalities).train()
    lengths = {m: MIXED[m] for m in modalities}
    output = made(streams(), lengths)
    loss = output["main"].square().sum() + sum(x.square().sum() for x in output["aux"].values())
    loss.backward()
    missing = [name for name, p in made.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not missing
    zero = [name for name, p in made.named_parameters() if not p.grad.any()]
    assert not zero


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_other_precisions(dtype: torch.dtype):
    made, given = network().eval(), streams()
    expected = made(given, MIXED)["logits"].detach()
    low = made.to(dtype)({m: x.to(dtype) for m, x in given.items()}, MIXED)["logits"].detach()
    assert low.dtype == dtype
    assert float((low.double() - expected).abs().max()) < {torch.float32: 1e-5}.get(dtype, 0.15)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"modalities": ("text",)}, "expected audio, video or both, which is what AuxFormer knows; found text."),
        ({"modalities": ()}, "found none. Choose with --modalities audio,video."),
        ({"heads": 5}, "expected a width that is a multiple of the number of heads; found width 12, 5 heads."),
        ({"layers": -1}, "--encoder-layers: expected 0 or more; found -1."),
        ({"dim": 2}, "--encoder-embed-dim: expected 4 or more; found 2."),
        ({"audio_dim": 0}, "--audio-dim: expected 1 or more; found 0."),
        ({"out_dropout": 1.5}, "--out-dropout: expected a number from 0 to 1; found 1.5."),
        ({"embed_dropout": -1}, "--embed-dropout: expected a number from 0 to 1; found -1."),
        ({"residual_dropout": 2}, "--residual-dropout: expected a number from 0 to 1; found 2."),
    ],
    ids=str,
)  # fmt: skip
def test_numbers_that_are_refused(flags: dict, message: str):
    with pytest.raises(InputError) as error:
        network(**flags)
    assert message in str(error.value)


def test_a_batch_that_does_not_fit():
    with pytest.raises(InputError, match="batch: expected the stream 'video'; found audio"):
        network()({"audio": streams()["audio"]}, FULL)
    with pytest.raises(
        InputError, match=r"vectors of width 9 \(--audio-dim\); found width 12. Set --audio-dim"
    ):
        network()({"audio": streams()["video"], "video": streams()["video"]}, FULL)
