"""Search for the crops of a whole shape that are most similar to a part, by their spectra.

Crops of the whole are compared with the part by their first eigenvalues, which needs no correspondence (Reuter, Wolter
and Peinecke, "Laplace-Beltrami Spectra as Shape-DNA", 2006; compare Rampini, Tallini, Ovsjanikov, Bronstein and Rodolà,
"Correspondence-Free Region Localization for Partial Shape Similarity via Hamiltonian Spectrum Alignment", 2019). A crop
is what lies within some distance of a tip of the whole, in one of three metrics, on one side of a level of its
smoothest eigenfunctions, or, if the whole is cut off itself, beyond some distance of its cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from ..base.progress import ProgressCallback
from ..data.snapshot import Snapshot
from ..geometry.adjacency import boundary_edges, boundary_loop_lengths, bridges
from ..geometry.arrays import Flags, Floats
from ..geometry.coarsening import coarsen
from ..geometry.laplacian import connected_laplacian
from ..geometry.mesh import edges, normalize
from ..spectral.eigenbasis import eigenpairs
from ..spectral.similarity import spectral_similarity


@dataclass(frozen=True)
class PartialSettings:
    """How a part is looked for on a whole. All values are chosen.

    Attributes:
        cut_length: a shape is cut off if a loop of its boundary is longer than this, in square roots of its area.
        whole_points: points of the whole's coarser mesh, about; many, since small crops of it need some, too.
        part_points: points of the part's coarser mesh, about.
        tips: tips of the whole around which crops are tried.
        eigenfunctions: number of them from which distances are computed.
        smoothest: eigenfunctions by whose levels crops are tried.
        eigenvalues: number of them that are compared, the constant function's among them.
        shares: smallest and largest share of the whole's area that crops have, and the number of shares, evenly spaced
            on a logarithmic scale.
        finer: the same for the second round, in multiples of the best share of the first.
        fields: scalar fields, the best of the first round, that crops are made by in the second.
        least_similarity: spectral similarity to the part that a crop must have.
        least_gain: by how much a crop must be more similar to the part than the whole.
        tried: crops that are matched, the most similar ones.
        same: crops are the same if they have more of the area of their union in common than this share.
        apart: crops are two places if they have less of the faces of their union in common than this share.
        enclosed: what is outside a crop, separate from the rest and smaller than this share of it, belongs to it.
        fewest_points: points that a crop needs for its spectrum.
    """

    cut_length: float = 0.5
    whole_points: int = 4000
    part_points: int = 1200
    tips: int = 6
    eigenfunctions: int = 60
    smoothest: int = 3
    eigenvalues: int = 21
    shares: tuple[float, float, int] = (0.02, 0.8, 11)
    finer: tuple[float, float, int] = (0.82, 1.22, 7)
    fields: int = 8
    least_similarity: float = 0.3
    least_gain: float = 0.2
    tried: int = 2
    same: float = 0.7
    apart: float = 0.1
    enclosed: float = 0.1
    fewest_points: int = 80


@dataclass(frozen=True)
class _Mesh:
    """A coarser mesh of a shape.

    Attributes:
        points: (P, 3), the surface's area being 1.
        areas: (P,), of the points.
        faces: (G, 3).
        links: (E, 2), pairs of points that join all of them.
        stiffness: (P, P), of the Laplacian.
        prolong: (V, P), carries values of the points to the shape's vertices.
    """

    points: Floats
    areas: Floats
    faces: NDArray[np.integer]
    links: NDArray[np.integer]
    stiffness: sparse.csr_array
    prolong: sparse.csr_array


def likeliest_crops(
    whole: Snapshot, part: Snapshot, vertices: NDArray[np.integer], report: ProgressCallback, settings: PartialSettings
) -> list[Flags]:
    """Return the crops of the whole that are most similar to the part, best first; none if none is similar.

    Args:
        whole, part: the two shapes.
        vertices: (N,), vertices of the whole that every crop must have.
        report: is told the progress; may raise Cancelled.
        settings: of the search.

    Returns:
        For each crop which faces of the whole it has, bool (F,); the crops differ clearly.
    """
    mesh = _coarse_mesh(whole, settings.whole_points)
    spectrum = _spectrum(_coarse_mesh(part, settings.part_points), settings)
    least = max(
        settings.least_similarity, spectral_similarity((spectrum, _spectrum(mesh, settings))) + settings.least_gain
    )
    points = mesh.prolong[vertices].argmax(axis=1)
    fields = _scalar_fields(mesh, settings)
    shares, finer = np.geomspace(*settings.shares), np.geomspace(*settings.finer)

    def best_candidate(field: int, shares: Floats) -> tuple[float, int, float]:
        """Return similarity, field and share of the best crop by one field."""
        report("Looking for the part", field / len(fields))
        candidates = []
        for share in shares:
            inside = _inside(mesh, fields[field], share, settings)
            similarity = _similarity(mesh, inside, spectrum, settings) * bool(inside[points].all())
            candidates.append((similarity, field, share))
        return max(candidates)

    first_round = sorted((best_candidate(field, shares) for field in range(len(fields))), reverse=True)
    second_round = sorted(
        (
            best_candidate(field, np.minimum(share * finer, shares[-1]))
            for _, field, share in first_round[: settings.fields]
        ),
        reverse=True,
    )
    chosen: list[Flags] = []
    for similarity, field, share in second_round:
        inside = _inside(mesh, fields[field], share, settings)
        is_new = all(_overlap(mesh, inside, other) < settings.same for other in chosen)
        if similarity >= least and len(chosen) < settings.tried and is_new:
            chosen.append(inside)
    face_masks = ((mesh.prolong @ inside.astype(np.float64) > 0.5)[whole.faces].all(axis=1) for inside in chosen)
    return [faces for faces in face_masks if np.isin(vertices, whole.faces[faces]).all()]


def _coarse_mesh(shape: Snapshot, size: int) -> _Mesh:
    """Return a mesh of about ``size`` points of a shape, scaled to an area of 1."""
    coarse = coarsen(normalize(shape.vertices, shape.faces), shape.faces, size)
    links = np.concatenate((edges(coarse.faces), bridges(coarse.vertices, coarse.faces)))
    stiffness, areas = connected_laplacian(coarse.vertices, coarse.faces)
    return _Mesh(coarse.vertices, areas, coarse.faces, links, sparse.csr_array(stiffness), coarse.prolong)


def _scalar_fields(mesh: _Mesh, settings: PartialSettings) -> list[Floats]:
    """Return the scalar fields (P,) of the whole whose lowest values crops are made of.

    They are the distance from each tip; if the whole is cut off itself, the negative distance from its cut; and its
    smoothest eigenfunctions, rising and falling. Distances are geodesic, of commute time and biharmonic (Lipman,
    Rustamov and Funkhouser, "Biharmonic Distance", 2010): in the latter two, thin limbs are farther away than thick
    ones of the same length.
    """
    lengths = np.linalg.norm(mesh.points[mesh.links[:, 0]] - mesh.points[mesh.links[:, 1]], axis=1) + 1e-9
    graph = sparse.csr_array((lengths, tuple(mesh.links.T)), shape=(len(mesh.points),) * 2)
    eigenvalues, basis = eigenpairs(sparse.csc_array(mesh.stiffness), mesh.areas, 1 + settings.eigenfunctions)
    eigenvalues, basis = eigenvalues[1:], basis[:, 1:]

    def distances(points: NDArray[np.integer]) -> Floats:
        return np.asarray(csgraph.dijkstra(graph, directed=False, indices=points, min_only=True))

    fields = []
    if boundary_loop_lengths(mesh.points, mesh.faces).max(initial=0) > settings.cut_length:
        fields.append(-distances(np.unique(boundary_edges(mesh.faces))))
    tips = [int(distances(np.zeros(1, np.int64)).argmax())]
    for _ in range(settings.tips):
        fields.append(distances(np.array(tips[-1:])))
        for embedding in (basis / np.sqrt(eigenvalues), basis / eigenvalues):
            fields.append(np.linalg.norm(embedding - embedding[tips[-1]], axis=1))
        tips.append(int(distances(np.array(tips)).argmax()))
    for eigenfunction in basis.T[: settings.smoothest]:
        fields += [eigenfunction, -eigenfunction]
    return fields


def _inside(mesh: _Mesh, field: Floats, share: float, settings: PartialSettings) -> Flags:
    """Return the points (P,) of a crop: those with the lowest values of a field that have a share of the area.

    Only the largest connected part is kept, with what little it encloses, like the inside of a mouth.
    """
    order = np.argsort(field)
    total = np.cumsum(mesh.areas[order])
    inside = field <= field[order[min(np.searchsorted(total, share * total[-1]), len(order) - 1)]]
    links = mesh.links[inside[mesh.links[:, 0]] == inside[mesh.links[:, 1]]]
    graph = sparse.coo_array((np.ones(len(links)), tuple(links.T)), shape=(len(field),) * 2)
    component = csgraph.connected_components(graph, directed=False)[1]
    areas = np.bincount(component, mesh.areas * inside)
    is_enclosed = np.bincount(component, mesh.areas * ~inside) < settings.enclosed * areas.max()
    return np.asarray((component == areas.argmax()) | (is_enclosed[component] & ~inside))


def _overlap(mesh: _Mesh, inside: Flags, other: Flags) -> float:
    """Return the area that two crops have in common, as a share of the area of their union."""
    return float(mesh.areas[inside & other].sum() / mesh.areas[inside | other].sum())


def _similarity(mesh: _Mesh, inside: Flags, spectrum: Floats, settings: PartialSettings) -> float:
    """Return the spectral similarity of the points (P,) inside to the part; 0 if they are too few."""
    if inside.sum() < settings.fewest_points:
        return 0.0
    return spectral_similarity((spectrum, _spectrum(mesh, settings, inside)))


def _spectrum(mesh: _Mesh, settings: PartialSettings, inside: Flags | None = None) -> Floats:
    """Return the first eigenvalues of the points (P,) inside, or of all, scaled to an area of 1."""
    points = np.arange(len(mesh.points)) if inside is None else np.flatnonzero(inside)
    stiffness = mesh.stiffness[points][:, points]
    stiffness = stiffness - sparse.diags_array(np.asarray(stiffness.sum(axis=1)).ravel())
    areas = mesh.areas[points]
    eigenvalues, _ = eigenpairs(sparse.csc_array(stiffness), areas / areas.sum(), settings.eigenvalues)
    return np.maximum(eigenvalues, 1e-9)
