"""``--context``: the text of a clip is read within its dialogue, each dialogue once a batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import mmer_fairseq
from mmer_fairseq.corpus.write import write_corpus
from mmer_fairseq.errors import InputError
from mmer_fairseq.media.text import train_sentencepiece

mmer_fairseq.register()

from omegaconf import OmegaConf  # noqa: E402

from mmer_fairseq.models.sse_ft import SSEFTConfig  # noqa: E402
from mmer_fairseq.tasks.emotion_prediction import EmotionPrediction, EmotionPredictionConfig  # noqa: E402

WORDS = [
    "well",
    "you",
    "know",
    "the",
    "weather",
    "is",
    "fine",
    "today",
    "and",
    "we",
    "could",
    "go",
    "to",
    "the",
]
TURNS, DIALOGUES = 10, 4


@pytest.fixture(scope="module")
def spoken(tmp_path_factory) -> Path:
    """Four dialogues of ten utterances; one utterance has no text, one has a label that is left out."""
    folder = tmp_path_factory.mktemp("spoken")
    rows, generator = [], torch.Generator().manual_seed(4)
    for dialogue in range(DIALOGUES):
        for turn in range(TURNS):
            chosen = torch.randint(len(WORDS), (4 + turn % 5,), generator=generator).tolist()
            rows.append(
                {
                    "id": f"d{dialogue}u{turn}",
                    "text": " ".join(WORDS[k] for k in chosen),
                    "dialogue": f"d{dialogue}",
                    "turn": str(turn),
                    "emotion": "joy" if (turn + dialogue) % 2 else "anger",
                }
            )
    rows[13]["emotion"] = "xxx"
    train_sentencepiece([row["text"] for row in rows], folder / "tokenizer.model", vocab_size=60)
    write_corpus(
        folder,
        description={
            "name": "spoken",
            "licence": "MIT",
            "media_root": ".",
            "text": "words",
            "labels": {
                "emotion": {
                    "kind": "classes",
                    "column": "emotion",
                    "classes": ["joy", "anger"],
                    "ignore": ["xxx"],
                }
            },
        },
        rows={"train": rows, "test": [{**row, "id": "t" + row["id"]} for row in rows]},
    )
    return folder


def made(folder, **flags):
    task = EmotionPrediction.setup_task(EmotionPredictionConfig(data=str(folder), context=256, **flags))
    task.load_dataset("test")
    torch.manual_seed(1)
    sizes = dict(encoder_layers=1, encoder_ffn_embed_dim=64, encoder_attention_heads=2)
    widths = {f"encoder_embed_dim{m}": 32 for m in ("", "_a", "_v")}
    config = OmegaConf.create({**vars(SSEFTConfig()), **sizes, **widths, "_name": "robertaEMO"})
    return task, task.build_model(config).eval()


def logits_of(task, model, batches) -> dict[int, torch.Tensor]:
    dataset, found = task.datasets["test"], {}
    for batch in batches:
        sample = dataset.collater([dataset[int(i)] for i in batch])
        with torch.no_grad():
            logits = model(**sample["net_input"])["logits"]
        found.update({int(i): row for i, row in zip(sample["id"], logits)})
    return found


def test_a_clip_has_the_same_logits_in_any_batch(spoken):
    task, model = made(spoken)
    dataset = task.datasets["test"]
    assert len(dataset) == TURNS * DIALOGUES - 1
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(1)).tolist()
    alone = logits_of(task, model, [[i] for i in range(len(dataset))])
    for size in (4, 16):
        for indices in (list(range(len(dataset))), order):
            batches = [indices[at : at + size] for at in range(0, len(indices), size)]
            together = logits_of(task, model, batches)
            assert together.keys() == alone.keys()
            assert max(float((together[i] - alone[i]).abs().max()) for i in alone) < 1e-5


def test_neighbours_matter_and_so_does_a_clip_whose_label_is_left_out(spoken):
    task, model = made(spoken)
    dataset = task.datasets["test"]
    part = dataset.dialogues.of_clip(dataset.clips[10])
    assert len(part.spans) == TURNS
    assert "td1u3" in part.spans
    item = dataset[10]
    sample = dataset.collater([item])
    other = {**sample["net_input"], "context": dict(sample["net_input"]["context"])}
    tokens = other["context"]["tokens"].clone()
    tokens[0, -3] = 5 if int(tokens[0, -3]) != 5 else 6
    other["context"]["tokens"] = tokens
    with torch.no_grad():
        assert not torch.equal(model(**sample["net_input"])["logits"], model(**other)["logits"])


def test_a_dialogue_is_encoded_once_a_batch(spoken):
    task, model = made(spoken)
    dataset = task.datasets["test"]
    counted = []
    encoder = model.encoders.encoder["text"]
    encoder.register_forward_hook(lambda module, given, out: counted.append(int(given[1].sum())))

    def tokens(size):
        counted.clear()
        batches = dataset.batch_by_size(dataset.ordered_indices(), max_sentences=size)
        logits_of(task, model, batches)
        return sum(counted)

    one_by_one, together = tokens(1), tokens(20)
    assert one_by_one / together > 9
    assert tokens(16) == together  # dialogues are not cut by a batch of another size


def test_text_that_is_taken_away(spoken):
    task, model = made(spoken)
    dataset = task.datasets["test"]
    items = [dataset[i] for i in (0, 1, 2)]
    del items[1]["streams"]["text"], items[1]["context"]
    sample = dataset.collater(items)
    assert sample["net_input"]["lengths"]["text"].tolist()[1] == 0
    with torch.no_grad():
        logits = model(**sample["net_input"])["logits"]
    alone = logits_of(task, model, [[0], [2]])
    assert torch.allclose(logits[[0, 2]], torch.stack([alone[0], alone[2]]), atol=1e-5)
    assert torch.isfinite(logits).all()


def test_training_shuffles_dialogues_and_learns_from_all(spoken):
    task = EmotionPrediction.setup_task(EmotionPredictionConfig(data=str(spoken), context=256))
    task.load_dataset("train")
    dataset = task.datasets["train"]
    orders = []
    for epoch in (1, 2):
        dataset.set_epoch(epoch)
        order = dataset.ordered_indices()
        assert sorted(order.tolist()) == list(range(len(dataset)))
        names = [dataset.clips[i].dialogue for i in order]
        assert sum(a != b for a, b in zip(names, names[1:])) == DIALOGUES - 1
        orders.append(order.tolist())
    assert orders[0] != orders[1]


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ({"context": 2}, "found 2. Allow for a few hundred tokens, such as --context 512"),
        ({"context": 512, "modalities": "audio"}, "found a run without text. Leave the flag out"),
    ],
)
def test_context_that_means_nothing_is_refused(toy, flags, found):
    with pytest.raises(
        InputError, match="--context: expected 4 tokens or more, and texts that are parts of"
    ) as e:
        EmotionPrediction.setup_task(EmotionPredictionConfig(data=str(toy), **flags))
    assert found in str(e.value)
