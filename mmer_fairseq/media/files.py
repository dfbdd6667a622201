"""What a file really is, before a decoder sees it: there, not empty, and of the kind its name says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Union

from mmer_fairseq.errors import InputError

PathLike = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: with its article, as messages say it.
        suffixes: endings such a file may have.
        medium: "sound" (libsndfile reads it), "container" (libav reads it: pictures, sound or both) or ""
            (neither).
    """

    name: str
    suffixes: tuple[str, ...] = ()
    medium: str = ""


WAV = Kind("a WAV sound file", (".wav", ".wave"), "sound")
FLAC = Kind("a FLAC sound file", (".flac",), "sound")
OGG = Kind("an Ogg sound file", (".ogg", ".oga", ".opus", ".spx"), "sound")
AIFF = Kind("an AIFF sound file", (".aif", ".aiff", ".aifc"), "sound")
AU = Kind("an AU sound file", (".au", ".snd"), "sound")
CAF = Kind("a CAF sound file", (".caf",), "sound")
MP3 = Kind("an MP3 sound file", (".mp3", ".mp2", ".mpga"), "sound")
# An ID3 tag may stand before other sound than MP3: there the name decides.
TAGGED = Kind("an MP3 sound file", (*MP3.suffixes, ".aac", ".flac", ".aif", ".aiff"), "sound")
AAC = Kind("an AAC sound file", (".aac", ".adts"), "container")
AMR = Kind("an AMR sound file", (".amr",), "container")
MP4 = Kind(
    "an MP4 or QuickTime file",
    (".mp4", ".m4v", ".m4a", ".m4b", ".mov", ".qt", ".3gp", ".3g2", ".f4v"),
    "container",
)
MATROSKA = Kind("a Matroska or WebM file", (".mkv", ".webm", ".mka", ".weba"), "container")
AVI = Kind("an AVI video", (".avi", ".divx"), "container")
FLV = Kind("a Flash video", (".flv",), "container")
ASF = Kind("a Windows Media file", (".wmv", ".wma", ".asf"), "container")
OGV = Kind("an Ogg video", (".ogv", ".ogx", ".ogg"), "container")
MPEG = Kind("an MPEG video", (".mpg", ".mpeg", ".vob", ".dat", ".m2v", ".m1v"), "container")
TS = Kind("an MPEG transport stream", (".ts", ".mts", ".m2ts"), "container")
GIF = Kind("a GIF picture", (".gif",), "container")

KINDS = (WAV, FLAC, OGG, AIFF, AU, CAF, MP3, AAC, AMR, MP4, MATROSKA, AVI, FLV, ASF, OGV, MPEG, TS, GIF)

