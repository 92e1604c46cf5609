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

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..base.progress import ProgressCallback, silent
from ..data.surface_map import SurfaceMap
from ..geometry.adjacency import connected_components
from ..geometry.arrays import Floats, Integers
from ..geometry.closest_points import closest_points
from ..geometry.coarsening import coarsen
from ..geometry.mesh import clean_faces, edges, face_areas, surface_area
from ..geometry.rigid_motions import robust_similarity
from ..geometry.welding import weld
from .close_up_fitting import LEAST_PULL, FittingSettings, fitted
from .close_up_part import PartSettings, necked_parts
from .close_up_partners import Mesh, PartnerSettings, partners


@dataclass(frozen=True)
class CloseUpSettings:
    """When and how a part is laid on its counterpart afresh. Lengths are in square roots of the part's area.

    All values are chosen.

    Attributes:
        part: of the search for the part.
        rim: the part ends where the distance from its tip is this many times that of its neck; from 1 on, it is joined
            with the rest of the map.
        around: how much of the other surface is looked at, in the same measure.
        fewest: vertices that the part must have on both.
        rigid: most median distance between the map and a similarity: parts that are bent are left to the map.
        fitting: how the part is moved.
        partners: what makes a partner in the end.
        left: most distance that may be left between the surfaces for nine tenths of the part. Measured: 0.003 between
            bare heads; 0.01 to 0.02 where hair or armor differ, and weights come over worse with the close-up.
        most_vertices: a part with more is replaced by a coarser one for the registration.
    """

    part: PartSettings = field(default_factory=PartSettings)
    rim: float = 1.1
    around: float = 1.3
    fewest: int = 60
    rigid: float = 0.05
    fitting: FittingSettings = field(default_factory=FittingSettings)
    partners: PartnerSettings = field(default_factory=PartnerSettings)
    left: float = 0.006
    most_vertices: int = 5000


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
    face, barycentric = partners(part.mesh, changed, counterpart.mesh, settings.partners)
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

    @property
    def mesh(self) -> Mesh:
        """Its vertices and faces."""
        return self.vertices, self.faces


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
        return fitted(points, faces, counterpart.mesh, settings.fitting)[place]
    coarse = coarsen(points, faces, settings.most_vertices)
    moved = fitted(coarse.vertices, coarse.faces, counterpart.mesh, settings.fitting)
    laid: Floats = (points + coarse.prolong @ (moved - coarse.vertices))[place]
    return laid
