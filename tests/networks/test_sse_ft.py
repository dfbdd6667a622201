"""SSE-FT against the plain way, and what a clip without a modality gives."""

from __future__ import annotations

import itertools
import runpy
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mmer_fairseq.checkpoints.sse_ft import to_network
from mmer_fairseq.errors import InputError
from mmer_fairseq.networks.sse_ft import SSEFT

PlainSSEFT = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "plain_sse_ft.py"))["PlainSSEFT"]

NAMES = {"t": "text", "a": "audio", "v": "video"}
DIMS = {"t": 24, "a": 16, "v": 8}
SUBSETS = ["tav", "ta", "tv", "av", "t", "a", "v"]


def pair(letters: str = "tav", **changes: int) -> tuple[PlainSSEFT, SSEFT]:
    """The plain network and ours, same weights, in float64."""
    torch.manual_seed(1)
    sizes = {"ffn_dim": 20, "heads": 2, "layers": 2, "cross_layers": 2, "outputs": 4, **changes}
    plain = PlainSSEFT(letters, dims=DIMS, positions={"t": 30, "a": 40, "v": 30}, **sizes).double().eval()
    ours = network(letters, **sizes).double().eval()
    ours.load_state_dict(to_network(plain.state_dict(), "plain"))
    return plain, ours


def network(letters: str = "tav", **sizes: object) -> SSEFT:
    """Ours in the sizes of these tests, without dropout unless asked for."""
    numbers = {"ffn_dim": 20, "heads": 2, "layers": 1, "cross_layers": 1, "outputs": 4}
    rates = {"dropout": 0.0, "attention_dropout": 0.0}
    return SSEFT(
        modalities=[NAMES[m] for m in letters],
        text_dim=DIMS["t"],
        audio_dim=DIMS["a"],
        video_dim=DIMS["v"],
        max_positions_text=30,
        max_positions_audio=40,
        max_positions_video=30,
        **{**numbers, **rates, **sizes},
    )


def batch(lengths: Iterable[tuple[int, int, int]], dtype: torch.dtype = torch.float64, extra: int = 0):
    """Random clips of (text, audio, video) steps, padded to the longest and ``extra`` steps more."""
    generator = torch.Generator().manual_seed(5)
    streams: dict[str, Tensor] = {}
    counts: dict[str, Tensor] = {}
    columns = list(zip(*lengths))
    for letter, column in zip(NAMES, columns):
        steps = max(column)
        x = torch.zeros(len(column), steps + extra, DIMS[letter], dtype=dtype)
        for i, length in enumerate(column):
            x[i, :length] = torch.randn(steps, DIMS[letter], generator=generator, dtype=torch.float64)[
                :length
            ]
        streams[NAMES[letter]], counts[NAMES[letter]] = x, torch.tensor(column)
    return streams, counts


def run_plain(plain: PlainSSEFT, streams: dict[str, Tensor], lengths: dict[str, Tensor]) -> dict[str, Tensor]:
    return plain(
        {letter: streams[name] for letter, name in NAMES.items()},
        {letter: lengths[name] for letter, name in NAMES.items()},
    )


PADDED, FULL = [(7, 11, 9), (4, 6, 3), (1, 2, 1)], [(5, 8, 6), (5, 8, 6)]


