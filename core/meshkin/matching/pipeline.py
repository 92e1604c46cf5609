"""The matcher: from two shapes with features to a map between their surfaces, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..base.progress import ProgressCallback, silent
from ..data.surface_map import Match, SurfaceMap
from ..features import pca
from ..features.joint import IntrinsicColumns
from ..geometry.arrays import Integers
from ..geometry.laplacian import single_thread
from ..spectral.eigenbasis import EigenbasisSettings, SpectralMesh, with_features
from ..spectral.similarity import spectral_similarity
from .alignment import AlignmentSettings, align
from .bodies import Body, in_own_winding
from .close_ups import CloseUpSettings, with_close_ups
from .confidence import ConfidenceSettings, calibrated, doubt, halve
from .feature_map import FeatureSurface, SearchSettings, map_by_features
from .notes import alignment_notes, with_two_places_noted
from .partial import Crop, PartialSettings, crops
from .registration import RegistrationSettings, register
from .surfaces import DescribedSurface, Guidance, check_both, checked_pairs

MATCHER_VERSION = "spectral-20"
"""Changes whenever :func:`match` would give another map: part of the maps' keys in the cache."""


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
        final_weights: the same for the final map. Eigenfunctions tell the parts of similar shapes apart better,
            features what is as small as fingers.
        partial_below: shapes whose spectral similarity is lower may be part and whole.
        doubt_ratio: a map is clearly surer than another if its doubt is at most this share of the other's. Crops have
            to be: they are matched as bent copies, which makes their maps surer.
        eigenbasis: of the eigenfunctions.
        search: of points by features.
        alignment: of bringing both shapes into one space.
        partial: of looking for a part on a whole.
        registration: of laying the surfaces onto each other.
        close_ups: of laying heads onto each other closely; None leaves that out.
        confidence: the law of confidence.
    """

    components: int = 32
    fewest_eigenfunctions: int = 20
    least_intrinsic_gain: float = 0.15
    search_weights: tuple[float, float] = (1.6, 0.5)
    final_weights: tuple[float, float] = (1.6, 1.0)
    partial_below: float = 0.6
    doubt_ratio: float = 0.5
    eigenbasis: EigenbasisSettings = field(default_factory=EigenbasisSettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    alignment: AlignmentSettings = field(default_factory=AlignmentSettings)
    partial: PartialSettings = field(default_factory=PartialSettings)
    registration: RegistrationSettings = field(default_factory=RegistrationSettings)
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
       taken if it is clearly surer.
    3. If two crops apart from each other are about as good (a lone arm), the match says so, and ``flip`` takes the
       other.

    The confidence of a vertex is the chance that its answer lies within 5 % of the square root of the area of the true
    one. It is 0 where the features at the vertex or at its answer have none, and half where left and right, or the
    place of a part, are a guess, or where a shape has several symmetries.

    Args:
        source, target: the two shapes with their features, which have the same C channels.
        report: is told what is being done; may raise Cancelled.
        pairs: int (N, 2), a source and a target vertex each, that correspond: they are matched exactly, and serve as
            hints for what lies around them and for left and right.
        flip: take the other answer: left for right, or the other place if a part fits two.
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
    """Return the match of a crop of one shape with the other, if it is clearly surer than that of the whole shapes.

    Args:
        whole: the match of the whole shapes, which is returned if no crop is surer.
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
    places.sort(key=lambda place: doubt(place[0]))
    if not places or doubt(places[0][0]) >= settings.doubt_ratio * doubt(whole):
        return whole
    (best, crop), *others = places
    rival = next((other for other, other_crop in others if crop.is_apart_from(other_crop, settings.partial)), None)
    if rival is not None and doubt(best) > settings.doubt_ratio * doubt(rival) and len(guidance.pairs) == 0:
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
    3. Both shapes are brought into one space, which settles left and right and smooths
       (:func:`meshkin.matching.alignment.align`).
    4. In this space every vertex finds its most similar point (:func:`meshkin.matching.feature_map.map_by_features`).
    5. The surfaces are laid onto each other, so that fingers reach their tips
       (:func:`meshkin.matching.registration.register`), and heads closely
       (:func:`meshkin.matching.close_ups.with_close_ups`).
    6. The confidence is computed (:mod:`meshkin.matching.confidence`), and the user's point pairs are matched exactly.

    Nothing grows with the product of the vertex counts.

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
    if similarity is None:
        similarity = spectral_similarity((source_basis.eigenvalues, target_basis.eigenvalues))
    gain = _channel_gain(source.shape.features.shape[1], intrinsic, similarity, settings)
    bases = _with_reduced_features(source_basis, target_basis, source.surface, target.surface, gain, settings)
    weights = _interpolate(settings.search_weights, similarity), _interpolate(settings.final_weights, similarity)
    prolong = source_prolong, target_prolong
    alignment = align(*bases, prolong, weights, guidance, report, settings.alignment)
    result = _match_both_ways(
        _in_common_space(source.shape, alignment.source),
        _in_common_space(target.shape, alignment.target),
        report,
        settings,
        True,
    )
    notes = alignment_notes(alignment, source.shape.name, target.shape.name, guidance.flip, len(guidance.pairs) > 0)
    if notes["ambiguous"]:
        halve(result)
    _pin(result, guidance.pairs)
    return replace(result, notes=notes), similarity


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
    return _match_both_ways(source_surface, target_surface, report, settings, False)


