"""What is too small to be a part joins what it touches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.adjacency import connected_components
from ..geometry.arrays import Integers
from .face_graph import FaceGraph


@dataclass(frozen=True)
class CleaningSettings:
    """What is too small. All values are chosen.

    Attributes:
        least_area: share of the surface.
        least_faces: number of faces.
    """

    least_area: float = 0.005
    least_faces: int = 12


def cleaned(labels: Integers, graph: FaceGraph, settings: CleaningSettings = CleaningSettings()) -> Integers:
    """The labels (F,), those of small patches exchanged for that of the neighbor with the longest common border.

    A patch that touches nothing keeps its label: an eye is small.
    """
    labels = labels.copy()
    while True:
        same = labels[graph.links[:, 0]] == labels[graph.links[:, 1]]
        patch = connected_components(graph.links[same], len(labels))
        area = np.bincount(patch, graph.areas)
        small = (area < settings.least_area) | (np.bincount(patch) < settings.least_faces)
        one, other = graph.links[~same].T
        sides = np.concatenate((np.stack((one, other)), np.stack((other, one))), axis=1)
        lengths = np.tile(graph.lengths[~same], 2)
        touching = np.unique(patch[sides[0]])
        candidates = touching[small[touching]]
        if not len(candidates):
            return labels
        smallest = candidates[area[candidates].argmin()]
        at = patch[sides[0]] == smallest
        labels[patch == smallest] = np.bincount(labels[sides[1][at]], lengths[at]).argmax()
