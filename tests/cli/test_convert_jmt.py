"""``mmer convert --from jmt``: fairseq then computes what the original does."""

from __future__ import annotations

import csv
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fairseq.checkpoint_utils import load_checkpoint_to_cpu
from fairseq.models import build_model
from torch import Tensor, nn

import mmer_fairseq
from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus.importers.arrays import Labels, import_arrays
from mmer_fairseq.encoders.base import StreamSpec

mmer_fairseq.register()

PLAIN = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "plain_jmt.py"))
DIM, OTHER = 16, 24
VARIANTS = (("TRANSFORMER", "SELF_ATTEN"), ("TRANSFORMER", "FC"), ("FC", "FC"), ("NONE", "FC"))


def convert(*words: object) -> int:
    return main(["convert", "--from", "jmt", *map(str, words)])


def save(folder: Path, modules: dict[str, nn.Module], wrapped: bool = False) -> Path:
    folder.mkdir(exist_ok=True)
    for name, module in modules.items():
        state = {("module." if wrapped else "") + key: x for key, x in module.state_dict().items()}
        torch.save(state, folder / f"{name}.pt")
    return folder


def load(path: Path, parts: dict[str, tuple[int, ...]], **widths: int) -> nn.Module:
    """The model as fairseq rebuilds it."""
    state = load_checkpoint_to_cpu(str(path))
    streams = {
        m: StreamSpec(modality=m, form="features", encoder="identity", dim=widths[m], parts=parts.get(m, ()))
        for m in state["cfg"]["task"]["modalities"].split(",")
    }
    assert all(state["cfg"]["task"][f"{m}_encoder"] == "identity" for m in streams)
    task = SimpleNamespace(streams=streams, num_outputs=2, over_time=True)
    model = build_model(state["cfg"]["model"], task)
    model.load_state_dict(state["model"], strict=True, model_cfg=state["cfg"]["model"])
    return model.eval()


def predict(model: nn.Module, **streams: Tensor) -> list[Tensor]:
    lengths = {m: torch.full((len(x),), x.shape[1]) for m, x in streams.items()}
    return list(model(streams, lengths)["logits"].unbind(2))


