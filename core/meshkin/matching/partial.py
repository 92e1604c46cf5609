"""Part of a body against a whole one: the whole is cropped to what has the part's spectrum.

A part's smooth functions, and all that is computed from them, have little in common with the whole's; those of the
right crop are the same but for bending. So crops of the whole are compared with the part by their spectra, which needs
no correspondence (Reuter, Wolter and Peinecke, "Laplace-Beltrami Spectra as Shape-DNA", 2006; compare Rampini,
Tallini, Ovsjanikov, Bronstein and Rodolà, "Correspondence-Free Region Localization for Partial Shape Similarity via
Hamiltonian Spectrum Alignment", 2019): what lies within some distance of a tip of the whole, in one of three metrics,
on one side of a level of its smoothest functions, or, where the whole is cut itself, beyond some distance of its cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from ..base.progress import ProgressCallback
from ..data.snapshot import Snapshot
from ..data.surface_map import Match
from ..features.extractors.geometric import Geometric
from ..geometry.adjacency import bridges, edge_graph
from ..geometry.coarsening import coarsen
from ..geometry.laplacian import connected_laplacian
from ..geometry.mesh import clean_faces, edges, face_areas, normalize
from ..geometry.welding import weld
from ..spectral.eigenbasis import eigenpairs
from ..spectral.similarity import spectral_similarity

Floats = NDArray[np.float64]
Rows = tuple[NDArray[np.floating], NDArray[np.floating]]
"""A row for each vertex of the source, and of the target."""

WHOLE, PART = 4000, 1200
"""Vertices of the coarser meshes whose spectra are compared, about: small crops of the whole need some, too."""
CUT = 0.5
"""A shape is cut if a loop of its boundary is longer than this, in square roots of its area."""
TIPS = 6
"""Tips around which crops are tried."""
SMOOTH, SMOOTHEST = 60, 3
"""Smooth functions that distances are computed from, and those by whose levels crops are tried."""
SHARES = np.geomspace(0.02, 0.8, 11)
"""Shares of the whole's area that crops have."""
ALIKE = 0.3
"""How like the part (:func:`meshkin.spectral.similarity.spectral_similarity`) a crop must be."""
BETTER = 0.2
"""And by how much more than the whole."""
FINER = np.geomspace(0.82, 1.22, 7)
"""Times the likeliest share: shares that are tried next."""
REFINED = 8
"""Of that many ways to crop."""
TRIED = 2
"""Crops that are matched, the likeliest."""
SAME = 0.7
"""Crops with more than this of their area in common (of that of both) are the same but for their size."""
APART = 0.1
"""Those with less than this of their faces in common are two places."""
ENCLOSED = 0.1
"""What is beyond a crop but smaller than this share of it, and apart from the rest, belongs to it."""
LEAST_POINTS = 80
"""Points that a crop's spectrum needs."""


@dataclass(frozen=True)
class _Mesh:
    """A coarser mesh: points (P, 3), their areas (P,), faces, links (E, 2) that join them all, and the Laplacian."""

    points: Floats
    areas: Floats
    faces: NDArray[np.integer]
    links: NDArray[np.integer]
    stiffness: sparse.csr_array
    prolong: sparse.csr_array


@dataclass(frozen=True)
class Crop:
    """A pair of shapes of which one is cropped.

    Attributes:
        shapes: source and target; all vertices are there, only faces are missing.
        features: of both, the intrinsic channels of the cropped one computed anew.
        faces: which faces of the cropped shape are there, (F,).
        number: which of the two that is, 0 or 1.
    """

    shapes: tuple[Snapshot, Snapshot]
    features: Rows
    faces: NDArray[np.bool_]
    number: int

    def is_apart_from(self, other: Crop) -> bool:
        """Whether the other crop, of the same shape, is another place of it."""
        common, both = self.faces & other.faces, self.faces | other.faces
        return self.number == other.number and float(common.sum()) < APART * float(both.sum())

    def lifted(self, found: Match, whole: NDArray[np.int32]) -> Match:
        """A match of the crop as one of the whole, of all faces (F, 3): what was cropped away has no confidence."""
        if self.number == 1:
            return replace(self, number=0).lifted(found.swapped(), whole).swapped()
        to_source = replace(found.to_source, face=np.flatnonzero(self.faces)[found.to_source.face].astype(np.int32))
        there = np.zeros(len(found.to_target.confidence), bool)
        there[whole[self.faces]] = True
        to_target = replace(found.to_target, confidence=np.where(there, found.to_target.confidence, 0))
        return Match(to_source, to_target, whole, found.target_faces, found.notes)


