"""RoBERTa against fairseq's own forward, and clip against batch."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from mmer_fairseq.encoders import StreamSpec, build_encoder
from mmer_fairseq.encoders.roberta import RoBERTa
from mmer_fairseq.errors import InputError

TOKENS = torch.tensor([[0, 5, 9, 12, 7, 2], [0, 24, 4, 2, 6, 6], [3, 3, 3, 3, 3, 3], [0, 2, 9, 9, 9, 9]])
LENGTHS = torch.tensor([6, 4, 0, 2])


def test_equals_fairseq_whatever_stands_in_the_padding(tiny):
    encoder = RoBERTa(tiny("roberta")).freeze()
    y, lengths = encoder(TOKENS, LENGTHS)
    assert y.shape == (4, 6, 32)
    assert lengths.tolist() == LENGTHS.tolist()
    for index, length in enumerate(LENGTHS.tolist()):
        assert not y[index, length:].any()
        if length:
            with torch.no_grad():
                expected, _ = tiny.models["roberta"](TOKENS[index : index + 1, :length], features_only=True)
            torch.testing.assert_close(y[index, :length], expected[0], atol=1e-5, rtol=0)
    assert y[0].std() > 0.1


def test_folder_and_file_are_the_same(tiny):
    folder = Path(tiny("roberta")).parent
    spec = StreamSpec("text", "tokens", f"roberta:{folder}", vocab_size=25)
    encoder = build_encoder(spec, 0)
    assert encoder.frozen
    assert encoder.fingerprint == RoBERTa(tiny("roberta")).fingerprint
    assert torch.equal(encoder(TOKENS, LENGTHS)[0], RoBERTa(str(folder)).freeze()(TOKENS, LENGTHS)[0])


def test_every_weight_is_used_and_trained(tiny):
    encoder = RoBERTa(tiny("roberta")).train()
    y, _ = encoder(TOKENS, LENGTHS)
    y.square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_checkpoint_of_any_fairseq_version(tiny, tmp_path):
    """As fairseq of today saves it, and with the second copies of the weights that 0.12.2 saves."""
    model = RoBERTa(tiny("roberta")).freeze()
    content = torch.load(tiny("roberta"), weights_only=False)
    content["model"] = tiny.models["roberta"].state_dict()
    content["model"]["encoder.sentence_encoder.layers.0.in_proj_weight"] = torch.zeros(96, 32)
    content["model"]["encoder.sentence_encoder.layers.1.fc1_bias"] = torch.zeros(48)
    content["cfg"] = {"model": content.pop("args")}
    torch.save(content, tmp_path / "model.pt")
    again = RoBERTa(str(tmp_path)).freeze()
    assert set(again.state_dict()) == set(model.state_dict())
    assert torch.equal(again(TOKENS, LENGTHS)[0], model(TOKENS, LENGTHS)[0])
    again.load_state_dict(model.state_dict())  # as fairseq restores a checkpoint of ours


def test_too_many_tokens(tiny):
    encoder = RoBERTa(tiny("roberta")).freeze()
    with pytest.raises(InputError, match=r"expected at most 40 tokens .*; found 41. Cut the texts"):
        encoder(torch.zeros(1, 41, dtype=torch.long), torch.tensor([41]))


def test_unknown_token(tiny):
    encoder = RoBERTa(tiny("roberta")).freeze()
    with pytest.raises(InputError, match=r"expected tokens in 0 … 24; found 25. Use the tokenizer"):
        encoder(torch.tensor([[0, 25]]), torch.tensor([2]))


def test_tokenizer_of_another_vocabulary(tiny):
    spec = StreamSpec("text", "tokens", f"roberta:{tiny('roberta')}", vocab_size=500)
    with pytest.raises(
        InputError, match=r"expected a tokenizer of the 25 tokens .*; found a tokenizer of 500"
    ):
        build_encoder(spec, 0)


def test_dictionary_of_another_model(tiny, tmp_path):
    shutil.copy(tiny("roberta"), tmp_path / "model.pt")
    (tmp_path / "dict.txt").write_text("a 1\nb 1\n")
    with pytest.raises(InputError, match=r"dict\.txt: expected 20 lines, .*; found 2\. Keep the dict\.txt"):
        RoBERTa(str(tmp_path))
