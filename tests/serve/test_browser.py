"""The page in a real Chromium: what a user does from a clip to a download, on a desktop and on a phone."""

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

DONE = "#status:has-text('Done:'):not(:has-text('to compare'))"


def give(page, file, window=None):
    """Choose a file and wait for its prediction."""
    page.set_input_files("#file", file)
    page.wait_for_selector(DONE)
    if window is not None:
        page.select_option("#window", str(window))
        page.wait_for_selector(DONE + ":has-text('windows of')")


def until(check, seconds=10.0):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def now(page):
    return float(page.get_attribute("#timeline", "aria-valuenow"))


def fits(page):
    """Nothing sticks out sideways, and what a finger must hit is large enough."""
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for element in page.query_selector_all("button, a[href], select, .button, input[type=range]"):
        box = element.bounding_box() if element.is_visible() else None
        if box is not None:
            assert box["x"] >= 0, element.inner_text()
            assert box["x"] + box["width"] <= width, element.inner_text()
            assert box["height"] >= 40, element.inner_text()


def legend(page):
    return [row.inner_text() for row in page.query_selector_all("#legend .value")]


def shares(predictor, segment):
    return [f"{int(segment.scores[name] * 100 + 0.5)}\u00a0%" for name in predictor.labels.names]


@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_a_film(visit, client, predictor, films, screen):
    file = films("a.mp4", 12)
    page = visit(client, screen)
    fits(page)
    give(page, file, 2)
    fits(page)
    wanted = predictor(file, window=2.0)
    assert page.inner_text("#clip-name") == "a.mp4"
    assert "Done: 6 segments" in page.inner_text("#status")
    assert "× real time" in page.inner_text("#status")
    assert legend(page) == shares(predictor, wanted[0])
    page.evaluate("() => { const v = document.querySelector('#video'); v.muted = true; return v.play(); }")
    until(lambda: now(page) > 0.4)
    page.evaluate("document.querySelector('#video').pause()")
    until(lambda: abs(now(page) - page.evaluate("document.querySelector('#video').currentTime")) < 0.11)
    canvas = page.locator("#timeline")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    point = {"x": 46 + 0.75 * (box["width"] - 56), "y": box["height"] / 3}
    (canvas.tap if screen == "phone" else canvas.click)(position=point)
    until(lambda: abs(page.evaluate("document.querySelector('#video').currentTime") - 9) < 0.15)
    assert now(page) == pytest.approx(9, abs=0.15)
    assert legend(page) == shares(predictor, wanted[4])
    assert page.inner_text("#now-label") == wanted[4].label
    if screen == "desktop":
        y = box["y"] + box["height"] / 3
        page.mouse.move(box["x"] + point["x"], y)
        page.mouse.down()
        page.mouse.move(box["x"] + 46 + 0.5 * (box["width"] - 56), y, steps=5)
        assert now(page) == pytest.approx(6, abs=0.1)
        page.mouse.move(box["x"] + point["x"], y, steps=5)
        page.mouse.up()
    canvas.focus()
    page.keyboard.press("ArrowRight")
    until(lambda: abs(now(page) - 9.5) < 0.2)
    page.keyboard.press("PageUp")
    until(lambda: abs(now(page) - 8) < 0.05)
    page.keyboard.press("Home")
    until(lambda: now(page) == 0)
    page.click("#again")
    assert page.is_visible("#drop")
    until(lambda: not client.pages.uploads.root.exists() or not list(client.pages.uploads.root.iterdir()))


@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_a_switch_shows_what_changes(visit, client, predictor, films, screen):
    file = films("a.mp4", 12)
    page = visit(client, screen)
    give(page, file, 2)
    assert page.is_hidden("#compare-card")
    picture = "document.querySelector('#timeline').toDataURL()"
    before = page.evaluate(picture)
    page.click("[data-modality=video]")
    page.wait_for_selector("#compare:visible")
    page.wait_for_selector("#compare-text:has-text('Faint in the timeline')")
    fits(page)
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
        give(page, films("a.mp4", 12))
        page.select_option("#window", "1")
        page.wait_for_selector("#status:has-text('Predicting: ')")
        page.click("[data-modality=audio]")
        page.wait_for_selector("#status:has-text('to compare')")
        page.wait_for_selector("#compare-text:has-text('Faint in the timeline')")


def test_downloads(visit, client, predictor, films):
    file = films("a.mp4", 12)
    page = visit(client)
    give(page, file, 2)
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
def test_bad_files(visit, client, films, tmp_path, screen):
    noise = np.random.default_rng(0).integers(128, 255, 5000, dtype=np.uint8).tobytes()
    (tmp_path / "noise.mp4").write_bytes(noise)
    (tmp_path / "words.mp4").write_text("just some words\n")
    page = visit(client, screen)
    for name, words in (
        ("noise.mp4", "bytes of no known kind"),
        ("words.mp4", "found text (by its first bytes)"),
    ):
        page.set_input_files("#file", tmp_path / name)
        page.wait_for_selector("#fault:visible")
        said = page.inner_text("#fault-text")
        assert said.startswith(f"{name}: expected")
        assert words in said
        assert "/tmp" not in said
        fits(page)
        assert page.is_visible("#drop")
        page.click("#fault-close")
        assert page.is_hidden("#fault")
    give(page, films("a.mp4", 12))


