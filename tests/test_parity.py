"""The parity script on reference files made here by the plain network."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

TESTS = Path(__file__).parent
PlainSSEFT = runpy.run_path(str(TESTS / "benchmarks" / "plain_sse_ft.py"))["PlainSSEFT"]

NAMES = {"t": "text", "a": "audio", "v": "video"}
OWN = {"t": "j_text", "a": "j_aud", "v": "j_vid"}


@pytest.fixture(scope="module")
def parity():
    """``main`` of the script; its imports are found beside it, as when it runs."""
    path = list(sys.path)
    yield runpy.run_path(str(TESTS / "parity.py"))["main"]
    sys.path[:] = path


def reference(path: Path, letters: str = "tav", dtype: torch.dtype = torch.float32, **changes: int) -> Path:
    """A file in the form of the originals' references."""
    torch.manual_seed(len(letters))
    sizes = {
        "layers": 2,
        "cross": 2,
        "dt": 24,
        "da": 16,
        "dv": 8,
        "ffn": 20,
        "heads": 2,
        "classes": 4,
        **changes,
    }
    config = {**sizes, "mt": 32, "ma": 40, "mv": 30, "mods": "all" if letters == "tav" else letters}
    dims = {m: config[f"d{m}"] for m in NAMES}
    plain = PlainSSEFT(
        letters,
        dims=dims,
        positions={m: config[f"m{m}"] for m in NAMES},
        ffn_dim=config["ffn"],
        heads=config["heads"],
        layers=config["layers"],
        cross_layers=config["cross"],
        outputs=config["classes"],
    )
    plain = plain.to(dtype).eval()
    lengths = {"t": [7, 4, 1, 2], "a": [11, 6, 2, 12], "v": [9, 3, 1, 9]}
    streams = {m: torch.randn(4, max(lengths[m]), dims[m], dtype=dtype) for m in NAMES}
    counts = {m: torch.tensor(n) for m, n in lengths.items()}
    with torch.no_grad():
        outputs = plain(streams, counts)
    tensors = {f"state/{name}": x for name, x in plain.state_dict().items()}
    tensors |= {f"input/{NAMES[m]}": x for m, x in streams.items()}
    tensors |= {f"input/{NAMES[m]}_lengths": n for m, n in counts.items()}
    renamed = {name: OWN.get(name, name if name == "logits" else "2".join(name) + "_r") for name in outputs}
    tensors |= {f"output/{renamed[name]}": x.clone() for name, x in outputs.items()}
    return write(path, tensors, config)


def write(path: Path, tensors: dict[str, Tensor], config: object) -> Path:
    save_file({name: x.contiguous() for name, x in tensors.items()}, path, {"config": json.dumps(config)})
    return path


