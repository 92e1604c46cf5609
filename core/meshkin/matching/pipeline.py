"""The matcher: two shapes with features in, a map between their surfaces, both ways, out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from ..base.progress import ProgressCallback, silent
from ..data.snapshot import Snapshot
from ..data.surface_map import Match, SurfaceMap
from ..features import pca
from ..geometry.arrays import unit_rows
from ..geometry.mesh import surface_area
from ..spectral.eigenbasis import spectral_mesh, with_features
from ..spectral.similarity import spectral_similarity
from .alignment import Alignment, align
from .nearest import Features, Indices, climb, nearest, precise, spread
from .partial import Crop, Rows, crops
from .registration import registered

MATCHER_VERSION = "spectral-17"
"""Changes whenever :func:`match` would give another map."""
COMPONENTS = 32
"""Principal components of the features that are compared."""
FEWEST = 20
"""Smooth functions that a shape must have to be matched by them."""
LEAST_INTRINSIC = 0.15
"""Of channels that tell intrinsic geometry, between shapes that have little of it in common."""
UNLIKE = 1.6
"""What features count, against smooth functions, between shapes without intrinsic geometry in common."""
LIKE = (0.5, 1.0)
"""The same between shapes that are the same but for bending: in the search for maps, and for the last one. Smooth
functions tell the parts of like shapes apart better, features what is as small as fingers."""
PARTIAL = 0.6
"""Shapes that are less alike than this may be part and whole."""
SURER = 0.5
"""What a map that is clearly surer than another may leave of its doubt. A crop's must be: being taken for a bent copy
makes it sure."""
PROXIES = 6000
"""References that every query is compared with; the rest are reached from there."""
NEIGHBORHOOD = 0.1
"""Radius within which candidates count as the same answer, in square roots of the surface's area."""
# The law of confidence, sigmoid(BASE + QUALITY log q - TRIP sqrt(d)): fitted on 17 pairs of the correspondence
# benchmark (TOSCA, people, heads). Calibration error, each pair left out in turn: 0.02 over all vertices, 0.01 to 0.06
# on pairs without exchanged sides, 0.15 to 0.19 on the two with a quarter of the vertices on the wrong side.
BASE, QUALITY, TRIP = 3.8, 7.2, 8.0


@dataclass(frozen=True)
class Side:
    """One of the two shapes, ready to be matched.

    Attributes:
        vertices: float64 (V, 3).
        faces: int32 (F, 3).
        features: float32 (V, C), unit rows, comparable with the other side's.
        confidence: float32 (V,) in [0, 1], of the features.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    features: Features
    confidence: NDArray[np.float32]

    @property
    def size(self) -> float:
        """The square root of the surface's area."""
        return float(np.sqrt(surface_area(self.vertices, self.faces)))

    @property
    def usable(self) -> Indices:
        """The vertices that may be an answer: on a triangle, and seen (all on a triangle where none was seen)."""
        on_surface = np.zeros(len(self.vertices), bool)
        on_surface[self.faces] = True
        seen = on_surface & (self.confidence > 0)
        return np.flatnonzero(seen if seen.any() else on_surface)