@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_a_silent_film(visit, client, films, screen):
    page = visit(client, screen)
    give(page, films("silent.mp4", 4, sound=False))
    whys = [each.inner_text() for each in page.query_selector_all("#modalities .why")]
    assert whys == ["Missing: no words and no subtitles are given", "Missing: the file has no sound"]
    assert page.is_disabled("[data-modality=audio]")
    assert page.get_attribute("[data-modality=video]", "aria-checked") == "true"
    fits(page)


def test_what_the_browser_cannot_play(visit, client, films):
    page = visit(client)
    give(page, films("old.avi", 6, sound=False, codec="mpeg4"), 2)
    page.wait_for_selector("#no-player:visible")
    assert page.inner_text("#no-player") == (
        "Your browser cannot play this kind of file (avi). The timeline works all the same: "
        "move through it with this slider."
    )
    assert page.is_hidden("#video")
    page.fill("#slider", "4.5")
    assert now(page) == 4.5
    page.focus("#timeline")
    page.keyboard.press("Home")
    assert page.input_value("#slider") == "0"


@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_a_text(visit, client, predictor, tmp_path, screen):
    (tmp_path / "talk.txt").write_text("the day is wonderful\nno\n")
    page = visit(client, screen)
    give(page, tmp_path / "talk.txt")
    fits(page)
    assert page.is_hidden("#timeline")
    wanted = predictor(tmp_path / "talk.txt")
    rows = page.query_selector_all("#table tbody tr")
    assert [row.inner_text().split("\t")[:2] for row in rows] == [[s.text, s.label] for s in wanted]
    rows[1].click()
    until(lambda: legend(page) == shares(predictor, wanted[1]))
    assert page.locator("#downloads a").count() == 3


TRACES = (
    "jmt_small", "--frame-size", "16", "--seq-length", "12", "--subseq-length", "3", "--dilation", "1",
)  # fmt: skip


@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_a_model_of_traces(visit, serving, written, films, tmp_path, screen):
    other = load(written(tmp_path / "traces.pt", "affect", *TRACES))
    file = films("a.mp4", 12)
    with serving(other) as client:
        page = visit(client, screen)
        give(page, file)
        fits(page)
        assert page.is_hidden("#window-box")
        assert page.is_hidden("#forms")
        page.focus("#timeline")
        for _ in range(8):
            page.keyboard.press("ArrowRight")
        until(lambda: abs(now(page) - 4) < 0.01)
        trace = np.concatenate([segment.trace for segment in other(file)])
        assert legend(page) == [f"{value:.2f}" for value in trace[40]]
        page.click("[data-modality=audio]")
        page.wait_for_selector("#compare-text:has-text('Faint in the timeline')")
        assert "label" not in page.inner_text("#compare-text")


def test_words(visit, client, predictor, films, tmp_path):
    file = films("a.mp4", 12)
    (tmp_path / "a.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:03.000\nthe day is wonderful\n")
    page = visit(client)
    page.click("#words-open")
    page.fill("#words-text", "the day is wonderful")
    page.click("#words-ok")
    page.wait_for_selector("#words-now:has-text('Words: “the day is wonderful”')")
    give(page, file)
    (wanted,) = predictor(file, text="the day is wonderful", whole=True)
    assert legend(page) == shares(predictor, wanted)
    assert page.inner_text("#now-words") == "“the day is wonderful”"
    page.click("#words-again")
    page.fill("#words-text", "")
    page.set_input_files("#words-file", tmp_path / "a.vtt")
    page.click("#words-ok")
    page.wait_for_selector(DONE + ":has-text('subtitles')")
    page.click("#words-again")
    page.click("#words-none")
    page.wait_for_selector(DONE + ":has-text('as one clip')")
    page.click("#words-again")
    page.fill("#words-text", "no")
    page.click("#words-ok")
    page.wait_for_selector("#now-words:has-text('“no”')")
    page.click("#again")  # the words belonged to that clip
    assert page.is_hidden("#words-now")
    give(page, file)
    assert page.inner_text("#now-words") == ""


