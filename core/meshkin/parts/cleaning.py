"""What is too small to be a part joins what it touches."""

from __future__ import annotations

import heapq
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
        least_faces: number of faces; on a mesh of few faces, the share ``least_share`` of them.
    """

    least_area: float = 0.005
    least_faces: int = 12
    least_share: float = 0.01


def cleaned(labels: Integers, graph: FaceGraph, settings: CleaningSettings = CleaningSettings()) -> Integers:
    """The labels (F,), those of small patches exchanged for that of the neighbor with the longest common border.

    A patch that touches nothing keeps its label: an eye is small.
    """
    same = labels[graph.links[:, 0]] == labels[graph.links[:, 1]]
    patch = connected_components(graph.links[same], len(labels))
    area, faces = np.bincount(patch, graph.areas), np.bincount(patch)
    label = np.zeros(len(area), np.int64)
    label[patch] = labels
    borders: list[dict[int, float]] = [{} for _ in area]  # of each patch, how long it touches which other one
    for one, other, length in zip(*patch[graph.links[~same]].T.tolist(), graph.lengths[~same].tolist(), strict=True):
        borders[one][other] = borders[one].get(other, 0.0) + length
        borders[other][one] = borders[other].get(one, 0.0) + length

    least_faces = min(settings.least_faces, settings.least_share * len(labels))

    def is_small(number: int) -> bool:
        return bool(area[number] < settings.least_area or faces[number] < least_faces)

    into = np.arange(len(area))
    queue = [(float(area[number]), number) for number in range(len(area)) if is_small(number)]
    heapq.heapify(queue)
    while queue:
        size, number = heapq.heappop(queue)
        if into[number] != number or size != area[number] or not borders[number]:
            continue
        by_label: dict[int, float] = {}
        for other, length in borders[number].items():
            by_label[int(label[other])] = by_label.get(int(label[other]), 0.0) + length
        winner = max(by_label, key=lambda each: by_label[each])
        label[number] = winner
        for other in [other for other in borders[number] if label[other] == winner]:
            into[other] = number
            area[number] += area[other]
            faces[number] += faces[other]
            for beyond, length in borders[other].items():
                del borders[beyond][other]
                if beyond != number:
                    borders[number][beyond] = borders[number].get(beyond, 0.0) + length
                    borders[beyond][number] = borders[number][beyond]
        if is_small(number):
            heapq.heappush(queue, (float(area[number]), number))
    while not np.array_equal(into, above := into[into]):
        into = above
    return np.asarray(label[into][patch], np.int64)