# (offset, bytes there, kind): first hit counts, so the longer signatures of a family stand first.
_SIGNATURES: tuple[tuple[int, bytes, Kind], ...] = (
    (8, b"WAVE", WAV),
    (8, b"AVI ", AVI),
    (8, b"WEBP", Kind("a WebP picture", (".webp",))),
    (8, b"AIF", AIFF),
    (0, b"fLaC", FLAC),
    (0, b"OggS", OGG),
    (0, b".snd", AU),
    (0, b"caff", CAF),
    (0, b"#!AMR", AMR),
    (4, b"ftypheic", Kind("an HEIC picture", (".heic", ".heif"))),
    (4, b"ftypavif", Kind("an AVIF picture", (".avif",))),
    *((4, box, MP4) for box in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp")),
    (0, b"\x1a\x45\xdf\xa3", MATROSKA),
    (0, b"FLV\x01", FLV),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", ASF),
    (0, b"\x00\x00\x01\xba", MPEG),
    (0, b"\x00\x00\x01\xb3", MPEG),
    (0, b"\x89PNG", Kind("a PNG picture", (".png",))),
    (0, b"\xff\xd8\xff", Kind("a JPEG picture", (".jpg", ".jpeg"))),
    (0, b"GIF8", GIF),
    (0, b"II*\x00", Kind("a TIFF picture", (".tif", ".tiff"))),
    (0, b"MM\x00*", Kind("a TIFF picture", (".tif", ".tiff"))),
    (0, b"%PDF", Kind("a PDF document", (".pdf",))),
    (0, b"PK\x03\x04", Kind("a zip archive (or an .npz or .pt file)", (".zip", ".npz", ".pt", ".docx"))),
    (0, b"\x1f\x8b", Kind("a gzip archive", (".gz", ".tgz"))),
    (0, b"\x93NUMPY", Kind("a NumPy array", (".npy",))),
    (0, b"\x89HDF", Kind("an HDF5 file", (".h5", ".hdf5"))),
    (0, b"ID3", TAGGED),
    *((0, sync, MP3) for sync in (b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2")),
    (0, b"\xff\xf1", AAC),
    (0, b"\xff\xf9", AAC),
)
_TEXT = Kind("text", (".txt", ".csv", ".tsv", ".json", ".yaml", ".html"))
_HEAD_BYTES = 1024


def place(path: PathLike, where: Optional[str]) -> str:
    """What a message names: the file, and before it the row that named the file, if there was one."""
    return f"{where}: {os.fspath(path)}" if where and where != os.fspath(path) else os.fspath(path)


def read_head(path: PathLike, where: Optional[str] = None, expected: str = "a file") -> bytes:
    """First bytes of a file that must exist and must hold something.

    Raises:
        InputError: nothing there, a folder, no permission, or 0 bytes.
    """
    at = place(path, where)
    if not os.path.isfile(path) and not _locked_away(path):
        what = "a folder" if os.path.isdir(path) else "something that is no file"
        found = what if os.path.exists(path) else "no such file"
        raise InputError.of(
            where=at, expected=expected, found=found, remedy="correct the path or put the file there"
        )
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise InputError.of(
            where=at,
            expected=f"{expected} that can be read",
            found=f"'{error.strerror}'",
            remedy="make the file and its folder readable",
        ) from error
    if not head:
        raise InputError.of(
            where=at,
            expected=expected,
            found="an empty file (0 bytes)",
            remedy="copy or download the file again",
        )
    return head


def _locked_away(path: PathLike) -> bool:
    """Whether a folder on the way to the file may not be entered: ``isfile`` then says no."""
    try:
        os.stat(path)
    except OSError as error:
        return isinstance(error, PermissionError)
    return False


def sniff(head: bytes) -> Optional[Kind]:
    """Kind of a file by its first bytes; None where they say nothing certain."""
    for offset, signature, kind in _SIGNATURES:
        if head.startswith(signature, offset):
            return OGV if kind is OGG and b"\x80theora" in head else kind
    if head[:1] == b"G" and head[188:189] == b"G":
        return TS
    if not head.strip(b"\x00"):
        return Kind("nothing but zero bytes")
    try:
        text = head.decode("utf-8", errors="strict" if len(head) < _HEAD_BYTES else "ignore")
    except UnicodeDecodeError:
        return None
    return _TEXT if all(char.isprintable() or char in "\t\r\n\f\ufeff" for char in text) else None


def identify(path: PathLike, where: Optional[str] = None, *, wanted: str = "a sound or video file") -> Kind:
    """Look at a medium before it is decoded.

    Args:
        path: the medium.
        where: row that names it, for messages.
        wanted: what the caller reads, for messages.

    Returns:
        The kind its bytes say, else the kind its name says.

    Raises:
        InputError: it is missing, a folder or empty; its bytes are of another kind than its name says (a
            decoder might still read it, but a name that lies is a mix-up to look at); its bytes are no
            medium.
    """
    head = read_head(path, where, wanted)
    found = sniff(head)
    suffix = Path(path).suffix.lower()
    named = [kind for kind in KINDS if suffix in kind.suffixes]
    if found is TAGGED and suffix in found.suffixes:
        found = named[0]
    if found is None or (found.medium and (not named or suffix in found.suffixes)):
        return found or (named[0] if named else Kind("a file of no known kind", (), "container"))
    expected = f"{named[0].name} (its name ends in {suffix})" if named else wanted
    mistake = "wrongly named" if named else "of the wrong kind"
    rename = f", or rename it to end in {found.suffixes[0]}" if found.medium and named else ""
    raise InputError.of(
        where=place(path, where),
        expected=expected,
        found=f"{found.name} (by its first bytes)",
        remedy=f"the file is {mistake}: name the right file{rename}",
    )
