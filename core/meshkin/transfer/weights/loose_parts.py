"""Loose parts of a character (eyes, teeth, limbs that are meshes), and those of another that they correspond to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.adjacency import loose_parts
from ...geometry.rigid_motions import similarity_alignment
from .garments import is_worn
from .skinning import extent

Floats = NDArray[np.float64]

SMALL = 0.15
"""Extent of a part that is looked for, in diagonals of the character's bounding box; any, where it does not lie on the
body: a character may consist of several meshes."""
AROUND = 40
"""Vertices of the body around a part, at least, that say where it would be on the source."""
OFF = 0.75
"""How far from each other the middles of two parts may be, in extents of the larger."""
UNLIKE = 2.5
"""How many times larger one may be than the other."""


def from_kin(
    rows: NDArray[np.floating],
    shape: Snapshot,
    body: Snapshot,
    source: Snapshot,
    to_source: SurfaceMap,
    others: tuple[Floats, NDArray[np.integer], NDArray[np.floating]],
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Give each small loose part, and each that does not lie on the body, the weights of its kin.

    That is the part of the source that is where it would be there.

    A part is placed on the source as the body around it is turned, scaled and moved by the map (Umeyama 1991). Eyes
    that are meshes of their own so keep the bones that move nothing else.

    Args:
        rows: (V, B), the weights that the vertices have so far.
        shape: with the parts; of ``body``'s character, or ``body`` itself.
        body, source: the two bodies.
        to_source: every body vertex's point on the source.
        others: vertices float64 (W, 3) of all of the source's meshes in world axes with the source's origin, faces
            (F, 3), weights (W, B).

    Returns:
        (V, B), and which vertices (V,) have a kin.
    """
    result, found = rows.copy(), np.zeros(len(rows), bool)
    vertices, faces, weights = others
    number, sizes = loose_parts(vertices, faces)
    size, there = extent(body.vertices), extent(source.vertices)
    apart = shape is not body and not is_worn(body, shape)
    most = np.inf if apart else SMALL
    kin = np.flatnonzero((sizes <= most * there) & (sizes > 0))
    if not len(kin):
        return result, found
    members = {int(one): np.flatnonzero(number == one) for one in kin}
    middles = np.array([_middle(vertices[members[int(one)]]) for one in kin])
    part, extents = loose_parts(shape.vertices, shape.faces)
    skin = body.vertices.astype(np.float64)
    large = loose_parts(body.vertices, body.faces)
    usable = np.flatnonzero(large[1][large[0]] > SMALL * size)
    if not len(usable):
        return result, found
    near, mapped = cKDTree(skin[usable]), to_source.pull(source.vertices.astype(np.float64), source.faces)
    for one in np.flatnonzero((extents <= most * size) & (extents > 0)):
        here = np.flatnonzero(part == one)
        points = shape.vertices[here] + (shape.location - body.location)
        middle = _middle(points)
        around = near.query_ball_point(middle, extents[one])
        if len(around) < AROUND:
            around = near.query(middle, min(AROUND, len(usable)))[1]
        around = usable[around]
        scale, turn = similarity_alignment(skin[around], mapped[around])
        placed = scale * turn.apply(points - skin[around].mean(axis=0)) + mapped[around].mean(axis=0)
        larger = np.maximum(sizes[kin], scale * extents[one])
        off = np.linalg.norm(middles - _middle(placed), axis=1) / larger
        off[larger > UNLIKE * np.minimum(sizes[kin], scale * extents[one])] = np.inf
        if off.min() <= OFF:
            own = members[int(kin[off.argmin()])]
            target = vertices[own]
            fitted = (placed - _middle(placed)) * (extent(target) / extent(placed)) + _middle(target)
        elif apart:  # what is nearest there is more likely right than the body, on which it does not lie
            own = np.flatnonzero(weights.any(axis=1))
            target, fitted = vertices[own], placed
        else:
            continue
        result[here] = weights[own][cKDTree(target).query(fitted)[1]]
        found[here] = result[here].any(axis=1)
        result[here[~found[here]]] = rows[here[~found[here]]]
    return result, found


def _middle(points: NDArray[np.floating]) -> Floats:
    """The middle of the bounding box."""
    return np.asarray((points.min(axis=0) + points.max(axis=0)) / 2, np.float64)
