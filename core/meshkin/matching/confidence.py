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
