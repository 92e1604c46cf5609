"""The matcher: from two shapes with features to a map between their surfaces, both ways."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..base.progress import ProgressCallback, silent
from ..data.surface_map import Match
from ..features.joint import IntrinsicColumns
from ..geometry.arrays import AnyFloats, Integers
from ..geometry.laplacian import single_thread
from ..spectral import pca
from ..spectral.eigenbasis import EigenbasisSettings, SpectralMesh, with_features
from ..spectral.similarity import spectral_similarity
from .alignment import AlignmentSettings, align, pair_hints
from .bodies import Body, in_own_winding
from .close_ups import CloseUpSettings, with_close_ups
from .compared_surfaces import ComparedSurface
from .confidence import ConfidenceSettings, calibrated, misfit, scale_confidence
from .feature_map import FeatureSurface, SearchSettings, map_by_features
from .joint_laying import in_frame_of, lay_by_joints
from .laid_maps import match_laid
from .laying import Laying, LayingSettings, lay
from .notes import joint_notes, match_notes, with_two_places_noted
from .partial import Crop, PartialSettings, crops
from .stray_ends import StrayEndSettings, with_stray_ends_held
from .surfaces import DescribedSurface, Guidance, check_both, checked_pairs

MATCHER_VERSION = "laid-15"
"""Changes whenever shapes would be matched otherwise and give another map: part of the maps' keys in the cache."""
JOINTS_VERSION = "joints-3"
"""The same for maps that start from known joints."""


