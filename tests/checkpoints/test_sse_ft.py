"""Names and sizes of original checkpoints."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mmer_fairseq.checkpoints.sse_ft import (
    model_flags,
    network_of,
    sizes_of,
    split_encoders,
    task_flags,
    to_network,
)
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.state import check_state

PlainSSEFT = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "plain_sse_ft.py"))["PlainSSEFT"]


def original(letters: str = "tav", **sizes: int) -> dict[str, Tensor]:
    """Fusion and head as the original names them."""
    numbers = {"ffn_dim": 20, "heads": 2, "layers": 3, "cross_layers": 2, "outputs": 5, **sizes}
    dims, positions = {"t": 24, "a": 16, "v": 8}, {"t": 30, "a": 40, "v": 33}
    return PlainSSEFT(letters, dims=dims, positions=positions, **numbers).state_dict()


def test_sizes_come_from_the_shapes():
    sizes = sizes_of(original(), "old.pt")
    assert sizes.modalities == ("text", "audio", "video")
    assert dict(sizes.dims) == {"text": 24, "audio": 16, "video": 8}
    assert dict(sizes.max_positions) == {"audio": 40, "video": 33}
    assert (sizes.ffn_dim, sizes.layers, sizes.cross_layers, sizes.outputs) == (20, 3, 2, 5)


@pytest.mark.parametrize(
    ("letters", "modalities"),
    [("ta", ("text", "audio")), ("av", ("audio", "video")), ("v", ("video",)), ("t", ("text",))],
)
def test_modalities_come_from_the_names(letters: str, modalities: tuple):
    assert sizes_of(original(letters), "old.pt").modalities == modalities


@pytest.mark.parametrize("letters", ["tav", "ta", "tv", "av", "t", "a", "v"])
def test_every_tensor_finds_its_place(letters: str):
    state = original(letters)
    check_state(network_of(sizes_of(state, "old.pt"), heads=2), to_network(state, "old.pt"), "old.pt")


def test_an_unknown_tensor_is_refused():
    names = [
        "decoder.sentence_encoder.layers_a.0.bias_k",
        "decoder.lm_head.weight",
        "classification_heads.x.dense.bias",
    ]
    for name in names:
        with pytest.raises(InputError) as error:
            to_network({**original(), name: torch.zeros(1)}, "old.pt")
        assert str(error.value) == (
            f"old.pt: expected the tensors of a checkpoint of SSE-FT; found 1 unknown ({name}). "
            "Name a checkpoint of the original SSE-FT repository."
        )


def test_a_checkpoint_of_something_else_is_refused():
    with pytest.raises(
        InputError, match=r"old.pt: expected an SSE-FT checkpoint, with a matrix .*dense.weight; found 1"
    ):
        sizes_of({"encoder.weight": torch.zeros(2, 2)}, "old.pt")
    state = {**original(), "classification_heads.emotion_classification_head.out_proj.weight": torch.zeros(3)}
    with pytest.raises(InputError, match="found another shape"):
        sizes_of(state, "old.pt")


def test_encoders_are_parted():
    frozen = {"model_wav2vec.feature_extractor.x": torch.zeros(1), "model_text2vec.model.y": torch.ones(1)}
    trained, encoders = split_encoders({**original("t"), **frozen})
    assert trained.keys() == original("t").keys()
    assert encoders.keys() == {"text", "audio"}
    assert list(encoders["audio"]) == ["feature_extractor.x"]


def test_flags_take_sizes_from_tensors_and_the_rest_from_arguments():
    sizes = sizes_of(original("av"), "old.pt")
    args = {
        "encoder_attention_heads": 2,
        "encoder_layers": 24,
        "dropout": 0.3,
        "activation_fn": "relu",
        "max_positions_t": None,
        "encoder_normalize_before": True,
        "data": ["./corpus"],
        "regression_target_mos": True,
        "lr": [0.001],
    }
    assert model_flags(sizes, args) == {
        "_name": "robertaEMO",
        "encoder_attention_heads": 2,
        "encoder_ffn_embed_dim": 20,
        "encoder_layers": 3,
        "encoder_layers_cross": 2,
        "encoder_embed_dim_a": 16,
        "encoder_embed_dim_v": 8,
        "max_positions_a": 40,
        "max_positions_v": 33,
        "activation_fn": "relu",
        "dropout": 0.3,
    }
    assert task_flags(sizes, args) == {
        "_name": "emotion_prediction",
        "modalities": "audio,video",
        "data": "./corpus",
        "regression_target_mos": True,
    }