def match(
    source: Snapshot,
    target: Snapshot,
    source_features: NDArray[np.floating],
    target_features: NDArray[np.floating],
    source_confidence: NDArray[np.floating],
    target_confidence: NDArray[np.floating],
    report: ProgressCallback = silent,
    pairs: NDArray[np.integer] | None = None,
    flip: bool = False,
    intrinsic: NDArray[np.bool_] | None = None,
) -> Match:
    """Match two shapes by their features, both ways.

    Features are reduced together to their principal components, and both shapes brought into one space by
    :func:`meshkin.matching.alignment.align`, which settles left and right and smooths. There every vertex finds the
    most
    similar of about 6,000 evenly spread vertices of the other shape, goes from there to the most similar vertex, and
    then to the nearest point on the triangles around it; last the surfaces are laid onto each other
    (:func:`meshkin.matching.registration.registered`). Nothing grows with the product of the vertex counts. Shapes
    too small to have smooth functions are compared by their features alone. Where one shape is cut off and little like
    the other, the other is also cropped to what is like it (:func:`meshkin.matching.partial.crops`) and matched as if
    the two were the same but for bending; where that makes a map that is clearly surer, it is taken. Where two crops
    apart from each other are about as good (a lone arm), that is said, and ``flip`` takes the other.

    The confidence of a vertex is the chance that its answer lies within 5 % of the square root of the area of the true
    one, by a logistic law of two things: the quality q = sqrt(a (1 + m) / 2), of a, the cosine to the answer, or 0
    where negative, and m = (a - r) / (1 - r), the margin to the best cosine r farther than a tenth of the square root
    of the area from the answer; and the distance d, in square roots of the area, between the vertex and what the other
    direction makes of its answer. It is 0 where the features at the vertex or at its answer have none, and half where
    left and right, or the place of a part, are a guess, or a shape has several symmetries.

    Args:
        source, target: the two shapes.
        source_features: (U, C), one row for each vertex of the source; all zero where nothing is known.
        target_features: (V, C) likewise.
        source_confidence: (U,) in [0, 1], how far to trust each row; 0 excludes a vertex as an answer.
        target_confidence: (V,) likewise.
        report: told what is being done; may raise Cancelled.
        pairs: int (N, 2), a source and a target vertex each, which are to be matched: exactly, and as hints for what
            lies around them and for left and right.
        flip: take the other answer: left for right, or the other place where a part fits two.
        intrinsic: (C,), which channels only tell the surface's intrinsic geometry; they count as far as the shapes
            are the same but for bending (:func:`meshkin.spectral.similarity.spectral_similarity`).

    Raises:
        InputError: as :meth:`Snapshot.check`; ``features-mesh`` (not a row for each vertex), ``features-differ`` (not
            the same channels), ``features-nan``, ``pairs-vertex`` (a pair names a vertex that is not there).
    """
    _check(source, source_features, source_confidence)
    _check(target, target_features, target_confidence)
    _check_widths(source, target, source_features, target_features)
    given = _pairs(source, target, pairs)
    shapes, features = (source, target), (source_features, target_features)
    confidence = source_confidence, target_confidence
    found, alike = _match(shapes, features, confidence, report, given, flip, intrinsic)
    if alike >= PARTIAL:
        return found

    def placed(crop: Crop, flip: bool) -> Match:
        tried, _ = _match(crop.shapes, crop.features, confidence, report, given, flip, intrinsic, alike=1.0)
        return crop.lifted(tried, shapes[crop.number].faces)

    places = [(placed(crop, False), crop) for crop in crops(shapes, features, intrinsic, given, report)]
    places.sort(key=lambda place: _doubt(place[0]))
    if not places or _doubt(places[0][0]) >= SURER * _doubt(found):
        return found
    (best, crop), *others = places
    rival = next((other for other, elsewhere in others if crop.is_apart_from(elsewhere)), None)
    if rival is not None and _doubt(best) > SURER * _doubt(rival) and len(given) == 0:
        return _either(rival if flip else best, shapes[1 - crop.number].name, shapes[crop.number].name, flip)
    return placed(crop, True) if flip else best


def _doubt(found: Match) -> float:
    """1 less the mean confidence of the shape that has more of it, as if left and right were no guess."""
    means = [float(one.confidence.mean()) for one in (found.to_source, found.to_target)]
    return 1 - max(means) * (2 if found.notes.get("ambiguous") else 1)


def _either(found: Match, part: str, whole: str, flip: bool) -> Match:
    """One of two places that a part may have on the whole, with what is to be said of that."""
    notes = dict(found.notes, ambiguous=not flip, flipped=flip)
    if not flip:
        if not found.notes.get("ambiguous"):
            for surface_map in (found.to_source, found.to_target):
                surface_map.confidence[:] /= 2
        doubt = f"“{part}” fits two places of “{whole}”: flip the match, or give a point pair, if the other is meant."
        notes["sentences"] = [doubt, *found.notes["sentences"]]
    return replace(found, notes=notes)


def _match(
    shapes: tuple[Snapshot, Snapshot],
    rows: Rows,
    confidence: Rows,
    report: ProgressCallback,
    given: Indices,
    flip: bool,
    intrinsic: NDArray[np.bool_] | None,
    alike: float | None = None,
) -> tuple[Match, float]:
    """:func:`match` of the shapes as they are, and how alike they are, as given or else
    :func:`meshkin.spectral.similarity.spectral_similarity`."""
    source, target = shapes
    report("Finding smooth functions", 0)
    one, from_one = spectral_mesh(source.vertices, source.faces)
    report("Finding smooth functions", 0.5)
    two, from_two = spectral_mesh(target.vertices, target.faces)
    if min(len(one.eigenvalues), len(two.eigenvalues)) < FEWEST:
        found = match_features(source, target, *rows, *confidence, report)
        _pin(found, given)
        return found, 1.0
    report("Comparing features", 0)
    alike = spectral_similarity((one.eigenvalues, two.eigenvalues)) if alike is None else alike
    gain = np.ones(rows[0].shape[1], np.float32)
    if intrinsic is not None and not intrinsic.all():
        gain[intrinsic] = max(alike, LEAST_INTRINSIC)
    weighted = rows[0] * gain, rows[1] * gain
    basis = pca.basis(weighted, COMPONENTS)
    features = [pca.project(basis, part) for part in weighted]
    scale = np.float32(np.sqrt(sum(float((part**2).sum(axis=1).mean()) for part in features) / 2) or 1.0)
    one, two = with_features(one, features[0] / scale), with_features(two, features[1] / scale)
    search, last = (like * alike + UNLIKE * (1 - alike) for like in LIKE)
    aligned = align(one, two, (from_one, from_two), (search, last), report, given, flip)
    ends = (
        _side(source, aligned.source * np.any(rows[0], axis=1, keepdims=True), confidence[0]),
        _side(target, aligned.target * np.any(rows[1], axis=1, keepdims=True), confidence[1]),
    )
    found = _between(*ends, report, registered)
    notes = _notes(aligned, source.name, target.name, flip, len(given) > 0)
    if notes["ambiguous"]:
        for surface_map in (found.to_source, found.to_target):
            surface_map.confidence[:] /= 2
    _pin(found, given)
    return replace(found, notes=notes), alike


