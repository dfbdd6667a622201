"""Vectors of tracks → identities, such that two who are seen together are never the same person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

METHODS = ("agglomerative", "none")

# A distance that no merge accepts.
_NEVER = 1e3


@dataclass(frozen=True)
class Member:
    """A track to be put into a cluster.

    Attributes:
        vector: float32 [D], of length 1.
        scene: clip and shot; tracks of one scene that share a moment are different people.
        first: index of its first picture in the clip.
        last: index of its last one.
    """

    vector: np.ndarray
    scene: tuple[str, int]
    first: int
    last: int

    def together(self, other: Member) -> bool:
        """Whether both are in the picture at some moment."""
        return self.scene == other.scene and self.first <= other.last and other.first <= self.last


def identities(members: Sequence[Member], apart: float, method: str = "agglomerative") -> list[int]:
    """Number of the identity of each track, from 1 in the order of first appearance.

    Args:
        members: of one clip, or of all clips of a dialogue.
        apart: mean distance, 1 − cosine, from which on clusters are different people.
        method: ``agglomerative`` (average linkage, scikit-learn) or ``none`` (each track is somebody).
    """
    count = len(members)
    if count < 2 or method == "none":
        return list(range(1, count + 1))
    from sklearn.cluster import AgglomerativeClustering

    vectors = np.stack([member.vector for member in members])
    distance = np.clip(1.0 - vectors @ vectors.T, 0.0, 2.0).astype(np.float64)
    for a in range(count):
        for b in range(a):
            if members[a].together(members[b]):
                distance[a, b] = distance[b, a] = _NEVER
    np.fill_diagonal(distance, 0.0)
    model = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=apart
    )
    numbers: dict[int, int] = {}
    return [numbers.setdefault(int(label), len(numbers) + 1) for label in model.fit_predict(distance)]