@pytest.mark.parametrize("picture", [True, False])
def test_recording(visit, client, picture):
    page = visit(client, "phone" if picture else "desktop")
    page.click("#record-video" if picture else "#record-audio")
    page.wait_for_selector("#recorded:has-text('0:02')")
    assert page.is_visible("#preview") == picture
    fits(page)
    page.click("#record-use")
    page.wait_for_selector(DONE)
    assert page.inner_text("#clip-name") == "recording.webm"
    player = "#video" if picture else "#audio"
    assert page.is_visible(player)
    until(lambda: page.evaluate(f"document.querySelector('{player}').duration") > 1.5)
    assert page.evaluate(f"document.querySelector('{player}').duration") < 10
    assert page.get_attribute("[data-modality=audio]", "aria-checked") == "true"
    assert page.is_disabled("[data-modality=video]") != picture


def test_a_recording_thrown_away(visit, client):
    page = visit(client)
    page.click("#record-audio")
    page.wait_for_selector("#recorder:visible")
    page.click("#record-cancel")
    page.wait_for_selector("#drop:visible")
    assert len(client.pages.uploads) == 0


def test_a_page_that_may_not_record_says_so(visit, client):
    context = visit(client).context
    page = context.new_page()
    page.add_init_script("delete window.MediaRecorder")
    page.goto(client.url)
    page.wait_for_selector("html[data-ready]")
    assert page.is_disabled("#record-video")
    assert page.inner_text("#record-why") == "This browser cannot record; choose a file instead."


def test_too_large_and_too_long(visit, serving, films):
    file = films("a.mp4", 12)
    with serving(max_mb=file.stat().st_size / 1e6 - 0.001) as client:
        page = visit(client)
        page.set_input_files("#file", file)
        page.wait_for_selector("#fault-title:has-text('This file is too large')")
    with serving(max_minutes=0.1) as client:
        page = visit(client)
        page.set_input_files("#file", file)
        page.wait_for_selector("#fault-text:has-text('expected a recording of at most 0.1 minutes')")


def test_two_users(visit, serving, predictor, films, slowly):
    slowly(0.3)
    files = [films("a.mp4", 12), films("second.mp4", 12)]
    with serving() as client:
        one, two = visit(client), visit(client, "phone")
        for page, file in zip((one, two), files):
            give(page, file)
        one.select_option("#window", "1")
        one.wait_for_selector("#status:has-text('Predicting: ')")
        two.select_option("#window", "2")
        two.wait_for_selector("#status:has-text('Waiting: 2nd in the queue')")
        for page, file, window in zip((one, two), files, (1, 2)):
            page.wait_for_selector(DONE + f":has-text('{12 // window} segments')")
            assert legend(page) == shares(predictor, predictor(file, window=float(window))[0])
        links = [page.get_attribute("#downloads [data-kind=json]", "href") for page in (one, two)]
        ids, runs = zip(*[(link.split("/")[3], link.split("/")[5]) for link in links])
        assert ids[0] != ids[1]
        status = "path => fetch(path).then(answer => answer.status)"
        assert two.evaluate(status, links[1]) == 200
        assert two.evaluate(status, f"/api/uploads/{ids[1]}/results/{runs[0]}/json") == 404
        assert two.evaluate(status, f"/api/uploads/{ids[0][:-1]}x/media") == 404
        one.close(run_before_unload=True)
        until(lambda: len(client.pages.uploads) == 1)
        assert two.evaluate(status, links[1]) == 200


def test_stop_and_again(visit, serving, films, slowly):
    slowly(0.3)
    with serving() as client:
        page = visit(client)
        give(page, films("a.mp4", 12))
        page.select_option("#window", "1")
        page.wait_for_selector("#status:has-text('Predicting: ')")
        page.click("#stop")
        page.wait_for_selector("#status:has-text('Stopped.')")
        until(lambda: client.pages.work.idle, 3)
        assert page.inner_text("#stop") == "Predict again"
        page.click("#stop")
        page.wait_for_selector("#status:has-text('Predicting: ')")
        page.goto("about:blank")  # the page is left in the midst
        until(lambda: client.pages.work.idle and not list(client.pages.uploads.root.iterdir()), 5)


def test_an_expired_file(visit, serving, films):
    with serving(keep=0.05) as client:
        page = visit(client)
        give(page, films("silent.mp4", 4, sound=False))
        time.sleep(3.3)
        page.select_option("#window", "2")
        page.wait_for_selector("#fault-title:has-text('The file is gone')")
        assert page.is_visible("#drop")


@pytest.mark.slow
@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_ten_minutes(visit, client, films, screen):
    file = films("ten.mp4", 600, rate=2)
    page = visit(client, screen, color_scheme="dark" if screen == "phone" else "light")
    began = time.monotonic()
    page.set_input_files("#file", file)
    page.wait_for_selector(DONE, timeout=60_000)
    took = time.monotonic() - began
    print(f"{screen}: ten minutes in {took:.1f} s, {page.inner_text('#status')}")
    assert took < 60
    assert float(page.get_attribute("#timeline", "aria-valuemax")) == pytest.approx(600, abs=1)
    fits(page)
    page.focus("#timeline")
    page.keyboard.press("End")
    until(lambda: page.evaluate("document.querySelector('#video').currentTime") > 599)
