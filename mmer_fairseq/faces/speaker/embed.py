"""Faces of a track → one vector that is alike for pictures of one person."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from mmer_fairseq.errors import InputError

_SIDE = 160  # pixels that InceptionResnetV1 was trained on


class Embedder(Protocol):
    """Vectors of faces, and the distance at which two are of different people."""

    apart: float

    def __call__(self, faces: np.ndarray) -> np.ndarray:
        """uint8 or float32 [n, S, S, 3], RGB, of one track → float32 [D], of length 1."""


class Centre:
    """No network: colours and coarse picture of the middle of the face; good for one film, not across films."""

    apart = 0.30

    def __call__(self, faces: np.ndarray) -> np.ndarray:
        face = np.median(faces.astype(np.float32), axis=0)
        side = face.shape[0]
        # of a picture with some room around the face: the face itself, without the mouth, which moves
        inner = face[int(0.12 * side) : int(0.62 * side), int(0.2 * side) : int(0.8 * side)]
        rows = np.linspace(0, inner.shape[0], 7)[:-1].astype(int)
        columns = np.linspace(0, inner.shape[1], 7)[:-1].astype(int)
        coarse = np.add.reduceat(np.add.reduceat(inner, rows, 0), columns, 1)
        coarse = coarse / (inner.shape[0] * inner.shape[1] / 36) / 255.0 - 0.5
        level = inner.reshape(-1, 3) / 255.0
        places = np.clip((level * 5).astype(int), 0, 4)
        colours = np.bincount(places @ (25, 5, 1), minlength=125).astype(np.float32)
        colours = np.sqrt(colours / colours.sum())
        tint = (np.median(level, axis=0) - 0.5) * 2
        vector = np.concatenate([0.12 * coarse.ravel(), 0.6 * colours, 0.8 * tint])
        return (vector / (np.linalg.norm(vector) + 1e-9)).astype(np.float32)


class Facenet:
    """InceptionResnetV1 of facenet-pytorch with weights from a file.

    Args:
        path: a state dict, as the package's releases hold it.
        device: as torch names it.

    Raises:
        InputError: the package or the file is missing, or the file holds something else.

    Source: Schroff et al. 2015, FaceNet; Szegedy et al. 2017, Inception-v4.
    """

    apart = 0.45

    def __init__(self, path: str | Path, device: str = "cpu") -> None:
        import torch

        from mmer_fairseq.faces.detectors import DETECTORS

        entry = DETECTORS["mtcnn"]
        if entry.fault():
            raise InputError.of(
                where=f"--embed facenet:{path}",
                expected="facenet-pytorch, installed",
                found=entry.fault(),
                remedy=f"install it: {entry.install}, or write --embed centre",
            )
        from facenet_pytorch import InceptionResnetV1

        if not Path(path).is_file():
            raise InputError.of(
                where=f"--embed facenet:{path}",
                expected="a file with weights of InceptionResnetV1",
                found="no such file",
                remedy="correct the path, or write --embed centre",
            )
        self._torch = torch
        self._network = InceptionResnetV1(pretrained=None)
        try:
            weights = torch.load(path, map_location="cpu", weights_only=True)
            weights = {k: v for k, v in weights.items() if not k.startswith("logits.")}
            self._network.load_state_dict(weights)
        except Exception as error:  # torch raises what its reader meets
            raise InputError.of(
                where=f"--embed facenet:{path}",
                expected="a file with weights of InceptionResnetV1",
                found=str(error).splitlines()[0][:120],
                remedy="name the state dict of facenet-pytorch, or write --embed centre",
            ) from error
        self._device = device
        self._network.eval().to(device)

    def __call__(self, faces: np.ndarray) -> np.ndarray:
        torch = self._torch
        some = faces[np.unique(np.linspace(0, len(faces) - 1, 5).astype(int))]
        batch = torch.from_numpy(np.ascontiguousarray(some, dtype=np.float32)).permute(0, 3, 1, 2)
        batch = torch.nn.functional.interpolate(batch, (_SIDE, _SIDE), mode="bilinear", align_corners=False)
        with torch.no_grad():
            vectors = self._network((batch.to(self._device) - 127.5) / 128.0)
        vector = vectors.mean(dim=0).cpu().numpy()
        return np.asarray(vector / (np.linalg.norm(vector) + 1e-9), np.float32)


def embedder(words: str, device: str = "cpu") -> Embedder:
    """The embedder that a flag names: ``centre`` or ``facenet:PATH``.

    Raises:
        InputError: another word, or see :class:`Facenet`.
    """
    if words == "centre":
        return Centre()
    kind, _, path = words.partition(":")
    if kind == "facenet" and path:
        return Facenet(path, device)
    raise InputError.of(
        where="--embed",
        expected="centre, or facenet:PATH with the file of its weights",
        found=repr(words),
        remedy="write one of them",
    )
