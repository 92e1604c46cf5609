"""Close-ups: where two bodies have a part that is much the same, it is laid on the other afresh, and closely.

Within a whole body's match a face is a few smooth functions wide, and what is found there is off by the width of a
mouth. A head, though, is moved almost as a whole. So it is taken from the match only where the head is: a similarity,
found robustly, brings one onto the other, and what is left is registration, from stiff to soft, in which a point's
partner is near in place *and* faces the same way: a nose's flanks, lips and lids find theirs by their normals.
Partners pull along the normals and hardly across, so that surfaces slide onto each other (Chen and Medioni, "Object
Modelling by Registration of Multiple Range Images", 1992; for partners in places and normals at once see Rusinkiewicz
and Levoy, "Efficient Variants of the ICP Algorithm", 2001).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from ..base.progress import ProgressCallback, silent
from ..data.surface_map import SurfaceMap
from ..geometry.adjacency import connected_components
from ..geometry.arrays import Floats, Integers, unit_rows
from ..geometry.closest_points import closest_points, nearest_on_triangles
from ..geometry.coarsening import coarsen
from ..geometry.laplacian import bilaplacian, factorized, laplacian
from ..geometry.mesh import clean_faces, edges, face_areas, face_vectors, surface_area, vertex_normals
from ..geometry.rigid_motions import robust_similarity
from ..geometry.smoothing import LEAST_MASS
from ..geometry.welding import weld
from .close_up_part import PartSettings, necked_parts

Mesh = tuple[Floats, NDArray[np.integer]]
"""Vertices (V, 3) and faces (F, 3)."""

SEARCHED_SAMPLES = np.array([[2, 2, 2], [4, 1, 1], [1, 4, 1], [1, 1, 4]]) / 6
"""Barycentric coordinates at which a triangle is sampled beside its corners. Chosen."""
LEAST_USUAL = 1e-4
"""Least distance between partners that is taken for usual, in square roots of the part's area. Chosen: surfaces that
lie on each other have none."""
LEAST_PULL = 1e-12
"""Least pull and divisor, beside sizes of about 1. Chosen."""


@dataclass(frozen=True)
class CloseUpSettings:
    """When and how a part is laid on its counterpart afresh. Lengths are in square roots of the part's area.

    All values are chosen; reaches, steps and weights on heads of five people on seven meshes, where others within a
    factor of two gave the same error within a tenth.

    Attributes:
        part: of the search for the part.
        rim: the part ends where the distance from its tip is this many times that of its neck; from 1 on, it is joined
            with the rest of the map.
        around: how much of the other surface is looked at, in the same measure.
        fewest: vertices that the part must have on both.
        rigid: most median distance between the map and a similarity: parts that are bent are left to the map.
        reaches: of each stage, the length over which the motion is even.
        steps: in each stage.
        facing: length that counts as much as an angle of one radian between normals, while the part is moved.
        final_facing: the same for the partners that are taken in the end. Measured on two heads:
            mean errors of 0.9, 1.0 and 2.3 % of their height with 0.01, 0.03 and 0.3.
        across: how much a partner pulls across its normal, beside along it.
        stretch: weight of first derivatives of the motion beside second ones.
        least_cosine: between normals of partners that pull.
        usual: distance to the partner, in medians, at which it pulls half as much.
        left: most distance that may be left between the surfaces for nine tenths of the part. Measured: 0.003 between
            bare heads; 0.01 to 0.02 where hair or armor differ, and weights come over worse with the close-up.
        most_vertices: a part with more is replaced by a coarser one for the registration.
        candidates: triangles among which the final partner is sought.
    """

    part: PartSettings = field(default_factory=PartSettings)
    rim: float = 1.1
    around: float = 1.3
    fewest: int = 60
    rigid: float = 0.05
    reaches: tuple[float, ...] = (0.5, 0.25, 0.12, 0.06, 0.03)
    steps: int = 6
    facing: float = 0.3
    final_facing: float = 0.01
    across: float = 0.05
    stretch: float = 0.02
    least_cosine: float = 0.2
    usual: float = 3.0
    left: float = 0.006
    most_vertices: int = 5000
    candidates: int = 8


def with_close_ups(
    source: Mesh,
    target: Mesh,
    to_source: SurfaceMap,
    to_target: SurfaceMap,
    report: ProgressCallback = silent,
    settings: CloseUpSettings = CloseUpSettings(),
) -> tuple[SurfaceMap, SurfaceMap]:
    """Return the two maps with the part that resembles a head laid on its counterpart closely.

    They are returned as they are if the source has no such part, or the map bends it, or it does not fit.

    Args:
        source, target: the two surfaces.
        to_source: every target vertex's point on the source.
        to_target: every source vertex's point on the target.
        report: is told the share that is done; may raise Cancelled.
        settings: of the close-ups.
    """
    parts = necked_parts(*source, settings.part)
    if not parts:
        return to_source, to_target
    part = parts[0]
    report("Looking closely", 0)
    here = _End(source, part.distance, to_target)
    there = _End(target, to_source.pull(part.distance, source[1]), to_source)
    closer = _closer(there, here, settings)
    if closer is None:
        return to_source, to_target
    return closer


@dataclass(frozen=True)
class _End:
    """One of two surfaces with a part in common.

    Attributes:
        mesh: the surface.
        distance: (V,), each vertex's distance from the part's tip, 1 at the neck.
        there: its map to the other surface.
    """

    mesh: Mesh
    distance: Floats
    there: SurfaceMap


def _closer(target: _End, source: _End, settings: CloseUpSettings) -> tuple[SurfaceMap, SurfaceMap] | None:
    """Return both maps, from target and from source, with the part laid on its counterpart; None where it does not fit.

    The end with fewer vertices in the part is laid on the other; both maps are read off there.
    """
    ends = target, source
    parts = [_cut(end.mesh, end.distance <= settings.around) for end in ends]
    counts = [len(part.vertices) for part in parts]
    if min(counts) < settings.fewest:
        return None
    moving = int(counts[1] < counts[0])
    end, part, counterpart = ends[moving], parts[moving], parts[1 - moving]
    goals = end.there.pull(*ends[1 - moving].mesh)[part.vertex]
    size = float(np.sqrt(surface_area(counterpart.vertices, counterpart.faces)))
    trust = end.there.confidence[part.vertex].astype(np.float64)
    start, apart = robust_similarity(part.vertices, goals, (trust + LEAST_PULL) * (end.distance[part.vertex] <= 1))
    if not apart <= settings.rigid * size:
        return None
    laid = replace(part, vertices=_laid_on(part, start, counterpart, settings))
    near = closest_points(laid.vertices, counterpart.vertices, counterpart.faces)
    if not float(np.sqrt(np.quantile(near.square, 0.9))) <= settings.left * size:
        return None
    forth = _joined(end, laid, ends[1 - moving].mesh, counterpart, counterpart.vertices, settings)
    back = _joined(ends[1 - moving], counterpart, end.mesh, laid, part.vertices, settings)
    return (back, forth) if moving else (forth, back)


def _joined(
    end: _End, part: _Part, other: Mesh, counterpart: _Part, places: Floats, settings: CloseUpSettings
) -> SurfaceMap:
    """Return a map in which a part goes to its partners on the counterpart; around the neck it is mixed with the old.

    Args:
        end: the surface that is mapped.
        part, counterpart: a part of it and one of the other surface, which lie on each other.
        other: the other surface.
        places: (Q, 3), where the counterpart's vertices lie on the other surface.
        settings: of the close-ups.
    """
    changed = np.flatnonzero(end.distance[part.vertex] < settings.rim)
    at, distance = part.vertex[changed], end.distance[part.vertex[changed]]
    face, barycentric = _partners(part, changed, counterpart, settings)
    found = np.einsum("vk,vkd->vd", barycentric, places[counterpart.faces[face]])
    face = counterpart.face[face]
    ramp = np.clip((settings.rim - distance) / (settings.rim - 1), 0, 1)[:, None]
    rim = ramp[:, 0] < 1
    mixed = (ramp * found + (1 - ramp) * end.there.pull(*other)[at])[rim]
    between = closest_points(mixed, *other)
    face[rim], barycentric[rim] = between.face, between.barycentric
    closer = SurfaceMap.at_points(face, barycentric, end.there.confidence[at], *other)
    result = replace(
        end.there, face=end.there.face.copy(), barycentric=end.there.barycentric.copy(), vertex=end.there.vertex.copy()
    )
    result.face[at], result.barycentric[at], result.vertex[at] = closer.face, closer.barycentric, closer.vertex
    return result


@dataclass(frozen=True)
class _Part:
    """A part of a mesh.

    Attributes:
        vertices: (P, 3).
        faces: (G, 3).
        vertex: (P,), the whole mesh's vertices.
        face: (G,), the whole mesh's faces.
    """

    vertices: Floats
    faces: Integers
    vertex: Integers
    face: Integers


def _cut(mesh: Mesh, inside: NDArray[np.bool_]) -> _Part:
    """Cut out the faces with all corners inside: the largest connected piece, and what lies within its bounding box.

    Vertices elsewhere that the map happens to send to the part are left out so.
    """
    vertices, faces = np.asarray(mesh[0], np.float64), mesh[1]
    chosen = np.flatnonzero(inside[faces].all(axis=1))
    place = weld(np.asarray(mesh[0]))[1]
    piece = connected_components(edges(place[faces[chosen]]), int(place.max(initial=0)) + 1)[place[faces[chosen, 0]]]
    if len(chosen):
        areas = np.bincount(piece, face_areas(vertices, faces[chosen]))
        largest = vertices[faces[chosen[piece == areas.argmax()]]].reshape(-1, 3)
        centers = vertices[faces[chosen]].mean(axis=1)
        chosen = chosen[((centers >= largest.min(axis=0)) & (centers <= largest.max(axis=0))).all(axis=1)]
    used, number = np.unique(faces[chosen], return_inverse=True)
    return _Part(vertices[used], number.reshape(-1, 3).astype(np.int64), used.astype(np.int64), chosen)


def _laid_on(part: _Part, start: Floats, counterpart: _Part, settings: CloseUpSettings) -> Floats:
    """Return the vertices (P, 3) of a part after it was laid onto its counterpart, from a start (P, 3) near it."""
    first, place = weld(part.vertices)
    points, faces = start[first], clean_faces(place[part.faces])
    if len(first) <= settings.most_vertices:
        return _registered(points, faces, counterpart, settings)[place]
    coarse = coarsen(points, faces, settings.most_vertices)
    moved = _registered(coarse.vertices, coarse.faces, counterpart, settings)
    laid: Floats = (points + coarse.prolong @ (moved - coarse.vertices))[place]
    return laid


def _registered(points: Floats, faces: NDArray[np.integer], counterpart: _Part, settings: CloseUpSettings) -> Floats:
    """Return where points (P, 3) of a mesh without coincident points lie after registration.

    In each step every point finds its partner, and the smoothest motion ``u`` of all points is solved for that brings
    them onto their partners: ``sum of w ((n . (x + u - y))^2 + across |x + u - y|^2) + reach^4 |Laplacian u|^2
    + stretch reach^2 |gradient u|^2``.
    """
    size = float(np.sqrt(surface_area(counterpart.vertices, counterpart.faces)))
    points = points / size
    stiffness, mass = laplacian(points, faces)
    mass = np.maximum(mass, LEAST_MASS * mass.mean())
    smoothness = bilaplacian(stiffness, mass)
    find = _partner_finder(counterpart, size, settings)
    count, moved = len(points), points
    for reach in settings.reaches:
        motion = reach**4 * smoothness + settings.stretch * reach**2 * stiffness
        held = sparse.csc_array(
            sparse.kron(motion + LEAST_PULL * sparse.diags_array(mass), sparse.eye_array(3), format="csc")
        )
        for _ in range(settings.steps):
            partner, normal, pull = find(moved, vertex_normals(moved, faces))
            blocks = normal[:, :, None] * normal[:, None] + settings.across * np.eye(3)
            blocks *= (pull * mass)[:, None, None]
            right = np.einsum("nij,nj->ni", blocks, partner - points)
            pulls = sparse.bsr_array((blocks, np.arange(count), np.arange(count + 1)), shape=(3 * count,) * 2)
            moved = points + factorized(sparse.csc_array(held + pulls))(right.ravel()).reshape(-1, 3)
    return moved * size


def _partner_finder(
    counterpart: _Part, size: float, settings: CloseUpSettings
) -> Callable[[Floats, Floats], tuple[Floats, Floats, Floats]]:
    """Return a function from points and normals, (P, 3) each, to their partners.

    It returns partners (P, 3), the normals (P, 3) along which they pull, and how much they pull (P,), in [0, 1]. All
    points are in units of ``size``.
    """
    corners = counterpart.faces
    normals = vertex_normals(counterpart.vertices, corners)

    def sampled(values: Floats) -> Floats:
        return np.concatenate([values, *(np.einsum("k,fkd->fd", one, values[corners]) for one in SEARCHED_SAMPLES)])

    places, facing = sampled(counterpart.vertices / size), unit_rows(sampled(normals))
    tree = cKDTree(np.hstack((places, settings.facing * facing)))

    def find(points: Floats, own: Floats) -> tuple[Floats, Floats, Floats]:
        _, nearest = tree.query(np.hstack((points, settings.facing * own)))
        partner, normal = places[nearest], facing[nearest]
        distance = np.linalg.norm(points - partner, axis=1)
        is_facing = np.einsum("nd,nd->n", own, normal) > settings.least_cosine
        usual = settings.usual * (float(np.median(distance)) + LEAST_USUAL)
        return partner, unit_rows(normal + own), is_facing / (1 + (distance / usual) ** 2)

    return find


def _partners(part: _Part, rows: Integers, counterpart: _Part, settings: CloseUpSettings) -> tuple[Integers, Floats]:
    """Return the partner of some vertices of a part that lies on its counterpart: near, and facing the same way.

    Args:
        part, counterpart: the two.
        rows: int (R,), vertices of the part.
        settings: of the close-ups.

    Returns:
        triangles of the counterpart, int64 (R,), and barycentric coordinates in them, (R, 3).
    """
    vertices, faces = counterpart.vertices, counterpart.faces
    size = float(np.sqrt(surface_area(vertices, faces)))
    points, own = part.vertices[rows], vertex_normals(part.vertices, part.faces)[rows]
    normals = vertex_normals(vertices, faces)
    centers = vertices[faces].mean(axis=1) / size
    tree = cKDTree(np.hstack((centers, settings.final_facing * unit_rows(face_vectors(vertices, faces)))))
    count = min(settings.candidates, len(faces))
    near = tree.query(np.hstack((points / size, settings.final_facing * own)), k=count)[1].reshape(len(rows), count)
    tried = np.column_stack((closest_points(points, vertices, faces).face, near))
    least = np.full(len(rows), np.inf)
    face, barycentric = tried[:, 0].astype(np.int64), np.zeros((len(rows), 3))
    for candidate in tried.T:
        weights, square = nearest_on_triangles(points, vertices[faces[candidate]])
        turned = unit_rows(np.einsum("vk,vkd->vd", weights, normals[faces[candidate]])) - own
        cost = square / size**2 + settings.final_facing**2 * (turned**2).sum(axis=1)
        better = cost < least
        least = np.where(better, cost, least)
        face[better], barycentric[better] = candidate[better], weights[better]
    return face, barycentric
