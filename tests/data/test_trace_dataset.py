"""Windows over the traces of the toy corpus, from media and from stores."""

from __future__ import annotations

import logging
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmer_fairseq.corpus import Corpus, register_features
from mmer_fairseq.data.flags import RANGES, StreamFlags
from mmer_fairseq.data.plan import empty, plan_streams, plan_windows
from mmer_fairseq.data.trace_dataset import TraceDataset
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.write import write_store

FLAGS = {
    **dict.fromkeys(StreamFlags.__annotations__),
    **{name: low for name, (low, _) in RANGES.items()},
    "max_sample_size": None,
    "min_sample_size": None,
    "sample_rate": 16000,
    "seq_length": 8,
    "subseq_length": 2,
    "stride": 1,
    "dilation": 1,
}


def flags(**given) -> SimpleNamespace:
    return SimpleNamespace(**{**FLAGS, **given})


@pytest.fixture
def corpus(twelve, tmp_path) -> Corpus:
    """Twelve clips with traces at 10 Hz of which one in the middle has no rater for some steps."""
    shutil.copytree(twelve, tmp_path / "c", ignore=shutil.ignore_patterns(".mmer"))
    return Corpus.load(tmp_path / "c", labels="affect")


def dataset(corpus: Corpus, split="train", training=False, dropout=None, **given) -> TraceDataset:
    asked = flags(**given)
    plan = plan_streams(asked, corpus)
    return TraceDataset(
        corpus.clips(split),
        {m: stream.source for m, stream in plan.items()},
        {m: empty(stream.spec) for m, stream in plan.items()},
        corpus.label_space,
        plan_windows(asked, corpus),
        directory=corpus.directory,
        training=training,
        dropout=dropout,
    )


def add_store(corpus: Corpus, name: str, steps_of, rate: float, dim: int = 3, **about) -> Corpus:
    random = np.random.default_rng(5)
    items = []
    for split in corpus.splits:
        for clip in corpus.clips(split):
            length = steps_of(len(corpus.label_space.target(clip)))
            items.append((clip.id, random.normal(size=(length, dim)).astype("f4")))
    path = write_store(corpus.directory / "features" / name, items, modality="video", rate=rate, **about)
    register_features(corpus.directory, name=name, path=path, modality="video")
    return Corpus.load(corpus.directory, labels="affect")


def test_items_hold_the_media_of_their_steps_and_the_labels_at_them(corpus):
    windows = dataset(corpus)
    plan = plan_streams(flags(), corpus)
    assert {m: stream.spec.chunk for m, stream in plan.items()} == {"audio": 3200, "video": 2}
    for index in (0, 1, len(windows) - 1):
        item, targets = windows[index], windows.steps_of(index)
        trace = corpus.label_space.target(windows.clip_of(index))
        torch.testing.assert_close(item["target"], trace[targets], equal_nan=True)
        assert item["streams"]["audio"].shape == (3200 * len(targets),)
        assert item["streams"]["video"].shape[:2] == (2 * len(targets), 3)
    batch = windows.collater([windows[0], windows[len(windows) - 1]])
    assert batch["target"].shape[:2] == (2, 4)
    assert batch["net_input"]["lengths"]["video"].tolist() == [8, 2 * len(targets)]
    assert batch["target_mask"][1, len(targets) :].all()


def test_every_step_of_the_split_is_in_one_item_and_evaluation_goes_in_the_order_of_time(corpus):
    windows = dataset(corpus, "valid")
    found = [(windows.clip_of(i).id, t) for i in range(len(windows)) for t in windows.steps_of(i).tolist()]
    expected = [
        (clip.id, t) for clip in corpus.clips("valid") for t in range(len(corpus.label_space.target(clip)))
    ]
    assert sorted(found) == sorted(expected)
    assert windows.ordered_indices().tolist() == list(range(len(windows)))
    starts = [(windows.clip_of(i).id, windows.steps_of(i)[0]) for i in range(len(windows))]
    assert [clip for clip, _ in starts] == sorted((c for c, _ in starts), key=[c for c, _ in expected].index)


def test_evaluation_reads_the_same_as_training(corpus):
    whole, trained = dataset(corpus), dataset(corpus, training=True)
    places = {(whole.clip_of(i).id, whole.steps_of(i)[0]): i for i in range(len(whole))}
    for index in range(0, len(trained), 7):
        same = whole[places[trained.clip_of(index).id, trained.steps_of(index)[0]]]
        for modality, stream in trained[index]["streams"].items():
            if modality == "video":
                assert torch.equal(stream, same["streams"][modality])
            else:  # cut from a longer stretch: a resampled wave differs by rounding
                torch.testing.assert_close(stream, same["streams"][modality], atol=1e-4, rtol=0)


def test_strides_thin_training_only(corpus):
    assert len(dataset(corpus, stride=2)) == len(dataset(corpus))
    assert len(dataset(corpus, stride=2, training=True)) < len(dataset(corpus, training=True))


def test_modalities_are_taken_away_in_training_but_never_the_last(corpus):
    windows = dataset(corpus, training=True, dropout={"audio": 0.5, "video": 0.5})
    kept = [frozenset(windows[i]["streams"]) for i in range(len(windows))]
    assert set(kept) == {frozenset({"audio"}), frozenset({"video"})}
    windows.set_epoch(2)
    assert [frozenset(windows[i]["streams"]) for i in range(len(windows))] != kept