def changed(path: Path, change) -> Path:
    """A copy of a reference after ``change(tensors, config)``."""
    from safetensors import safe_open

    with safe_open(str(path), "pt") as file:
        config = json.loads(file.metadata()["config"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(tensors, config)
    return write(path.with_name("changed.safetensors"), tensors, config)


@pytest.mark.parametrize("letters", ["tav", "ta", "tv", "av", "t", "a", "v"])
def test_every_modality_set_holds(letters: str, tmp_path: Path, parity, capsys: pytest.CaptureFixture):
    assert parity([str(reference(tmp_path / "case.safetensors", letters))]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("ok   case: largest difference ")
    assert "tolerance 1e-05" in printed


@pytest.mark.parametrize(
    "changes", [{"heads": 8}, {"layers": 1, "cross": 3}, {"dt": 40, "ffn": 64}, {"classes": 1}], ids=str
)
def test_other_sizes_hold(changes: dict, tmp_path: Path, parity):
    assert parity([str(reference(tmp_path / "case.safetensors", **changes))]) == 0


def test_float64_is_held_to_more(tmp_path: Path, parity, capsys: pytest.CaptureFixture):
    path = reference(tmp_path / "case.safetensors", dtype=torch.float64)
    assert parity([str(path)]) == 0
    assert "tolerance 1e-09" in capsys.readouterr().out

    def nudge(tensors, config):
        tensors["output/logits"] += 1e-8

    assert parity([str(changed(path, nudge))]) == 1


def test_a_difference_fails_and_is_printed(tmp_path: Path, parity, capsys: pytest.CaptureFixture):
    good = reference(tmp_path / "case.safetensors")

    def nudge(tensors, config):
        tensors["output/t2a_r"][1, 3] += 1e-3

    assert parity([str(changed(good, nudge)), str(good)]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("FAIL changed: largest difference 1.00e-03 (t2a_r, 10 outputs)")
    assert second.startswith("ok   case")


def unknown_key(tensors: dict, config: dict) -> None:
    tensors["state/decoder.sentence_encoder.extra"] = torch.zeros(1)


def missing_key(tensors: dict, config: dict) -> None:
    del tensors["state/decoder.sentence_encoder.layers_av.1.fc2.weight"]


def no_logits(tensors: dict, config: dict) -> None:
    del tensors["output/logits"]


def strange_output(tensors: dict, config: dict) -> None:
    tensors["output/pooled"] = torch.zeros(1)


def no_input(tensors: dict, config: dict) -> None:
    del tensors["input/video_lengths"]


def strange_group(tensors: dict, config: dict) -> None:
    tensors["weights/x"] = torch.zeros(1)


def other_sizes(tensors: dict, config: dict) -> None:
    config["layers"] = 5


def no_heads(tensors: dict, config: dict) -> None:
    del config["heads"]


def half(tensors: dict, config: dict) -> None:
    tensors["output/logits"] = tensors["output/logits"].half()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (unknown_key, "found 1 unknown (decoder.sentence_encoder.extra)"),
        (missing_key, "1 missing (cross_stacks.audio_video.layers.1.fc2.weight)"),
        (no_logits, "expected output/logits"),
        (strange_output, "pooled"),
        (no_input, "expected input/video_lengths"),
        (strange_group, "expected keys that start with state/, input/ or output/; found weights/x"),
        (other_sizes, "found layers 2"),
        (no_heads, "found no 'heads'"),
        (half, "expected outputs in float32 or float64; found torch.float16"),
    ],
)
def test_unusable_references(change, message: str, tmp_path: Path, parity, capsys: pytest.CaptureFixture):
    path = changed(reference(tmp_path / "case.safetensors"), change)
    assert parity([str(path)]) == 2
    text = capsys.readouterr().err
    assert text.startswith(f"error: {path}: expected ")
    assert message in text


def test_unusable_files(tmp_path: Path, parity, capsys: pytest.CaptureFixture):
    text, cut, bare = (tmp_path / f"{name}.safetensors" for name in ("text", "cut", "bare"))
    text.write_text("hello")
    cut.write_bytes(reference(tmp_path / "case.safetensors").read_bytes()[:-50])
    save_file({"x": torch.zeros(1)}, bare)
    for path in (text, cut, bare):
        assert parity([str(path)]) == 2
        assert f"error: {path}: expected " in capsys.readouterr().err
    other = tmp_path / "case.json"
    other.write_text("{}")
    assert parity([str(other)]) == 2
    assert "expected a reference file of one of these systems: " in capsys.readouterr().err
    assert parity([str(tmp_path / "no.safetensors"), str(tmp_path)]) == 2
    assert "found no such file" in capsys.readouterr().err


def test_it_runs_as_a_plain_script_from_anywhere(tmp_path: Path):
    path = reference(tmp_path / "case.safetensors")
    words = [sys.executable, str(TESTS / "parity.py"), path.name]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "ok   case" in done.stdout


def auxformer(path: Path, **changes: float) -> Path:
    """A file in the form of AuxFormer's references, made by the plain network."""
    sys.path[:0] = [str(TESTS)]
    from references.fill import fill, inputs

    plain_class = runpy.run_path(str(TESTS / "benchmarks" / "plain_auxformer.py"))["PlainAuxFormer"]
    sizes = [
        ("v2", 50, (3, 6, 30), (3, 4, 50), 5, 2, 4, 0),
        ("v1", 130, (2, 3, 130), (2, 5, 70), 10, 1, 6, 1),
    ]
    content = {}
    for version, dim, audio, video, heads, layers, classes, causal in sizes:
        network = plain_class(
            audio_dim=audio[2], video_dim=video[2], dim=dim, heads=heads, layers=layers, outputs=classes,
            causal=bool(causal),
        ).double().eval()  # fmt: skip
        a, v = inputs(audio, 0), inputs(video, 1)
        a[1, 2:], v[0, 3:] = 0, 0
        with torch.no_grad():
            outputs = fill(network)(a, v)
        given = " ".join(
            f"{m}=x(({','.join(map(str, shape))}),{k})"
            for k, (m, shape) in enumerate((("audio", audio), ("video", video)))
        )
        said = f"heads={heads} layers={layers} classes={classes} causal={causal}"
        name = f"{version} padded: audio[1,2:]=0 video[0,3:]=0 {said}; {given}"
        content[name] = [x.tolist() for x in outputs]
    if changes:
        next(iter(content.values()))[1][0][0] += changes["by"]
    path.write_text(json.dumps(content))
    return path


def test_auxformer_in_other_sizes(parity, tmp_path: Path, capsys: pytest.CaptureFixture):
    assert parity([str(auxformer(tmp_path / "auxformer.json"))]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(
        line.startswith("ok   auxformer v") and "3 outputs), tolerance 1e-09" in line for line in lines
    )
    assert parity([str(auxformer(tmp_path / "auxformer_off.json", by=1e-8))]) == 1
    assert capsys.readouterr().out.startswith("FAIL auxformer_off v2")


def test_auxformer_files_of_another_form(parity, tmp_path: Path, capsys: pytest.CaptureFixture):
    (tmp_path / "auxformer_cut.json").write_text('{"v2 full')
    (tmp_path / "auxformer_name.json").write_text('{"v3": []}')
    assert parity([str(tmp_path / "auxformer_cut.json"), str(tmp_path / "auxformer_name.json")]) == 2
    error = capsys.readouterr().err
    assert "auxformer_cut.json: expected JSON; found Unterminated string" in error
    assert "found 'v3'. Make the reference file again." in error