def match_features(
    source: Snapshot,
    target: Snapshot,
    source_features: NDArray[np.floating],
    target_features: NDArray[np.floating],
    source_confidence: NDArray[np.floating],
    target_confidence: NDArray[np.floating],
    report: ProgressCallback = silent,
) -> Match:
    """Match two shapes by their features alone, as they are: arguments, result and errors as :func:`match`."""
    _check(source, source_features, source_confidence)
    _check(target, target_features, target_confidence)
    _check_widths(source, target, source_features, target_features)
    report("Comparing features", 0)
    basis = pca.basis([source_features, target_features])
    one = _side(source, pca.project(basis, source_features), source_confidence)
    two = _side(target, pca.project(basis, target_features), target_confidence)
    return _between(one, two, report)


def _between(one: Side, two: Side, report: ProgressCallback, finer: Callable[..., SurfaceMap] | None = None) -> Match:
    to_source, source_quality = find(two, one, report, "Matching target to source")
    to_target, target_quality = find(one, two, report, "Matching source to target")

    def believed() -> Match:
        there = _trusted(to_source, source_quality, to_target, two, one)
        back = _trusted(to_target, target_quality, to_source, one, two)
        return Match(there, back, one.faces, two.faces)

    if finer:
        so_far, ends = believed(), ((one.vertices, one.faces), (two.vertices, two.faces))
        to_source = finer(ends[1], ends[0], so_far.to_source, report)
        to_target = finer(ends[0], ends[1], so_far.to_target, report)
    return believed()


def find(
    domain: Side, surface: Side, report: ProgressCallback = silent, stage: str = "Matching", proxies: int = PROXIES
) -> tuple[SurfaceMap, NDArray[np.float32]]:
    """For every vertex of ``domain``, the point on ``surface`` with the nearest feature.

    Args:
        domain: the shape whose vertices ask.
        surface: the shape that answers.
        report, stage: what is told while working.
        proxies: most references that every query is compared with.

    Returns:
        the map, with the features' own confidence (the factor sqrt(f g) of :func:`match`), and the quality of the
        answers, float32 (V,) in [0, 1] (the factor sqrt(a (1 + m) / 2)).
    """
    usable = surface.usable
    sample = spread(surface.vertices, surface.faces, usable, proxies)
    places = surface.vertices
    radius = NEIGHBORHOOD * surface.size
    index, cosine, rival = nearest(domain.features, surface.features[sample], places[sample], radius, report, stage)
    index = sample[index]
    if len(sample) < len(usable):
        index, cosine = climb(domain.features, index, surface.features, places, usable)
    report(stage, 1)
    known = np.zeros(len(places), bool)
    known[usable] = True
    candidates = np.flatnonzero(known[surface.faces].any(axis=1))
    face, barycentric, _ = precise(domain.features, index, surface.features, surface.faces[candidates])
    face = candidates[face]
    corners = surface.faces[face]
    points = np.einsum("vk,vkd->vd", barycentric, places[corners])
    closest = np.linalg.norm(places[corners] - points[:, None], axis=2).argmin(axis=1)[:, None]
    vertex = np.take_along_axis(corners, closest, axis=1)[:, 0]
    seen = np.einsum("vk,vk->v", barycentric, surface.confidence[corners])
    found = SurfaceMap(
        face.astype(np.int32),
        barycentric.astype(np.float32),
        vertex.astype(np.int32),
        np.sqrt(domain.confidence * seen).astype(np.float32),
    )
    agreement = np.clip(cosine, 0, 1)
    margin = np.clip((agreement - rival) / np.maximum(1 - rival, 1e-6), 0, 1)
    return found, np.sqrt(agreement * (1 + margin) / 2)


