"""A model as one graph against the model itself; nothing is exported here."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from fairseq.models import build_model
from omegaconf import OmegaConf

import mmer_fairseq
from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.errors import InputError
from mmer_fairseq.export.graph import Graph
from mmer_fairseq.export.inputs import inputs_of, trial_batches
from mmer_fairseq.export.write import reference, remedy_for

mmer_fairseq.register()

DIMS = {"text": 12, "audio": 8, "video": 8}
SMALL = {
    "robertaEMO_small": {
        "encoder_layers": 2,
        "encoder_embed_dim": 12,
        "encoder_embed_dim_a": 8,
        "encoder_embed_dim_v": 8,
        "encoder_ffn_embed_dim": 12,
        "encoder_attention_heads": 4,
    },
    "auxformer_small": {"audio_dim": 8, "video_dim": 8, "encoder_embed_dim": 8, "encoder_attention_heads": 2},
    "jmt_small": {"embed_dim": 8, "head_dim": 12, "num_heads": 2},
    "jmt": {"embed_dim": 8, "head_dim": 12, "num_heads": 1},
    "mme2e": {"trans_dim": 8, "trans_nlayers": 2, "trans_nheads": 2},
    "mme2e_sparse": {"trans_dim": 8, "trans_nlayers": 2, "trans_nheads": 2},
    "lf_rnn": {},
    "lf_transformer": {},
    "facialmmt_small": {
        "encoder_embed_dim": 8,
        "encoder_ffn_embed_dim": 12,
        "encoder_attention_heads": 2,
        "ta_heads": 2,
        "tav_heads": 2,
        "frame_emotions": 3,
        "max_audio_steps": 5,
        "max_video_steps": 4,
    },
}


def features(name: str) -> dict[str, StreamSpec]:
    chosen = [m for m in DIMS if m != "text" or name != "auxformer_small"]
    return {m: StreamSpec(m, "features", encoder="identity", dim=DIMS[m], rate=2.0) for m in chosen}


def built(name: str, specs: dict[str, StreamSpec], **flags: object) -> torch.nn.Module:
    torch.manual_seed(0)
    task = SimpleNamespace(streams=specs, num_outputs=3)
    model = build_model(OmegaConf.create({"_name": name, **SMALL[name], **flags}), task).eval()
    for parameter in model.parameters():
        if parameter.dim() == 1:  # zeros and ones would hide what is left out
            parameter.data += 0.1 * torch.randn(parameter.shape)
    return model


def worst(model: torch.nn.Module, specs: dict[str, StreamSpec], features_only: bool = False) -> float:
    graph = Graph(model, features_only)
    found = []
    with torch.no_grad():
        for batch in trial_batches(inputs_of(graph, model, specs)):
            found.append(float((graph(**batch) - reference(model, graph, batch)).abs().max()))
    assert len(found) > 6
    return max(found)


@pytest.mark.parametrize("name", SMALL)
def test_same_numbers_on_features(name: str):
    assert worst(built(name, features(name)), features(name)) < 1e-5


@pytest.mark.parametrize("name", ["robertaEMO_small", "lf_rnn", "facialmmt_small"])
def test_same_numbers_with_small_encoders(name: str):
    specs = {
        "text": StreamSpec("text", "tokens", vocab_size=20),
        "audio": StreamSpec("audio", "samples", rate=16000.0),
        "video": StreamSpec("video", "frames", frame_size=32),
    }
    model = built(name, specs)
    assert worst(model, specs) < 1e-5
    assert worst(model, specs, features_only=True) < 1e-5


@pytest.mark.parametrize("name", ["mme2e", "mme2e_sparse"])
def test_same_numbers_with_images(name: str):
    specs = {
        "text": StreamSpec("text", "tokens", vocab_size=20),
        "video": StreamSpec("video", "frames", encoder="face_pixels", frame_size=48),
    }
    assert worst(built(name, specs), specs) < 1e-5


@pytest.mark.parametrize("which", ["power", "log"])
def test_pieces_of_spectrograms(which: str):
    specs = {"audio": StreamSpec("audio", "samples", encoder=f"mel_pieces:{which}", rate=16000.0)}
    assert worst(built("lf_transformer", specs), specs) < 1e-4


def test_biosignals():
    specs = {"physio": StreamSpec("physio", "series", dim=2, rate=32.0)}
    assert worst(built("jmt_small", specs), specs) < 1e-5


def test_what_to_do_about_a_difference():
    specs = {"video": StreamSpec("video", "frames", encoder="face_pixels", frame_size=48)}
    assert remedy_for(Graph(built("mme2e_sparse", specs))) == (
        "add --no-check if it is small: where sites are attended to alike, rounding decides which of them are kept"
    )
    assert remedy_for(Graph(built("mme2e", specs))).startswith("report this as a fault of mmer export")


def test_models_that_compute_over_padding_are_refused():
    model = built("auxformer_small", features("auxformer_small"), original_behaviour=True)
    with pytest.raises(InputError) as error:
        Graph(model)
    assert str(error.value) == (
        "--path: expected a model whose output for a clip does not depend on the other clips of its batch; found one "
        "that was trained with --original-behaviour, which computes over padding. Train without that flag to export."
    )


def test_encoders_of_others_are_refused():
    model = built("lf_transformer", {"text": StreamSpec("text", "tokens", vocab_size=20)})
    model.encoders.encoder["text"].__class__ = type("Roberta", (type(model.encoders.encoder["text"]),), {})
    with pytest.raises(InputError) as error:
        Graph(model)
    assert str(error.value) == (
        "--path, encoder of text: expected one that can be exported (FacePixels, FrameCNN, Identity, LogMel, "
        "MelPieces, PhysioCNN, Standardise, TextEmbedding); found Roberta, whose network is not ours. Add "
        "--features-only: the exported model then takes what mmer extract makes with this encoder."
    )
    assert Graph(model, features_only=True).encodes == ()
