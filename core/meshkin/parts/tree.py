"""A tree of parts instead of a number of them: neighbors that are alike join, and every number of parts is a cut of it.

Ward's method (Ward, "Hierarchical Grouping to Optimize an Objective Function", 1963) on patches of faces, of which only
neighbors may join. What touches nothing, such as eyes and buttons, is joined to what is nearest, and as a whole: the
leg of a chair that is a loose part is not cut before it has to be.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.cluster.vq import kmeans2

from ..geometry.adjacency import bridges, connected_components
from ..geometry.arrays import AnyFloats, AnyIntegers, Floats, Integers
from ..geometry.coarsening import coarsen
from .face_graph import FaceGraph


@dataclass(frozen=True)
class TreeSettings:
    """How the tree is built. All values are chosen.

    Attributes:
        patches: of which it is built, about.
        tiny: a loose part with a smaller share of the area than this, in shares of a patch, is a patch of its own.
        unit: a loose part with a smaller share of the area than this joins others as a whole.
        most_loose: patches that loose parts may make; of more, those near each other are one patch.
        fewest, most: numbers of parts among which the automatic one is looked for.
    """

    patches: int = 2000
    tiny: float = 2.0
    unit: float = 0.1
    most_loose: int = 3000
    fewest: int = 3
    most: int = 24


@dataclass(frozen=True)
class PartTree:
    """Patches of faces and how they join.

    Attributes:
        patch: int64 (F,), the patch of each face.
        joined: int64 (P - 1, 2), the two nodes that become node P, P + 1, ... in turn; patches are nodes 0 to P - 1.
        costs: float64 (P - 1,), by how much each step raises the squared distances of rows from their part's mean.
    """

    patch: Integers
    joined: Integers
    costs: Floats

    @property
    def patches(self) -> int:
        """The number of patches."""
        return len(self.joined) + 1

    def cut(self, count: int) -> Integers:
        """The parts of the faces, int64 (F,), from 0 by their first face; as many as asked for, if there are."""
        parent = np.arange(2 * self.patches - 1)
        steps = self.patches - min(max(count, 1), self.patches)
        parent[self.joined[:steps]] = self.patches + np.arange(steps)[:, None]
        while not np.array_equal(parent, above := parent[parent]):
            parent = above
        _, first, number = np.unique(parent[self.patch], return_index=True, return_inverse=True)
        return np.argsort(np.argsort(first))[number]

    def automatic(self, settings: TreeSettings = TreeSettings()) -> int:
        """The number of parts below which the next join costs most, beside the join before."""
        most = min(settings.most, self.patches - 1)
        fewest = min(settings.fewest, most)
        if most < 1:
            return 1
        rising = np.maximum.accumulate(self.costs)
        least = np.finfo(np.float32).tiny
        jumps = [rising[-count + 1] / max(rising[-count], least) for count in range(max(fewest, 2), most + 1)]
        return max(fewest, 2) + int(np.argmax(jumps)) if jumps else fewest


def part_tree(
    rows: AnyFloats,
    vertices: NDArray[np.floating],
    faces: AnyIntegers,
    graph: FaceGraph,
    settings: TreeSettings = TreeSettings(),
) -> PartTree:
    """Build the tree of a shape.

    Args:
        rows: (F, C), of its faces.
        vertices, faces: of the shape, (V, 3) and (F, 3).
        graph: its faces.
        settings: the number of patches.
    """
    patch = _patches(vertices, faces, graph, settings)
    count = int(patch.max()) + 1
    gather = sparse.csr_array((graph.areas, (patch, np.arange(len(patch)))), shape=(count, len(patch)))
    areas = np.asarray(gather.sum(axis=1)).ravel()
    middles = gather @ np.asarray(vertices, np.float64)[faces].mean(axis=1) / areas[:, None]
    links = np.unique(np.sort(patch[graph.links], axis=1), axis=0)
    links = links[links[:, 0] != links[:, 1]]
    loose = connected_components(graph.links, len(faces))
    home = np.where(np.bincount(loose, graph.areas)[loose] < settings.unit, loose, -1)
    of_patch = np.full(count, -1)
    of_patch[patch] = home
    sums = np.asarray(gather @ rows, np.float64)
    return PartTree(patch, *_ward(areas, sums, _connected(links, middles), of_patch))


def _patches(vertices: NDArray[np.floating], faces: AnyIntegers, graph: FaceGraph, settings: TreeSettings) -> Integers:
    """The patch of each face (F,): faces of one point of a coarser mesh, or each for itself where there are few.

    A small loose part is never cut: a bolt, a leaf or a plank is in one part as a whole.
    """
    loose = connected_components(graph.links, len(faces)).astype(np.int64)
    is_tiny = np.bincount(loose, graph.areas) < settings.tiny / settings.patches
    whole = is_tiny[loose] & (np.bincount(loose)[loose] > 1)
    if len(faces) <= settings.patches:
        patch = np.arange(len(faces))
    elif whole.all():
        patch = np.zeros(len(faces), np.int64)
    else:
        coarse = coarsen(vertices, faces[~whole], settings.patches)
        points = np.zeros((len(faces), 3), np.int64)
        points[~whole] = np.asarray(coarse.prolong.argmax(axis=1)).ravel()[faces[~whole]]
        patch = np.where(points[:, 1] == points[:, 2], points[:, 1], points[:, 0])
        # A patch never goes from one loose part to another.
        patch = np.unique(patch + (patch.max() + 1) * loose, return_inverse=True)[1]
    if whole.any():
        patch[whole] = patch.max() + 1 + _loose_units(vertices, faces[whole], loose[whole], settings.most_loose)
    return np.unique(patch, return_inverse=True)[1].astype(np.int64)


def _loose_units(vertices: NDArray[np.floating], faces: AnyIntegers, loose: Integers, most: int) -> Integers:
    """The unit of each face (F,) of small loose parts: the loose part, or several near each other where they are many.

    Args:
        vertices, faces: the mesh, its small loose parts alone.
        loose: int (F,), the loose part of each face.
        most: units.
    """
    part = np.unique(loose, return_inverse=True)[1]
    count = np.bincount(part)
    if len(count) <= most:
        return part
    centers = np.asarray(vertices, np.float64)[faces].mean(axis=1)
    middles = np.stack([np.bincount(part, axis) / count for axis in centers.T], axis=1)
    return np.asarray(kmeans2(middles, most, iter=2, minit="points", seed=0)[1], np.int64)[part]


def _connected(links: Integers, middles: Floats) -> Integers:
    """The links (E, 2) between patches, and those of :func:`bridges` between what they leave apart."""
    # Triangles with two equal corners are edges to ``bridges``.
    flat = np.stack((links[:, 0], links[:, 1], links[:, 1]), axis=1)
    return np.concatenate((links, bridges(middles, flat))) if len(middles) > 1 else links


def _ward(mass: Floats, sums: Floats, links: Integers, home: Integers) -> tuple[Integers, Floats]:
    """The joins of nodes, cheapest first.

    Args:
        mass: (P,), of the nodes.
        sums: (P, C), of their rows.
        links: (E, 2), what may join.
        home: (P,), the unit that each is part of, -1 for none: the nodes of a unit join each other before others.
    """
    count = len(mass)
    home = np.concatenate((home, np.full(count - 1, -1)))
    waiting = np.bincount(home[home >= 0], minlength=1)  # nodes that each unit has
    home[:count][(waiting[home[:count]] == 1) & (home[:count] >= 0)] = -1
    mass, sums = (
        np.concatenate((mass, np.zeros(count - 1))),
        np.concatenate((sums, np.zeros((count - 1, sums.shape[1])))),
    )
    neighbors: list[set[int]] = [set() for _ in range(2 * count - 1)]
    for one, other in links.tolist():
        neighbors[one].add(other)
        neighbors[other].add(one)

    def cost(node: int, others: Integers) -> Floats:
        apart = sums[node] / mass[node] - sums[others] / mass[others, None]
        result: Floats = mass[node] * mass[others] / (mass[node] + mass[others]) * (apart**2).sum(axis=1)
        return result

    queue: list[tuple[float, int, int]] = []
    for node in range(count):
        later = np.array([other for other in neighbors[node] if other > node and home[other] == home[node]], np.int64)
        queue += [(price, node, other) for price, other in zip(cost(node, later).tolist(), later.tolist(), strict=True)]
    heapq.heapify(queue)
    alive = np.zeros(2 * count - 1, bool)
    alive[:count] = True
    joined: list[tuple[int, int]] = []
    costs: list[float] = []
    while len(joined) < count - 1:
        price, one, other = heapq.heappop(queue)
        if not (alive[one] and alive[other]):
            continue
        node = count + len(joined)
        joined.append((one, other))
        costs.append(price)
        alive[[one, other]], alive[node] = False, True
        mass[node], sums[node] = mass[one] + mass[other], sums[one] + sums[other]
        around = (neighbors[one] | neighbors[other]) - {one, other}
        for neighbor in around:
            neighbors[neighbor] -= {one, other}
            neighbors[neighbor].add(node)
        neighbors[node] = around
        if (unit := home[one]) >= 0:
            waiting[unit] -= 1
            home[node] = unit if waiting[unit] > 1 else -1
        others = np.array(sorted(other for other in around if home[other] == home[node]), np.int64)
        for price, neighbor in zip(cost(node, others).tolist(), others.tolist(), strict=True):
            heapq.heappush(queue, (price, neighbor, node))
    return np.asarray(joined, np.int64).reshape(-1, 2), np.asarray(costs)
