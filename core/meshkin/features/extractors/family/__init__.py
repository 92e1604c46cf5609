"""Family: features that were learned from shapes of one kind, made of other features (:mod:`meshkin.families`)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...extractor import DerivedExtractor, ModelRole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ....base.progress import ProgressCallback
    from ....data.features import Features
    from ....data.recipe import FeatureChoice, Recipe
    from ....data.snapshot import Snapshot
    from ....families.kept import Family
    from ...extractor import Models


class FamilyFeatures(DerivedExtractor[Any]):
    """What a family has learned: points are as far apart as they are along the surface, left is not right."""

    name = "family"
    label = "Family"
    description = "What was learned from meshes of one kind; choose one in the panel Family"
    seconds = 32.0
    code_version = 5  # 1: features, sides alone; 2: sides by maps; 3: without signatures; 4: sides in several pieces
    roles = {"family": ModelRole("family")}  # noqa: RUF012

    def base(self, models: Models) -> Recipe | FeatureChoice:
        """The recipe that the family was learned from; what a published one reads."""
        from ....base.json_data import from_json
        from ....data.recipe import FeatureChoice
        from ....families.record import FamilyRecord
        from ....models import checking

        record = from_json(FamilyRecord, checking.config(Path(models["family"].folder)))
        return record.base or FeatureChoice(record.base_name, profile="reference")

    def derive(
        self, snapshot: Snapshot, base: Features, models: Models, report: ProgressCallback
    ) -> NDArray[np.float32]:
        """The embedding of every vertex, float32 (V, E); zero where the base knows nothing."""
        family = _loaded(models["family"].folder, models["family"].checksum)
        return family.of_surface(snapshot, base.features, lambda: report("Telling left from right", 0.5))

    def derive_cells(self, cells: NDArray[np.float32], models: Models) -> NDArray[np.float32]:
        """The embedding of cells of a photograph, whose sides are not known."""
        family = _loaded(models["family"].folder, models["family"].checksum)
        return family.of_cells(cells)


@lru_cache(maxsize=2)
def _loaded(folder: str, checksum: str) -> Family:
    from ....families.kept import load

    return load(Path(folder))


EXTRACTOR = FamilyFeatures()