@pytest.mark.parametrize("lengths", [PADDED, FULL, [(1, 1, 1)]], ids=["padded", "full", "one"])
@pytest.mark.parametrize("letters", SUBSETS)
def test_output_is_that_of_the_plain_way(letters: str, lengths: list):
    plain, ours = pair(letters)
    streams, counts = batch(lengths)
    expected = run_plain(plain, streams, counts)
    found = {**ours.step_zero(streams, counts), **ours(streams, counts)}
    assert found.pop("aux") == {}
    for name, tensor in expected.items():
        key = name if name == "logits" else "_".join(NAMES[letter] for letter in name)
        torch.testing.assert_close(found[key], tensor, rtol=0, atol=1e-11)
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    "changes",
    [
        {"heads": 1},
        {"heads": 8},
        {"layers": 1, "cross_layers": 3},
        {"layers": 3, "cross_layers": 1},
        {"ffn_dim": 7},
    ],
    ids=str,
)
def test_other_sizes(changes: dict):
    plain, ours = pair(**changes)
    streams, counts = batch(PADDED)
    expected = run_plain(plain, streams, counts)["logits"]
    torch.testing.assert_close(ours(streams, counts)["logits"], expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("letters", SUBSETS)
def test_gradients_are_those_of_the_plain_way(letters: str):
    plain, ours = pair(letters)
    streams, counts = batch(PADDED)
    (run_plain(plain.train(), streams, counts)["logits"] ** 2).sum().backward()
    (ours.train()(streams, counts)["logits"] ** 2).sum().backward()
    expected = to_network({name: p.grad for name, p in plain.named_parameters()}, "plain")
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=0, atol=1e-11, msg=name)
        assert parameter.grad.abs().max() > 0, name


def test_training_mode_without_dropout_gives_the_published_output():
    _, ours = pair()
    streams, counts = batch(PADDED)
    assert torch.equal(ours.train()(streams, counts)["logits"], ours.eval()(streams, counts)["logits"])


def test_dropout_acts_in_training():
    ours = network(dropout=0.3, attention_dropout=0.3, pooler_dropout=0.3).double()
    streams, counts = batch(PADDED)
    outputs = [ours(streams, counts)["logits"] for _ in range(2)]
    assert not torch.allclose(*outputs)


def test_a_clip_depends_on_neither_padding_nor_batch():
    ours = network().eval()
    lengths = [(7, 11, 9), (4, 0, 3), (0, 2, 1), (3, 5, 0)]
    together = ours(*batch(lengths, torch.float32))["logits"]
    streams, counts = batch(lengths, torch.float32, extra=6)
    for m, x in streams.items():  # whatever stands in the padding
        x[torch.arange(x.shape[1])[None] >= counts[m][:, None]] = float("nan")
    torch.testing.assert_close(ours(streams, counts)["logits"], together, rtol=0, atol=1e-5)
    for i in range(len(lengths)):
        alone = ours({m: x[[i]] for m, x in streams.items()}, {m: n[[i]] for m, n in counts.items()})
        torch.testing.assert_close(alone["logits"][0], together[i], rtol=0, atol=1e-5)


def test_missing_modalities_in_words():
    """Every way to lack modalities, against the plain network's step-0 vectors put together by hand."""
    plain, ours = pair()
    steps = (5, 8, 6)
    whole, counts = batch([steps])
    vectors = run_plain(plain, whole, counts)
    zero = {letter: torch.zeros_like(vectors[letter]) for letter in NAMES}
    one = {letter: torch.ones_like(vectors[letter]) for letter in NAMES}
    head = plain.classification_heads["emotion_classification_head"]
    for present in itertools.product([True, False], repeat=3):
        here = dict(zip(NAMES, present))
        parts = []
        for letter in "tva":
            partners = [k for k in NAMES if k != letter and here[k]]
            product = one[letter]
            for k in partners:
                product = product * vectors[letter + k]
            own = product if partners else vectors[letter]
            parts.append(own if here[letter] else zero[letter])
        expected = head.out_proj(torch.tanh(head.dense(torch.cat(parts, dim=-1))))
        kept = {NAMES[m]: torch.tensor([n if here[m] else 0]) for m, n in zip(NAMES, steps)}
        found = ours(whole, kept)["logits"]
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-11, msg=str(here))


