"""The shape of the character in a video: the vertices at rest moved such that its outlines, as posed, are those seen.

A few hundred points of the surface are moved, and what lies between with them; neighbors move alike, and both sides
of a symmetric body. What no outline shows follows what is around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from scipy.sparse import csgraph
from torch import Tensor

from ..geometry.arrays import Floats, Integers
from .clip import Clip, Motion, PosableShape
from .evidence import gather
from .mirroring import mirror_plane, mirrored, nearest
from .residuals import Residuals, softening
from .settings import FitSettings
from .skinning import BoneTree, full_weights, loads, matrices, skin
from .spreading import blending, spread
from .state import PoseState
from .units import unit_clip, unit_motion, unit_shape

SHAPE_HANDLES = 200
"""Points that are moved. Chosen: a leg has ten."""
HANDLE_NEIGHBORS = 4
"""Points that move a vertex. Chosen."""
OUTLINE_STEPS = 8
"""Steps of Gauss and Newton, each with the outline's nearest points anew. Chosen."""
MOVED_ALIKE = 0.015
"""Standard deviation of the difference between neighboring points' moves, sizes of the shape. Chosen."""
MOVED_FAR = 0.1
"""The same of the moves themselves. Chosen: a tenth of the body."""
MOVED_ASKEW = 0.002
"""The same of the difference between a point's move and the mirrored one's. Chosen."""


@dataclass(frozen=True)
class _Handles:
    """Points whose moves make offsets: ``blend`` (V, H), and how they resist, ``stiffness`` (3 H, 3 H)."""

    blend: Floats
    stiffness: Floats


def fitted_offsets(clip: Clip, shape: PosableShape, motion: Motion, settings: FitSettings, before: Floats) -> Floats:
    """The offsets (V, 3) of a shape's vertices at rest with which, moved so, its outlines are those of the masks.

    Args:
        clip: with its cameras.
        shape: the character at rest, without offsets.
        motion: of its bones.
        settings: how far outlines may be apart.
        before: (V, 3), offsets to start from.
    """
    center, size = shape.vertices.mean(axis=0), float(np.linalg.norm(np.ptp(shape.vertices, axis=0)))
    own, seen = unit_shape(shape, center, size), unit_clip(clip, center, size)
    assert seen.cameras is not None
    handles, weights = _handles(own), full_weights(own)
    evidence = gather(seen, clip.size, own, seen.cameras, settings)
    residuals, state = (
        Residuals(BoneTree.of(own), evidence, own, settings),
        PoseState.of(unit_motion(motion, center, size)),
    )
    moved = matrices(BoneTree.of(own), state.turns, state.shifts, state.root)
    moves = np.linalg.lstsq(handles.blend, before / size, rcond=None)[0]
    for _ in range(OUTLINE_STEPS):
        load = loads(own.vertices + handles.blend @ moves, weights)
        normal, gradient = handles.stiffness.copy(), handles.stiffness @ moves.ravel()
        for index, along, error, share in residuals.outlines(skin(moved, load)):
            weight = settings.silhouette_count * share / settings.silhouette**2
            weight = weight * softening(error**2, settings.silhouette)
            rows = _rows(handles, moved, torch.from_numpy(weights), index, along)
            weighted = rows * weight.flatten()[:, None]
            normal += (weighted.T @ rows).numpy()
            gradient += (weighted.T @ error.flatten()).numpy()
        moves = moves - np.linalg.solve(normal, gradient).reshape(-1, 3)
    offsets: Floats = handles.blend @ moves * size
    return offsets


def _rows(handles: _Handles, moved: Tensor, weights: Tensor, index: Tensor, along: Tensor) -> Tensor:
    """The derivatives (T P, 3 H) of vertices ``index`` (T, P) along directions (T, P, 3) by the handles' moves."""
    turned = torch.einsum("tpb,tbij->tpij", weights[index].double(), moved[:, :, :3, :3])
    pushed = torch.einsum("tpi,tpij->tpj", along, turned)
    blend = torch.from_numpy(handles.blend)[index]
    return (blend[..., None] * pushed[:, :, None]).flatten(0, 1).flatten(1)


def _handles(shape: PosableShape) -> _Handles:
    points, ways = spread(shape.vertices, shape.faces, SHAPE_HANDLES)
    count = len(points)
    stiffness = sparse.kron(_apart(ways[:, points]) / MOVED_ALIKE**2, sparse.eye_array(3)).toarray()
    stiffness += np.eye(3 * count) / MOVED_FAR**2
    plane = mirror_plane(shape.vertices)
    if plane is not None:
        twin = nearest(shape.vertices[points], mirrored(shape.vertices[points], plane))
        flip = np.eye(3) - 2 * np.outer(plane[0], plane[0])
        swap = np.zeros((count, count))
        swap[np.arange(count), twin] = 1
        askew = np.eye(3 * count) - np.kron(swap, flip)
        stiffness += askew.T @ askew / MOVED_ASKEW**2
    return _Handles(blending(ways, 1.0, HANDLE_NEIGHBORS), stiffness)


def _apart(ways: Floats) -> sparse.csr_array:
    """The Laplacian (H, H) of a graph that links each point to those nearest to it; ``ways`` (H, H) between them."""
    count = len(ways)
    order: Integers = np.argsort(ways, axis=1)[:, 1 : HANDLE_NEIGHBORS + 1]
    links = sparse.csr_array(
        (np.ones(order.size), (np.repeat(np.arange(count), order.shape[1]), order.ravel())), shape=(count, count)
    )
    return sparse.csr_array(csgraph.laplacian(links.maximum(links.T)))
