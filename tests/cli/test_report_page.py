"""``mmer report`` without ``--form``: the page, its files, its warnings."""

from __future__ import annotations

import json
import random
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch

from mmer_fairseq.cli.main import main

NAMES = ("calm", "glad & <b>", "sad_now")


def table(path: Path, kind: str = "classes", seed: int = 1, good: float = 0.7, clips: int = 60) -> Path:
    chance, lines = random.Random(seed), []
    truth = random.Random(0)
    for i in range(clips):
        scores = [chance.random() for _ in NAMES]
        if kind == "classes":
            target = truth.choice(NAMES)
            decided = target if chance.random() < good else chance.choice(NAMES)
        elif kind == "multilabel":
            held = [name for name in NAMES if truth.random() < 0.4]
            target, decided = (
                "|".join(held),
                "|".join(n for n in NAMES if (n in held) == (chance.random() < good)),
            )
        else:
            values = [truth.gauss(0, 1) for _ in NAMES]
            scores = [good * v + 0.5 * chance.gauss(0, 1) for v in values]
            target, decided = ("|".join(f"{v:.6g}" for v in each) for each in (values, scores))
        step = [str(i % 6)] if kind == "trace" else []
        name = f"c{i // 6}" if kind == "trace" else f"c{i}"
        lines.append("\t".join([name, "test", *step, target, decided, *(f"{s:.6g}" for s in scores)]))
    header = ["id", "split", *(["step"] if kind == "trace" else []), "target", "prediction"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["\t".join([*header, *(f"score_{n}" for n in NAMES)]), *lines]) + "\n")
    return path


