"""Cuts, tracks, lips, voice, clusters and votes by themselves."""

from __future__ import annotations

import numpy as np
import pytest

from mmer_fairseq.errors import InputError
from mmer_fairseq.faces.blobs import BlobDetector
from mmer_fairseq.faces.detectors import Face
from mmer_fairseq.faces.speaker.boxes import by_picture, read_boxes
from mmer_fairseq.faces.speaker.cluster import Member, identities
from mmer_fairseq.faces.speaker.embed import Centre, embedder
from mmer_fairseq.faces.speaker.find import Analysis
from mmer_fairseq.faces.speaker.lips import Cutter, read_lips
from mmer_fairseq.faces.speaker.look import joined
from mmer_fairseq.faces.speaker.match import Entry, judge, load_gallery, names_of
from mmer_fairseq.faces.speaker.score import Evidence, chances
from mmer_fairseq.faces.speaker.settings import SpeakerSettings
from mmer_fairseq.faces.speaker.sheet import Line, write_sheets
from mmer_fairseq.faces.speaker.tracks import Track, find_cuts, follow_all, places_to_look
from mmer_fairseq.faces.speaker.voice import heard_share, loudness


def box(x: float, side: float = 20.0, y: float = 10.0) -> Face:
    return Face((x, y, x + side, y + side), 0.9)


@pytest.mark.parametrize("cuts", [0, 1, 2])
def test_cuts_are_found_and_flicker_is_none(films, cuts):
    for seed in (108, 126, 7):
        scene = films.compose(seed, cuts=cuts, seconds=2.2, size=(90, 160))
        found, count = find_cuts(scene.frames)
        assert count == len(scene.frames)
        middles = [np.array([(b[0] + b[2]) / 2 for b in boxes.values()]) for boxes in scene.boxes]
        jumps = [k for k in range(1, count) if np.abs(middles[k] - middles[k - 1]).max() > 20]
        assert found == jumps


def test_looks_reach_the_edges_of_every_shot():
    assert places_to_look([7], 12, 5) == [0, 5, 6, 7, 11]


@pytest.mark.parametrize("how", ["hungarian", "greedy"])
def test_tracks_do_not_run_over_cuts(how):
    faces = {k: [box(10 + k), box(60 - k)] for k in range(0, 20, 5)}
    faces[5] = faces[5][::-1]
    tracks = follow_all(faces, [10], 20, how=how)
    assert [(t.id, t.shot, t.first, t.last, t.seen) for t in tracks] == [
        (1, 0, 0, 9, 2),
        (2, 0, 0, 9, 2),
        (3, 1, 10, 19, 2),
        (4, 1, 10, 19, 2),
    ]
    assert tracks[0].box_at(3)[0] == pytest.approx(13, abs=1e-6)
    assert tracks[0].box_at(10) is None


def test_what_is_seen_once_is_no_face():
    faces = {k: [box(10)] for k in range(0, 40, 5)}
    faces[15] = [box(10), box(90)]
    assert len(follow_all(faces, [], 40)) == 1


def test_of_two_detectors_the_one_that_sees_more_is_believed():
    half = Track(1, 0, 0, np.array([[0.0, 0, 20, 20]] * 9), seen=3, looked=9)
    whole = Track(1, 0, 0, np.array([[1.0, 1, 22, 22]] * 9), seen=9, looked=9)
    other = Track(2, 0, 0, np.array([[50.0, 0, 70, 20]] * 9), seen=9, looked=9)
    tracks = joined([half], [whole, other])
    assert [(t.id, t.boxes[0][0]) for t in tracks] == [(1, 1.0), (2, 50.0)]


def test_a_moving_head_is_no_moving_mouth(films):
    """Still mouths and swaying heads; then one mouth opens and closes."""
    from PIL import Image, ImageDraw

    person = films.look(np.random.default_rng(1), False)
    result = []
    for opens in (False, True):
        frames, boxes = [], []
        for k in range(40):
            picture = Image.new("RGB", (200, 200), (90, 110, 130))
            x, y = 100 + 8 * np.sin(0.4 * k), 100 + 5 * np.cos(0.3 * k)
            opening = 0.5 + 0.5 * np.sin(k) if opens else 0.4
            films.draw(ImageDraw.Draw(picture), person, x, y, 60, opening, 1.0)
            frames.append(np.asarray(picture.reduce(2)))
            boxes.append([x / 2 - 24, y / 2 - 30, x / 2 + 24, y / 2 + 30])
        steady = np.array(boxes)[::4].repeat(4, axis=0)  # boxes lag behind
        track = Track(1, 0, 0, steady)
        cutter = Cutter([track])
        cutter.take(frames)
        result.append(read_lips(track, cutter.faces(track)))
    still, lively = result
    assert lively.activity > 1.8 * still.activity
    beat = np.sin(np.arange(40))
    assert abs(np.corrcoef(lively.looks[:, 0], beat)[0, 1]) > 0.9


