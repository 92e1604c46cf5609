"""A part of a surface laid onto its counterpart, from stiff to soft, and more finely at lids, lips and nostrils."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from ..geometry.arrays import Flags, Floats, unit_rows
from ..geometry.laplacian import bilaplacian, factorized, laplacian
from ..geometry.mesh import edges, surface_area, vertex_normals
from ..geometry.smoothing import LEAST_MASS
from .close_up_partners import Mesh

SEARCHED_SAMPLES = np.array([[2, 2, 2], [4, 1, 1], [1, 4, 1], [1, 1, 4]]) / 6
"""Barycentric coordinates at which a triangle is sampled beside its corners. Chosen."""
LEAST_USUAL = 1e-4
"""Least distance between partners that is taken for usual, in square roots of the part's area. Chosen: surfaces that
lie on each other have none."""
LEAST_PULL = 1e-12
"""Least pull and divisor, beside sizes of about 1. Chosen."""


@dataclass(frozen=True)
class FittingSettings:
    """How a part is moved. Lengths are in square roots of the counterpart's area.

    All values are chosen; reaches, steps and weights on heads of five people on seven meshes, where others within a
    factor of two gave the same error within a tenth.

    Attributes:
        reaches: of each stage, the length over which the motion is even.
        fine_reaches: of further stages, in which only what is bent closely moves. Measured on a head of 4,700 vertices:
            errors of eyes, mouth and nose fell from 0.32, 0.30 and 0.52 % of its height to 0.22, 0.25 and 0.28; where
            everything moves, brows slide along the forehead.
        bent: radius of curvature below which a vertex is bent closely; with it move those within `rings` edges.
        rings: see there.
        steps: in each stage.
        facing: length that counts as much as an angle of one radian between normals.
        across: how much a partner pulls across its normal, beside along it.
        bent_across: the same at what is bent closely: a lip's partner is the lip, where skin slides along skin.
            Measured on a mouth a third of the way open, laid on a closed one: errors of 1.56, 1.36, 1.14 and 1.02 % of
            the head's height with 0.05, 0.3, 0.5 and 1; with 1, some lids find the wrong lid.
        stretch: weight of first derivatives of the motion beside second ones.
        least_cosine: between normals of partners that pull.
        usual: distance to the partner, in medians, at which it pulls half as much.
    """

    reaches: tuple[float, ...] = (0.5, 0.25, 0.12, 0.06, 0.03)
    fine_reaches: tuple[float, ...] = (0.015, 0.008)
    bent: float = 0.03
    rings: int = 3
    steps: int = 6
    facing: float = 0.3
    across: float = 0.05
    bent_across: float = 0.5
    stretch: float = 0.02
    least_cosine: float = 0.2
    usual: float = 3.0


def fitted(
    points: Floats,
    faces: NDArray[np.integer],
    counterpart: Mesh,
    settings: FittingSettings = FittingSettings(),
) -> Floats:
    """Return where points (P, 3) of a mesh without coincident points lie after registration.

    In each step every point finds its partner, and the smoothest motion ``u`` of all points is solved for that brings
    them onto their partners: ``sum of w ((n . (x + u - y))^2 + across |x + u - y|^2) + reach^4 |Laplacian u|^2
    + stretch reach^2 |gradient u|^2``. In the last stages, points that are not bent closely stay where they are.
    """
    size = float(np.sqrt(surface_area(*counterpart)))
    points = points / size
    stiffness, mass = laplacian(points, faces)
    mass = np.maximum(mass, LEAST_MASS * mass.mean())
    smoothness = bilaplacian(stiffness, mass)
    find = _partner_finder(counterpart, size, settings)
    count, motion = len(points), np.zeros(points.size)
    edge, bend = _edges_and_bends(points, faces)
    is_bent = bend * settings.bent > 1
    across = np.where(is_bent, settings.bent_across, settings.across)[:, None, None]
    for reach in (*settings.reaches, *settings.fine_reaches):
        is_fine = reach in settings.fine_reaches
        moving = _around(is_bent, faces, settings.rings) & (edge < reach) if is_fine else np.ones(count, bool)
        free = np.repeat(moving, 3)
        if not free.any():
            continue
        stiff = reach**4 * smoothness + settings.stretch * reach**2 * stiffness
        held = sparse.csr_array(
            sparse.kron(stiff + LEAST_PULL * sparse.diags_array(mass), sparse.eye_array(3), format="csr")
        )[free]
        still = held[:, ~free] @ motion[~free]
        for _ in range(settings.steps):
            moved = points + motion.reshape(-1, 3)
            partner, normal, pull = find(moved, vertex_normals(moved, faces))
            blocks = normal[:, :, None] * normal[:, None] + across * np.eye(3)
            blocks *= (pull * mass)[:, None, None]
            right = np.einsum("nij,nj->ni", blocks, partner - points).ravel()[free]
            pulls = sparse.bsr_array((blocks, np.arange(count), np.arange(count + 1)), shape=(3 * count,) * 2)
            system = held[:, free] + sparse.csr_array(pulls)[free][:, free]
            motion[free] = factorized(sparse.csc_array(system))(right - still)
    return np.asarray((points + motion.reshape(-1, 3)) * size)


def _edges_and_bends(points: Floats, faces: NDArray[np.integer]) -> tuple[Floats, Floats]:
    """Of each vertex the mean length of its edges, (P,), and how much its normal turns along them, by length, (P,)."""
    links, normals, count = edges(faces), vertex_normals(points, faces), len(points)
    length = np.linalg.norm(points[links[:, 0]] - points[links[:, 1]], axis=1)
    turn = np.linalg.norm(normals[links[:, 0]] - normals[links[:, 1]], axis=1)
    valence = np.maximum(np.bincount(links.ravel(), minlength=count), 1)
    edge, bend = (np.bincount(links.ravel(), np.repeat(values, 2), count) / valence for values in
                  (length, turn / np.maximum(length, LEAST_USUAL)))  # fmt: skip
    return edge, bend


def _around(chosen: Flags, faces: NDArray[np.integer], rings: int) -> Flags:
    """The chosen vertices, bool (P,), and those within some edges of them."""
    links, around = edges(faces), chosen.copy()
    for _ in range(rings):
        around[links[around[links].any(axis=1)]] = True
    return around


def _partner_finder(
    counterpart: Mesh, size: float, settings: FittingSettings
) -> Callable[[Floats, Floats], tuple[Floats, Floats, Floats]]:
    """Return a function from points and normals, (P, 3) each, to their partners.

    It returns partners (P, 3), the normals (P, 3) along which they pull, and how much they pull (P,), in [0, 1]. All
    points are in units of ``size``.
    """
    vertices, corners = counterpart
    normals = vertex_normals(vertices, corners)

    def sampled(values: Floats) -> Floats:
        return np.concatenate([values, *(np.einsum("k,fkd->fd", one, values[corners]) for one in SEARCHED_SAMPLES)])

    places, facing = sampled(vertices / size), unit_rows(sampled(normals))
    tree = cKDTree(np.hstack((places, settings.facing * facing)))

    def find(points: Floats, own: Floats) -> tuple[Floats, Floats, Floats]:
        _, nearest = tree.query(np.hstack((points, settings.facing * own)))
        partner, normal = places[nearest], facing[nearest]
        distance = np.linalg.norm(points - partner, axis=1)
        is_facing = np.einsum("nd,nd->n", own, normal) > settings.least_cosine
        usual = settings.usual * (float(np.median(distance)) + LEAST_USUAL)
        return partner, unit_rows(normal + own), is_facing / (1 + (distance / usual) ** 2)

    return find
