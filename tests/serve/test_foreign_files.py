"""Files that are no media, or media that lie: none reaches a decoder that it should not."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from mmer_fairseq.errors import InputError
from mmer_fairseq.media import medium
from mmer_fairseq.media.video import load_frames
from mmer_fairseq.serve import safety

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"

CONCAT = "ffconcat version 1.0\nfile /etc/passwd\n"

SESSION = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"

MANIFEST = (
    '<?xml version="1.0"?><MPD profiles="urn:mpeg:dash:profile:isoff-live:2011">'
    "<BaseURL>/etc/passwd</BaseURL></MPD>"
)


@pytest.mark.parametrize(
    "text", [PLAYLIST, CONCAT, SESSION, MANIFEST], ids=["m3u8", "ffconcat", "sdp", "dash"]
)
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.aac", "a.wav"])
def test_a_list_of_other_files_is_no_medium(client, text, name):
    answer = client.upload(text.encode(), name)
    assert answer.status == 422
    assert "found text (by its first bytes)" in answer.error
    assert b"root:" not in answer.body
    assert len(client.pages.uploads) == 0


@pytest.mark.parametrize(
    "text", [PLAYLIST, CONCAT, SESSION, MANIFEST], ids=["m3u8", "ffconcat", "sdp", "dash"]
)
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_nor_is_one_with_a_byte_that_no_text_has(client, text, name):
    answer = client.upload(text.encode() + b"\x00\x01\xff", name)
    assert answer.status == 422
    assert answer.error == (
        f"{name}: expected a sound or a video, by its first bytes; found bytes of no known kind. Choose another file."
    )


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"#!AMR\n", "a.amr"),
        (b"ID3\x04\x00\x00\x00\x00\x00\x01\x00", "a.aac"),
        (b"\xff\xf1", "a.aac"),
        (b"GIF8", "a.mp4"),
        (b"FLV\x01", "a.flv"),
    ],
)
def test_one_that_begins_like_a_medium_is_read_as_that(serving, head, name, monkeypatch):
    opened = []
    real = av.open

    def watched(*args, **options):
        container = real(*args, **options)
        opened.append(container.format.name)
        return container

    monkeypatch.setattr(av, "open", watched)
    with serving() as client:
        for text in (MANIFEST, SESSION, CONCAT, PLAYLIST):
            for between, behind in ((b"\n", b"\x00\xff"), (b"", b"")):
                answer = client.upload(head + between + text.encode() + behind, name)
                assert answer.status in (200, 422)
                assert b"root:" not in answer.body
    assert {part for each in opened for part in each.split(",")} <= set(safety.DEMUXERS.split(","))


def test_libav_refuses_what_is_not_on_the_list(tmp_path):
    """The second line: the list of demuxers is one that libav knows and obeys."""
    (tmp_path / "other.mp4").write_bytes(b"")
    file = tmp_path / "a.mp4"
    file.write_text(f"ffconcat version 1.0\nfile '{tmp_path}/other.mp4'\n")
    with pytest.raises(InputError) as error:
        safety._check_demuxer(file, "a.mp4", 3600.0)
    assert str(error.value).startswith(
        "a.mp4: expected a sound or a video of a common kind; found one that cannot be"
    )
    assert "concat" not in safety.DEMUXERS
    assert "hls" not in safety.DEMUXERS


def test_bad_files_are_told_in_the_users_words(client):
    noise = np.random.default_rng(0).integers(128, 255, 5000, dtype=np.uint8).tobytes()
    cases = {
        "noise.mp4": (
            noise,
            "noise.mp4: expected a sound or a video, by its first bytes; found bytes of no known kind.",
        ),
        "words.mp4": (
            b"just some words\n",
            "words.mp4: expected an MP4 or QuickTime file (its name ends in .mp4); found text (by its first bytes). "
            "The file is wrongly named: name the right file.",
        ),
        "a.exe": (
            b"MZ",
            "a.exe: expected a video, a sound, a text (.txt) or subtitles (.vtt, .srt); found a name that",
        ),
        "../../etc/passwd": (
            b"x",
            "passwd: expected a video, a sound, a text (.txt) or subtitles (.vtt, .srt); found a",
        ),
        "list.m3u8": (b"#EXTM3U", "list.m3u8: expected a video"),
    }
    for name, (data, message) in cases.items():
        answer = client.upload(data, name)
        assert answer.status == 422
        assert answer.error.startswith(message), answer.error
        assert "/tmp" not in answer.error
    empty = client.upload(b"", "a.mp4")
    assert (empty.status, empty.error) == (400, "The file is empty (0 bytes); choose another file.")
    assert len(client.pages.uploads) == 0
    assert client.files() == []


def test_a_truncated_film(client, films):
    whole = films("a.mp4", 12).read_bytes()
    answer = client.upload(whole[: len(whole) // 2], "half.mp4")
    assert answer.status == 422
    assert answer.error.startswith("half.mp4: expected")
    assert "truncated" in answer.error


def late_packet(path, seconds):
    """Sound of a tenth of a second, and another tenth at ``seconds``; no header says so."""
    with av.open(str(path), "w", format="matroska") as container:
        track = container.add_stream("pcm_s16le", rate=48000, layout="mono")
        for at in (0, seconds):
            frame = av.AudioFrame.from_ndarray(np.ones((1, 4800), "<i2"), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48000, at * 48000
            container.mux(track.encode(frame))
        container.mux(track.encode())
    return path


def test_a_film_that_is_longer_than_it_says(tmp_path):
    with pytest.raises(InputError) as error:
        safety.inspect(late_packet(tmp_path / "a.mka", 4000), "mine.mka", 60)
    assert "mine.mka: expected a recording of at most 60 minutes; found 66.7 minutes" in str(error.value)
    safety.inspect(late_packet(tmp_path / "b.mka", 400), "mine.mka", 60)


def test_a_gap_comes_in_pieces(tmp_path):
    from mmer_fairseq.media.medium import open_medium
    from mmer_fairseq.media.sound_sources import track_blocks

    with open_medium(late_packet(tmp_path / "a.mka", 60)) as medium:
        lengths = [len(block) for _, block in track_blocks(medium, None, None)]
    assert sum(lengths) == 48000 * 60 + 4800
    assert max(lengths) == 1 << 20


def test_packing_anew_does_not_fill_the_disk(tmp_path, monkeypatch):
    from mmer_fairseq.serve import playing

    class Packet:
        size, dts = 1 << 22, None
        stream = None

    file = late_packet(tmp_path / "a.mka", 1)
    content = file.read_bytes()
    opened = av.open

    def swollen(name, *mode, **options):
        container = opened(name, *mode, **options)
        if mode:
            return container

        class Source:
            duration, format, streams = None, container.format, container.streams

            def __enter__(self):
                return self

            def __exit__(self, *_):
                container.close()

            def demux(self):
                yield Packet()

        return Source()

    monkeypatch.setattr(av, "open", swollen)
    assert playing.repack(file) is False
    assert file.read_bytes() == content
    assert [each.name for each in tmp_path.iterdir()] == ["a.mka"]


def test_a_huge_picture(monkeypatch, films):
    monkeypatch.setattr(safety, "PIXELS", 500)
    with pytest.raises(InputError, match="found 32 × 32"):
        safety.inspect(films("a.mp4", 12), "a.mp4", 60)


def swelling(path, *sizes):
    """Square pictures of other sizes than the header of the film says."""
    with av.open(str(path), "w") as container:
        track = container.add_stream("png", rate=1)
        track.width = track.height = 16
        track.pix_fmt = "rgb24"
        container.start_encoding()
        for number, size in enumerate(sizes):
            coder = av.CodecContext.create("png", "w")
            coder.width = coder.height = size
            coder.pix_fmt, coder.time_base = "rgb24", track.time_base or Fraction(1)
            picture = av.VideoFrame.from_ndarray(np.zeros((size, size, 3), "u1"))
            picture.pts = 0
            for packet in [*coder.encode(picture), *coder.encode()]:
                packet.stream, packet.pts, packet.dts = track, number, number
                packet.time_base = Fraction(1)
                container.mux(packet)
    return path


@pytest.mark.skipif(not medium.limits(av), reason="PyAV before 17.1 crashes with limits")
def test_a_huge_picture_is_not_decoded_to_learn_its_size(tmp_path, monkeypatch):
    file = swelling(tmp_path / "a.mov", 32, 32)
    safety.inspect(file, "mine.mov", 60)
    monkeypatch.setitem(medium.LIMITS, "max_pixels", "500")
    with pytest.raises(InputError) as error:
        safety.inspect(file, "mine.mov", 60)
    assert str(error.value) == (
        "mine.mov: expected pictures of at most 67 million pixels; found larger ones, or some whose size nothing "
        "tells. Choose another file."
    )


def test_a_picture_that_is_larger_than_the_first_is_not_decoded(tmp_path, monkeypatch):
    file = swelling(tmp_path / "a.mov", 16, 64, 16)
    assert load_frames(file, size=8)[0].shape == (3, 3, 8, 8)
    monkeypatch.setitem(medium.LIMITS, "max_pixels", "500")
    safety.inspect(file, "mine.mov", 60)
    with pytest.raises(
        InputError,
        match=r"expected a file that decodes without a fault; found 'Invalid argument' near 0.00 s \(damaged, or a "
        r"picture of more than 67 million pixels\)",
    ):
        load_frames(file, size=8)


def test_names_and_messages():
    assert safety.shown_name("..\\..\\a\x00b\n.mp4") == "ab.mp4"
    assert safety.shown_name("/etc/passwd") == "passwd"
    assert safety.shown_name("..") == "upload"
    assert len(safety.shown_name("x" * 1000 + ".mp4")) == 150
    assert (
        safety.scrub("no /home/me/models/bpe.json there, text/audio", {}) == "no bpe.json there, text/audio"
    )
    assert safety.scrub("in /tmp/x/upload.mp4: bad", {"/tmp/x/upload.mp4": "talk.mp4"}) == "in talk.mp4: bad"


def test_messages_name_no_folder_of_this_machine():
    import tempfile

    text = f"cannot be made: {tempfile.gettempdir()}/my dir/x.pt (they were at /srv/models/a(b.pt)"
    assert safety.scrub(text, {}) == "cannot be made: my dir/x.pt"
