"""Parts by bones: what a chain of bones moves is a part. NumPy only: Blender's process does this itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def bones_in_parts(areas: NDArray[np.floating], parents: NDArray[np.integer], count: int) -> NDArray[np.int64]:
    """The bone that names each bone's part, int64 (B,): that of the part which moves most.

    The part that moves least joins the one above it, until there are no more than asked for. First the bones of a chain
    join, then chains join what they branch from: fingers become part of the hand, hands of the arm, and arms stay apart
    from the trunk as long as they can. Bones that move nothing are in the part of the bone above them.

    Args:
        areas: (B,), how much of the surface each bone moves.
        parents: int (B,), the bone above each; -1 for none. A bone comes after its parent.
        count: number of parts, at least 1.
    """
    top = np.arange(len(areas))  # of each bone's part, the bone above all others
    area = np.array(areas, np.float64)
    for bone, parent in enumerate(parents):
        if area[bone] <= 0 and parent >= 0:
            top[bone] = top[parent]
    while True:
        standing = np.unique(top[area[top] > 0])
        if len(standing) <= count:
            break
        above = np.array([_above(bone, parents, top, area) for bone in standing])
        branches = np.bincount(above[above >= 0], minlength=len(areas))
        if (above >= 0).any():
            order = np.lexsort((area[standing], branches[above] > 1, above < 0))
            least, into = standing[order[0]], above[order[0]]
        else:  # roots only: the least one joins the largest
            least, into = standing[area[standing].argmin()], standing[area[standing].argmax()]
        area[into] += area[least]
        top[top == least] = into
    names = top.copy()
    for part in np.unique(top):
        inside = np.flatnonzero(top == part)
        names[inside] = inside[np.argmax(np.asarray(areas)[inside])]
    return names


def _above(bone: int, parents: NDArray[np.integer], top: NDArray[np.integer], area: NDArray[np.floating]) -> int:
    """The part above a part, by their uppermost bones, leaving out those that move nothing; -1 without one."""
    parent = int(parents[bone])
    while parent >= 0 and area[top[parent]] <= 0:
        parent = int(parents[parent])
    return int(top[parent]) if parent >= 0 else -1