def checkpoint(folder: Path, valid: str = "valid", data: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    cfg = {
        "checkpoint": {"best_checkpoint_metric": "uar"},
        "dataset": {"valid_subset": valid},
        "task": {"data": data},
    }
    labels = {"name": "", "kind": "classes", "names": list(NAMES)}
    torch.save({"cfg": cfg, "task_state": {"labels": labels, "streams": {}}}, folder / "checkpoint_best.pt")


class Page(HTMLParser):
    """Sources of pictures and links, and tags that are still open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.pictures = 0
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("src", "href"):
                self.pictures += value.startswith("data:image/png;base64,")
                self.outside += [] if value.startswith("data:") else [value]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("kind", ["classes", "multilabel", "score", "trace"])
def test_two_systems_with_two_seeds(kind, tmp_path, capsys):
    files = [
        table(tmp_path / f"{i}" / "test.tsv", kind, seed=i, good=0.9 if i < 3 else 0.4) for i in (1, 2, 3)
    ]
    out = tmp_path / "out"
    words = [f"First_1={files[0]},{files[1]}", f"<Second>={files[2]}", "--out", str(out), "--draws", "200"]
    assert main(["report", *words]) == 0
    said = capsys.readouterr().out
    assert "First_1 has the best score" in said
    assert "different numbers of seeds" in said
    html = (out / "report.html").read_text()
    page = Page(html)
    assert page.open == []
    assert page.outside == []
    assert page.pictures == len(list(out.glob("*.png"))) == {"classes": 5, "multilabel": 5}.get(kind, 3)
    assert "&lt;Second&gt;" in html
    assert "<Second>" not in html
    assert "glad &amp; &lt;b&gt;" in html
    assert re.search(r"± 0\.\d{3}, 2 seeds", html)
    assert "First_1 is better" in html
    numbers = json.loads((out / "report.json").read_text())
    assert [len(system["metrics"][0]["seeds"]) for system in numbers["systems"]] == [2, 1]
    for entry in numbers["systems"][0]["metrics"]:
        assert entry["low"] <= entry["value"] <= entry["high"]
    tex = (out / "report.tex").read_text()
    assert r"First\_1 & \textbf{" in tex
    assert r"$^\dagger$" in tex
    assert tex.count(r"\begin{") == tex.count(r"\end{") == 2


def test_the_epoch_was_chosen_on_the_split_that_is_reported(tmp_path, capsys):
    run = tmp_path / "run"
    checkpoint(run, valid="test")
    table(run / "test.tsv")
    assert main(["report", str(run), "--draws", "100"]) == 0
    said = capsys.readouterr()
    warning = (
        f"run ({run}): the epoch chosen on test, the split that is reported: its scores are better than they will be "
        "on new clips"
    )
    assert f"warning: {warning}\n" in said.err
    assert warning in (run / "report" / "report.html").read_text()
    assert "run: the epoch on test (the lowest UAR of all epochs)" in said.out
    assert main(["report", str(run), "--strict"]) == 2
    assert capsys.readouterr().err == (
        f"error: --strict: expected nothing learnt or chosen on test; found {warning}. Report another split, or train "
        "with --valid-subset valid.\n"
    )


def test_a_run_that_chose_on_valid_gives_no_warning(tmp_path, capsys):
    run = tmp_path / "run"
    checkpoint(run)
    table(run / "test.tsv")
    assert main(["report", str(run), "--strict", "--draws", "100"]) == 0
    assert capsys.readouterr().err == ""
    assert "<b>Nothing was.</b>" in (run / "report" / "report.html").read_text()


def test_predictions_that_are_missing(tmp_path, capsys):
    run = tmp_path / "my run"
    checkpoint(run, data="/data/mine")
    assert main(["report", str(run)]) == 2
    assert capsys.readouterr().err == (
        f"error: {run}: expected test.tsv, the predictions of the split; found none. Add --evaluate, or run: "
        "fairseq-validate /data/mine --user-dir mmer_fairseq --task emotion_prediction --path "
        f"'{run}/checkpoint_best.pt' --valid-subset test --batch-size 8 --save-predictions '{run}/test.tsv'.\n"
    )


def test_evaluate_says_what_fairseq_said(tmp_path, capsys, monkeypatch):
    import subprocess

    run = tmp_path / "run"
    checkpoint(run, data="/data/mine")

    def validate(words, *, stdout, **_):
        assert words[:3] == [sys.executable, "-m", "fairseq_cli.validate"]
        assert Path(words[words.index("--user-dir") + 1]).is_dir()
        stdout.write("first\nno such corpus\n")
        return subprocess.CompletedProcess(words, 1)

    monkeypatch.setattr(subprocess, "run", validate)
    assert main(["report", str(run), "--evaluate"]) == 2
    log = run / "report-validate.txt"
    assert capsys.readouterr().err.endswith(
        f"error: {log}: expected fairseq-validate to end well; found no such corpus. Read the log.\n"
    )


def test_a_table_without_a_checkpoint_and_by_speaker(toy, tmp_path, capsys):
    from mmer_fairseq.corpus import Corpus

    path, chance = tmp_path / "p.tsv", random.Random(1)
    space = Corpus.load(toy).label_space.names
    header = "\t".join(["id", "split", "target", "prediction", *(f"score_{name}" for name in space)])
    rows = [
        "\t".join(
            [c.id, "train", space[c.label], chance.choice([space[c.label], space[0]]), *["0.25"] * len(space)]
        )
        for c in Corpus.load(toy).clips("train")
    ]
    path.write_text("\n".join([header, *rows]) + "\n")
    words = ["report", f"guess={path}", "--data", str(toy), "--resample", "speakers", "--draws", "100"]
    assert main([*words, "--out", str(tmp_path)]) == 0
    assert "guess: not known on ? (no checkpoint beside" in capsys.readouterr().out
    numbers = json.loads((tmp_path / "report.json").read_text())
    assert numbers["split"] == "train"
    assert numbers["resampled"]["what"] == "speakers"
    assert sum(row["clips"] for row in numbers["groups"]["speaker"]) == len(rows)
    assert "For guess that is not known." in (tmp_path / "report.html").read_text()


def test_rare_classes_are_named(tmp_path, capsys):
    path = table(tmp_path / "p.tsv", clips=24)
    assert main(["report", str(path), "--draws", "100"]) == 0
    counts = {n: sum(line.split("\t")[2] == n for line in path.read_text().splitlines()) for n in NAMES}
    rare = ", ".join(f"{name} ({count})" for name, count in counts.items() if count <= 10)
    assert rare
    said = f"Few clips of {rare}: intervals of what averages over labels are rather too narrow.\n"
    assert said in capsys.readouterr().out


def test_robustness_beside_a_run(tmp_path):
    path = table(tmp_path / "run" / "test.tsv")
    lines = [
        "kind\tmodality\tlevel\tkept\tclips\tlacking\tsilent\tuar",
        "subset\t\t\ttext,audio\t9\t0\t0\t0.75",
    ]
    (path.parent / "robustness.tsv").write_text(
        "\n".join([*lines, "snr\taudio\t5.0\ttext,audio\t9\t0\t0\t0.5"]) + "\n"
    )
    assert main(["report", str(path), "--out", str(tmp_path), "--draws", "100"]) == 0
    html = (tmp_path / "report.html").read_text()
    assert "<td>noise at 5 dB</td><td>0.500</td><td>−0.250</td>" in html


def test_a_robustness_table_of_another_kind(tmp_path, capsys):
    path = table(tmp_path / "run" / "test.tsv")
    (path.parent / "robustness.tsv").write_text("a\tb\n1\t2\n")
    assert main(["report", str(path)]) == 2
    assert (
        "robustness.tsv: expected the table of mmer robustness; found a row that" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--draws", "5"], "error: --draws: expected 100 or more; found 5. Leave the flag out.\n"),
        (
            ["--resample", "speakers"],
            "error: --resample speakers: expected two speakers or more among the clips",
        ),
    ],
)
def test_flags_that_cannot_be(words, message, tmp_path, capsys):
    path = table(tmp_path / "p.tsv")
    assert main(["report", str(path), *words]) == 2
    assert capsys.readouterr().err.startswith(message)


def test_a_place_that_cannot_be_written(tmp_path, capsys):
    path = table(tmp_path / "p.tsv")
    assert main(["report", str(path), "--draws", "100", "--out", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"error: {path}: expected a place to write to; found File exists. Change --out.\n"
    )
