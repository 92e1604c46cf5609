"""Where cameras stand: the published samplers of 3D-DST and even ones.

Source: 3D-DST (Ma et al., ICLR 2024), ``scripts/blender_render.py``. A camera stands at
``d (sin phi cos theta, sin phi sin theta, cos phi)``: azimuth theta from +X, polar angle phi from +Z. Each picture's
camera is drawn from the seed and the picture's number alone, so that machines can share the pictures of a set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.arrays import Floats

LENS, SENSOR = 35.0, 32.0
"""Focal length and width of the sensor of the published cameras, mm."""
DISTANCE_SPREAD = 0.5
"""Standard deviation of the published distance, in lengths of the longest side; cut off at one of it."""
_TRIES = 1000
"""Draws from a truncated normal before its middle is taken; chosen: never reached with the published ranges."""


@dataclass(frozen=True)
class CameraRange:
    """How azimuth and polar angle are drawn; degrees.

    Attributes:
        azimuth: least and largest, uniform.
        polar: mean and standard deviation of a normal, or None for a uniform polar angle; cut off at ``limits``.
        limits: of the polar angle.
    """

    azimuth: tuple[float, float]
    polar: tuple[float, float] | None
    limits: tuple[float, float] = (0.0, 180.0)


PUBLISHED_RANGES = {
    "dst1": CameraRange((0, 360), (90, 30)),
    "dst2": CameraRange((-195, 15), (90, 30)),
    "dst3": CameraRange((0, 360), (60, 20), (0, 195)),
    "dst4": CameraRange((-195, 15), (60, 20), (0, 195)),
    "dst5": CameraRange((0, 360), None),
}
"""The published modes."""


@dataclass(frozen=True)
class CameraDraw:
    """Where a camera stands around what it looks at.

    Attributes:
        azimuth, polar: degrees, see the module.
        distance: in lengths of the longest side of what it looks at.
    """

    azimuth: float
    polar: float
    distance: float

    @property
    def direction(self) -> Floats:
        """Unit vector (3,) from what is looked at to the camera."""
        theta, phi = np.radians((self.azimuth, self.polar))
        return np.array((np.sin(phi) * np.cos(theta), np.sin(phi) * np.sin(theta), np.cos(phi)))


def generator(seed: int, number: int, purpose: str = "") -> np.random.Generator:
    """The random numbers of one picture, for one purpose."""
    return np.random.default_rng([seed, number, *purpose.encode()])


def draw(sampler: str, number: int, seed: int, distance: float, spread: float, attempt: int = 0) -> CameraDraw:
    """Draw the camera of one picture.

    Args:
        sampler: one of :data:`PUBLISHED_RANGES`, or "sphere" for directions spread evenly over the sphere, "upper" for
            those from above the horizon.
        number: of the picture.
        seed: of the set.
        distance, spread: mean and standard deviation of the distance, in lengths of the longest side; a normal cut off
            at one standard deviation, at least a hundredth.
        attempt: how many cameras were drawn for this picture before.
    """
    random = generator(seed, number, f"attempt {attempt}" if attempt else "")
    if sampler in PUBLISHED_RANGES:
        chosen = PUBLISHED_RANGES[sampler]
        azimuth = random.uniform(*chosen.azimuth)
        polar = (
            random.uniform(*chosen.limits)
            if chosen.polar is None
            else truncated_normal(random, *chosen.polar, *chosen.limits)
        )
    else:
        azimuth = random.uniform(0, 360)
        polar = float(np.degrees(np.arccos(random.uniform(0 if sampler == "upper" else -1, 1))))
    away = truncated_normal(random, distance, spread, distance - spread, distance + spread)
    return CameraDraw(azimuth, polar, max(away, 0.01))


def truncated_normal(random: np.random.Generator, mean: float, deviation: float, least: float, most: float) -> float:
    """A number of a normal distribution that is cut off; its mean if it does not vary."""
    for _ in range(_TRIES if deviation > 0 else 0):
        if least <= (value := random.normal(mean, deviation)) <= most:
            return float(value)
    return mean
