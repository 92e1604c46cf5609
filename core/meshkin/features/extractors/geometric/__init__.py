"""Geometric: the shape alone, without models or pictures, the same in every pose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...extractor import SurfaceExtractor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ....base.progress import ProgressCallback
    from ....data.snapshot import Snapshot
    from .settings import GeometricSettings


class Geometric(SurfaceExtractor["GeometricSettings"]):
    """Wave and heat kernel signatures, thickness and curvature of every vertex."""

    name = "geometric"
    label = "Geometric"
    description = "The shape alone; needs no model"
    seconds = 3.0
    auto = 3
    settable = False
    intrinsic = True

    @property
    def settings_type(self) -> type[GeometricSettings]:
        """The class of its settings."""
        from .settings import GeometricSettings

        return GeometricSettings

    def describe(
        self, snapshot: Snapshot, settings: GeometricSettings, report: ProgressCallback
    ) -> NDArray[np.float32]:
        """Features of every vertex, float32 (V, 100); see :func:`.signatures.describe`."""
        from . import signatures

        return signatures.describe(snapshot, report, settings)


EXTRACTOR = Geometric()