@pytest.mark.parametrize("letters", SUBSETS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_missing_modalities_leave_everything_finite(letters: str, dtype: torch.dtype):
    ours = network(letters, dropout=0.1, attention_dropout=0.1).to(dtype)
    lengths = [
        tuple(n * here for n, here in zip((5, 8, 6), kept)) for kept in itertools.product([0, 1], repeat=3)
    ]
    for part in (lengths, lengths[:1]):  # the second: nothing at all in the whole batch
        streams, counts = batch(part, dtype)
        ours.zero_grad()
        logits = ours(streams, counts)["logits"]
        logits.float().square().sum().backward()
        assert logits.isfinite().all()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in ours.parameters())


def test_autocast_gives_about_the_same():
    ours = network().eval()
    streams, counts = batch(PADDED, torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = ours(streams, counts)["logits"]
    torch.testing.assert_close(found.float(), ours(streams, counts)["logits"], rtol=0, atol=0.02)


def test_pre_norm_differs_and_is_finite():
    before, after = network(normalize_before=True), network()
    state = {name: x for name, x in before.state_dict().items() if name in after.state_dict()}
    after.load_state_dict(state)
    streams, counts = batch(PADDED, torch.float32)
    outputs = [n.eval()(streams, counts)["logits"] for n in (before, after)]
    assert outputs[0].isfinite().all()
    assert not torch.allclose(*outputs)


def test_only_what_is_used_is_built():
    names = {name.split(".")[1] for name, _ in network("ta").named_parameters() if "stacks" in name}
    assert names == {"audio", "text_audio", "audio_text"}
    assert {name.split(".")[0] for name, _ in network("t").named_parameters()} == {"head"}
    assert network("tv").head.dense.in_features == DIMS["t"] + DIMS["v"]


WRONG_NUMBERS = [
    (
        {"heads": 3, "text_dim": 24},
        "--encoder-embed-dim-a and --encoder-attention-heads: expected a width that is a multiple of the "
        "number of heads; found width 16, 3 heads. Change one of the two.",
    ),
    ({"heads": 0}, "--encoder-attention-heads: expected 1 or more; found 0."),
    ({"dropout": 2.0}, "--dropout: expected a number from 0 to 1; found 2.0."),
    ({"layers": -1}, "--encoder-layers: expected 0 or more; found -1."),
    ({"pooler_activation": "no"}, "--pooler-activation-fn: expected one of gelu, "),
    (
        {"modalities": ["text", "physio"]},
        "--modalities: expected one to three of text, audio, video, which is what this system knows; found "
        "text, physio. Choose among these.",
    ),
    ({"modalities": []}, "found none."),
]


@pytest.mark.parametrize(("change", "text"), WRONG_NUMBERS, ids=str)
def test_numbers_that_make_no_network(change: dict, text: str):
    sizes = {"modalities": ["text", "audio"], "outputs": 2, "text_dim": 24, "audio_dim": 16, "heads": 2}
    with pytest.raises(InputError) as error:
        SSEFT(**{**sizes, "layers": 1, **change})
    assert text in str(error.value)


@pytest.mark.parametrize(
    ("letter", "steps", "limit"), [("t", 31, 30), ("a", 40, 40), ("v", 30, 30)], ids=["t", "a", "v"]
)
def test_longer_than_the_positions(letter: str, steps: int, limit: int):
    lengths = [tuple(steps if m == letter else 2 for m in NAMES)]
    with pytest.raises(InputError) as error:
        network()(*batch(lengths, torch.float32))
    text = str(error.value)
    assert f"stream '{NAMES[letter]}': expected at most {limit} steps" in text
    assert f"Raise --max-positions-{letter}, or cut the clips." in text
    network()(*batch([tuple(n - (m == letter) for m, n in zip(NAMES, lengths[0]))], torch.float32))


def test_a_stream_of_another_width_or_none():
    streams, counts = batch(PADDED, torch.float32)
    with pytest.raises(
        InputError, match=r"stream 'audio': expected vectors of width 16 \(--encoder-embed-dim-a\)"
    ):
        network()({**streams, "audio": streams["text"]}, counts)
    with pytest.raises(InputError, match="batch: expected the stream 'video'; found text, audio"):
        network()({m: streams[m] for m in ("text", "audio")}, counts)
