"""Confidence of a match: the chance that a vertex's answer is right."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..data.surface_map import Match, SurfaceMap
from .feature_map import FeatureSurface


@dataclass(frozen=True)
class ConfidenceSettings:
    """The law of confidence, sigmoid(base + quality log q - round_trip sqrt(d)).

    Fitted on 17 pairs of the correspondence benchmark (TOSCA, people, heads). Calibration error, each pair left out in
    turn: 0.02 over all vertices, 0.01 to 0.06 on pairs without exchanged sides, 0.15 to 0.19 on the two with a quarter
    of the vertices on the wrong side.
    """

    base: float = 3.8
    quality: float = 7.2
    round_trip: float = 8.0


@dataclass(frozen=True)
class LaidConfidenceSettings:
    """The law of confidence, sigmoid(base - distance d - mean_distance D + margin log m - round_trip sqrt(r)).

    d is the distance of a vertex to its answer in space, normal and features together, D the mean of min(d, most) over
    the surface, m = 1 - d / d' with the distance d' to the best answer elsewhere, and r how far the way there and back
    leads from the vertex, in square roots of the area. Fitted on 31 pairs (TOSCA, people, 18 of game characters, where
    a vertex is right if more than half of its skinning weight is), but for the round trip, which says nothing there and
    is chosen for maps that are wrong as a whole.
    """

    base: float = 5.2
    distance: float = 1.4
    mean_distance: float = 5.7
    most: float = 1.5
    margin: float = 0.6
    round_trip: float = 2.0


JOINT_CONFIDENCE = LaidConfidenceSettings(base=4.0, distance=0.5, mean_distance=1.8, margin=0.4, round_trip=0.4)
"""The same law where joints have led the match, so that it is not wrong as a whole. Fitted on 33 pairs of game
characters with known rigs, a point being right on its own bone or a neighbor; each family left out in turn, what is
told differs from the share that is right by 0.04 on average, with the law for other matches by 0.13."""


@dataclass(frozen=True)
class FormConfidenceSettings:
    """The law of confidence where a start by form led to the answer: the chance that the map is right as a whole,
    sigmoid((distance - D) / spread), times that of a point on a right map, sigmoid(base + margin log m).

    D is the distance of the rough surfaces, features counting as little as when they were laid on, and m as in
    :class:`LaidConfidenceSettings`. Between bodies that look unlike, how far features differ
    tells of the styles, not of the answers: 0.08 to 0.3 was told where 0.8 to 0.9 of the points were right. Measured on
    33 pairs of people, cartoons and animals, a point being right on its own part of the body: within a map hardly
    anything tells right from wrong (area under the curve 0.64 for m, 0.53 to 0.59 for distances, normals, features and
    the round trip). Base and margin are fitted on 17 of them; distance and spread are chosen: D is 0.42 to 0.62 where
    at least 0.75 of the points are right, 0.65 and 0.66 where weapons lead a part of them away, 0.77 and 0.80 where the
    map is wrong.
    """

    base: float = 2.4
    margin: float = 0.45
    distance: float = 0.7
    spread: float = 0.03


def calibrated(
    forth: SurfaceMap,
    quality: NDArray[np.float32],
    back: SurfaceMap,
    domain: FeatureSurface,
    surface: FeatureSurface,
    settings: ConfidenceSettings = ConfidenceSettings(),
) -> SurfaceMap:
    """Return a map with its final confidence, which takes in the quality of the answers and the round trip.

    Args:
        forth: the map from ``domain`` to ``surface``; where its confidence is 0, the result's is, too.
        quality: float32 (V,), of the answers, as :func:`meshkin.matching.feature_map.map_by_features` returns it.
        back: the map from ``surface`` to ``domain``.
        domain, surface: the two surfaces.
        settings: the law.
    """
    returned = forth.pull(back.pull(domain.vertices, domain.faces), surface.faces)
    distance = np.linalg.norm(returned - domain.vertices, axis=1) / domain.size
    log_quality = np.log(np.maximum(quality, 1e-6))
    log_odds = settings.base + settings.quality * log_quality - settings.round_trip * np.sqrt(distance)
    confidence = np.where(forth.confidence > 0, 1 / (1 + np.exp(-log_odds)), 0)
    return replace(forth, confidence=confidence.astype(np.float32))


def scale_confidence(match: Match, factor: float) -> None:
    """Multiply the confidence of a match, in place; by a half where another answer may be as good."""
    for surface_map in (match.to_source, match.to_target):
        surface_map.confidence[:] *= factor


def misfit(match: Match) -> float:
    """Return how badly the surfaces of a match lie on each other: their distance, times how they were stretched for it.

    Infinite for shapes too small to be laid onto each other. Measured on a bust against a longer one and a whole body:
    0.36 and 0.37 of the wholes' for the right crop.
    """
    return float(match.notes.get("distance", np.inf) * match.notes.get("strain", 1.0))
