"""Ends that were laid onto another part: a tail that hangs beside a leg, a lock of hair over a shoulder.

Surfaces are laid onto each other in space. Where a tail is longer than the other one and hangs beside a leg, its end
lies nearer to that leg, and would be matched with it: it would follow the leg, and have its color. But what hangs
together stays together. An end that strays onto another part is matched where its limb goes on, if it looks like that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from ..data.surface_map import Match, SurfaceMap
from ..geometry.adjacency import connected_components, symmetric_matrix
from ..geometry.arrays import AnyFloats, AnyIntegers, Flags, Floats, Integers, nearest_rows
from ..geometry.mesh import vertex_normals
from .compared_surfaces import ComparedSurface
from .feature_search import precise_points
from .laying import Laying

DISTANCES_AT_ONCE = 500
"""Points from which distances are computed at a time: memory is bounded."""
FEW_STEPS = 4
"""Steps along links within which points are looked for before distances are computed: most are that near."""


@dataclass(frozen=True)
class StrayEndSettings:
    """What counts as an end that was laid onto another part. Lengths are in square roots of the area. All chosen.

    Attributes:
        far: points are far apart if the way along the surface is longer than this.
        stretch: a link is torn only if it becomes this many times as long.
        least: what reaches at least this far from where it strays is an end; the rest are rims of gaps.
        unlike: an end stays where it is if what it is held to looks this many times as unlike; a rim, unless it looks
            this many times as much alike. Measured: 1.57 and more where a head's parts were right as they were, up to
            1.28 where hands and tails were not.
        together: where more than this share of the area strays in all, the map is wrong as a whole.
        reach: how far along the surface the end's place is looked for, in lengths of the end.
        radius: distance along the limb that counts as much as features that have nothing in common.
        normal_weight, feature_weight: of what looks alike, as when points are matched.
        confidence: factor for what is matched anew, since nothing in space confirms it, and for what stays. Measured on
            49 pairs of TOSCA: something stays on six of them, two thirds of it wrong at a confidence of 0.76.
    """

    far: float = 0.2
    stretch: float = 4.0
    least: float = 0.03
    unlike: float = 1.4
    together: float = 0.25
    reach: float = 1.5
    radius: float = 0.02
    normal_weight: float = 0.5
    feature_weight: float = 0.5
    confidence: float = 0.5


@dataclass(frozen=True)
class ConnectedSurface:
    """A surface on which distances are measured along it.

    Attributes:
        links: (E, 2), pairs of points of a coarser mesh, which join all of them.
        lengths: (E,), of the links, above 0.
        mass: (P,), of the points, sums to 1.
        prolong: sparse (V, P), carries values of the points to the surface's vertices.
        point: (V,), the point that each vertex belongs to.
        vertex: (P,), the vertex nearest to each point.
        vertices: (V, 3), of the surface.
        faces: (F, 3), of the surface.
        rows: (V, D), in which vertices are near each other that look alike.
        usable: bool (V,), which vertices may be an answer.
    """

    links: AnyIntegers
    lengths: Floats
    mass: Floats
    prolong: sparse.csr_array
    point: Integers
    vertex: Integers
    vertices: Floats
    faces: AnyIntegers
    rows: AnyFloats
    usable: Flags

    @staticmethod
    def of(surface: ComparedSurface, rows: AnyFloats) -> ConnectedSurface:
        """Build it from a surface that was laid on, and its ``rows``."""
        mesh, prolong = surface.mesh, surface.carry
        lengths = np.linalg.norm(mesh.points[mesh.links[:, 0]] - mesh.points[mesh.links[:, 1]], axis=1)
        point, vertex = (np.asarray(prolong.argmax(axis=axis)).ravel() for axis in (1, 0))
        has_vertex = np.asarray(prolong.max(axis=0).todense()).ravel() > 0  # on a closed proxy not each point has one
        nearest = cKDTree(mesh.points[has_vertex]).query(mesh.points)[1]
        is_usable = np.zeros(len(point), bool)
        is_usable[surface.usable] = True
        return ConnectedSurface(
            mesh.links, np.maximum(lengths, 1e-9), mesh.mass, prolong, point, vertex[has_vertex][nearest],
            surface.vertices, surface.faces, rows, is_usable,
        )  # fmt: skip

    def graph(self, chosen: Flags | None = None) -> sparse.csr_array:
        """Lengths of the links, or of those chosen, (P, P)."""
        chosen = np.ones(len(self.links), bool) if chosen is None else chosen
        return symmetric_matrix(self.links[chosen], self.lengths[chosen], len(self.mass))

    def are_apart(self, starts: Integers, ends: Integers, farthest: Floats) -> Flags:
        """Which points (N,) are farther from others (N,) than a distance (N,) along the surface, bool (N,)."""
        apart = ~self._few_steps(float(farthest.min(initial=np.inf)), starts, ends)
        asked = np.flatnonzero(apart)
        each, place = np.unique(starts[asked], return_inverse=True)
        graph = self.graph()
        for first in range(0, len(each), DISTANCES_AT_ONCE):
            here = np.flatnonzero((place >= first) & (place < first + DISTANCES_AT_ONCE))
            found = csgraph.dijkstra(
                graph, directed=False, indices=each[first : first + DISTANCES_AT_ONCE], limit=float(farthest.max())
            )
            pairs = asked[here]
            apart[pairs] = found[place[here] - first, ends[pairs]] > farthest[pairs]
        return apart

    def _few_steps(self, distance: float, starts: Integers, ends: Integers) -> Flags:
        """Which points (N,) a few short steps lead to others (N,), which are no longer than a distance in all, (N,)."""
        short = self.links[self.lengths <= distance / FEW_STEPS]
        count = len(self.mass)
        step = symmetric_matrix(short, np.ones(len(short)), count) + sparse.eye_array(count, format="csr")
        twice = step @ step
        return np.asarray((twice @ twice)[starts, ends] != 0).ravel()


def with_stray_ends_held(
    match: Match,
    source: ComparedSurface,
    target: ComparedSurface,
    laying: Laying,
    settings: StrayEndSettings = StrayEndSettings(),
) -> tuple[Match, tuple[Flags, Flags]]:
    """Return a match in which ends that stray onto another part are matched where the rest of their limb goes on; and
    which vertices of the target, bool (V,), and of the source, (U,), stray and stay where they are.

    A point strays if the way to its answer and back leads far from it, along the surface, or if the map tears it off.
    Along the limb, the end and what is left of the limb on the image are taken as equally long; around it, what looks
    alike is matched. An end stays where it is if it looks much more alike there; it is wrong all the same more often
    than not.

    Args:
        match: of the two surfaces.
        source, target: the surfaces.
        laying: how the source lies on the target; its normals are compared there.
        settings: what counts as such an end.
    """
    ends = [
        ConnectedSurface.of(
            end,
            np.hstack((
                vertex_normals(places, end.faces) * sense * settings.normal_weight,
                end.features * settings.feature_weight,
            )),
        )
        for end, places, sense in ((source, laying.places, laying.sense), (target, target.vertices, 1))
    ]  # fmt: skip
    to_source, there = _held(match.to_source, match.to_target, ends[1], ends[0], settings)
    to_target, here = _held(match.to_target, match.to_source, ends[0], ends[1], settings)
    return replace(match, to_source=to_source, to_target=to_target), (there, here)


def _held(
    surface_map: SurfaceMap,
    back: SurfaceMap,
    domain: ConnectedSurface,
    image: ConnectedSurface,
    settings: StrayEndSettings,
) -> tuple[SurfaceMap, Flags]:
    """Return the map from ``domain`` to ``image``, whose reverse is ``back``, with its stray ends held; and which
    vertices, bool (V,), stray and stay."""
    to_image = image.point[surface_map.vertex[domain.vertex]]
    returned = domain.point[back.vertex[surface_map.vertex[domain.vertex]]]
    stray = _returns_far(domain, returned, settings) | _torn_off(domain, image, to_image, settings)
    if not 0 < domain.mass[stray].sum() <= settings.together:
        return surface_map, np.zeros(len(domain.point), bool)
    left = stray[domain.point]
    graph, covered = image.graph(), np.unique(to_image[~stray])
    for end, joints in _ends(domain, stray):
        vertices = np.flatnonzero(end[domain.point])
        if not len(vertices):  # of a closed proxy's points alone
            continue
        along = _distances_inside(domain, end, np.unique(joints[:, 0]))
        ring = _around_the_middle(graph, to_image[joints[:, 1]], settings.far / 2)
        beyond, onward = _limb_beyond(graph, covered, ring)
        onward &= beyond <= settings.reach * along.max()
        held = _matched_along(domain, image, vertices, along, (beyond, onward), settings)
        is_end = along.max() >= settings.least
        before = _unlike(surface_map.at(vertices), domain, image, vertices)
        before *= settings.unlike if is_end else 1 / settings.unlike
        if held is not None and _unlike(held, domain, image, vertices) < before:
            confidence = surface_map.confidence[vertices] * settings.confidence
            surface_map = surface_map.with_rows(vertices, replace(held, confidence=confidence.astype(np.float32)))
            left[vertices] = False
    return surface_map, left


def _returns_far(domain: ConnectedSurface, returned: Integers, settings: StrayEndSettings) -> Flags:
    """From which points (P,) the way to the other surface and back leads far along the domain, with those around that
    it leads half as far from: where an end goes over to another part, its sides do so one after the other."""
    points = np.arange(len(returned))
    some, far = (domain.are_apart(points, returned, np.full(len(points), share * settings.far)) for share in (0.5, 1))
    part = connected_components(domain.links[some[domain.links].all(axis=1)], len(points))
    return np.asarray(some & np.isin(part, part[far]))


def _torn_off(
    domain: ConnectedSurface, image: ConnectedSurface, to_image: Integers, settings: StrayEndSettings
) -> Flags:
    """Which points a map of the domain's points (P,) tears off the largest part, (P,)."""
    starts, ends = to_image[domain.links].T
    torn = image.are_apart(starts, ends, np.maximum(settings.far, settings.stretch * domain.lengths))
    part = connected_components(domain.links[~torn], len(domain.mass))
    return np.asarray(part != np.bincount(part, weights=domain.mass).argmax())


