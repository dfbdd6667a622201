"""What is optimised when a model has several outputs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from mmer_fairseq.criterions.auxiliary import auxiliary_weights, optimised
from mmer_fairseq.criterions.objectives import objective
from mmer_fairseq.errors import InputError

TARGET = torch.tensor([0, 2, 1])
LOSS = objective("classes", "softmax").loss


def logits(seed: int) -> torch.Tensor:
    return torch.randn(3, 4, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def weights(main: float = 1.0, auxiliary: str = "1.0") -> SimpleNamespace:
    return SimpleNamespace(main_weight=main, auxiliary_weight=auxiliary)


def test_a_model_with_one_output_has_its_loss():
    x = logits(0)
    loss = LOSS(x, TARGET)[0]
    assert torch.equal(optimised(LOSS, loss, {"logits": x, "aux": {}}, TARGET, None, weights()), loss)


def test_main_and_auxiliary_outputs_are_weighted():
    mean, main, audio, video = (logits(seed) for seed in range(4))
    output = {"logits": mean, "main": main, "aux": {"audio": audio, "video": video}}
    found = optimised(LOSS, LOSS(mean, TARGET)[0], output, TARGET, None, weights(0.5, "audio=0.2,video=0.3"))
    parts = [F.cross_entropy(x, TARGET, reduction="sum") for x in (main, audio, video)]
    torch.testing.assert_close(found, 0.5 * parts[0] + 0.2 * parts[1] + 0.3 * parts[2])
    found.backward()
    assert mean.grad is None


def test_clips_that_an_output_knows_nothing_of_do_not_count():
    main, audio, video = (logits(seed) for seed in range(3))
    votes = {"audio": torch.tensor([True, False, True]), "video": torch.tensor([False, False, False])}
    output = {"logits": main, "aux": {"audio": audio, "video": video}, "aux_votes": votes}
    found = optimised(LOSS, LOSS(main, TARGET)[0], output, TARGET, None, weights())
    kept = F.cross_entropy(audio[[0, 2]], TARGET[[0, 2]], reduction="sum")
    torch.testing.assert_close(found, F.cross_entropy(main, TARGET, reduction="sum") + kept)
    found.backward()
    assert not audio.grad[1].any()
    assert video.grad is not None and not video.grad.any()  # noqa: PT018


def test_labels_over_time():
    trace = objective("trace", "mse").loss
    main, audio = torch.randn(2, 5, 2), torch.randn(2, 5, 2)
    target, mask = torch.randn(2, 5, 2).double(), torch.zeros(2, 5, dtype=torch.bool)
    mask[1, 3:] = True
    votes = {"audio": torch.tensor([False, True])}
    output = {"logits": main, "aux": {"audio": audio}, "aux_votes": votes}
    predicted = trace(main, target, mask)[0]
    found = optimised(trace, predicted, output, target, mask, weights())
    torch.testing.assert_close(found - predicted, trace(audio[1:], target[1:], mask[1:])[0])


def test_weights():
    names = {"audio": 0, "video": 0}
    assert auxiliary_weights("0.5", names) == {"audio": 0.5, "video": 0.5}
    assert auxiliary_weights(1, names) == {"audio": 1.0, "video": 1.0}
    assert auxiliary_weights("video=2, audio=0.5", names) == {"audio": 0.5, "video": 2.0}
    assert auxiliary_weights("1.0", {})


@pytest.mark.parametrize(
    "text",
    [
        "much",
        "nan",
        "-1",
        "inf",
        "audio=1,audio=1,video=1",
        "audio=1",
        "audio=1,video=2,text=3",
        "audio=1,video=",
        "audio=1,video",
    ],
)
def test_weights_that_are_refused(text: str):
    with pytest.raises(InputError) as error:
        auxiliary_weights(text, {"audio": 0, "video": 0})
    assert str(error.value) == (
        "--auxiliary-weight: expected a number from 0 on, or one for each auxiliary output (audio=1.0,video=1.0); "
        f"found {text!r}. Correct it."
    )
