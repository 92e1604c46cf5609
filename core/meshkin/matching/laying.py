"""Laying one surface onto another."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial import cKDTree

from ..base.progress import ProgressCallback, silent
from ..geometry.arrays import Floats
from ..geometry.mesh import edges
from .alignment import Alignment
from .compared_surfaces import ComparedSurface
from .confidence import FormConfidenceSettings, LaidConfidenceSettings
from .part_laying import PartLayingSettings, lay_parts_afresh
from .registration import (
    LaidMesh,
    RegisteredMesh,
    RegistrationSettings,
    Start,
    different_answers,
    is_apart,
    lay_finely,
    lay_onto,
    nearest_alike,
    start_from_map,
    surface_distance,
)
from .surfaces import Guidance
from .upright import UprightPlacing, UprightSettings, form, upright_placings


@dataclass(frozen=True)
class LayingSettings:
    """How surfaces are laid onto each other and matched then. Its own values are chosen.

    Attributes:
        fine: vertices of the meshes on which surfaces are laid onto each other in the end, at most about.
        interpolated: points of the rough mesh from which a point of the fine mesh takes its place at first.
        samples: vertices that every vertex is compared with, at most about.
        rivals: of these, how many are looked at for a second answer, at most.
        neighborhood: radius within which points count as the same answer, in square roots of the area.
        place_gain: how many times more places count when points are matched than when results are compared. Measured on
            nine pairs of characters: 2 leads 1 % of the error of skinning weights away beside 1; with 4 it comes back.
        map_handicap: factor of the distance of what the map led to, when results are compared. Maps exchange limbs,
            which nothing that stands upright does. Measured: 0.97 of the upright ones' where the map exchanges wings
            (two birds), 0.82 where only the map finds the pose (two cats).
        sure_map_handicap: the same for a map that keeps the orientation of at least ``sure_orientation`` of the
            triangles. Measured: such a map is right where another way comes up to 1.2 % nearer (two horses, two women
            of TOSCA); 0.98 leaves the error of seven pairs of characters as it is.
        sure_orientation: measured: 0.80 where a map exchanges wings, 0.86 and 0.89 where it alone is right.
        warp_gain: a warp is tried if it brings a start to at most this share of its distance. Measured: 0.45 to 0.87
            between bodies of other proportions, 0.88 to 1 between alike ones. A ball must not slide around itself.
        unwarped_handicap: factor for what is laid on without its warp. Measured: 0.992 of the warped one's where that
            alone is right (a giant head), 0.978 where the warp misleads (arms lowered in one pose, spread in another).
        form_handicap: factor for what is warped by its form alone. Measured on 27 pairs of characters, of which ten
            were not used to choose any value: where it comes to lie at most 4.4 % farther than what starts elsewhere,
            up to nine times as many points come to the right part; at 5.7 % farther as many (two kaijus).
        form_feature_weight: what features weigh, beside places, where a start by form is laid on, and where results are
            compared with it. Measured on eight pairs of people and cartoons: with 1 the registration leads points away
            from the right part of the body, 66 % > 47 % on the mean, with 0.15 to 0.3 to it, > 71 %.
        features_instead: where features lead the same way round as form does, and at most this many times as far, they
            are followed: they tell more of the details. Measured: up to 1.015 with 0.02 to 0.26 less error of skinning
            weights (dinosaurs, foxes, two people with large heads), from 1.05 on with fewer points on the right part.
        unlike: distance of what comes nearest from which on form is tried: where shapes look alike, features tell more.
            Measured: 0.3 to 0.8 between shapes that are found without, 0.83 to 1.3 where form helps.
        turned_handicap: factor for what is turned about the vertical axis: most characters face the same way.
        form_turned_handicap: the same for what is warped by its form alone, where feet do not tell the way. Measured: a
            person turned around comes up to 2.2 % nearer than the right way.
        away_handicap: the same where the feet point the other way than the target's. Measured: what is turned around so
            comes up to 4.7 % nearer than the right way, between bodies with hardly a feature in common; where the feet
            mislead (a panda), the right way is 9 % nearer.
        clear_by_form: what started by form is clearly better than another answer if its distance is at most this share
            of the other's, with the handicaps, so that feet count. Measured on 33 such pairs: the answers of all whose
            next one is farther off lie the right way round; two wrong ones have another at 0.97 and 0.98, seven right
            ones at 0.95 to 0.97.
        hopeful: what is at most this many times as far as the nearest is laid on once more without its warp.
        parts: of laying hands onto each other afresh.
        upright: of bringing shapes that stand upright onto each other.
        registration: of meshes.
        confidence: the law of confidence.
        form_confidence: the same where a start by form led to the answer.
    """

    fine: int = 20_000
    interpolated: int = 4
    samples: int = 20_000
    rivals: int = 1_500
    neighborhood: float = 0.1
    place_gain: float = 2.0
    map_handicap: float = 1.05
    sure_map_handicap: float = 0.98
    sure_orientation: float = 0.85
    warp_gain: float = 0.9
    unwarped_handicap: float = 1.015
    form_handicap: float = 0.95
    form_feature_weight: float = 0.2
    features_instead: float = 1.03
    unlike: float = 0.8
    turned_handicap: float = 1.01
    form_turned_handicap: float = 1.03
    away_handicap: float = 1.06
    clear_by_form: float = 0.95
    hopeful: float = 1.1
    parts: PartLayingSettings = field(default_factory=PartLayingSettings)
    upright: UprightSettings = field(default_factory=UprightSettings)
    registration: RegistrationSettings = field(default_factory=RegistrationSettings)
    confidence: LaidConfidenceSettings = field(default_factory=LaidConfidenceSettings)
    form_confidence: FormConfidenceSettings = field(default_factory=FormConfidenceSettings)

    @property
    def registration_by_form(self) -> RegistrationSettings:
        """Of meshes whose features have little in common."""
        return replace(self.registration, feature_weight=self.form_feature_weight)


@dataclass(frozen=True)
class Laying:
    """How the source was laid onto the target.

    Attributes:
        places: float64 (V, 3), where the source's vertices come to lie, in the target's frame.
        sense: 1, or -1 if the source was mirrored.
        distance: mean distance of the surfaces to each other in space, normals and features together.
        strain: mean absolute logarithm of how edges were stretched, beside most.
        rivals: how many other answers were about as near.
        upright: whether a start that stands upright led to this answer, not only the map.
        form_distance: as ``distance``, features counting as little as where surfaces are laid on by their form; None if
            no start by form led to this answer.
        by_joints: whether joints that are known led to it.
    """

    places: Floats
    sense: int
    distance: float
    strain: float
    rivals: int
    upright: bool
    form_distance: float | None = None
    by_joints: bool = False


def lay(
    source: ComparedSurface,
    target: ComparedSurface,
    alignment: Alignment,
    guidance: Guidance,
    report: ProgressCallback = silent,
    settings: LayingSettings = LayingSettings(),
) -> Laying:
    """Lay the source onto the target.

    Bending does not turn a surface inside out, so left stays left. Where the user's point pairs say otherwise, the
    source's mirror image is laid on. With ``flip`` another answer is taken that is about as near, or if there is none
    the mirror image. That starts from the map alone, if it tells left from right: turned around, the mirror image would
    exchange front and back.

    Args:
        source, target: the surfaces.
        alignment: gives the maps of the rough meshes to start from, beside the starts that stand upright.
        guidance: the user's point pairs and choice of the other answer.
        report: is told the share that is done; may raise Cancelled.
        settings: of all stages.
    """
    rounds = itertools.count(1)

    def tick() -> None:
        report("Laying the surfaces on each other", 1 - 0.98 ** next(rounds))

    registration, measured = settings.registration, settings
    if len(guidance.pairs):  # they count as features do
        settings = replace(settings, form_feature_weight=registration.feature_weight)
    if len(guidance.pairs) and alignment.mirrored is not None and alignment.orientation < 0.5 < alignment.mirrored:
        source = source.mirrored()
    sided = alignment.mirrored is not None
    upright = source.sense > 0 or not sided
    is_sure = alignment.orientation >= settings.sure_orientation
    handicap = settings.sure_map_handicap if is_sure else settings.map_handicap
    others = alignment.others if source.sense > 0 and not len(guidance.pairs) else ()
    starts = [
        start_from_map(source.rough, target.rough, to_target, registration, handicap)
        for to_target in (alignment.to_target, *others)
    ]
    results = _results(source, target, starts, upright, tick, settings)
    rivals, about_as_near = _rivals(results, settings), different_answers(results, registration)
    best = results[0]
    if guidance.flip and (rivals or about_as_near):
        best = (rivals or about_as_near)[0]
    elif guidance.flip:
        source = source.mirrored()
        ends = source.rough, target.rough
        start = start_from_map(*ends, alignment.to_target_flipped, registration, settings.map_handicap)
        results = _results(source, target, [start], not sided, tick, settings)
        best = results[0]
    best = nearest_alike(best, results, registration)
    near = _interpolated(best.points, source.rough.points, source.fine.points, settings.interpolated)
    closely = settings.registration_by_form if best.start.by_form else registration
    fine = lay_finely(source.fine, target.fine, Start(near, source.fine.points), tick, closely)
    fine = lay_parts_afresh(source.fine, target.fine, fine, tick, registration, settings.parts)
    is_upright = any(result.start.upright and not is_apart(best, result, registration) for result in results)
    return _measured(source, target, best, fine, (len(rivals), is_upright), measured)


def _measured(
    source: ComparedSurface,
    target: ComparedSurface,
    best: LaidMesh,
    fine: Floats,
    answers: tuple[int, bool],
    settings: LayingSettings,
) -> Laying:
    """The laying that came of a result, with its fine mesh at (P, 3), and of the answers how many others there were and
    whether one stood upright."""
    distance, form_distance = (
        surface_distance(source.rough, target.rough, best.points, registration)
        for registration in (settings.registration, settings.registration_by_form)
    )
    strain = strain_of(source.rough, best.points)
    by_form = form_distance if best.start.by_form else None
    return Laying(np.asarray(source.prolong @ fine), source.sense, distance, strain, *answers, by_form)


def _results(
    source: ComparedSurface,
    target: ComparedSurface,
    from_maps: list[Start],
    upright: bool,
    tick: Callable[[], None],
    settings: LayingSettings,
) -> list[LaidMesh]:
    """The rough meshes laid onto each other from the maps and, if asked, from where they stand upright, nearest first.

    Every turn is tried as it is warped, if the warp alone brings it much nearer. What comes near then is laid on once
    more without the warp, which misleads where poses differ: from where it lies already, and from where it stood.
    """
    meshes, registration, own = (source.rough, target.rough), settings.registration, source.rough.points
    results = [lay_onto(*meshes, start, tick, registration) for start in from_maps]
    warped: list[tuple[LaidMesh, Start]] = []
    for number, placing in enumerate(upright_placings(*meshes, settings.upright) if upright else ()):
        turned = _turned_handicap(number, placing, settings)
        bent, straight = placing.carried(own), placing.unwarped().carried(own)
        apart, straight_apart = (surface_distance(*meshes, points, registration) for points in (bent, straight))
        if apart > settings.warp_gain * straight_apart:
            results.append(lay_onto(*meshes, Start(straight, own, handicap=turned), tick, registration))
            continue
        stood = Start(straight, own, handicap=turned * settings.unwarped_handicap)
        warped.append((lay_onto(*meshes, Start(bent, bent, handicap=turned), tick, registration), stood))
    nearest = min(result.distance for result in (*results, *(result for result, _ in warped)))
    for result, stood in warped:
        if result.distance <= settings.hopeful * nearest:
            results.append(lay_onto(*meshes, stood, tick, registration))
            lies = Start(result.points, own, handicap=result.start.handicap)
            results.append(lay_onto(*meshes, lies, tick, registration, first_stage=1))
    nearest = min(result.distance for result in results)
    if upright and nearest > settings.unlike:
        by_form = settings.registration_by_form
        results = [replace(one, distance=surface_distance(*meshes, one.points, by_form)) for one in results]
        results += [lay_onto(*meshes, start, tick, by_form) for start in _starts_by_form(*meshes, settings)]
    return _features_first(*meshes, sorted(results, key=lambda one: one.distance * one.start.handicap), settings)


def _features_first(
    source: RegisteredMesh, target: RegisteredMesh, results: list[LaidMesh], settings: LayingSettings
) -> list[LaidMesh]:
    """The results, before one by form the nearest by features that lies about as near, the same way round."""
    best, registration = results[0], settings.registration
    near = [one for one in results if one.distance <= settings.features_instead * best.distance]
    alike = [one for one in near if not one.start.by_form and not is_apart(best, one, registration)]
    if not best.start.by_form or not alike:
        return results
    nearest = min(alike, key=lambda one: surface_distance(source, target, one.points, registration))
    return [nearest, *(one for one in results if one is not nearest)]


def _rivals(results: list[LaidMesh], settings: LayingSettings) -> list[LaidMesh]:
    """Those of the results, nearest first, that are another answer than the first one and may be right as well."""
    best, registration = results[0], settings.registration
    if not best.start.by_form:
        return different_answers(results, registration)
    clear = best.distance * best.start.handicap / settings.clear_by_form
    near = [one for one in results if one.distance * one.start.handicap < clear]
    return [one for one in near if is_apart(best, one, registration)]


def _starts_by_form(source: RegisteredMesh, target: RegisteredMesh, settings: LayingSettings) -> list[Start]:
    """Where the source stands upright in every turn, warped by its form alone."""
    placings = upright_placings(source, target, settings.upright, form)
    if not any(placing.is_away for placing in placings):
        settings = replace(settings, turned_handicap=settings.form_turned_handicap)
    starts = []
    for number, placing in enumerate(placings):
        places = placing.carried(source.points)
        handicap = settings.form_handicap * _turned_handicap(number, placing, settings)
        starts.append(Start(places, places, by_form=True, handicap=handicap))
    return starts


def _turned_handicap(number: int, placing: UprightPlacing, settings: LayingSettings) -> float:
    """The handicap of the turn of this number; the first one is as both stand."""
    if placing.is_away:
        return settings.away_handicap
    return settings.turned_handicap if number else 1.0


def strain_of(mesh: RegisteredMesh, points: Floats) -> float:
    """The mean absolute logarithm of how edges of a mesh were stretched when its points came to (P, 3), beside most."""
    start, end = edges(mesh.faces).T
    before, after = (np.linalg.norm(places[start] - places[end], axis=1) for places in (mesh.points, points))
    usual = float(np.median(before))  # very short edges say little
    stretch = np.log((after + usual) / (before + usual))
    return float(np.abs(stretch - np.median(stretch)).mean())


def _interpolated(values: Floats, known: Floats, points: Floats, count: int) -> Floats:
    """Values (N, C) at points (N, 3), interpolated between the values (P, C) of the nearest known points (P, 3)."""
    distance, index = cKDTree(known).query(points, k=np.arange(1, min(count, len(known)) + 1))
    weights = 1 / (distance + 1e-9)  # a point that is one of the known ones takes its value
    return np.asarray(np.einsum("vk,vkc->vc", weights / weights.sum(axis=1, keepdims=True), values[index]))