def _ends(domain: ConnectedSurface, stray: Flags) -> Iterator[tuple[Flags, AnyIntegers]]:
    """The connected parts of what strays, (P,).

    Yields:
        which points belong to an end, bool (P,); and the links (N, 2) between it and what does not stray, the end's
        point first.
    """
    links = np.concatenate((domain.links, domain.links[:, ::-1]))
    part = connected_components(links[stray[links].all(axis=1)], len(stray))
    for number in np.unique(part[stray]):
        joints = links[(part[links[:, 0]] == number) & stray[links[:, 0]] & ~stray[links[:, 1]]]
        if len(joints):
            yield np.asarray(stray & (part == number)), joints


def _distances_inside(domain: ConnectedSurface, end: Flags, starts: Integers) -> Floats:
    """How far the points of an end lie from where it was torn off, along it, (P,); 0 elsewhere."""
    graph = domain.graph(np.asarray(end[domain.links].all(axis=1)))
    found = np.asarray(csgraph.dijkstra(graph, directed=False, indices=starts, min_only=True))
    return np.where(end & np.isfinite(found), found, 0)


def _around_the_middle(graph: sparse.csr_array, points: Integers, distance: float) -> Integers:
    """Those of some points (N,) that lie at most this far from the one that is nearest to all of them: a ring without
    what has gone over to another part already."""
    each, count = np.unique(points, return_counts=True)
    apart = np.asarray(csgraph.dijkstra(graph, directed=False, indices=each))[:, each]
    return np.asarray(each[apart[(np.minimum(apart, 1) @ count).argmin()] <= distance])