def crops(
    shapes: tuple[Snapshot, Snapshot],
    features: Rows,
    intrinsic: NDArray[np.bool_] | None,
    pairs: NDArray[np.integer],
    report: ProgressCallback,
) -> Iterator[Crop]:
    """What of one shape may be the other, if that is cut; nothing where no crop is like it.

    Args:
        shapes: source and target.
        features: of both, (U, C) and (V, C).
        intrinsic: (C,), which channels are those of the ``geometric`` extractor.
        pairs: (N, 2), a source and a target vertex each, that belong together: every crop has those of its shape.
        report: told the progress; may raise Cancelled.
    """
    for number, whole in enumerate(shapes):
        part = shapes[1 - number]
        if not _is_cut(part):
            continue
        for faces in _likely(whole, part, pairs[:, number], report):
            crop = _cropped(whole, faces)
            rows = np.array(features[number], np.float32)
            if intrinsic is not None and intrinsic.any():
                anew = Geometric().describe(crop, report)
                rows[:, intrinsic] = anew * (np.linalg.norm(rows[:, intrinsic]) / np.linalg.norm(anew))
            if number == 0:
                yield Crop((crop, part), (rows, features[1]), faces, number)
            else:
                yield Crop((part, crop), (features[0], rows), faces, number)


def _cropped(whole: Snapshot, faces: NDArray[np.bool_]) -> Snapshot:
    return replace(
        whole,
        faces=whole.faces[faces],
        polygons=whole.polygons[faces],
        corners=whole.corners[faces],
        normals=whole.normals[faces],
        uvs=None if whole.uvs is None else whole.uvs[faces],
        materials=whole.materials[faces],
    )


def _is_cut(shape: Snapshot) -> bool:
    """Whether a shape has an edge where it was cut off, longer than those around eyes and mouths.

    Looked at is the part that makes up most of it: what is put together of open shells is not cut off.
    """
    first, place = weld(shape.vertices)
    points, faces = shape.vertices[first], clean_faces(place[shape.faces])
    areas = face_areas(points, faces)
    part = csgraph.connected_components(edge_graph(points, faces), directed=False)[1][faces[:, 0]]
    largest = part == np.bincount(part, areas).argmax()
    area = float(areas[largest].sum())
    return bool(area > areas.sum() / 2 and _loops(points, faces[largest]).max(initial=0) > CUT * np.sqrt(area))


def _loops(points: NDArray[np.floating], faces: NDArray[np.integer]) -> Floats:
    """The lengths of a surface's boundary loops."""
    ends = _boundary(faces)
    lengths = np.linalg.norm(points[ends[:, 0]] - points[ends[:, 1]], axis=1)
    graph = sparse.coo_array((lengths, tuple(ends.T)), shape=(len(points),) * 2)
    loop = csgraph.connected_components(graph, directed=False)[1]
    return np.asarray(np.bincount(loop[ends[:, 0]], lengths))


def _likely(
    whole: Snapshot, part: Snapshot, vertices: NDArray[np.integer], report: ProgressCallback
) -> list[NDArray[np.bool_]]:
    """Which faces of the whole, (F,), may be the part: the likeliest crops that differ and have some vertices (N,) of
    the whole, none where none is like it."""
    mesh, wanted = _coarse(whole, WHOLE), _coarse(part, PART)
    points = mesh.prolong[vertices].argmax(axis=1)
    spectrum = _spectrum(wanted)
    least = max(ALIKE, spectral_similarity((spectrum, _spectrum(mesh))) + BETTER)
    fields = _fields(mesh)

    def likeliest(number: int, shares: Floats) -> tuple[float, int, float]:
        report("Looking for the part", number / len(fields))
        crops = (_inside(mesh, fields[number], share) for share in shares)
        return max(
            (_likeness(mesh, inside, spectrum) * bool(inside[points].all()), number, share)
            for inside, share in zip(crops, shares, strict=True)
        )

    near = sorted((likeliest(number, SHARES) for number in range(len(fields))), reverse=True)[:REFINED]
    found: list[NDArray[np.bool_]] = []
    for likeness, number, share in sorted(
        (likeliest(number, np.minimum(share * FINER, SHARES[-1])) for _, number, share in near), reverse=True
    ):
        inside = _inside(mesh, fields[number], share)
        if likeness >= least and len(found) < TRIED and all(_common(mesh, inside, other) < SAME for other in found):
            found.append(inside)
    crops = ((mesh.prolong @ inside.astype(np.float64) > 0.5)[whole.faces].all(axis=1) for inside in found)
    return [faces for faces in crops if np.isin(vertices, whole.faces[faces]).all()]


