"""What is compared becomes commands of fairseq-train."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmer_fairseq.compare.plan import (
    OWN,
    Plan,
    System,
    check_flags,
    parse_rates,
    parse_seeds,
    parse_systems,
    value_of,
)
from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.importers.toy import write_toy_corpus
from mmer_fairseq.errors import InputError

RECIPES = {"mine": {"--lr": "3e-4", "--video-encoder": "face_pixels"}, "other": {}}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return Corpus.load(write_toy_corpus(tmp_path_factory.mktemp("corpus") / "toy", clips=10))


def plan(corpus, *, flags=(), rates=(), seeds=(1, 2), own=()) -> Plan:
    systems = (System("A", "mine", tuple(own)), System("B", "other"))
    return Plan(corpus, "toy", systems, seeds, rates, Path("out"), tuple(flags), RECIPES, "test")


def test_every_system_comes_before_the_second_seed_of_any(corpus):
    jobs = plan(corpus).first()
    assert [job.name for job in jobs] == ["A seed 1", "B seed 1", "A seed 2", "B seed 2"]
    assert [str(job.folder) for job in jobs[:2]] == ["out/A/seed-1", "out/B/seed-1"]
    assert plan(corpus).second({"A": "", "B": ""}) == []


def test_tuning_tries_each_rate_with_the_first_seed_and_keeps_the_chosen_one(corpus):
    tuned = plan(corpus, rates=("1e-3", "1e-4"), seeds=(4, 5, 6))
    first = tuned.first()
    assert [job.name for job in first] == [
        "A lr 1e-3 seed 4", "B lr 1e-3 seed 4", "A lr 1e-4 seed 4", "B lr 1e-4 seed 4",
    ]  # fmt: skip
    assert [value_of("--lr", job.train) for job in first] == ["1e-3", "1e-3", "1e-4", "1e-4"]
    second = tuned.second({"A": "1e-4"})
    assert [(job.name, str(job.folder)) for job in second] == [
        ("A lr 1e-4 seed 5", "out/A/lr-1e-4/seed-5"),
        ("A lr 1e-4 seed 6", "out/A/lr-1e-4/seed-6"),
    ]
    assert tuned.runs(tuned.systems[0], "1e-4") == [first[2], *second]


def test_the_users_words_count_more_than_the_systems_and_those_more_than_ours(corpus):
    settings = plan(corpus, flags=["--batch-size", "4"], own=["--clip-norm", "2", "--lr=7"]).settings
    a, b = settings(System("A", "mine", ("--clip-norm", "2", "--lr=7"))), settings(System("B", "other"))
    assert (value_of("--lr", a), value_of("--lr", b)) == ("7", "1e-3")
    assert (value_of("--clip-norm", a), value_of("--clip-norm", b)) == ("2", "1.0")
    assert a.count("--batch-size") == b.count("--batch-size") == 1
    assert value_of("--video-encoder", a) == "face_pixels"
    assert "--video-encoder" not in b


def test_a_default_goes_when_what_it_belongs_to_is_chosen(corpus):
    words = plan(corpus, flags=["--lr-scheduler", "fixed", "--max-update", "9"]).settings(
        System("B", "other")
    )
    assert "--warmup-updates" not in words
    assert "--max-epoch" not in words


def test_encoders_of_media_are_left_out_where_stored_features_are_read(corpus):
    words = plan(corpus, flags=["--features", "video=hog"]).settings(System("A", "mine"))
    assert "--video-encoder" not in words
    assert value_of("--lr", words) == "3e-4"
    words = plan(corpus).settings(System("A", "mine", ("--features", "video=hog")))
    assert "--video-encoder" not in words


def test_the_metric_is_that_of_the_labels(corpus):
    train = plan(corpus).first()[0].train
    assert value_of("--best-checkpoint-metric", train) == "uar"
    assert "--maximize-best-checkpoint-metric" in train


def test_names_and_flags_of_systems():
    systems = parse_systems("A=mine, other", ["A: --dropout 0.3", "A: --freeze 'text, audio'"], RECIPES)
    assert systems == (
        System("A", "mine", ("--dropout", "0.3", "--freeze", "text, audio")),
        System("other", "other"),
    )


@pytest.mark.parametrize(
    ("archs", "own", "said"),
    [
        (
            "nobody",
            [],
            "--archs: expected architectures out of mine, other; found 'nobody'. Write for example",
        ),
        (
            "mine,mine",
            [],
            "--archs: expected systems with different names that can be folders; found 'mine' twice.",
        ),
        (
            "a/b=mine",
            [],
            "--archs: expected systems with different names that can be folders; found 'a/b=mine'.",
        ),
        (
            "mine",
            ["other: --lr 1"],
            "--with: expected NAME: FLAGS, where NAME is one of mine; found 'other: --lr 1'.",
        ),
        ("mine", ["mine --lr 1"], "--with: expected NAME: FLAGS"),
        (
            "mine",
            ["mine: --lr '1"],
            '--with: expected words as a shell takes them; found "mine: --lr \'1" (No closing',
        ),
        (
            "mine",
            ["mine: --seed 3"],
            "--with 'mine: --seed 3': expected flags of fairseq-train that mmer compare",
        ),
    ],
)
def test_wrong_systems(archs, own, said):
    with pytest.raises(InputError) as error:
        parse_systems(archs, own, RECIPES)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize("flag", OWN)
def test_flags_of_the_comparison_are_refused(flag):
    with pytest.raises(InputError) as error:
        check_flags(["--lr", "1", f"{flag}=x"], "flags behind --")
    assert str(error.value).startswith(
        f"flags behind --: expected flags of fairseq-train that mmer compare leaves open; found {flag}. Leave it out"
    )


def test_seeds():
    assert parse_seeds("3") == (1, 2, 3)
    assert parse_seeds("7, 1") == (7, 1)


@pytest.mark.parametrize("text", ["0", "-1", "a", "1,1", "1,", ""])
def test_wrong_seeds(text):
    with pytest.raises(InputError) as error:
        parse_seeds(text)
    assert str(error.value) == (
        "--seeds: expected how many seeds, from 1 on, or several with commas between them; "
        f"found {text!r}. Write --seeds 5, or --seeds 1,7,13."
    )


def test_rates():
    assert parse_rates("1e-3, 3e-4") == ("1e-3", "3e-4")
    assert parse_rates(None) == ()


@pytest.mark.parametrize("text", ["fast", "0", "-1", "1e-3,0.001", "inf"])
def test_wrong_rates(text):
    with pytest.raises(InputError) as error:
        parse_rates(text)
    assert str(error.value) == (
        "--tune-lr: expected different learning rates above 0, with commas between them; "
        f"found {text!r}. Write for example --tune-lr 1e-3,3e-4."
    )