def test_loudness_is_of_the_voice_and_not_of_the_noise():
    rng = np.random.default_rng(0)
    seconds = np.arange(32000) / 16000
    beat = np.maximum(0, np.sin(2 * np.pi * 2 * seconds))
    sound = beat * np.sin(2 * np.pi * 300 * seconds) + 0.2 * rng.standard_normal(32000)
    times, loud = loudness(sound, 16000)
    assert np.corrcoef(loud, np.interp(times, seconds, beat))[0, 1] > 0.9
    assert 0.3 < heard_share(loud) < 0.7
    assert heard_share(loudness(np.zeros(16000), 16000)[1]) == 0.0


def test_who_is_seen_together_is_not_one_person():
    alike = np.array([1.0, 0.0], np.float32)
    members = [
        Member(alike, ("a", 0), 0, 9),
        Member(alike, ("a", 0), 5, 9),
        Member(alike, ("a", 1), 10, 19),
        Member(np.array([0.0, 1.0], np.float32), ("b", 0), 0, 9),
    ]
    found = identities(members, 0.3)
    assert found[0] != found[1]
    assert found[2] in found[:2]
    assert found[3] not in found[:3]
    assert identities(members, 0.3, "none") == [1, 2, 3, 4]


def test_chances_add_up():
    share = chances([9.0, 1.0])
    assert share.sum() == pytest.approx(1.0)
    assert share[0] > 0.95
    assert chances([0.0, 0.0])[-1] > 0.8


def _entry(name: str, speaker: str, values: tuple[float, float]) -> Entry:
    """Two people side by side, whose vectors are the axes."""
    tracks = [Track(n, 0, 0, np.array([[30.0 * n, 0, 30 * n + 20, 20]] * 50)) for n in (1, 2)]
    evidence = [Evidence(n, value, 0.5, 0.0, 0.1, 2.0) for n, value in zip((1, 2), values)]
    vectors = list(np.eye(2, dtype=np.float32))
    return Entry(name, speaker, Analysis(50, [], tracks, evidence, vectors, 0.5, True))


def test_clips_of_a_dialogue_vote():
    entries = [_entry(f"d{k}", "ann", (9.0, 0.0)) for k in range(4)]
    doubtful = _entry("d9", "ann", (4.0, 4.5))
    alone = judge([doubtful], apart=0.3)["d9"]
    assert (alone.speaker.tracks, alone.speaker.unsure) == ([2], True)
    assert alone.speaker.reason == "two mouths agree"
    assert judge([*entries, doubtful], apart=0.3)["d9"].speaker.tracks == [1]
    stranger = _entry("d9", "bob", (4.0, 4.5))
    assert judge([*entries, stranger], apart=0.3)["d9"].speaker.tracks == [2]


def test_a_gallery_names_people():
    gallery = {"ann": np.array([1.0, 0.0]), "bob": np.array([0.0, 1.0])}
    assert names_of({5: np.array([0.1, 0.99])}, gallery, 0.3) == {5: "bob"}
    found = judge([_entry("c", "ann", (4.0, 4.5))], apart=0.3, gallery=gallery)["c"]
    assert (found.person, found.speaker.tracks) == ("ann", [1])
    found = judge([_entry("c", "ann", (0.0, 19.0))], apart=0.3, gallery=gallery)["c"]
    assert (found.person, found.speaker.reason, found.speaker.unsure) == ("bob", "gallery disagrees", True)


