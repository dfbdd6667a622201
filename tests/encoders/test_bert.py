"""BERT, RoBERTa, XLM-RoBERTa and ALBERT from folders of Hugging Face: equal to transformers' own models."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from mmer_fairseq.encoders import StreamSpec, build_encoder
from mmer_fairseq.errors import InputError

SIZES = {
    "vocab_size": 30,
    "hidden_size": 12,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 12,
}
#: model_type → encoder, what its classes begin with, further settings, tokens there are positions for
KINDS = {
    "bert": ("bert", "Bert", {"pad_token_id": 0}, 12),
    "roberta": ("roberta", "Roberta", {"pad_token_id": 1, "type_vocab_size": 1}, 10),
    "xlm-roberta": ("roberta", "XLMRoberta", {"pad_token_id": 1, "type_vocab_size": 1}, 10),
    "albert": ("albert", "Albert", {"pad_token_id": 0, "embedding_size": 8}, 12),
}
TOKENS = torch.tensor([[2, 7, 9, 12, 7, 3], [2, 24, 4, 3, 6, 1], [1, 1, 1, 1, 1, 1], [2, 3, 9, 9, 9, 0]])
LENGTHS = torch.tensor([6, 4, 0, 2])


def make(folder: Path, model_type: str, **changes: Any) -> Any:
    """Write a folder as the hub gives it; transformers' own model."""
    transformers = pytest.importorskip("transformers")
    _, prefix, more, _ = KINDS[model_type]
    settings = {"model_type": model_type, **SIZES, **more}
    torch.manual_seed(0)
    model = getattr(transformers, f"{prefix}Model")(
        getattr(transformers, f"{prefix}Config")(**settings)
    ).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape)
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**settings, **changes}))
    state = {f"{model_type}.{name}": x.contiguous() for name, x in model.state_dict().items()}
    save_file({**state, "cls.predictions.bias": torch.zeros(30)}, str(folder / "model.safetensors"))
    return model


def build(folder: Path, encoder: str, tokens: int = 30, **changes: Any) -> Any:
    return build_encoder(StreamSpec("text", "tokens", f"{encoder}:{folder}", vocab_size=tokens, **changes), 0)


@pytest.mark.parametrize("model_type", KINDS)
def test_equals_transformers_whatever_stands_in_the_padding(tmp_path, model_type):
    model = make(tmp_path, model_type)
    encoder = build(tmp_path, KINDS[model_type][0])
    assert (encoder.dim, encoder.vocab_size, encoder.frozen) == (12, 30, True)
    assert encoder.model.config._attn_implementation == "sdpa"  # which keeps no scores
    y, lengths = encoder(TOKENS, LENGTHS)
    assert lengths.tolist() == LENGTHS.tolist()
    assert y.grad_fn is None
    for row, length in enumerate(LENGTHS.tolist()):
        assert not y[row, length:].any()
        if length:
            with torch.no_grad():
                theirs = model(input_ids=TOKENS[row : row + 1, :length]).last_hidden_state
            torch.testing.assert_close(y[row, :length], theirs[0], rtol=0, atol=1e-6)
    longer = torch.cat([TOKENS, torch.full((4, 20), 29)], dim=1)
    torch.testing.assert_close(encoder(longer, LENGTHS)[0][:, :6], y, rtol=0, atol=1e-6)


@pytest.mark.parametrize("model_type", KINDS)
def test_every_weight_is_used_and_trained(tmp_path, model_type):
    make(tmp_path, model_type)
    encoder = build(tmp_path, KINDS[model_type][0], frozen=False).train()
    y, _ = encoder(TOKENS, LENGTHS)
    (y * torch.randn(y.shape)).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name
    assert not any("pooler" in name for name in encoder.state_dict())


@pytest.mark.parametrize("model_type", KINDS)
def test_as_many_tokens_as_there_are_positions(tmp_path, model_type):
    make(tmp_path, model_type)
    encoder, _, _, most = KINDS[model_type]
    built = build(tmp_path, encoder)
    assert built(torch.full((1, most), 5), torch.tensor([most]))[0].isfinite().all()
    name = {"roberta": "RoBERTa"}.get(encoder, encoder.upper())
    with pytest.raises(
        InputError,
        match=f"at most {most} tokens, which {name} has positions for; found {most + 1}. Set --max-text-tokens",
    ):
        built(torch.full((1, most + 1), 5), torch.tensor([most + 1]))
    with pytest.raises(InputError, match=r"expected tokens in 0 … 29; found 30\. Use the tokenizer"):
        built(torch.tensor([[2, 30]]), torch.tensor([2]))


