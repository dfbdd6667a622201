"""Pictures of 48×48 faces for a batch of MME2E: found in every step, as the published code does, or cropped once.

8 clips of mixed lengths, 70 pictures (2 a second). The plain way decodes each clip's video and runs the detector on its
pictures as stored; ours reads the crops that `mmer faces` wrote. Behind either comes the same training step of the
picture and sound branches of ``mme2e`` (--autocast: as ``--autocast-bf16``) or, with --step evaluation, its forward
pass alone. The two take turns in one run; medians are reported, of the clock and of the processor, without and with the
step. What an epoch gains is this ratio: it is made of such steps. Clips are those named, over and over, or drawn ones;
--height scales them first; mtcnn is facenet-pytorch's.

    OMP_NUM_THREADS=1 python tests/benchmarks/faces_mme2e.py clip.mp4 --detector mtcnn --height 720 --autocast
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

from sparse_mme2e import FACES, networks  # noqa: E402
from sparse_mme2e import batch as other_streams  # noqa: E402
from turns import report, take_turns  # noqa: E402

from mmer_fairseq.corpus.importers.toy import write_toy_corpus  # noqa: E402
from mmer_fairseq.faces.crop import centre_box, cut, region  # noqa: E402
from mmer_fairseq.faces.detectors import DETECTORS  # noqa: E402
from mmer_fairseq.media.picture_folder import load_shown  # noqa: E402
from mmer_fairseq.media.video import load_frames, video_info  # noqa: E402

RATE, SIZE, MARGIN, MIN_FACE = 2.0, 48, 2, 20


class Ways:
    """Both ways to the faces of the batch.

    Args:
        videos: clips, taken in turn.
        counts: pictures of each clip of the batch.
        detector: key of ``DETECTORS``.
        folder: where the crops are written.
    """

    def __init__(self, videos: Sequence[Path], counts: Sequence[int], detector: str, folder: Path) -> None:
        self.videos = [videos[k % len(videos)] for k in range(len(counts))]
        self.counts, self.folder = counts, folder
        self.detect = DETECTORS[detector].build(MIN_FACE, "cpu")
        for number, faces in enumerate(self.found()):
            self._write(folder / str(number), faces)

    def found(self) -> list[np.ndarray]:
        """The plain way: uint8 [T, 48, 48, 3] of each clip."""
        clips = []
        for video, count in zip(self.videos, self.counts):
            frames, _ = load_frames(video, rate=RATE, max_frames=count)
            pictures = list(frames.permute(0, 2, 3, 1).contiguous().numpy())
            pictures += [pictures[-1]] * (count - len(pictures))  # a short clip: its last picture again
            faces = []
            for picture, boxes in zip(pictures, self.detect(pictures)):
                height, width = picture.shape[:2]
                box = max(boxes, key=lambda face: face.score).box if boxes else centre_box(width, height)
                faces.append(cut(picture, region(box, MARGIN, SIZE, width, height), SIZE))
            clips.append(np.stack(faces))
        return clips

    def stored(self) -> list[Tensor]:
        """Our way: uint8 [T, 3, 48, 48] of each clip."""
        return [
            load_shown(self.folder / str(number), rate=RATE, frame_rate=None, size=SIZE, max_frames=count)
            for number, count in enumerate(self.counts)
        ]

    @staticmethod
    def _write(folder: Path, faces: np.ndarray) -> None:
        from PIL import Image

        folder.mkdir(parents=True)
        for number, face in enumerate(faces, 1):
            Image.fromarray(face).save(folder / f"{number:05d}.jpg", quality=95)


def scaled(video: Path, height: int, folder: Path) -> Path:
    """The same film with pictures of this height, H.264 without sound."""
    import av

    path = folder / f"{video.stem}-{height}.mp4"
    with av.open(str(video)) as source, av.open(str(path), "w") as target:
        pictures = source.streams.video[0]
        stream = target.add_stream("libx264", rate=pictures.average_rate, options={"crf": "20"})
        stream.height, stream.pix_fmt = height, "yuv420p"
        stream.width = round(pictures.width * height / pictures.height / 2) * 2
        for frame in source.decode(pictures):
            picture = frame.reformat(stream.width, height, "yuv420p")
            picture.pict_type = av.video.frame.PictureType.NONE
            target.mux(stream.encode(picture))
        target.mux(stream.encode())
    return path


def training_step(share: float, backward: bool, autocast: bool) -> Callable[[], None]:
    """A step on the batch that ``sparse_mme2e.py`` makes, without the text encoder."""
    network = networks(())["dense"].train(backward)
    streams, lengths = other_streams(share)

    def step() -> None:
        with torch.set_grad_enabled(backward):
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                logits = network(streams, lengths)["logits"]
            logits = logits.float()
            if backward:
                network.zero_grad(set_to_none=True)
                F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits)).backward()

    return step


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", nargs="*", type=Path, help="clips (default: drawn ones of 512×512 pixels)")
    parser.add_argument("--detector", default="mtcnn", choices=sorted(DETECTORS))
    parser.add_argument("--step", default="training", choices=["training", "evaluation"])
    parser.add_argument("--autocast", action="store_true", help="mixed precision, for both ways")
    parser.add_argument("--height", type=int, default=0, help="of the pictures (default: as they are)")
    parser.add_argument("--share", type=float, default=1.0, help="of the pictures of every clip")
    parser.add_argument("--repeats", type=int, default=3, help="timed turns")
    args = parser.parse_args(argv)
    counts = [max(round(n * args.share), 1) for n in FACES]
    with tempfile.TemporaryDirectory() as folder:
        videos = args.videos
        if not videos:
            corpus = write_toy_corpus(Path(folder) / "toy", clips=10, size=512)
            videos = sorted((corpus / "media").glob("*.mp4"))
        if args.height:
            videos = [scaled(video, args.height, Path(folder)) for video in videos]
        ways = Ways(videos, counts, args.detector, Path(folder) / "faces")
        infos = {(info.width, info.height) for info in map(video_info, videos)}
        print(f"machine   {platform.machine()}, {torch.get_num_threads()} threads; torch {torch.__version__}")
        print(
            f"pictures  {sum(counts)} of {', '.join(f'{w}×{h}' for w, h in sorted(infos))}; {args.detector}"
        )
        print("faces alone")
        report(take_turns({"each step": ways.found, "once": ways.stored}, repeats=args.repeats, warm_up=1))
        step = training_step(args.share, args.step == "training", args.autocast)
        print(f"with the {args.step} step{', bfloat16' if args.autocast else ''}")
        both = {"each step": lambda: (ways.found(), step()), "once": lambda: (ways.stored(), step())}
        report(take_turns(both, repeats=args.repeats, warm_up=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
