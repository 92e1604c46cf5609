"""The settings of ``geometric``."""

from __future__ import annotations

from dataclasses import dataclass

from ...settings import Settings, number


@dataclass(frozen=True)
class GeometricSettings(Settings):
    """Settings of ``geometric``.

    Measured on 7 pairs of the TOSCA set and 3 pairs of people of different build and age (nearest neighbor, mirrored
    answers accepted, mean distance x 100 / sqrt(area)): wave kernel alone 5.4 and 9.8; with the heat kernel 4.2 and
    5.9; with thickness 3.8 and 4.2; with curvature and the constant 3.7 and 2.5. The weights and the constant are those
    of the last figures, the other values are chosen.

    Attributes:
        eigenpairs: of the Laplacian, from which the kernels and the curvature are computed.
        rays: into the body from each vertex, to measure its thickness.
        cone_angle: half the opening angle of the cone of these rays, degrees.
        curvature_times: diffusion times after which the curvature is read, on a surface of area 1.
        thickness_weight: of the thickness beside the kernels.
        curvature_weight: of the curvature beside the kernels.
        constant: value of a channel that is the same everywhere. With it, the distances between rows stay nearly the
            same when the rows are made unit vectors.
        outlier: standard deviations at which a channel's values are cut off.
    """

    eigenpairs: int = number(80, 2, 1000)
    rays: int = number(24, 1, 1000)
    cone_angle: float = number(50.0, 1.0, 89.0)
    curvature_times: tuple[float, ...] = (1e-3, 4e-3)
    thickness_weight: float = number(0.5, 0.0, 100.0)
    curvature_weight: float = number(0.35, 0.0, 100.0)
    constant: float = number(1.5, 0.0, 100.0)
    outlier: float = number(5.0, 0.1, 100.0)