def test_older_forms_of_the_weights(tmp_path):
    """Names of norms as TensorFlow has them, a pickle, and buffers that were saved once."""
    model = make(tmp_path / "new", "bert")
    (tmp_path / "old").mkdir()
    state = {"bert.embeddings.position_ids": torch.arange(12)[None]}
    for name, x in model.state_dict().items():
        for new, old in (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")):
            name = name.replace(new, old)
        state[f"bert.{name}"] = x
    assert sum("gamma" in name for name in state) == 5
    torch.save(state, tmp_path / "old" / "pytorch_model.bin")
    (tmp_path / "old" / "config.json").write_text((tmp_path / "new" / "config.json").read_text())
    new, old = build(tmp_path / "new", "bert"), build(tmp_path / "old", "bert")
    assert torch.equal(new(TOKENS, LENGTHS)[0], old(TOKENS, LENGTHS)[0])
    old.load_state_dict(new.state_dict())


def test_how_a_stranger_ran_the_model_does_not_matter(tmp_path):
    make(tmp_path / "a", "bert")
    running = {
        "attn_implementation": "flash_attention_2", "return_dict": False, "output_attentions": True,
        "gradient_checkpointing": True, "torch_dtype": "float16", "pad_token_id": None, "hidden_dropout_prob": 0.4,
    }  # fmt: skip
    make(tmp_path / "b", "bert", **running)
    plain, odd = build(tmp_path / "a", "bert"), build(tmp_path / "b", "bert")
    assert odd.dtype == torch.float32
    assert torch.equal(plain(TOKENS, LENGTHS)[0], odd(TOKENS, LENGTHS)[0])


def test_the_fingerprint_follows_what_decides_the_output(tmp_path):
    prints = {}
    for name, changes in {
        "same": {},
        "dropout": {"hidden_dropout_prob": 0.4},
        "act": {"hidden_act": "relu"},
        "padding": {"pad_token_id": 0},
    }.items():
        make(tmp_path / name, "roberta", **changes)
        prints[name] = build(tmp_path / name, "roberta").fingerprint
    assert prints["same"] == prints["dropout"]
    assert len(set(prints.values())) == 3


def test_roberta_s_form_is_found(tiny, tmp_path):
    """A folder with model.pt is fairseq's, whatever else lies in it."""
    make(tmp_path, "roberta")
    (tmp_path / "model.pt").write_bytes(Path(tiny("roberta")).read_bytes())
    assert build(tmp_path, "roberta", 25).dim == 32


@pytest.mark.parametrize(
    ("encoder", "changes", "message"),
    [
        (
            "roberta",
            {},
            r'of a RoBERTa model \("model_type": "roberta" or "xlm-roberta"\); found those of a model \'b',
        ),
        (
            "albert",
            {},
            r'settings of an ALBERT model \("model_type": "albert"\); found those of a model \'bert\'',
        ),
        (
            "bert",
            {"hidden_size": 13},
            r"config\.json: expected settings of a BERT model; found ValueError: .*13",
        ),
        (
            "bert",
            {"intermediate_size": 17},
            r"model\.safetensors: expected the tensors of .* instead of \(17",
        ),
        ("bert", {"num_hidden_layers": 3}, r"model\.safetensors: .*; found no encoder\.layer\.2"),
        ("bert", {"num_hidden_layers": 1}, r"model\.safetensors: .*; found also encoder\.layer\.1"),
    ],
)
def test_folders_that_do_not_fit(tmp_path, encoder, changes, message):
    make(tmp_path, "bert", **changes)
    with pytest.raises(InputError, match=message):
        build(tmp_path, encoder)


def test_other_errors(tmp_path, monkeypatch):
    make(tmp_path, "bert")
    with pytest.raises(
        InputError,
        match=r"expected BERT's own tokenizer, of 30 tokens; found one of 31\. Leave out --tokenizer-model and",
    ):
        build(tmp_path, "bert", 31)
    assert build(tmp_path, "bert", 0).vocab_size == 30  # not known
    assert build(tmp_path, "bert", 24).vocab_size == 30  # a table that was rounded up
    with pytest.raises(
        InputError,
        match=r"nowhere: expected a folder of Hugging Face's BERT; found no such folder\. Download one",
    ):
        build(tmp_path / "nowhere", "bert")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"a BERT folder of Hugging Face, with config\.json and model\.safe"):
        build(tmp_path / "empty", "bert")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(
        InputError,
        match=r"encoder 'bert': expected the package transformers, .*Install it: pip install "
        r"'mmer_fairseq\[transformers\]'",
    ):
        build(tmp_path, "bert")
    save_file({"x": torch.zeros(1)}, str(tmp_path / "model.safetensors"))
    monkeypatch.undo()
    with pytest.raises(
        InputError,
        match=r"tensors of a BERT model, one of them 'embeddings\.word_embeddings\.weight'; found x",
    ):
        build(tmp_path, "bert")


def test_weights_that_would_run_code(tmp_path):
    make(tmp_path, "bert")
    (tmp_path / "model.safetensors").unlink()
    torch.save({"bert.embeddings.word_embeddings.weight": Path("x")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(
        InputError, match=r"holding tensors and settings only; found an object of the class 'path"
    ):
        build(tmp_path, "bert")
