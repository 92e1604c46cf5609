"""Holes of a mesh, filled with rings of triangles that continue the surface around them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arrays import AnyIntegers, Floats, Integers
from .laplacian import bilaplacian, factorized, laplacian
from .smoothing import LEAST_MASS

MOST_RINGS = 12
"""Rings of vertices in a hole, at most. Chosen."""


def filled_holes(vertices: Floats, faces: Integers) -> tuple[Floats, Integers]:
    """Return a mesh with its holes filled: the same vertices and faces, and more behind them.

    Rings of vertices, as far apart as those of the boundary, shrink from the boundary to the hole's middle; then they
    are moved so that the squared Laplacian is least, the mesh around them being fixed.

    Args:
        vertices: (V, 3), without coincident ones.
        faces: (F, 3), wound consistently.
    """
    points, triangles = [vertices], [faces]
    count = len(vertices)
    for loop in boundary_loops(faces):
        ring, new_faces = _rings(vertices[loop], loop, count)
        points.append(ring)
        triangles.append(new_faces)
        count += len(ring)
    if count == len(vertices):
        return vertices, faces
    filled, all_faces = np.concatenate(points), np.concatenate(triangles)
    filled[len(vertices) :] = _faired(filled, all_faces, np.arange(count) >= len(vertices))
    return filled, all_faces


def boundary_loops(faces: AnyIntegers) -> list[Integers]:
    """Return the loops of the boundary, each as vertices (B,) in the order in which its faces run.

    Loops that touch at a vertex are told apart by walking around it over the faces from one open edge to the next.
    """
    start, end = faces.ravel().astype(np.int64), faces[:, [1, 2, 0]].ravel().astype(np.int64)
    count = int(faces.max(initial=-1)) + 1
    keys = start * count + end
    order = np.argsort(keys, kind="stable")
    wanted = end * count + start
    at = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)] if len(keys) else order
    twin = np.where(keys[at] == wanted, at, -1)
    loops: list[Integers] = []
    is_done = twin >= 0
    for first in np.flatnonzero(~is_done):
        loop, edge = [], int(first)
        while not is_done[edge]:
            is_done[edge] = True
            loop.append(edge)
            edge = _next_open_edge(edge, twin)
        if len(loop) > 2:
            loops.append(start[loop])
    return loops


def _next_open_edge(edge: int, twin: Integers) -> int:
    """Return the open edge that starts where an open edge ends; edges are numbered 3 face + corner where they start."""
    for _ in range(len(twin)):  # comes to an end sooner unless the winding is inconsistent
        edge = edge - edge % 3 + (edge + 1) % 3
        if twin[edge] < 0:
            break
        edge = int(twin[edge])
    return edge


def _rings(border: Floats, loop: Integers, count: int) -> tuple[Floats, Integers]:
    """Return rings of vertices that fill a hole, (R, 3), and faces, which number them from ``count``.

    Args:
        border: (B, 3), the vertices around the hole.
        loop: (B,), their numbers, in the order in which the faces around the hole run.
        count: number of the first new vertex.
    """
    middle = border.mean(axis=0)
    size = len(loop)
    edge = float(np.linalg.norm(border - np.roll(border, 1, axis=0), axis=1).mean())
    radius = float(np.linalg.norm(border - middle, axis=1).mean())
    number = int(np.clip(round(radius / max(edge, 1e-12)), 1, MOST_RINGS))
    shares = np.arange(1, number) / number
    rings = border + shares[:, None, None] * (middle - border)
    numbers = np.concatenate((loop[None], count + np.arange((number - 1) * size).reshape(-1, size)))
    outer, inner = numbers[:-1], numbers[1:]
    after = np.roll(outer, -1, axis=1), np.roll(inner, -1, axis=1)
    # The faces around the hole run along the loop, so those in it run against it.
    bands = np.concatenate(
        (np.stack((after[0], outer, inner), axis=-1), np.stack((after[0], inner, after[1]), axis=-1))
    ).reshape(-1, 3)
    last = numbers[-1]
    center = count + (number - 1) * size
    fan = np.stack((np.roll(last, -1), last, np.full(size, center)), axis=1)
    return np.concatenate((rings.reshape(-1, 3), middle[None])), np.concatenate((bands, fan))


def _faired(points: Floats, faces: Integers, is_free: NDArray[np.bool_]) -> Floats:
    """Return the positions of the free vertices for which the squared Laplacian is least."""
    stiffness, mass = laplacian(points, faces)
    system = bilaplacian(stiffness, np.maximum(mass, LEAST_MASS * mass.mean()))
    rows = system[is_free]
    return factorized(rows[:, is_free])(-(rows[:, ~is_free] @ points[~is_free]))
