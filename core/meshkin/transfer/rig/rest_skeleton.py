"""The bones of a skeleton, and where they lead.

Formats without tails (glTF, FBX) give bones that are all as short as an importer makes them, and point anywhere. Such a
tail is a stub: it says neither how long the bone is nor where it leads, and only turns with the bone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...geometry.arrays import Floats

AT_TAIL = 0.2
"""Share of a bone's length within which a child begins at the bone's tail. Chosen."""
STUB = 0.5
"""A tail is a stub if it is at most this share of the way to the nearest child. Chosen: hips of rigs made in Blender,
whose thighs begin beside them, are longer."""
LEAF = 1.5
"""A bone without children that hangs on a stub is one, too, if it is at most this many times as long. Chosen: importers
make both equally long."""


@dataclass(frozen=True)
class RestSkeleton:
    """The bones of a skeleton in rest pose, every parent before its children.

    Attributes:
        heads, tails: float64 (B, 3).
        axes: float64 (B, 3), each bone's Z axis, which says its roll.
        parents: int (B,), -1 for none.
        mirror: int (B,), the bone of the other side, -1 for none.
        column: int (B,), the bone's column of the skinning weights, -1 for none.
    """

    heads: Floats
    tails: Floats
    axes: Floats
    parents: NDArray[np.integer]
    mirror: NDArray[np.integer]
    column: NDArray[np.integer]

    def stubs(self) -> NDArray[np.bool_]:
        """The bones whose tails are only stubs, bool (B,)."""
        lengths = np.linalg.norm(self.tails - self.heads, axis=1)
        child = np.flatnonzero(self.parents >= 0)
        parent = self.parents[child]
        from_tail, nearest = np.full(len(lengths), np.inf), np.full(len(lengths), np.inf)
        np.minimum.at(from_tail, parent, np.linalg.norm(self.heads[child] - self.tails[parent], axis=1))
        away = np.linalg.norm(self.heads[child] - self.heads[parent], axis=1)
        farther = away > AT_TAIL * lengths[parent]  # what begins at the head says nothing about where the bone leads
        np.minimum.at(nearest, parent[farther], away[farther])
        found = np.isfinite(nearest) & (from_tail > AT_TAIL * lengths) & (lengths < STUB * nearest)
        for leaf in np.setdiff1d(child, parent):
            above = self.parents[leaf]
            found[leaf] = found[above] and lengths[leaf] <= LEAF * lengths[above]
        return np.asarray(found)

    def spans(self, heads: Floats, tails: Floats) -> Floats:
        """From where each bone begins to where it leads, (B, 3): its tail, or of a stub where its children begin.

        A bone in the middle leads to the children in the middle, if there are any: hips to the spine and not to the
        thighs.

        Args:
            heads, tails: (B, 3), of the same bones, there or moved.
        """
        result = tails - heads
        in_middle = self.mirror < 0
        child = np.flatnonzero(self.parents >= 0)
        has_middle = np.isin(np.arange(len(in_middle)), self.parents[child[in_middle[child]]])
        child = child[in_middle[child] | ~(in_middle & has_middle)[self.parents[child]]]
        sums, counts = np.zeros_like(result), np.zeros(len(result))
        np.add.at(sums, self.parents[child], heads[child] - heads[self.parents[child]])
        np.add.at(counts, self.parents[child], 1)
        leads = self.stubs() & (counts > 0)
        result[leads] = sums[leads] / counts[leads, None]
        return np.asarray(result)
