"""The page in a real Chromium, on a desktop and on a phone: what it shows of a clip."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from pathlib import Path

import numpy as np
import pytest

from mmer_fairseq import load


@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_a_film(visit, client, predictor, films, screen, until):
    file = films("a.mp4", 12)
    page = visit(client, screen)
    page.fits()
    page.give(file, 2)
    page.fits()
    wanted = predictor(file, window=2.0)
    assert page.inner_text("#clip-name") == "a.mp4"
    assert "Done: 6 segments" in page.inner_text("#status")
    assert "× real time" in page.inner_text("#status")
    assert page.legend() == page.shares(predictor, wanted[0])
    page.evaluate("() => { const v = document.querySelector('#video'); v.muted = true; return v.play(); }")
    until(lambda: page.now() > 0.4)
    page.evaluate("document.querySelector('#video').pause()")
    until(lambda: abs(page.now() - page.evaluate("document.querySelector('#video').currentTime")) < 0.11)
    canvas = page.locator("#timeline")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    point = {"x": 46 + 0.75 * (box["width"] - 56), "y": box["height"] / 3}
    (canvas.tap if screen == "phone" else canvas.click)(position=point)
    until(lambda: abs(page.evaluate("document.querySelector('#video').currentTime") - 9) < 0.15)
    assert page.now() == pytest.approx(9, abs=0.15)
    assert page.legend() == page.shares(predictor, wanted[4])
    assert page.inner_text("#now-label") == wanted[4].label
    if screen == "desktop":
        y = box["y"] + box["height"] / 3
        page.mouse.move(box["x"] + point["x"], y)
        page.mouse.down()
        page.mouse.move(box["x"] + 46 + 0.5 * (box["width"] - 56), y, steps=5)
        assert page.now() == pytest.approx(6, abs=0.1)
        page.mouse.move(box["x"] + point["x"], y, steps=5)
        page.mouse.up()
    canvas.focus()
    page.keyboard.press("ArrowRight")
    until(lambda: abs(page.now() - 9.5) < 0.2)
    page.keyboard.press("PageUp")
    until(lambda: abs(page.now() - 8) < 0.05)
    page.keyboard.press("Home")
    until(lambda: page.now() == 0)
    page.click("#again")
    assert page.is_visible("#drop")
    until(lambda: not client.pages.uploads.root.exists() or not client.files())


@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_a_switch_shows_what_changes(visit, client, predictor, films, screen):
    file = films("a.mp4", 12)
    page = visit(client, screen)
    page.give(file, 2)
    assert page.is_hidden("#compare-card")
    picture = "document.querySelector('#timeline').toDataURL()"
    before = page.evaluate(picture)
    page.click("[data-modality=video]")
    page.wait_for_selector("#compare:visible")
    page.wait_for_selector("#compare-text:has-text('Faint in the timeline')")
    page.fits()
    assert page.get_attribute("[data-modality=video]", "aria-checked") == "false"
    assert page.inner_text("#compare-title") == "With and without picture"
    assert page.evaluate(picture) != before
    rows = [row.inner_text().split("\t") for row in page.query_selector_all("#compare tbody tr")]
    means = [
        {
            n: np.mean([s.scores[n] for s in predictor(file, window=2.0, without=without)])
            for n in predictor.labels.names
        }
        for without in ((), ("video",))
    ]
    for name, cells in zip(predictor.labels.names, rows):
        assert cells[0] == name
        shown = [float(re.sub(r"[^\d.-]", "", cell.replace("−", "-"))) for cell in cells[1:]]
        wanted = [100 * means[0][name], 100 * means[1][name], 100 * (means[1][name] - means[0][name])]
        assert shown == pytest.approx(wanted, abs=0.06)
    assert page.locator("#legend .meter b:visible").count() == len(predictor.labels.names)
    page.click("[data-modality=audio]")  # the last one: it stays on
    assert page.get_attribute("[data-modality=audio]", "aria-checked") == "true"
    assert page.inner_text("#status") == "Sound is all that the model has of this clip; it stays on."
    page.focus("[data-modality=video]")
    page.keyboard.press("Space")
    page.wait_for_selector("#compare-card", state="hidden")
    assert page.evaluate("document.activeElement.dataset.modality") == "video"
    page.click("#form-lines")
    assert page.get_attribute("#form-lines", "aria-pressed") == "true"


def test_a_switch_before_the_first_result_is_compared_all_the_same(visit, serving, films, slowly):
    slowly(0.1)
    with serving() as client:
        page = visit(client)
        page.give(films("a.mp4", 12))
        page.select_option("#window", "1")
        page.wait_for_selector("#status:has-text('Predicting: ')")
        page.click("[data-modality=audio]")
        page.wait_for_selector("#status:has-text('to compare')")
        page.wait_for_selector("#compare-text:has-text('Faint in the timeline')")


def test_a_comparison_that_is_stopped_is_of_what_both_predicted(visit, serving, predictor, films, slowly):
    file = films("a.mp4", 12)
    wanted = [predictor(file, window=1.0), predictor(file, window=1.0, without=("video",))]
    with serving() as client:
        page = visit(client)
        page.give(file, 1)
        slowly(0.3)
        page.click("[data-modality=video]")
        page.wait_for_selector("#compare-text:has-text('(still predicting)')")
        page.click("#stop")
        page.wait_for_selector(
            "#compare-text:has-text('Only what was predicted with and without before the stop')"
        )
        text = page.inner_text("#compare-text")
        count = int(re.search(r"\d+ of (\d+) segment", text).group(1))
        assert 0 < count < 12
        rows = [row.inner_text().split("\t") for row in page.query_selector_all("#compare tbody tr")]
        for name, cells in zip(predictor.labels.names, rows):
            shown = [float(re.sub(r"[^\d.-]", "", cell)) for cell in cells[1:3]]
            assert shown == pytest.approx(
                [100 * np.mean([s.scores[name] for s in each[:count]]) for each in wanted], abs=0.06
            )
        assert page.inner_text("#compare thead th >> nth=0") == "Mean so far"
        page.click("#stop")  # again
        page.wait_for_selector("#compare-text:has-text('of 12 segments'):has-text('Faint in the timeline')")


def test_a_stopped_result_to_compare_with(visit, serving, films, slowly):
    slowly(0.2)
    with serving() as client:
        page = visit(client)
        page.give(films("a.mp4", 12))
        page.select_option("#window", "1")
        page.wait_for_selector("#status:has-text('Predicting: ')")
        page.click("[data-modality=audio]")
        page.wait_for_selector("#status:has-text('to compare')")
        page.wait_for_selector("#compare-text:has-text('(still predicting)')")
        page.click("#stop")
        page.wait_for_selector("#compare-text:has-text('before the stop')")
        assert "Faint" not in page.inner_text("#compare-text")
        assert page.inner_text("#stop") == "Predict again"
        page.click("#stop")
        page.wait_for_selector("#compare-text:has-text('of 12 segments'):has-text('Faint in the timeline')")
        assert page.is_hidden("#stop")


def test_results_that_the_server_has_dropped_are_made_again(visit, client, films):
    page = visit(client)
    page.give(films("silent2.mp4", 4))

    def check(about):
        page.wait_for_selector(page.DONE + f":has-text('{about}')")
        page.wait_for_selector("#downloads [data-kind=tsv]")
        link = page.get_attribute("#downloads [data-kind=tsv]", "href")
        assert page.evaluate("path => fetch(path).then(answer => answer.status)", link) == 200

    steps = [("0", "as one clip"), *((str(n), f"windows of {n} s") for n in (1, 2, 5, 10))]
    for switches in ([], ["video"], ["video", "audio"], ["audio"]):  # the last: all is on again
        for modality in switches:
            page.click(f"[data-modality={modality}]")
        for seconds, about in (*steps, steps[0]):
            page.select_option("#window", seconds)
            check(about)
    id = page.get_attribute("#downloads [data-kind=tsv]", "href").split("/")[3]
    assert len(client.pages.uploads.get(id).runs) == 8


def test_downloads(visit, client, predictor, films):
    file = films("a.mp4", 12)
    page = visit(client)
    page.give(file, 2)
    got = {}
    for kind in ("tsv", "json", "vtt", "png"):
        with page.expect_download() as waiting:
            page.click(f"#downloads [data-kind={kind}]")
        assert waiting.value.suggested_filename == f"a-emotion.{kind}"
        got[kind] = Path(waiting.value.path()).read_bytes()
    wanted = predictor(file, window=2.0)
    rows = list(csv.DictReader(io.StringIO(got["tsv"].decode()), delimiter="\t"))
    assert len(rows) == len(wanted) == 6
    for row, plain, segment in zip(rows, json.loads(got["json"])["segments"], wanted):
        assert plain["scores"] == pytest.approx(segment.scores, abs=1e-6)
        for name, score in segment.scores.items():
            assert float(row[f"score_{name}"]) == pytest.approx(score, abs=1e-6)
    assert got["vtt"].count(b"-->") == 6
    assert got["png"].startswith(b"\x89PNG")


@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_a_silent_film(visit, client, films, screen):
    page = visit(client, screen)
    page.give(films("silent.mp4", 4, sound=False))
    whys = [each.inner_text() for each in page.query_selector_all("#modalities .why")]
    assert whys == ["Missing: no words and no subtitles are given", "Missing: the file has no sound"]
    assert page.is_disabled("[data-modality=audio]")
    assert page.get_attribute("[data-modality=video]", "aria-checked") == "true"
    page.fits()


def test_what_the_browser_cannot_play(visit, client, films):
    page = visit(client)
    page.give(films("old.avi", 6, sound=False, codec="mpeg4"), 2)
    page.wait_for_selector("#no-player:visible")
    assert page.inner_text("#no-player") == (
        "Your browser cannot play this kind of file (avi). The timeline works all the same: "
        "move through it with this slider."
    )
    assert page.is_hidden("#video")
    page.fill("#slider", "4.5")
    assert page.now() == 4.5
    page.focus("#timeline")
    page.keyboard.press("Home")
    assert page.input_value("#slider") == "0"


@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_a_text(visit, client, predictor, tmp_path, screen, until):
    (tmp_path / "talk.txt").write_text("the day is wonderful\nno\n")
    page = visit(client, screen)
    page.give(tmp_path / "talk.txt")
    page.fits()
    assert page.is_hidden("#timeline")
    wanted = predictor(tmp_path / "talk.txt")
    rows = page.query_selector_all("#table tbody tr")
    assert [row.inner_text().split("\t")[:2] for row in rows] == [[s.text, s.label] for s in wanted]
    rows[1].click()
    until(lambda: page.legend() == page.shares(predictor, wanted[1]))
    assert page.locator("#downloads a").count() == 3


TRACES = (
    "jmt_small", "--frame-size", "16", "--seq-length", "12", "--subseq-length", "3", "--dilation", "1",
)  # fmt: skip


@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_a_model_of_traces(visit, serving, written, films, tmp_path, screen, until):
    other = load(written(tmp_path / "traces.pt", "affect", *TRACES))
    file = films("a.mp4", 12)
    with serving(other) as client:
        page = visit(client, screen)
        page.give(file)
        page.fits()
        assert page.is_hidden("#window-box")
        assert page.is_hidden("#forms")
        page.focus("#timeline")
        for _ in range(8):
            page.keyboard.press("ArrowRight")
        until(lambda: abs(page.now() - 4) < 0.01)
        trace = np.concatenate([segment.trace for segment in other(file)])
        assert page.legend() == [f"{value:.2f}" for value in trace[40]]
        page.click("[data-modality=audio]")
        page.wait_for_selector("#compare-text:has-text('Faint in the timeline')")
        assert "label" not in page.inner_text("#compare-text")


@pytest.mark.slow
@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_ten_minutes(visit, client, films, screen, until):
    file = films("ten.mp4", 600, rate=2)
    page = visit(client, screen, color_scheme="dark" if screen == "phone" else "light")
    began = time.monotonic()
    page.set_input_files("#file", file)
    page.wait_for_selector(page.DONE, timeout=60_000)
    took = time.monotonic() - began
    print(f"{screen}: ten minutes in {took:.1f} s, {page.inner_text('#status')}")
    assert took < 60
    assert float(page.get_attribute("#timeline", "aria-valuemax")) == pytest.approx(600, abs=1)
    page.fits()
    page.focus("#timeline")
    page.keyboard.press("End")
    until(lambda: page.evaluate("document.querySelector('#video').currentTime") > 599)
