"""Hand-made features of a toy corpus, ten a second, for LF-RNN and LF-Transformer.

Pictures: histograms of oriented gradients of 48×48 pixels (OpenCV; blocks of 32, steps and cells of 16, 9 bins: 144
numbers). Sound: means over 100 ms of openSMILE's 25 eGeMAPS descriptors.

    pip install opencv-python-headless opensmile
    python examples/mme2e/toy_features.py data/toy toy-features
    mmer import arrays data/toy-features --arrays toy-features.npz toy-features-rows.csv --ids toy-features-rows:id \
        --features 'audio=egemaps:{id}/egemaps' 'video=hog:{id}/hog' --rate egemaps=10 hog=10 --labels emotion \
        --classes happy content sad angry --speakers speaker --splits split
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import av
import numpy as np

STEP = 0.1  # seconds
SIZE = 48  # pixels


def gradients(video: Path) -> np.ndarray:
    """float32 [T, 144]; the picture that is shown at each step."""
    import cv2

    hog = cv2.HOGDescriptor((SIZE, SIZE), (32, 32), (16, 16), (16, 16), 9)
    with av.open(str(video)) as file:
        step = STEP * float(file.streams.video[0].average_rate)  # pictures
        frames = [frame.to_ndarray(format="gray") for frame in file.decode(video=0)]
    shown = [frames[min(round(k * step), len(frames) - 1)] for k in range(int(len(frames) / step))]
    small = [cv2.resize(frame, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for frame in shown]
    return np.stack([hog.compute(frame).ravel() for frame in small]).astype("float32")


def descriptors(smile: object, sound: Path) -> np.ndarray:
    """float32 [T, 25]; openSMILE gives one each 10 ms."""
    low = smile.process_file(str(sound)).to_numpy()  # type: ignore[attr-defined]
    steps = len(low) // 10
    return low[: 10 * steps].reshape(steps, 10, -1).mean(1).astype("float32")


def main() -> None:
    """Write OUT.npz and OUT-rows.csv."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path, help="folder that mmer import toy wrote")
    parser.add_argument("out", help="name of the files to write, without ending")
    args = parser.parse_args()
    import opensmile

    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.LowLevelDescriptors,
    )
    arrays, rows = {}, []
    for split in ("train", "valid", "test"):
        with open(args.corpus / f"{split}.tsv", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                arrays[f"{row['id']}/hog"] = gradients(args.corpus / row["video"])
                arrays[f"{row['id']}/egemaps"] = descriptors(smile, args.corpus / row["audio"])
                rows.append({"split": split, **{key: row[key] for key in ("id", "emotion", "speaker")}})
    np.savez(f"{args.out}.npz", **arrays)
    with open(f"{args.out}-rows.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