def _side(snapshot: Snapshot, features: NDArray[np.float32], confidence: NDArray[np.floating]) -> Side:
    known = np.where(features.any(axis=1), np.clip(confidence, 0, 1), 0)
    return Side(snapshot.vertices.astype(np.float64), snapshot.faces, unit_rows(features), known.astype(np.float32))


def _trusted(
    there: SurfaceMap, quality: NDArray[np.float32], back: SurfaceMap, domain: Side, surface: Side
) -> SurfaceMap:
    """The map with its final confidence: quality and round trip taken in."""
    returned = there.pull(back.pull(domain.vertices, domain.faces), surface.faces)
    trip = np.linalg.norm(returned - domain.vertices, axis=1) / domain.size
    odds = BASE + QUALITY * np.log(np.maximum(quality, 1e-6)) - TRIP * np.sqrt(trip)
    confidence = np.where(there.confidence > 0, 1 / (1 + np.exp(-odds)), 0)
    return SurfaceMap(there.face, there.barycentric, there.vertex, confidence.astype(np.float32))


def _pairs(source: Snapshot, target: Snapshot, pairs: NDArray[np.integer] | None) -> Indices:
    """The point pairs, int64 (N, 2); raises InputError ``pairs-vertex``."""
    given = np.asarray(np.empty((0, 2)) if pairs is None else pairs, np.int64).reshape(-1, 2)
    for end, column in ((source, given[:, 0]), (target, given[:, 1])):
        wrong = column[(column < 0) | (column >= len(end.vertices))]
        wrong = wrong if len(wrong) else column[~np.isin(column, end.faces)]
        if len(wrong):
            raise InputError(
                "pairs-vertex",
                f"“{end.name}” has no vertex {wrong[0]} on its surface, which a point pair names.",
                "Pick the point again.",
            )
    return given


def _pin(found: Match, pairs: Indices) -> None:
    """Send the vertices of point pairs exactly to each other."""
    for one, faces, asks, answers in (
        (found.to_source, found.source_faces, pairs[:, 1], pairs[:, 0]),
        (found.to_target, found.target_faces, pairs[:, 0], pairs[:, 1]),
    ):
        for ask, answer in zip(asks, answers, strict=True):
            face, corner = np.argwhere(faces == answer)[0]
            one.face[ask], one.vertex[ask], one.confidence[ask] = face, answer, 1
            one.barycentric[ask] = np.arange(3) == corner


def _notes(aligned: Alignment, source: str, target: str, flip: bool, guided: bool) -> dict[str, Any]:
    """What is to be said of the sides, for programs and for people."""
    sentences = []
    sided = aligned.mirrored is not None
    ambiguous = aligned.ambiguous and not (guided or flip)
    if ambiguous and sided:
        sentences.append("Left and right are a guess: if they are exchanged, flip the match or give a point pair.")
    several = [name for name, found in zip((source, target), aligned.several, strict=True) if found]
    without = [name for name, found in zip((source, target), aligned.mirrors, strict=True) if not found]
    if several:
        names = " and ".join(f"“{name}”" for name in several)
        sentences.append(f"More than one symmetry was found on {names}: point pairs say which answer is meant.")
    elif without:
        names = " and ".join(f"“{name}”" for name in without)
        sentences.append(f"No mirror symmetry was found on {names}: matched without it.")
    if flip and not sided:
        sentences.append("So there is nothing to flip.")
    return {
        "orientation": aligned.orientation,
        "orientation_flipped": aligned.mirrored,
        "sided": sided,
        "ambiguous": ambiguous,
        "several_symmetries": several,
        "flipped": flip and sided,
        "sentences": sentences,
    }


def _check(shape: Snapshot, features: NDArray[np.floating], confidence: NDArray[np.floating]) -> None:
    shape.check()
    if features.ndim != 2 or len(features) != len(shape.vertices) or np.shape(confidence) != (len(features),):
        raise InputError(
            "features-mesh",
            f"The features do not belong to “{shape.name}”: {len(features)} rows for {len(shape.vertices)} vertices.",
            "Compute them again.",
        )
    if not (np.isfinite(features).all() and np.isfinite(confidence).all()):
        raise InputError("features-nan", f"Some features of “{shape.name}” are not numbers.", "Compute them again.")


def _check_widths(
    source: Snapshot,
    target: Snapshot,
    source_features: NDArray[np.floating],
    target_features: NDArray[np.floating],
) -> None:
    if source_features.shape[1] != target_features.shape[1]:
        raise InputError(
            "features-differ",
            f"“{source.name}” has features of {source_features.shape[1]} channels, “{target.name}” of "
            f"{target_features.shape[1]}.",
            "Compute both with the same settings.",
        )
