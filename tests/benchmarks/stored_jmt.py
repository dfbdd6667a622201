"""An epoch of JMT's fusion from stored features, against the same with frozen R(2+1)D-18 in the loop.

A corpus of one video is made on the spot: faces of 112×112 pixels at 30 Hz with a trace, and a stored stream of sound.
Both ways read it through the task, the dataset and the criterion that ``fairseq-train`` uses; the encoder has the same
(untrained) weights. Extraction is timed beside them: it is paid once.

    python tests/benchmarks/stored_jmt.py --frames 150

``--hours 2`` measures something else: the memory that evaluating a long video takes, from its stored features. It makes
the store, runs fairseq-validate, and prints the peak of the resident memory of the process.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO)]

RATE, SIZE, DIM = 30, 112, 512


def make_corpus(folder: Path, frames: int, *, video: bool) -> None:
    """One clip: a trace of ``frames`` steps and, if wanted, a video of noise."""
    import av

    from mmer_fairseq.corpus import write_corpus

    folder.mkdir(parents=True, exist_ok=True)
    time_ = np.arange(frames) / RATE
    np.save(folder / "trace.npy", np.stack([np.sin(time_), np.cos(time_)], axis=1).astype("f4"))
    if video:
        random = np.random.default_rng(0)
        with av.open(str(folder / "video.mp4"), "w") as container:
            track = container.add_stream("libx264", rate=RATE)
            track.width, track.height, track.pix_fmt = SIZE, SIZE, "yuv420p"
            for _ in range(frames):
                image = random.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
                container.mux(track.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
            container.mux(track.encode())
    space = {
        "kind": "trace",
        "column": "trace",
        "names": ["valence", "arousal"],
        "rate": RATE,
        "range": [-1, 1],
    }
    row = {"id": "v", "video": "video.mp4" if video else "store:r2d1", "trace": "trace.npy"}
    rows = {"train": [row], "valid": [{**row, "id": "w"}]}
    features = {} if video else {"r2d1": {"path": "features/r2d1", "modality": "video"}}
    write_corpus(
        folder, description={"name": "bench", "labels": {"affect": space}, "features": features}, rows=rows
    )


def add_sound(folder: Path, frames: int) -> None:
    """A second stream, stored for both ways."""
    from mmer_fairseq.corpus import register_features
    from mmer_fairseq.features.write import write_store

    random = np.random.default_rng(1)
    items = ((clip, random.standard_normal((frames, DIM), dtype="f4")) for clip in "vw")
    path = write_store(folder / "features" / "sound", items, modality="audio", rate=RATE, fingerprint="x")
    register_features(folder, name="sound", path=path, modality="audio")


def epoch(data: Path, batch: int, **flags: Any) -> float:
    """Seconds of one training epoch."""
    import mmer_fairseq

    mmer_fairseq.register()
    from fairseq.models import build_model
    from omegaconf import OmegaConf

    from mmer_fairseq.tasks.emotion_prediction import EmotionPrediction, EmotionPredictionConfig

    torch.manual_seed(1)
    task = EmotionPrediction.setup_task(EmotionPredictionConfig(data=str(data), **flags))
    model = build_model(OmegaConf.create({"_name": "jmt"}), task).train()
    criterion = task.build_criterion(OmegaConf.create({"_name": "emotion_prediction_cri"}))
    task.load_dataset("train")
    dataset = task.dataset("train")
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 1e-4, momentum=0.9)
    started = time.perf_counter()
    batches = dataset.batch_by_size(dataset.ordered_indices(), max_sentences=batch)
    for chosen in batches:
        sample = dataset.collater([dataset[index] for index in chosen])
        optimizer.zero_grad()
        loss, size, _ = criterion(model, sample)
        (loss / size).backward()
        optimizer.step()
    return time.perf_counter() - started


def compare(frames: int, batch: int) -> None:
    """Print the seconds of both epochs, of the extraction, and the ratio."""
    import torchvision

    from mmer_fairseq.corpus import Corpus
    from mmer_fairseq.corpus.subsequences import Subsequences
    from mmer_fairseq.features.extract import extract

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        make_corpus(folder, frames, video=True)
        add_sound(folder, frames)
        torch.manual_seed(0)
        weights = Path(name) / "r2plus1d.pt"
        torch.save(torchvision.models.video.r2plus1d_18().state_dict(), weights)
        started = time.perf_counter()
        extract(
            Corpus.load(folder), modality="video", encoder=f"r2plus1d:{weights}", name="r2d1", progress=False,
            subsequences=Subsequences(), splits=["train"],
        )  # fmt: skip
        once = time.perf_counter() - started
        looped = epoch(folder, batch, features="audio=sound", video_encoder=f"r2plus1d:{weights}")
        stored = min(epoch(folder, batch, features="audio=sound,video=r2d1") for _ in range(3))
    print(
        f"{platform.processor() or platform.machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads"
    )
    print(f"{frames} frames; extraction, once: {once:.1f} s")
    print(f"an epoch with R(2+1)D in the loop {looped:.1f} s, from its stored features {stored:.3f} s")
    print(f"ratio {looped / stored:.0f}")


def long_video(hours: float) -> None:
    """Evaluate hours of stored features and print the peak memory of the process that does it."""
    from mmer_fairseq.features.write import write_store

    frames = round(hours * 3600 * RATE)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        make_corpus(folder, frames, video=False)
        random = np.random.default_rng(0)
        items = ((clip, random.standard_normal((frames, DIM), dtype="f4")) for clip in "vw")
        options = {"subseq_length": 32, "dilation": 4}
        write_store(
            folder / "features" / "r2d1", items, modality="video", rate=RATE, fingerprint="x", options=options,
            dtype="float16",
        )  # fmt: skip
        bin_ = Path(sys.executable).parent
        common = ["--user-dir", str(REPO / "mmer_fairseq"), "--task", "emotion_prediction", "--cpu"]
        common += ["--num-workers", "0", "--no-progress-bar"]
        subprocess.run(
            [
                str(bin_ / "fairseq-train"), str(folder), *common, "--criterion", "emotion_prediction_cri", "--arch",
                "jmt", "--optimizer", "nag", "--lr", "1e-4", "--max-update", "2", "--batch-size", "32",
                "--disable-validation", "--save-dir", f"{name}/run",
            ], check=True, capture_output=True,
        )  # fmt: skip
        started = time.perf_counter()
        done = subprocess.Popen(
            [
                str(bin_ / "fairseq-validate"), str(folder), *common, "--path", f"{name}/run/checkpoint_last.pt",
                "--valid-subset", "valid", "--batch-size", "32",
            ], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        peak = 0
        while done.poll() is None:  # getrusage would count what this process took before the fork
            peak = max(peak, peak_memory(done.pid))
            time.sleep(0.05)
    assert done.returncode == 0, "fairseq-validate failed"
    print(f"{hours:g} h, {frames} frames: {time.perf_counter() - started:.0f} s, peak {peak / 2**20:.2f} GiB")


def peak_memory(process: int) -> int:
    """Highest resident memory so far of a running process, in KiB; 0 when it is gone. Linux only."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return max((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), default=0)


def main() -> None:
    """Run one of the two measurements."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=150, help="of the video (default: 150)")
    parser.add_argument("--batch-size", type=int, default=32, help="sequences (default: 32)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--hours", type=float, default=0.0, help="measure the memory of evaluating so long a video"
    )
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.hours:
        long_video(args.hours)
    else:
        compare(args.frames, args.batch_size)


if __name__ == "__main__":
    main()
