"""A language model inside another model becomes a folder that its encoder reads."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mmer_fairseq.checkpoints.language_model import settings_of, write_folder
from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.errors import InputError

transformers = pytest.importorskip("transformers")


def model(kind: str, **settings: int) -> torch.nn.Module:
    torch.manual_seed(0)
    name = {"roberta": "Roberta", "bert": "Bert"}[kind]
    sizes = {"vocab_size": 30, "hidden_size": 64, "intermediate_size": 40, "num_hidden_layers": 2}
    config = getattr(transformers, f"{name}Config")(
        **{**sizes, "max_position_embeddings": 20, "num_attention_heads": 1, **settings}
    )
    return getattr(transformers, f"{name}Model")(config).eval()


@pytest.mark.parametrize("kind", ["roberta", "bert"])
def test_the_folder_computes_the_same(tmp_path: Path, kind: str):
    extra = {"roberta": {"pad_token_id": 1, "layer_norm_eps": 1e-5, "type_vocab_size": 1}, "bert": {}}[kind]
    theirs = model(kind, **extra)
    state = theirs.state_dict()
    folder = tmp_path / "folder"
    write_folder(settings_of(kind, state, "x"), state, folder)
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "model.safetensors"]
    if kind == "bert":
        from mmer_fairseq.encoders import bert as encoders
    else:
        from mmer_fairseq.encoders import roberta as encoders
    encoder = encoders.build(StreamSpec("text", "tokens", kind), 0, str(folder)).eval()
    tokens = torch.tensor([[5, 9, 7, 12, 3]])
    with torch.no_grad():
        found, _ = encoder(tokens, torch.tensor([5]))
        torch.testing.assert_close(found, theirs(tokens).last_hidden_state, rtol=0, atol=1e-5)


def test_what_is_no_language_model():
    state = model("bert").state_dict()
    with pytest.raises(
        InputError, match=r"x: expected the tensors of a bert language model; found none called emb"
    ):
        settings_of("bert", {"pooler.dense.weight": torch.zeros(2, 2)}, "x")
    state["embeddings.word_embeddings.weight"] = torch.zeros(30, 50)
    with pytest.raises(
        InputError, match=r"x: expected a bert language model in a published size.*found width 50"
    ):
        settings_of("bert", state, "x")