def _common(mesh: _Mesh, one: NDArray[np.bool_], two: NDArray[np.bool_]) -> float:
    return float(mesh.areas[one & two].sum() / mesh.areas[one | two].sum())


def _coarse(shape: Snapshot, size: int) -> _Mesh:
    coarse = coarsen(normalize(shape.vertices, shape.faces), shape.faces, size)
    links = np.concatenate((edges(coarse.faces), bridges(coarse.vertices, coarse.faces)))
    stiffness, areas = connected_laplacian(coarse.vertices, coarse.faces)
    return _Mesh(coarse.vertices, areas, coarse.faces, links, sparse.csr_array(stiffness), coarse.prolong)


def _boundary(faces: NDArray[np.integer]) -> NDArray[np.integer]:
    """Edges of one face alone, (E, 2)."""
    both = np.sort(np.concatenate((faces[:, :2], faces[:, 1:], faces[:, ::2])), axis=1)
    found, count = np.unique(both, axis=0, return_counts=True)
    return np.asarray(found[count == 1])


def _fields(mesh: _Mesh) -> list[Floats]:
    """What (P,) the whole may be cropped by: the distance from each tip, that from its own cut, falling, and its
    smoothest functions, rising and falling.

    Distances are geodesic, of commute time and biharmonic (Lipman, Rustamov and Funkhouser, "Biharmonic Distance",
    2010): by the latter two, thin limbs are farther away than what is as long but thick.
    """
    lengths = np.linalg.norm(mesh.points[mesh.links[:, 0]] - mesh.points[mesh.links[:, 1]], axis=1) + 1e-9
    graph = sparse.csr_array((lengths, tuple(mesh.links.T)), shape=(len(mesh.points),) * 2)
    energies, functions = eigenpairs(sparse.csc_array(mesh.stiffness), mesh.areas, 1 + SMOOTH)
    energies, functions = energies[1:], functions[:, 1:]

    def distances(points: NDArray[np.integer]) -> Floats:
        return np.asarray(csgraph.dijkstra(graph, directed=False, indices=points, min_only=True))

    found = []
    if _loops(mesh.points, mesh.faces).max(initial=0) > CUT:
        found.append(-distances(np.unique(_boundary(mesh.faces))))
    tips = [int(distances(np.zeros(1, np.int64)).argmax())]
    for _ in range(TIPS):
        found.append(distances(np.array(tips[-1:])))
        for places in (functions / np.sqrt(energies), functions / energies):
            found.append(np.linalg.norm(places - places[tips[-1]], axis=1))
        tips.append(int(distances(np.array(tips)).argmax()))
    for function in functions.T[:SMOOTHEST]:
        found += [function, -function]
    return found


def _inside(mesh: _Mesh, field: Floats, share: float) -> NDArray[np.bool_]:
    """The connected points (P,) with the lowest values of a field that have a share of the area, and what little they
    enclose, as the inside of a mouth."""
    order = np.argsort(field)
    total = np.cumsum(mesh.areas[order])
    inside = field <= field[order[min(np.searchsorted(total, share * total[-1]), len(order) - 1)]]
    links = mesh.links[inside[mesh.links[:, 0]] == inside[mesh.links[:, 1]]]
    graph = sparse.coo_array((np.ones(len(links)), tuple(links.T)), shape=(len(field),) * 2)
    component = csgraph.connected_components(graph, directed=False)[1]
    areas = np.bincount(component, mesh.areas * inside)
    enclosed = np.bincount(component, mesh.areas * ~inside) < ENCLOSED * areas.max()
    return np.asarray((component == areas.argmax()) | (enclosed[component] & ~inside))


def _likeness(mesh: _Mesh, inside: NDArray[np.bool_], spectrum: Floats) -> float:
    """How like the part's spectrum that of the points (P,) inside is."""
    return spectral_similarity((spectrum, _spectrum(mesh, inside))) if inside.sum() >= LEAST_POINTS else 0.0


def _spectrum(mesh: _Mesh, inside: NDArray[np.bool_] | None = None) -> Floats:
    """The first eigenvalues of the points (P,) inside, or of all, brought to area 1."""
    points = np.arange(len(mesh.points)) if inside is None else np.flatnonzero(inside)
    kept = mesh.stiffness[points][:, points]
    kept = kept - sparse.diags_array(np.asarray(kept.sum(axis=1)).ravel())
    areas = mesh.areas[points]
    return np.maximum(eigenpairs(sparse.csc_array(kept), areas / areas.sum(), 21)[0], 1e-9)
