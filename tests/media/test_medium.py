from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmer_fairseq.errors import InputError
from mmer_fairseq.media import medium as medium_room
from mmer_fairseq.media.medium import Medium, open_medium

CONTAINERS = {
    "a.mp4": {},
    "pieces.mp4": {"options": {"movflags": "frag_keyframe+empty_moov"}},
    "hevc.mov": {"codec": "libx265"},
    "a.mkv": {},
    "a.webm": {"codec": "libvpx-vp9", "sound": "libopus", "sound_rate": 48000},
    "a.avi": {"codec": "mpeg4"},
    "a.flv": {},
    "a.ts": {},
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_decoding_from_a_moment_gives_what_decoding_from_the_start_gives(tmp_path: Path, kit, name: str):
    path = kit.write_video(tmp_path / name, gop=7, **CONTAINERS[name])
    with open_medium(path) as medium:
        whole = [(begins, ends) for begins, ends, _ in medium.decode("video", 0.0)]
        assert len(whole) == 50
        assert all(later[0] > earlier[0] for earlier, later in zip(whole, whole[1:]))
        for begin in (0.3, 1.0, 1.7, 0.5):
            part = [(begins, ends) for begins, ends, _ in medium.decode("video", begin)]
            assert part == whole[-len(part) :]
            assert part[0][0] <= begin + 0.001


def test_time_starts_at_zero_where_a_broadcast_stream_starts_late(tmp_path: Path, kit):
    path = kit.write_video(tmp_path / "a.ts", options={"output_ts_offset": "100"})
    with open_medium(path) as medium:
        first = next(medium.decode("video", 0.0))[0]
        assert 0.0 <= first < 0.2
        assert medium.seconds == pytest.approx(2.1, abs=0.1)


@pytest.mark.parametrize(("name", "live"), [("a.mkv", True), ("a.ts", False), ("a.aac", False)])
def test_length_where_headers_do_not_say(tmp_path: Path, kit, name: str, live: bool):
    frames = 0 if name == "a.aac" else 50
    options = {"live": "1"} if live else {}
    path = kit.write_video(tmp_path / name, frames=frames, sound_seconds=2.0, options=options)
    with open_medium(path) as medium:
        assert medium.seconds == pytest.approx(2.0, abs=0.15)
        assert len(list(medium.decode("audio", 0.0))) > 30


@pytest.mark.parametrize(("name", "tracks"), [("a.mkv", 2.0), ("a.mp4", 2.0)])
def test_a_track_may_end_before_its_medium(tmp_path: Path, kit, name: str, tracks: float):
    path = kit.write_video(tmp_path / name, sound_seconds=5.0)
    with open_medium(path) as medium:
        assert medium.seconds == pytest.approx(5.0, abs=0.1)
        assert medium.announced_end(medium.track("video")) == pytest.approx(tracks, abs=0.01)
        *_, (_, ends, _) = medium.decode("video", 0.0)
        medium.check_reached("video", ends, None)


def test_a_track_that_is_not_there(tmp_path: Path, kit):
    silent = kit.write_video(tmp_path / "silent.mp4", sound=None)
    blind = kit.write_video(tmp_path / "blind.m4a", frames=0, sound_seconds=1.0)
    for path, kind, found, wanted in (
        (silent, "audio", "picture", "sound"),
        (blind, "video", "sound", "picture"),
    ):
        with open_medium(path, "dev.tsv:4") as medium:
            assert medium.find(kind) is None
            with pytest.raises(InputError) as error:
                medium.track(kind)
        assert str(error.value) == (
            f"dev.tsv:4: {path}: expected a file with a {wanted} track; found only {found}. "
            f"Name a file with a {wanted} track or leave this cell of the corpus empty."
        )


def test_bytes_that_libav_cannot_read(tmp_path: Path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\x00\x00\x00\x18ftypmp42" + b"\x00\x00\x00\x08moov" + b"\x07" * 500)
    with pytest.raises(InputError) as error, open_medium(path):
        pass
    assert str(error.value) == (
        f"{path}: expected a sound or video file that libav can read; "
        "found bytes it cannot: 'Invalid data found when processing input'. "
        "The file is damaged, truncated or wrongly named: copy, download or write it again."
    )


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_damage_in_the_middle_is_not_decoded_over(
    video: Path, kit, kind: str, capfd: pytest.CaptureFixture[str]
):
    kit.spoil(video, 0.5, 0.6)
    with pytest.raises(InputError) as error, open_medium(video) as medium:
        list(medium.decode(kind, 0.0))
    text = str(error.value)
    assert text.startswith(f"{video}: expected a file that decodes without a fault; found ")
    assert text.endswith(" s (damaged). Copy or download the file again, or write it anew with a media tool.")
    seconds = float(text.split(" near ")[1].split(" s ")[0])
    assert 0.5 < seconds < 1.3
    # libav's own log stays quiet: the error says it.
    assert capfd.readouterr() == ("", "")


def test_less_than_announced(video: Path):
    with open_medium(video) as medium:
        medium.check_reached("video", 1.8, None)
        medium.check_reached("video", 1.0, 1.1)
        with pytest.raises(InputError) as error:
            medium.check_reached("video", 1.0, None)
    assert str(error.value) == (
        f"{video}: expected 2.00 s, as its header announces; found data for 1.00 s (truncated). "
        "Copy, download or record the file again."
    )


def test_a_colon_in_a_path_is_no_protocol(tmp_path: Path, kit, monkeypatch: pytest.MonkeyPatch):
    kit.write_video(tmp_path / "plain.mp4", frames=3).rename(tmp_path / "http:clip.mp4")
    monkeypatch.chdir(tmp_path)
    with open_medium("http:clip.mp4") as medium:
        assert len(list(medium.decode("video", 0.0))) == 3


def test_without_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "av", None)
    text = r"a.mp4: expected the package PyAV.*Install it: pip install av\.$"
    with pytest.raises(InputError, match=text), open_medium(tmp_path / "a.mp4"):
        pass


def test_a_file_is_scanned_once_until_it_changes(tmp_path: Path, kit, monkeypatch):
    scans = []
    rewind = Medium._rewind
    monkeypatch.setattr(Medium, "_rewind", lambda medium: scans.append(1) or rewind(medium))
    path = kit.write_video(tmp_path / "a.ts")
    for _ in range(3):
        with open_medium(path) as medium:
            assert medium.seconds == pytest.approx(2.0, abs=0.15)
            assert len(list(medium.decode("video", 0.0))) == 50
            assert medium._reached == pytest.approx(medium.seconds)
    assert len(scans) == 1
    kit.write_video(path, frames=75)
    with open_medium(path) as medium:
        assert medium.seconds == pytest.approx(3.0, abs=0.15)
    assert len(scans) == 2


def test_only_so_many_scans_are_remembered(tmp_path: Path, kit, monkeypatch):
    monkeypatch.setattr("mmer_fairseq.media.medium._SCANNED", {})
    monkeypatch.setattr("mmer_fairseq.media.medium._SCANNED_FILES", 2)
    for name in ("a.ts", "b.ts", "c.ts"):
        with open_medium(kit.write_video(tmp_path / name)):
            pass
    kept = [Path(path).name for path, *_ in medium_room._SCANNED]
    assert kept == ["b.ts", "c.ts"]


@pytest.mark.parametrize(
    ("version", "limited"), [("12.3.0", False), ("17.0.1", False), ("17.1.0", True), ("18.2.0rc1", True)]
)
def test_limits_only_where_pyav_stands_them(version: str, limited: bool):
    assert medium_room.limits(SimpleNamespace(__version__=version)) == (
        dict(medium_room.LIMITS) if limited else {}
    )