def test_a_gallery_is_read(tmp_path, films):
    from PIL import Image

    scene = films.compose(4, people=2, cuts=0, seconds=1.0, hard=0, size=(150, 260))
    for person, (x0, y0, x1, y1) in scene.boxes[0].items():
        folder = tmp_path / "g" / f"p{person}"
        folder.mkdir(parents=True)
        Image.fromarray(scene.frames[0]).crop((x0 - 20, y0 - 20, x1 + 20, y1 + 20)).save(folder / "1.png")
    people = load_gallery(tmp_path / "g", BlobDetector(16), Centre(), 360)
    assert list(people) == ["p0", "p1"]
    assert np.linalg.norm(people["p0"]) == pytest.approx(1.0, abs=1e-5)
    (tmp_path / "g" / "p0" / "2.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"2\.png: expected a picture; found cannot identify"):
        load_gallery(tmp_path / "g", None, Centre(), 360)
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        InputError, match=r"--gallery .*empty: expected one folder a person.*found no picture in any"
    ):
        load_gallery(tmp_path / "empty", None, Centre(), 360)


def test_a_table_of_boxes(tmp_path):
    file = tmp_path / "boxes.tsv"
    file.write_text(
        "clip\ttime\tx0\ty0\tx1\ty1\na\t0.0\t1\t2\t3\t4\na\t0.0\t5\t2\t9\t4\na\t0.2\t1\t2\t3\t5\n"
    )
    table = read_boxes(file)
    assert [face.box for face in by_picture(table["a"], 25.0, 50)[0]] == [(1, 2, 3, 4), (5, 2, 9, 4)]
    assert set(by_picture(table["a"], 25.0, 50)) == {0, 5}
    file.write_text("clip\ttime\tx0\ty0\tx1\ty1\na\t0.0\t5\t2\t3\t4\n")
    with pytest.raises(InputError, match=r"boxes\.tsv:2: expected a clip, seconds .*Correct the line"):
        read_boxes(file)
    file.write_text("clip\tx0\n")
    with pytest.raises(
        InputError, match=r"expected a header with clip, time.*found none of time, y0, x1, y1"
    ):
        read_boxes(file)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tracker": "sort"}, "--tracker: expected hungarian or greedy; found 'sort'"),
        ({"lips": "read"}, "--lips: expected shape or motion; found 'read'"),
        ({"cluster": "dbscan"}, "--cluster: expected agglomerative or none; found 'dbscan'"),
        ({"off_screen": "drop"}, "--off-screen: expected none or best; found 'drop'"),
        ({"unsure": 1.5}, "--unsure: expected a probability from 0 to 1; found 1.5"),
        ({"looks": 0.0}, "--looks: expected above 0 and up to 100 pictures a second; found 0"),
    ],
)
def test_settings_are_checked(changes, message):
    with pytest.raises(InputError, match=message):
        SpeakerSettings(**changes).check()


def test_embedders(tmp_path):
    with pytest.raises(InputError, match=r"--embed: expected centre, or facenet:PATH .*found 'arcface'"):
        embedder("arcface")
    pytest.importorskip("facenet_pytorch")
    with pytest.raises(
        InputError, match="expected a file with weights of InceptionResnetV1; found no such file"
    ):
        embedder(f"facenet:{tmp_path}/none.pt")
    (tmp_path / "bad.pt").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"bad\.pt: expected a file with weights of InceptionResnetV1"):
        embedder(f"facenet:{tmp_path}/bad.pt")


def test_what_is_no_drawn_face():
    detect = BlobDetector(16)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (90, 120, 3), dtype=np.uint8)
    egg = np.full((90, 120, 3), 60, np.uint8)
    rows, columns = np.mgrid[:90, :120]
    egg[((rows - 45) / 30) ** 2 + ((columns - 60) / 24) ** 2 < 1] = 200  # without eyes
    assert detect([noise, egg, np.zeros((90, 120, 3), np.uint8)]) == [[], [], []]


def test_sheets_have_pages(tmp_path):
    from PIL import Image

    (tmp_path / "c").mkdir()
    for k in range(9):
        Image.new("RGB", (16, 16), (200, 20, 20)).save(tmp_path / "c" / f"{k}.jpg")
    lines = [Line(f"clip {k}", tmp_path / "c", ["somebody"], k == 0) for k in range(41)]
    pages = write_sheets(tmp_path, lines)
    assert [page.name for page in pages] == ["contact-sheet.png", "contact-sheet-2.png"]
    with Image.open(pages[0]) as sheet:
        assert np.asarray(sheet)[20, 340].tolist()[0] > 150
    assert write_sheets(tmp_path, lines[:1]) == [tmp_path / "contact-sheet.png"]
    assert not pages[1].exists()
