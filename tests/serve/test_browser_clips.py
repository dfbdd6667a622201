"""The page in a real Chromium: how clips come in, are stopped, and go."""

from __future__ import annotations

import time

import numpy as np
import pytest


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
        page.fits()
        assert page.is_visible("#drop")
        page.click("#fault-close")
        assert page.is_hidden("#fault")
    page.give(films("a.mp4", 12))


def test_words(visit, client, predictor, films, tmp_path):
    file = films("a.mp4", 12)
    (tmp_path / "a.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:03.000\nthe day is wonderful\n")
    page = visit(client)
    page.click("#words-open")
    page.fill("#words-text", "the day is wonderful")
    page.click("#words-ok")
    page.wait_for_selector("#words-now:has-text('Words: “the day is wonderful”')")
    page.give(file)
    (wanted,) = predictor(file, text="the day is wonderful", whole=True)
    assert page.legend() == page.shares(predictor, wanted)
    assert page.inner_text("#now-words") == "“the day is wonderful”"
    page.click("#words-again")
    page.fill("#words-text", "")
    page.set_input_files("#words-file", tmp_path / "a.vtt")
    page.click("#words-ok")
    page.wait_for_selector(page.DONE + ":has-text('subtitles')")
    page.click("#words-again")
    page.click("#words-none")
    page.wait_for_selector(page.DONE + ":has-text('as one clip')")
    page.click("#words-again")
    page.fill("#words-text", "no")
    page.click("#words-ok")
    page.wait_for_selector("#now-words:has-text('“no”')")
    page.click("#again")  # the words belonged to that clip
    assert page.is_hidden("#words-now")
    page.give(file)
    assert page.inner_text("#now-words") == ""


def test_a_result_of_earlier_subtitles_is_not_shown_for_later_ones(visit, client, films, tmp_path):
    (tmp_path / "a.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:03.000\nthe day is wonderful\n")
    page = visit(client)
    page.give(films("a.mp4", 12))
    held = []
    page.route("**/words?**", lambda route: held.append(route))  # they are on their way for long
    page.click("#words-again")
    page.set_input_files("#words-file", tmp_path / "a.vtt")
    page.click("#words-ok")
    page.select_option("#window", "2")
    page.wait_for_selector(page.DONE + ":has-text('windows of')")
    assert len(held) == 1
    held[0].continue_()
    page.wait_for_selector(page.DONE + ":has-text('segments of the subtitles')")
    page.unroute("**/words?**")  # it would hold what the page says when it is left, too


@pytest.mark.parametrize("picture", [True, False])
def test_recording(visit, client, picture, until):
    page = visit(client, "phone" if picture else "desktop")
    page.click("#record-video" if picture else "#record-audio")
    page.wait_for_selector("#recorded:has-text('0:02')")
    assert page.is_visible("#preview") == picture
    page.fits()
    page.click("#record-use")
    page.wait_for_selector(page.DONE)
    assert page.inner_text("#clip-name") == "recording.webm"
    player = "#video" if picture else "#audio"
    assert page.is_visible(player)
    until(lambda: page.evaluate(f"document.querySelector('{player}').duration") > 1.5)
    assert page.evaluate(f"document.querySelector('{player}').duration") < 10
    assert page.get_attribute("[data-modality=audio]", "aria-checked") == "true"
    assert page.is_disabled("[data-modality=video]") != picture


def test_a_recording_thrown_away(visit, client):
    page = visit(client)
    known = set(client.pages.uploads._table)
    page.click("#record-audio")
    page.wait_for_selector("#recorder:visible")
    page.click("#record-cancel")
    page.wait_for_selector("#drop:visible")
    assert set(client.pages.uploads._table) <= known


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


def test_two_users(visit, serving, predictor, films, slowly, until):
    slowly(0.3)
    files = [films("a.mp4", 12), films("second.mp4", 12)]
    with serving() as client:
        one, two = visit(client), visit(client, "phone")
        for page, file in zip((one, two), files):
            page.give(file)
        one.select_option("#window", "1")
        one.wait_for_selector("#status:has-text('Predicting: ')")
        two.select_option("#window", "2")
        two.wait_for_selector("#status:has-text('Waiting: 2nd in the queue')")
        for page, file, window in zip((one, two), files, (1, 2)):
            page.wait_for_selector(page.DONE + f":has-text('{12 // window} segments')")
            assert page.legend() == page.shares(predictor, predictor(file, window=float(window))[0])
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


def test_stop_and_again(visit, serving, films, slowly, until):
    slowly(0.3)
    with serving() as client:
        page = visit(client)
        page.give(films("a.mp4", 12))
        page.select_option("#window", "1")
        page.wait_for_selector("#status:has-text('Predicting: ')")
        page.click("#stop")
        page.wait_for_selector("#status:has-text('Stopped.')")
        until(lambda: client.pages.work.idle, 3)
        assert page.inner_text("#stop") == "Predict again"
        page.click("#stop")
        page.wait_for_selector("#status:has-text('Predicting: ')")
        page.goto("about:blank")  # the page is left in the midst
        until(lambda: client.pages.work.idle and not client.files(), 5)


def test_an_expired_file(visit, serving, films):
    with serving(keep=0.05) as client:
        page = visit(client)
        page.give(films("silent.mp4", 4, sound=False))
        time.sleep(3.3)
        page.select_option("#window", "2")
        page.wait_for_selector("#fault-title:has-text('The file is gone')")
        assert page.is_visible("#drop")