def _channel_gain(
    width: int, intrinsic: Sequence[IntrinsicColumns], similarity: float, settings: MatchSettings
) -> NDArray[np.float32]:
    """Return the factor of each channel, (C,): less than 1 for channels of intrinsic geometry if it differs."""
    gain = np.ones(width, np.float32)
    is_intrinsic = np.any([np.zeros(width, bool), *(part.columns for part in intrinsic)], axis=0)
    if not is_intrinsic.all():
        gain[is_intrinsic] = max(similarity, settings.least_intrinsic_gain)
    return gain


def _with_reduced_features(
    source_basis: SpectralMesh,
    target_basis: SpectralMesh,
    source: DescribedSurface,
    target: DescribedSurface,
    gain: NDArray[np.float32],
    settings: MatchSettings,
) -> tuple[SpectralMesh, SpectralMesh]:
    """Return both bases with the joint principal components of the weighted features, of total variance 1."""
    weighted = source.features * gain, target.features * gain
    components = pca.basis(weighted, settings.components)
    reduced = [pca.project(components, features) for features in weighted]
    variance = sum(float((features**2).sum(axis=1).mean()) for features in reduced) / 2
    scale = np.float32(np.sqrt(variance) or 1.0)
    return with_features(source_basis, reduced[0] / scale), with_features(target_basis, reduced[1] / scale)


def _interpolate(weights: tuple[float, float], similarity: float) -> float:
    """Interpolate between the weights for different and for similar shapes."""
    different, similar = weights
    return similar * similarity + different * (1 - similarity)


def _in_common_space(surface: DescribedSurface, coordinates: NDArray[np.float32]) -> FeatureSurface:
    """Return the surface with its coordinates in the common space as features, 0 where nothing is known."""
    known = np.any(surface.features, axis=1, keepdims=True)
    return FeatureSurface.of(surface.snapshot, coordinates * known, surface.confidence)


def _match_both_ways(
    source: FeatureSurface, target: FeatureSurface, report: ProgressCallback, settings: MatchSettings, lay_on: bool
) -> Match:
    """Map both surfaces to each other by their features; with ``lay_on`` they are registered, too."""
    to_source, source_quality = map_by_features(target, source, report, "Matching target to source", settings.search)
    to_target, target_quality = map_by_features(source, target, report, "Matching source to target", settings.search)

    def with_confidence(to_source: SurfaceMap, to_target: SurfaceMap) -> Match:
        law = settings.confidence
        return Match(
            calibrated(to_source, source_quality, to_target, target, source, law),
            calibrated(to_target, target_quality, to_source, source, target, law),
            source.faces,
            target.faces,
        )

    match = with_confidence(to_source, to_target)
    if not lay_on:
        return match
    source_mesh, target_mesh = (source.vertices, source.faces), (target.vertices, target.faces)
    to_source = register(target_mesh, source_mesh, match.to_source, report, settings.registration)
    to_target = register(source_mesh, target_mesh, match.to_target, report, settings.registration)
    if settings.close_ups is None:
        return with_confidence(to_source, to_target)
    close = with_close_ups(source_mesh, target_mesh, to_source, to_target, report, settings.close_ups)
    return with_confidence(*close)


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
