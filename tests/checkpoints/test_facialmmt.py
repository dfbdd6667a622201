"""FacialMMT's checkpoints: reading, sizes, the language model, and what is none.

That every tensor lands where it belongs is checked in the tests of the network.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mmer_fairseq.checkpoints import facialmmt
from mmer_fairseq.errors import InputError
from mmer_fairseq.networks.facialmmt import FacialMMT

PLAIN = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "plain_facialmmt.py"))


def state(**extra: Tensor) -> dict[str, Tensor]:
    torch.manual_seed(0)
    plain = PLAIN["PlainFacialMMT"](
        widths=(5, 6, 7),
        dim=12,
        heads=2,
        inside=10,
        audio_layers=3,
        crossing_layers=1,
        steps=(4, 8, 9),
        outputs=3,
    )
    ignored = {
        f"CrossModalTrans_{name}.{leaf}": torch.tensor([value])
        for name in ("TA", "TA_V")
        for leaf, value in (("version", 3.0), ("embed_positions._float_tensor", float("nan")))
    }
    return {**plain.state_dict(), **ignored, **extra}


def model(kind: str) -> dict[str, Tensor]:
    return {
        f"{kind}.embeddings.word_embeddings.weight": torch.randn(20, 5),
        f"{kind}.embeddings.position_ids": torch.arange(9)[None],
        f"{kind}.pooler.dense.weight": torch.randn(5, 5),
    }


def nested(saved: dict[str, Tensor]) -> torch.nn.Module:
    """Modules inside each other that have this state dict."""
    whole = torch.nn.Module()
    for name, x in saved.items():
        *path, leaf = name.split(".")
        part = whole
        for step in path:
            if step not in part._modules:
                part.add_module(step, torch.nn.Module())
            part = part.get_submodule(step)
        part.register_buffer(leaf, x)
    return whole


@pytest.mark.parametrize("kind", ["roberta", "bert"])
@pytest.mark.parametrize("form", ["dict", "wrapped", "inside", "model"])
def test_every_form_of_file(tmp_path: Path, kind: str, form: str):
    path, saved = tmp_path / "x.pt", state(**model(kind))
    content = {
        "dict": saved,
        "wrapped": {f"module.{name}": x for name, x in saved.items()},
        "inside": {"state_dict": saved, "epoch": 3},
        "model": nested(saved),
    }[form]
    torch.save(content, path, pickle_protocol=4)
    found = facialmmt.read(path)
    network, language_model, inside = facialmmt.split_language_model(found)
    assert language_model == kind
    assert sorted(inside) == ["embeddings.word_embeddings.weight", "pooler.dense.weight"]
    told = facialmmt.sizes_of(network, path).arguments()
    assert told == {
        "dims": {"text": 5, "audio": 6, "video": 7}, "outputs": 3, "dim": 12, "ffn_dim": 10, "audio_steps": 8,
        "video_steps": 9, "audio_layers": 3, "video_layers": 2, "ta_layers": 1, "tav_layers": 1,
    }  # fmt: skip
    ours = FacialMMT(heads=2, ta_heads=2, tav_heads=2, **told)
    ours.load_state_dict(facialmmt.to_network(network, path))


def test_picture_alone_has_no_language_model():
    plain = PLAIN["PlainUnimodal"](width=7, dim=12, heads=2, inside=10, steps=9, outputs=3).state_dict()
    network, kind, inside = facialmmt.split_language_model(plain)
    assert (kind, inside) == ("", {})
    sizes = facialmmt.sizes_of(network, "x")
    assert sizes.dims == {"video": 7}
    assert sizes.crossings == {}


def test_what_is_no_checkpoint(tmp_path: Path):
    path = tmp_path / "x.pt"
    torch.save({"a": 1}, path)
    with pytest.raises(InputError, match=r"x.pt: expected a checkpoint of FacialMMT .*found no tensors"):
        facialmmt.read(path)
    torch.save(state(**{"P.weight": torch.full((2,), float("inf"))}), path)
    with pytest.raises(InputError, match=r"found NaN or infinity in P.weight"):
        facialmmt.read(path)
    with pytest.raises(InputError, match=r"x: .*with a matrix classifier.weight; found 1 tensors without it"):
        facialmmt.sizes_of({"a": torch.zeros(2)}, "x")
    with pytest.raises(InputError, match=r"with a matrix text_linear.weight; found 1 tensors without it"):
        facialmmt.sizes_of({"classifier.weight": torch.zeros(2, 2)}, "x")
    lacking = state()
    del lacking["attention.Q.weight"]
    with pytest.raises(InputError, match=r"with a matrix attention.Q.weight"):
        facialmmt.to_network(lacking, "x")
    for name in ("decoder.weight", "attention.R.weight", "CrossModalTrans_TA.layers.0.fc3.weight",
                 "audio_utt_transformer.layer.0.output.norm.weight", "CrossModalTrans_TA.fc1.weight"):  # fmt: skip
        with pytest.raises(
            InputError, match=f"the tensors of a checkpoint of FacialMMT; found 1 unknown \\({name}\\)"
        ):
            facialmmt.to_network(state(**{name: torch.zeros(1)}), "x")
