"""Speakers and conditions out of a corpus."""

from __future__ import annotations

import shutil

import pytest

from mmer_fairseq.corpus import Corpus
from mmer_fairseq.errors import InputError
from mmer_fairseq.reporting.breakdown import Known, choose_units, groups, look_up, read_known

SPOKEN = Known(corpus="c", speakers=("ann", "bob") * 6, dialogues=("d",) * 12)


@pytest.fixture
def corpus(twelve, tmp_path):
    folder = tmp_path / "corpus"
    shutil.copytree(twelve, folder, ignore=shutil.ignore_patterns(".mmer"))
    text = (folder / "corpus.yaml").read_text()
    (folder / "corpus.yaml").write_text(text + "other_columns: [sex, note]\n")
    lines = (folder / "train.tsv").read_text().splitlines()
    header = lines[0].split("\t")
    rows = [line.split("\t") for line in lines[1:]]
    rows[0][header.index("audio")] = ""
    columns = [("sex", "f"), ("sex", "m")]
    out = ["\t".join([*header, "sex", "note"])]
    out += ["\t".join([*row, columns[i % 2][1], "same"]) for i, row in enumerate(rows)]
    (folder / "train.tsv").write_text("\n".join(out) + "\n")
    return folder


def test_modalities_and_other_columns(corpus):
    ids = [clip.id for clip in Corpus.load(corpus).clips("train")][::-1]
    known = read_known(str(corpus), "", "train", ids, ("text", "audio"))
    assert known.conditions["modalities"] == ("all there",) * 5 + ("without audio",)
    assert known.conditions["sex"] == ("m", "f") * 3
    assert "note" not in known.conditions  # all are alike
    assert "length of the clip" not in known.conditions  # too few clips for thirds
    assert read_known(str(corpus), "", "train", ids, ("text",)).conditions.keys() == {"sex"}
    assert len(known.speakers) == 6


def test_clips_that_the_corpus_does_not_have(corpus):
    with pytest.raises(InputError) as error:
        read_known(str(corpus), "", "train", ["x1", "x2"], ())
    assert str(error.value) == (
        f"{corpus}: expected the clips of the predictions in the split train; found 2 that are not there, as x1. "
        "Name the corpus that was evaluated with --data."
    )


def test_thirds_by_length(toy):
    clips = Corpus.load(toy).clips("train")
    known = read_known(str(toy), "", "train", [clip.id for clip in clips], ())
    found = groups(known.conditions["length of the clip"])
    assert [group.name.split(" (")[0] for group in found] == ["short", "medium", "long"]
    assert sum(len(group.clips) for group in found) == len(clips)
    assert min(len(group.clips) for group in found) > len(clips) / 6


def test_no_corpus_is_no_fault():
    assert look_up([], None, "test") == (
        Known(),
        ["No corpus: nothing by speaker or condition. Name it with --data."],
    )


def test_speakers_are_drawn_from_ten_on():
    many = Known(corpus="c", speakers=tuple(f"s{i}" for i in range(10)))
    assert choose_units(None, many, 10)[0].name == "speakers"
    units, why = choose_units(None, SPOKEN, 12)
    assert (units.name, units.size, why) == ("clips", 12, "as 2 speakers are too few to draw from")
    assert choose_units("speakers", SPOKEN, 12)[0].size == 2
    assert choose_units("clips", many, 10)[0].name == "clips"
    assert choose_units(None, Known(), 5)[1] == "as no corpus says who speaks"


def test_dialogues_that_are_not_there():
    with pytest.raises(InputError) as error:
        choose_units("dialogues", SPOKEN, 12)
    assert str(error.value) == (
        "--resample dialogues: expected two dialogues or more among the clips, named by the corpus; found 1. "
        "Give --resample clips, or the corpus with --data."
    )