@pytest.mark.slow
@torch.no_grad()
def test_fairseq_scores_traces_like_the_original(tmp_path: Path, command):
    torch.manual_seed(0)
    fusion, joined = PLAIN["PlainJMT"](dim=DIM, heads=2), PLAIN["PlainIntra"](DIM, 2, 1, other=OTHER)
    files = {"fusion_w": fusion, "transformer_audio_modality_fusion": joined}
    folder = save(tmp_path / "SavedWeights", files)
    random = np.random.default_rng(0)
    stores = {"r": ("video", DIM), "s": ("audio", DIM), "w": ("audio", OTHER)}
    given = {n: random.normal(size=(4, 8, dim)).astype("f4") for n, (_, dim) in stores.items()}
    traces = list(random.uniform(-1, 1, (4, 8, 2)))
    import_arrays(
        tmp_path / "corpus",
        ids=["c0", "c1", "c2", "c3"],
        labels=Labels(traces, kind="trace", name="affect", names=("valence", "arousal"), rate=2.0),
        splits=["train", "train", "valid", "test"],
        features={n: (m, list(given[n])) for n, (m, _) in stores.items()},
        rates=dict.fromkeys(stores, 2.0),
    )
    assert convert(folder, tmp_path / "new.pt", "--heads", 2) == 0
    command([
        "fairseq-validate", tmp_path / "corpus", "--user-dir", "mmer_fairseq", "--task", "emotion_prediction", "--cpu",
        "--path", tmp_path / "new.pt", "--valid-subset", "test", "--batch-size", 4, "--seq-length", 8,
        "--subseq-length", 1, "--dilation", 1, "--features", "video=r,audio=s,audio=w",
        "--save-predictions", tmp_path / "scores.tsv",
    ])  # fmt: skip
    r, s, w = (torch.from_numpy(given[n][3:]) for n in stores)
    expected = torch.stack(fusion(joined(s, w), r), dim=-1)[0].clamp(-1, 1)
    with open(tmp_path / "scores.tsv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    found = [[float(row[f"score_{name}"]) for name in ("valence", "arousal")] for row in rows]
    np.testing.assert_allclose(np.clip(found, -1, 1), expected.numpy(), atol=2e-5)


def backbones() -> dict[str, nn.Module]:
    """Modules with a few of the names of the original's."""
    r2d1, i3d, resnet = nn.Module(), nn.Module(), nn.Module()
    r2d1.r2plus1d = nn.Sequential(nn.Linear(2, 2))
    resnet.resnet = nn.Sequential(nn.Linear(3, 2))
    i3d.i3d_WSDDA = nn.ModuleDict({"logits": nn.Linear(2, 2), "Mixed_3b": nn.Linear(2, 2)})
    i3d.temporal = nn.Module()
    i3d.temporal.network = nn.ModuleList([nn.ModuleDict({"conv1": nn.Linear(2, 2)})])
    i3d.temporal.network[0]["net"] = nn.ModuleList([i3d.temporal.network[0]["conv1"]])
    i3d.vregressor, i3d.aregressor = nn.Linear(2, 1), nn.Linear(2, 1)
    i3d.predictions = nn.Linear(2, 1)
    return {"vision_r2d1": r2d1, "vision_i3d": i3d, "audio_resnet18": resnet}


@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize(("joint", "output"), VARIANTS)
@pytest.mark.parametrize("intra", [None, "fc", "transformer"])
@torch.no_grad()
def test_fairseq_computes_what_the_original_does(
    joint: str, output: str, heads: int, intra: str | None, tmp_path: Path, capsys: pytest.CaptureFixture
):
    torch.manual_seed(heads)
    layers = 2 if joint != "FC" and intra != "fc" else 1
    fusion = PLAIN["PlainJMT"](joint, output, dim=DIM, heads=heads, layers=layers)
    files = {"fusion_w": fusion}
    audio, video = torch.randn(3, 5, DIM), torch.randn(3, 5, DIM)
    parts: dict[str, tuple[int, ...]] = {}
    widths = {"audio": DIM, "video": DIM}
    given = {"audio": audio, "video": video}
    if intra:
        wavlm, i3d = torch.randn(3, 5, OTHER), torch.randn(3, 5, DIM)
        if intra == "fc":
            of_audio, of_video = PLAIN["PlainFcLayer"](DIM + OTHER, DIM), PLAIN["PlainFcLayer"](2 * DIM, DIM)
            files.update(fc_layer_for_audio_concat=of_audio, fc_layer_for_video_concat=of_video)
        else:
            of_audio, of_video = (PLAIN["PlainIntra"](DIM, heads, layers, other=OTHER) for _ in range(2))
            files.update(
                transformer_audio_modality_fusion=of_audio, transformer_visio_modality_fusion=of_video
            )
        given = {"audio": torch.cat([audio, wavlm], 2), "video": torch.cat([video, i3d], 2)}
        parts, widths = {"audio": (DIM, OTHER), "video": (DIM, DIM)}, {"audio": DIM + OTHER, "video": 2 * DIM}
        audio, video = of_audio(audio, wavlm), of_video(video, i3d)
    expected = [y.T if (joint, output) == ("TRANSFORMER", "FC") else y for y in fusion(audio, video)]
    folder = save(tmp_path / "SavedWeights", files, wrapped=heads == 4)
    assert convert(folder, tmp_path / "new.pt", "--heads", heads) == 0
    found = predict(load(tmp_path / "new.pt", parts, **widths), **given)
    for ours, theirs in zip(found, expected):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    printed = capsys.readouterr().out
    variant = f"{joint}/{output}" if joint == "TRANSFORMER" else joint
    assert (
        f"video, audio; training, {variant}, {layers} layers of width 16, {heads} heads, valence" in printed
    )
    assert ("nothing uses it: mm_transformer.final_encoder (" in printed) == (joint == "TRANSFORMER")
    assert ("mm_transformer.gated_attention (33 numbers)" in printed) == (joint == "NONE")
    unused = "transformer_visio_modality_fusion.fc (400 numbers)"
    assert (unused in printed) == (intra == "transformer")
    assert ("as it was before training" in printed) == (intra == "transformer")
    assert ("audio: two feature stores, 16 and 24 wide" in printed) == bool(intra)


@pytest.mark.parametrize(("width", "told"), [(DIM, False), (DIM, True), (OTHER, False)])
@torch.no_grad()
def test_a_pretrained_head(width: int, told: bool, tmp_path: Path, capsys: pytest.CaptureFixture):
    head = PLAIN["PlainPretrainer"](DIM)
    files = {"backbone_pretrainer_w": head}
    x = torch.randn(2, 4, width)
    expected = head(x) if width == DIM else None
    if width != DIM:
        files["fc_layer_for_audio_concat"] = PLAIN["PlainFcLayer"](width, DIM)
        expected = head(files["fc_layer_for_audio_concat"](x))
    elif not told:
        files["audio_resnet18"] = backbones()["audio_resnet18"]
    folder = save(tmp_path / "SavedWeights", files)
    old = folder / "backbone_pretrainer_w.pt" if told else folder
    assert convert(old, tmp_path / "new.pt", *(["--modality", "audio"] if told else [])) == 0
    found = predict(load(tmp_path / "new.pt", {}, audio=width), audio=x)
    for ours, theirs in zip(found, expected):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    assert "audio; pretraining, 1 layers of width 16" in capsys.readouterr().out


@pytest.mark.parametrize("together", [True, False])
def test_backbones_are_written_beside_it(together: bool, tmp_path: Path, capsys: pytest.CaptureFixture):
    fusion, parts = PLAIN["PlainJMT"]("FC", "FC", dim=DIM), backbones()
    flatten = nn.Linear(4, 2)
    files = {**parts, "vision_r2d1_fc": flatten}
    if together:
        files = {"all_backbones": nn.ModuleDict(files)}
    folder = save(tmp_path / "SavedWeights", {"fusion_w": fusion, **files})
    assert convert(folder, tmp_path / "new.pt") == 0
    states = {n: torch.load(tmp_path / f"new.{n}.pt", weights_only=True) for n in parts}
    assert torch.equal(states["vision_r2d1"]["r2plus1d.0.weight"], parts["vision_r2d1"].r2plus1d[0].weight)
    assert torch.equal(states["vision_r2d1"]["vision_r2d1_fc.weight"], flatten.weight)
    assert set(states["audio_resnet18"]) == {"resnet.0.weight", "resnet.0.bias"}
    kept = {
        f"{name}.{leaf}"
        for name in ("i3d_WSDDA.Mixed_3b", "temporal.network.0.conv1")
        for leaf in ("weight", "bias")
    }
    assert set(states["vision_i3d"]) == kept
    assert "new.vision_i3d.pt: 4 tensors, 10 that nothing uses left out" in capsys.readouterr().out


def faults(folder: Path) -> dict[str, tuple[Path, list[object], str]]:
    """Name → what OLD is, other words, what the error says."""
    plain, intra, layer = PLAIN["PlainJMT"], PLAIN["PlainIntra"], PLAIN["PlainFcLayer"]
    fusion = plain("FC", "FC", dim=DIM)
    nan, more, one = (plain("FC", "FC", dim=DIM) for _ in range(3))
    nan.vregressor[0].bias.data[0] = float("nan")
    more.mm_transformer.third = nn.Linear(1, 1)
    one.aregressor = nn.Sequential(nn.Linear(DIM, 5), nn.ReLU(), nn.ReLU(), nn.Linear(5, 1))
    pretrainer = PLAIN["PlainPretrainer"](DIM)
    a, v = "transformer_audio_modality_fusion", "fc_layer_for_video_concat"
    (folder / "words.pt").write_text("hello")
    torch.save([1], folder / "list.pt")
    torch.save({"weights": {"x": torch.zeros(1)}}, folder / "nested.pt")

    def saved(name: str, **modules: nn.Module) -> Path:
        return save(folder / name, modules)

    good = saved("good", fusion_w=fusion)
    return {
        "empty": (saved("empty"), [], "expected fusion_w.pt or backbone_pretrainer_w.pt; found neither."),
        "backbones": (saved("b", vision_r2d1=layer(3, 3)), [], "found vision_r2d1.pt. Name the folder SavedWeights of"),
        "both": (saved("both", fusion_w=fusion, backbone_pretrainer_w=pretrainer), [], "found both. "),
        "nan": (saved("nan", fusion_w=nan), [], "fusion_w.pt: expected finite weights; found NaN or infinity in vreg"),
        "more": (saved("more", fusion_w=more), [], "found 2 unknown (mm_transformer.third.weight, mm_transformer.th"),
        "other heads": (saved("one", fusion_w=one), [], "expected two heads of one size, each with 0.weight; found an"),
        "another's": (saved("c", fusion_w=pretrainer), [], "with a matrix vregressor.0.weight; found 4 tensors"),
        "heads": (good, ["--heads", 3], "--heads: expected a number that divides the file's width of 16; found 3."),
        "no heads": (good, ["--heads", 0], "--heads: expected a number that divides the file's width of 16; found 0."),
        "two kinds": (
            saved("two", fusion_w=fusion, **{a: intra(DIM, other=OTHER), v: layer(2 * DIM, DIM)}), [],
            "expected one kind of fusion for both modalities; found encoder_plus_self_attention and feat_concat_fc.",
        ),
        "two files": (
            saved("twice", fusion_w=fusion, **{a: intra(DIM, other=OTHER), "fc_layer_for_audio_concat": layer(40)}),
            [], "expected one file that joins the backbones of audio; found two.",
        ),
        "narrow": (saved("narrow", fusion_w=fusion, **{v: layer(DIM, DIM)}), [], "expected features of two backbones"),
        "whose head": (saved("whose", backbone_pretrainer_w=pretrainer), [], "found none. Add --modality video or"),
        "joined head": (
            saved("joined", backbone_pretrainer_w=pretrainer, **{a: intra(DIM, other=OTHER)}), [],
            f"expected at most a linear layer for audio beside a pretrained head; found {a}.pt.",
        ),
        "no file": (folder / "no.pt", [], "no.pt: expected a fusion_w.pt or backbone_pretrainer_w.pt of the"),
        "words": (folder / "words.pt", [], "words.pt: expected a fusion_w.pt or backbone_pretrainer_w.pt of the ori"),
        "list": (folder / "list.pt", [], "list.pt: expected a fusion_w.pt or backbone_pretrainer_w.pt of the origina"),
        "nested": (folder / "nested.pt", [], "nested.pt: expected tensors by name, as the original saves them; found"),
        "another's flag": (good, ["--no-attention-mask"], "--from jmt: expected none of the flags of auxformer; found"),
    }  # fmt: skip


def test_wrong_files_are_refused_in_words(tmp_path: Path, capsys: pytest.CaptureFixture):
    for name, (old, words, message) in faults(tmp_path).items():
        assert convert(old, tmp_path / "new.pt", *words) == 2, name
        error = capsys.readouterr().err
        assert error.startswith("error: ") and message in error, (name, error)  # noqa: PT018
        assert not (tmp_path / "new.pt").exists()


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture):
    files = {"fusion_w": PLAIN["PlainJMT"]("FC", "FC", dim=DIM), **backbones()}
    folder = save(tmp_path / "SavedWeights", files)
    (tmp_path / "new.vision_i3d.pt").write_text("mine")
    assert convert(folder, tmp_path / "new.pt") == 2
    assert "new.vision_i3d.pt: expected a new file; found one that exists." in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SavedWeights", "new.vision_i3d.pt"]