def test_a_clip_without_a_modality(corpus):
    lines = (corpus.directory / "valid.tsv").read_text().splitlines()
    column = lines[0].split("\t").index("audio")
    row = lines[1].split("\t")
    row[column] = ""
    (corpus.directory / "valid.tsv").write_text("\n".join([lines[0], "\t".join(row), *lines[2:]]) + "\n")
    windows = dataset(Corpus.load(corpus.directory, labels="affect"), "valid")
    assert set(windows[0]["streams"]) == {"video"}
    assert windows.collater([windows[0]])["net_input"]["lengths"]["audio"].tolist() == [0]


def test_stored_vectors_at_the_rate_of_the_trace(corpus):
    corpus = add_store(corpus, "s", lambda steps: steps, 10.0)
    stored = dataset(
        corpus, "valid", features="video=s", video_encoder="identity", subseq_length=3, dilation=2
    )
    whole = stored.sources["video"].stores[0].get(stored.clip_of(0).id)
    item, targets = stored[4], stored.steps_of(4)
    expected = (whole[targets] + whole[np.maximum(targets - 2, 0)]) / 2
    torch.testing.assert_close(item["streams"]["video"], expected)


def test_stored_vectors_of_subsequences_are_taken_as_they_are(corpus):
    options = {"subseq_length": 3, "dilation": 2}
    corpus = add_store(corpus, "s", lambda steps: steps, 10.0, options=options)
    stored = dataset(
        corpus, "valid", features="video=s", video_encoder="identity", subseq_length=3, dilation=2
    )
    whole = stored.sources["video"].stores[0].get(stored.clip_of(0).id)
    assert torch.equal(stored[4]["streams"]["video"], whole[stored.steps_of(4)])
    with pytest.raises(InputError) as error:
        dataset(corpus, "valid", features="video=s", subseq_length=3, dilation=1)
    assert str(error.value).endswith(
        "features/s: expected vectors of sub-sequences of 3 steps, dilation 1 (--subseq-length, --dilation); "
        "found 3 steps, dilation 2. Give the run these numbers, or run mmer extract with its own."
    )


def test_stored_vectors_of_another_rate_and_two_stores_side_by_side(corpus):
    corpus = add_store(corpus, "s", lambda steps: steps, 10.0)
    corpus = add_store(corpus, "fast", lambda steps: 5 * steps + 3, 50.0, dim=2)
    stored = dataset(
        corpus, "valid", features="video=s,video=fast", video_encoder="identity", subseq_length=1
    )
    one, fast = (store.get(stored.clip_of(0).id) for store in stored.sources["video"].stores)
    targets = stored.steps_of(0)
    expected = torch.cat([one[targets], fast[targets * 5 + 2]], dim=1)
    assert torch.equal(stored[0]["streams"]["video"], expected)
    spec = plan_streams(flags(features="video=s,video=fast"), corpus)["video"].spec
    assert (spec.dim, spec.parts, len(spec.mean)) == (5, (3, 2), 5)


def test_a_store_without_a_clock_must_have_a_vector_a_step(corpus):
    corpus = add_store(corpus, "s", lambda steps: steps, 0.0)
    assert len(dataset(corpus, "valid", features="video=s"))
    corpus = add_store(corpus, "short", lambda steps: steps - 1, 0.0)
    with pytest.raises(InputError) as error:
        dataset(corpus, "valid", features="video=short")
    assert "expected a store with a rate in Hz, or one vector for each of the trace's" in str(error.value)
    assert str(error.value).endswith("State the rate when the features are imported or extracted.")


def test_clips_whose_modality_ends_early_are_named(corpus, caplog):
    corpus = add_store(corpus, "s", lambda steps: max(1, steps - 11), 10.0)
    with caplog.at_level(logging.WARNING):
        windows = dataset(corpus, "valid", features="video=s", modalities="video")
    first = corpus.clips("valid")[0].id
    assert caplog.messages == [
        "video ends before the trace in 3 clips, the rest counts as silence or the last picture: "
        + ", ".join(f"{clip.id} (1.1 s)" for clip in corpus.clips("valid"))
    ]
    assert windows.clip_of(0).id == first


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("max_sample_size", 100),
        ("min_sample_size", 1),
        ("speed_perturbation", 0.2),
        ("picture_augmentation", "flip"),
    ],
)
def test_flags_of_whole_clips(corpus, flag, value):
    with pytest.raises(InputError) as error:
        plan_streams(flags(**{flag: value}), corpus)
    assert str(error.value) == (
        f"--{flag.replace('_', '-')}: expected labels of whole clips; found traces (affect), whose windows have a "
        "length of their own. Leave it out; --seq-length and --subseq-length set the lengths."
    )


def test_a_training_split_without_any_label(corpus):
    for clip in corpus.clips("train"):
        path = str(clip.label)
        with open(path, encoding="utf-8") as file:
            header, *rows = file.read().splitlines()
        columns = header.split(",")
        invalid = ",".join("-5" if c in ("valence", "arousal") else "0" for c in columns)
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join([header, *[invalid] * len(rows)]) + "\n")
    assert len(dataset(corpus))
    with pytest.raises(InputError) as error:
        dataset(corpus, training=True)
    assert str(error.value).endswith(
        "train: expected traces with one labelled step at least, to train on; found none in 6 clips. Check the "
        "traces and 'invalid:' of the label space."
    )


def test_text_has_no_place_in_time(corpus, caplog):
    with caplog.at_level(logging.INFO):
        assert "text" not in plan_streams(flags(), corpus)
    assert (
        "text is left out: words have no place in time; store features of them with a rate" in caplog.messages
    )
