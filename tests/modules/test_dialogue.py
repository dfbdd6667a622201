"""Utterances inside an encoded dialogue, in both layouts."""

from __future__ import annotations

import pytest
import torch

from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.dialogue import utterance_spans, utterance_steps

#: Tokens of the utterances of two dialogues.
COUNTS = [[3, 1, 5], [2, 4]]


def laid_out(layout: str) -> tuple[list[list[str]], torch.Tensor]:
    """The tokens of each dialogue as names ("u1.0"), and where its utterances are closed."""
    texts, closings = [], []
    for counts in COUNTS:
        text, closing = ["<s>"], []
        for u, count in enumerate(counts):
            if u and layout == "roberta":
                text.append("</s>")
            text += [f"u{u}.{t}" for t in range(count)]
            closing.append(len(text))
            text.append("</s>")
        texts.append(text)
        closings.append(closing + [-1] * (3 - len(closing)))
    return texts, torch.tensor(closings)


@pytest.mark.parametrize("layout", ["roberta", "bert"])
def test_the_tokens_of_every_utterance(layout: str):
    texts, closing = laid_out(layout)
    starts, lengths = utterance_spans(closing, layout)
    for d, text in enumerate(texts):
        for u, count in enumerate(COUNTS[d]):
            start, length = int(starts[d, u]), int(lengths[d, u])
            assert text[start : start + length] == [f"u{u}.{t}" for t in range(count)]
    assert int(lengths[1, 2]) == 0
    # every place of the encoded text tells dialogue and place
    steps = max(map(len, texts)) + 2
    hidden = torch.stack([torch.arange(steps).float() + 100 * d for d in range(2)])[..., None].expand(
        -1, -1, 2
    )
    dialogues, utterances = torch.tensor([1, 0, 0, 1]), torch.tensor([1, 2, 0, 2])
    own = dialogues, starts[dialogues, utterances], lengths[dialogues, utterances]
    found, counts = utterance_steps(hidden, *own)
    assert counts.tolist() == [4, 5, 3, 0]
    assert found.shape == (4, 5, 2)
    for row, count, d, start in zip(found, counts, own[0], own[1]):
        assert torch.equal(row[:count, 0], torch.arange(int(count)) + start + 100.0 * d)
        assert not row[count:].any()
    cut, counts = utterance_steps(hidden, *own, limit=2)
    assert counts.tolist() == [2, 2, 2, 0]
    torch.testing.assert_close(cut, found[:, :2])


def test_what_lies_behind_the_text_is_not_there():
    hidden = torch.ones(1, 4, 2, requires_grad=True)
    found, counts = utterance_steps(
        hidden, torch.zeros(3, dtype=torch.long), torch.tensor([2, 4, 9]), torch.tensor([5, 2, 1])
    )
    assert counts.tolist() == [2, 0, 0]
    found.sum().backward()
    assert hidden.grad is not None
    assert hidden.grad[0, :, 0].tolist() == [0, 0, 1, 1]


def test_no_text_at_all():
    found, counts = utterance_steps(
        torch.full((1, 3, 2), float("nan")),
        torch.zeros(2, dtype=torch.long),
        torch.ones(2).long(),
        torch.zeros(2).long(),
    )
    assert found.shape == (2, 1, 2)
    assert not found.any()
    assert counts.tolist() == [0, 0]


def test_an_unknown_layout():
    with pytest.raises(
        InputError, match=r"layout of a dialogue: expected roberta or bert; found 'gpt'\. Name that of"
    ):
        utterance_spans(torch.tensor([[3]]), "gpt")