@dataclass(frozen=True)
class MatchSettings:
    """All settings of :func:`match`. Its own values are chosen.

    Attributes:
        components: principal components of the features that are compared.
        fewest_eigenfunctions: shapes with fewer are matched by their features alone.
        least_intrinsic_gain: factor of channels that only describe intrinsic geometry, between shapes that have little
            of it in common; up to 1 for the same shape.
        search_weights: weight of the features against the eigenfunctions in the search for maps, between shapes whose
            intrinsic geometry differs and between shapes that are the same but for bending.
        final_weights: the same for the last refinement of the first map. Eigenfunctions tell the parts of similar
            shapes apart better, features what is as small as fingers.
        partial_below: shapes whose spectral similarity is lower may be part and whole.
        misfit_ratio: a map is clearly better than another if its misfit is at most this share of the other's. Crops
            have to be: they are matched as bent copies, which makes their maps better.
        eigenbasis: of the eigenfunctions.
        search: of points by features.
        alignment: of bringing both shapes into one space.
        partial: of looking for a part on a whole.
        laying: of laying the surfaces onto each other.
        laid_power: of the similarity, to which channels of intrinsic geometry count once the surfaces are laid onto
            each other. Measured: between characters of unlike build they mislead, between poses of one body they help.
        ends: of ends that were laid onto another part.
        close_ups: of laying heads onto each other closely; None leaves that out.
        confidence: the law of confidence for maps by features alone.
    """

    components: int = 32
    fewest_eigenfunctions: int = 20
    least_intrinsic_gain: float = 0.15
    search_weights: tuple[float, float] = (1.6, 0.5)
    final_weights: tuple[float, float] = (1.6, 1.0)
    partial_below: float = 0.6
    misfit_ratio: float = 0.5
    eigenbasis: EigenbasisSettings = field(default_factory=EigenbasisSettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    alignment: AlignmentSettings = field(default_factory=AlignmentSettings)
    partial: PartialSettings = field(default_factory=PartialSettings)
    laying: LayingSettings = field(default_factory=LayingSettings)
    laid_power: float = 2.0
    ends: StrayEndSettings = field(default_factory=StrayEndSettings)
    close_ups: CloseUpSettings | None = field(default_factory=CloseUpSettings)
    confidence: ConfidenceSettings = field(default_factory=ConfidenceSettings)


def match(
    source: DescribedSurface,
    target: DescribedSurface,
    report: ProgressCallback = silent,
    *,
    pairs: NDArray[np.integer] | None = None,
    flip: bool = False,
    intrinsic: Sequence[IntrinsicColumns] = (),
    settings: MatchSettings = MatchSettings(),
) -> Match:
    """Match two shapes by their features, both ways.

    1. The shapes are mended (:class:`meshkin.matching.bodies.Body`) and matched as wholes (:func:`_match_as_they_are`).
    2. If their spectra differ and one of them is cut off, the other is also cropped to what is similar to it
       (:func:`meshkin.matching.partial.crops`) and matched as if the two were the same but for bending. The result is
       taken if it is clearly better.
    3. If two crops apart from each other are about as good (a lone arm), the match says so, and ``flip`` takes the
       other.

    The confidence of a vertex is the chance that its answer is right: within 5 % of the square root of the area of the
    true one. Of a vertex whose features are unknown, position and normal tell the answer; one without confidence is no
    answer. It is half where left and right, the way a shape faces, or the place of a part are a guess, or where a shape
    has several symmetries.

    Args:
        source, target: the two shapes with their features, which have the same C channels.
        report: is told what is being done; may raise Cancelled.
        pairs: int (N, 2), a source and a target vertex each, that correspond: they are matched exactly, and serve as
            hints for what lies around them and for left and right.
        flip: take the other answer: another way in which one lies about as well on the other, else left for right; or
            the other place if a part fits two.
        intrinsic: which channels only describe the surface's intrinsic geometry; they count as far as the
            shapes are the same but for bending.
        settings: of all stages.

    Raises:
        InputError: as :meth:`Snapshot.check`; ``features-mesh`` (not a row for each vertex), ``features-differ`` (not
            the same channels), ``features-nan``, ``pairs-vertex`` (a pair names a vertex that is not there).
    """
    check_both(source, target)
    guidance = Guidance(checked_pairs(source, target, pairs), flip)
    # The matrices are small: where other programs use the processor too, BLAS's threads wait for each other many times
    # as long as they compute; where none do, they hardly gain.
    with single_thread():
        bodies = Body.mended(source), Body.mended(target)
        result, similarity = _match_as_they_are(*bodies, guidance, intrinsic, report, settings)
        if similarity < settings.partial_below:
            shapes = bodies[0].shape, bodies[1].shape
            result = _better_as_crop(result, *shapes, guidance, intrinsic, report, settings)
        return in_own_winding(result, *bodies)


def _better_as_crop(
    whole: Match,
    source: DescribedSurface,
    target: DescribedSurface,
    guidance: Guidance,
    intrinsic: Sequence[IntrinsicColumns],
    report: ProgressCallback,
    settings: MatchSettings,
) -> Match:
    """Return the match of a crop of one shape with the other, if it is clearly better than that of the whole shapes.

    Args:
        whole: the match of the whole shapes, which is returned if no crop is better.
        source, target, guidance, intrinsic, report, settings: as :func:`match`.
    """
    surfaces = source, target

    def match_crop(crop: Crop, flip: bool) -> Match:
        guided = replace(guidance, flip=flip)
        ends = Body.as_it_is(crop.surfaces[0]), Body.as_it_is(crop.surfaces[1])
        cropped, _ = _match_as_they_are(*ends, guided, intrinsic, report, settings, similarity=1.0)
        return crop.lifted(cropped, surfaces[crop.index].snapshot.faces)

    candidates = crops(source, target, intrinsic, guidance.pairs, report, settings.partial)
    places = [(match_crop(crop, flip=False), crop) for crop in candidates]
    places.sort(key=lambda place: misfit(place[0]))
    if not places or misfit(places[0][0]) >= settings.misfit_ratio * misfit(whole):
        return whole
    (best, crop), *others = places
    rival = next((other for other, other_crop in others if crop.is_apart_from(other_crop, settings.partial)), None)
    if rival is not None and misfit(best) > settings.misfit_ratio * misfit(rival) and len(guidance.pairs) == 0:
        part, cropped = surfaces[1 - crop.index].name, surfaces[crop.index].name
        return with_two_places_noted(rival if guidance.flip else best, part, cropped, guidance.flip)
    return match_crop(crop, flip=True) if guidance.flip else best


def _match_as_they_are(
    source: Body,
    target: Body,
    guidance: Guidance,
    intrinsic: Sequence[IntrinsicColumns],
    report: ProgressCallback,
    settings: MatchSettings,
    similarity: float | None = None,
) -> tuple[Match, float]:
    """Match two shapes without cropping either of them.

    1. The Laplacian eigenfunctions of both shapes are computed. Shapes too small to have enough of them are compared
       by their features alone (:func:`match_features`).
    2. The features of both are reduced together to their principal components.
    3. A first map is found in a space of eigenfunctions and features (:func:`meshkin.matching.alignment.align`).
    4. The source is laid onto the target, starting from this map, from another one that is nearly as good, and from
       places where both stand upright (:func:`meshkin.matching.laying.lay`), and its hands once more for themselves.
    5. Every vertex finds the point that is nearest in space and features together, and gets its confidence
       (:func:`meshkin.matching.laid_maps.match_laid`). Limbs that were taken for others are matched again, heads laid
       onto each other closely, and the user's point pairs matched exactly.

    Where joints are known, the source is laid on from there instead of 3. and 4., unless the user asks for the other
    answer (:func:`meshkin.matching.joint_laying.lay_by_joints`). Nothing grows with the product of the vertex counts.

    Args:
        similarity: how similar the shapes' intrinsic geometry is, from 0 to 1; None to compare their spectra.
        source, target, guidance, intrinsic, report, settings: as :func:`match`.

    Returns:
        the match, and how similar the shapes' intrinsic geometry is (1 for shapes too small to say).
    """
    report("Finding smooth functions", 0)
    source_basis, source_prolong = source.spectral_mesh(settings.eigenbasis)
    report("Finding smooth functions", 0.5)
    target_basis, target_prolong = target.spectral_mesh(settings.eigenbasis)
    if min(len(source_basis.eigenvalues), len(target_basis.eigenvalues)) < settings.fewest_eigenfunctions:
        by_features = match_features(source.shape, target.shape, report, settings)
        _pin(by_features, guidance.pairs)
        return by_features, 1.0
    report("Comparing features", 0)
    bodies, meshes, prolong = (source, target), (source_basis, target_basis), (source_prolong, target_prolong)
    if similarity is None:
        similarity = spectral_similarity((source_basis.eigenvalues, target_basis.eigenvalues))
    channels = source.shape.features.shape[1]
    gain = _channel_gain(channels, intrinsic, similarity**settings.laid_power, settings)
    compared = _compared(bodies, meshes, prolong, guidance, gain, settings)
    if source.shape.posed is not None and not guidance.flip:
        similarity = 1.0
        laying = _laid_by_joints(bodies, compared, source.shape.posed, report, settings)
        notes = joint_notes(laying)
    else:
        rows = _reduced(bodies, _channel_gain(channels, intrinsic, similarity, settings), settings)
        bases = [with_features(mesh, own) for mesh, (own, _) in zip(meshes, rows, strict=True)]
        weights = _interpolate(settings.search_weights, similarity), _interpolate(settings.final_weights, similarity)
        alignment = align(bases[0], bases[1], prolong, weights, guidance, report, settings.alignment)
        laying = lay(*compared, alignment, guidance, report, settings.laying)
        notes = match_notes(alignment, laying, source.shape.name, target.shape.name, guidance)
    result = _match_laid(bodies, compared, laying, notes, report, settings)
    _pin(result, guidance.pairs)
    return result, similarity


def _compared(
    bodies: tuple[Body, Body],
    meshes: tuple[SpectralMesh, SpectralMesh],
    prolong: tuple[sparse.csr_array, sparse.csr_array],
    guidance: Guidance,
    gain: NDArray[np.float32],
    settings: MatchSettings,
) -> tuple[ComparedSurface, ComparedSurface]:
    """Return what is laid onto each other.

    Args:
        bodies, meshes, prolong: the shapes, the coarser meshes of their eigenfunctions, and the matrices from these to
            the shapes' vertices.
        guidance: gives the user's point pairs.
        gain: factor of each channel of the features.
        settings: of all stages.
    """
    hints = pair_hints(meshes, prolong, guidance, settings.alignment)
    source, target = (
        ComparedSurface.of(body, with_features(mesh, rows), own, (near, carry), settings.laying.fine)
        for body, mesh, (rows, own), near, carry in zip(
            bodies, meshes, _reduced(bodies, gain, settings), hints, prolong, strict=True
        )
    )
    return source, target


def _laid_by_joints(
    bodies: tuple[Body, Body],
    compared: tuple[ComparedSurface, ComparedSurface],
    posed: AnyFloats,
    report: ProgressCallback,
    settings: MatchSettings,
) -> Laying:
    """Return how the source lies that, posed onto the target's joints, lies at ``posed`` (V, 3)."""
    rounds = itertools.count(1)

    def tick() -> None:
        report("Laying the surfaces on each other", 1 - 0.95 ** next(rounds))

    places = in_frame_of(compared[1], bodies[1].shape.snapshot.vertices, posed)
    return lay_by_joints(*compared, places, tick, settings.laying)


def _match_laid(
    bodies: tuple[Body, Body],
    compared: tuple[ComparedSurface, ComparedSurface],
    laying: Laying,
    notes: dict[str, Any],
    report: ProgressCallback,
    settings: MatchSettings,
) -> Match:
    """Return the match of two bodies after one was laid onto the other, with its notes."""
    result = match_laid(*compared, laying, report, settings.laying)
    result, stray = with_stray_ends_held(result, *compared, laying, settings.ends)
    if settings.close_ups is not None:
        shapes = [(body.shape.snapshot.vertices.astype(np.float64), body.shape.snapshot.faces) for body in bodies]
        close = with_close_ups(shapes[0], shapes[1], result.to_source, result.to_target, report, settings.close_ups)
        result = replace(result, to_source=close[0], to_target=close[1])
    for surface_map, doubtful in zip((result.to_source, result.to_target), stray, strict=True):
        surface_map.confidence[doubtful] *= settings.ends.confidence
    if notes["ambiguous"]:
        scale_confidence(result, 0.5)
    return replace(result, notes=notes)


def match_features(
    source: DescribedSurface,
    target: DescribedSurface,
    report: ProgressCallback = silent,
    settings: MatchSettings = MatchSettings(),
) -> Match:
    """Match two shapes by their features alone, as they are; arguments, result and errors as :func:`match`."""
    check_both(source, target)
    report("Comparing features", 0)
    basis = pca.basis([source.features, target.features])
    source_surface, target_surface = (
        FeatureSurface.of(end.snapshot, pca.project(basis, end.features), end.confidence) for end in (source, target)
    )
    return _match_both_ways(source_surface, target_surface, report, settings)


def _channel_gain(
    width: int, intrinsic: Sequence[IntrinsicColumns], similarity: float, settings: MatchSettings
) -> NDArray[np.float32]:
    """Return the factor of each channel, (C,): less than 1 for channels of intrinsic geometry if it differs."""
    gain = np.ones(width, np.float32)
    is_intrinsic = np.any([np.zeros(width, bool), *(part.columns for part in intrinsic)], axis=0)
    if not is_intrinsic.all():
        gain[is_intrinsic] = max(similarity, settings.least_intrinsic_gain)
    return gain


def _reduced(
    bodies: tuple[Body, Body], gain: NDArray[np.float32], settings: MatchSettings
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return the joint principal components of both bodies' weighted features, of total variance 1.

    What is not known about a vertex (its features are all zero) becomes the mean, 0.

    Returns:
        for each body the rows of its surface, which eigenfunctions describe, and those of its shape.
    """
    components = pca.basis([body.surface.features * gain for body in bodies], settings.components)

    def reduced(surface: DescribedSurface) -> NDArray[np.float32]:
        known = surface.features.any(axis=1, keepdims=True)
        return np.asarray(pca.project(components, surface.features * gain) * known, np.float32)

    rows = [(reduced(body.surface), reduced(body.shape)) for body in bodies]
    variance = sum(float((described**2).sum(axis=1).mean()) for described, _ in rows) / 2
    scale = np.float32(np.sqrt(variance) or 1.0)
    return [(described / scale, own / scale) for described, own in rows]


def _interpolate(weights: tuple[float, float], similarity: float) -> float:
    """Interpolate between the weights for different and for similar shapes."""
    different, similar = weights
    return similar * similarity + different * (1 - similarity)


def _match_both_ways(
    source: FeatureSurface, target: FeatureSurface, report: ProgressCallback, settings: MatchSettings
) -> Match:
    """Map both surfaces to each other by their features."""
    to_source, source_quality = map_by_features(target, source, report, "Matching target to source", settings.search)
    to_target, target_quality = map_by_features(source, target, report, "Matching source to target", settings.search)
    law = settings.confidence
    return Match(
        calibrated(to_source, source_quality, to_target, target, source, law),
        calibrated(to_target, target_quality, to_source, source, target, law),
        source.faces,
        target.faces,
    )


def _pin(match: Match, pairs: Integers) -> None:
    """Match the vertices of point pairs exactly, in place."""
    for surface_map, faces, vertices, answers in (
        (match.to_source, match.source_faces, pairs[:, 1], pairs[:, 0]),
        (match.to_target, match.target_faces, pairs[:, 0], pairs[:, 1]),
    ):
        for vertex, answer in zip(vertices, answers, strict=True):
            face, corner = np.argwhere(faces == answer)[0]
            surface_map.face[vertex], surface_map.vertex[vertex], surface_map.confidence[vertex] = face, answer, 1
            surface_map.barycentric[vertex] = np.arange(3) == corner