def _limb_beyond(graph: sparse.csr_array, covered: Integers, ring: Integers) -> tuple[Floats, Flags]:
    """Where a limb goes on that a body has covered up to a ring.

    Args:
        graph: of the limb's surface, (P, P).
        covered: points that the body has.
        ring: those of them where the end was torn off.

    Returns:
        the distances from the covered points, (P,), and which points lie nearest to the ring's, bool (P,).
    """
    found, _, nearest = csgraph.dijkstra(
        graph, directed=False, indices=covered, min_only=True, return_predecessors=True
    )
    return np.where(np.isfinite(found), found, 0), np.isin(nearest, ring)


def _matched_along(
    domain: ConnectedSurface,
    image: ConnectedSurface,
    vertices: Integers,
    along: Floats,
    limb: tuple[Floats, Flags],
    settings: StrayEndSettings,
) -> SurfaceMap | None:
    """Match an end's vertices, int (N,), with a limb: how far along it, and what looks alike.

    Args:
        domain, image: the surfaces.
        vertices: of the end.
        along: (P,), how far along the end the points of the domain lie.
        limb: how far along it the points of the image lie, (Q,), and which belong to it, bool (Q,).
        settings: of the comparison.

    Returns:
        the map of these vertices, of confidence 1; None if no vertex of the limb may be an answer.
    """
    beyond, onward = limb
    answers = np.flatnonzero(onward[image.point] & image.usable)
    faces = np.flatnonzero(np.isin(image.faces, answers).any(axis=1))
    answers = answers[np.isin(answers, image.faces[faces])]
    if len(answers) == 0:
        return None
    scale = beyond[onward].max() / max(along.max(), 1e-9)
    own = (domain.prolong @ along)[vertices] * scale
    queries, references = (
        np.column_stack((rows, places / settings.radius)).astype(np.float32)
        for rows, places in ((domain.rows[vertices], own), (image.rows, image.prolong @ beyond))
    )
    nearest = answers[nearest_rows(references[answers], queries)]
    face, barycentric, _ = precise_points(queries, nearest, references, image.faces[faces])
    return SurfaceMap.at_points(faces[face], barycentric, np.ones(len(vertices)), image.vertices, image.faces)


def _unlike(surface_map: SurfaceMap, domain: ConnectedSurface, image: ConnectedSurface, vertices: Integers) -> float:
    """How unlike vertices (N,) and their answers in a map of N rows look, on the mean."""
    answers = surface_map.pull(image.rows, image.faces)
    return float(np.linalg.norm(domain.rows[vertices] - answers, axis=1).mean())
