"""Jobs about features."""

from __future__ import annotations

import shutil

from ...base.progress import ProgressCallback
from ...data.snapshot import Snapshot
from ...data.views import Passes
from ..requests.arrays import save_array
from ..requests.base import NoResult
from ..requests.features import (
    ColorFeatures,
    ColorFeaturesResult,
    ComputeFeatures,
    ComputeFeaturesResult,
    FeatureColorArrays,
    LoadModels,
    MakeContactSheet,
    MakeContactSheetResult,
    PlanFeatures,
    PlanFeaturesResult,
)


def plan_features(request: PlanFeatures, report: ProgressCallback) -> PlanFeaturesResult:
    """Say what features of a shape need, before anything is rendered."""
    from ...cache import store as cache
    from ...features import recipe as recipes

    if request.device not in ("auto", "cpu"):
        from ...models.devices import choose

        choose(request.device)
    recipe = recipes.resolve(request.choice, report)
    key = recipes.key(recipe, request.shape, request.appearance)
    return PlanFeaturesResult(
        recipe,
        key,
        cache.features_path(key) if cache.usable(key) else None,
        recipes.wants_color(recipe),
        recipes.painter(recipe),
        len(list(cache.bring_painted(key).glob("[0-9]*.png"))),
        any(
            part.base is None or not cache.usable(recipes.key(part.base, request.shape, request.appearance))
            for part in recipe.parts
            if recipes.looks([part])
        ),
        request.appearance,
    )


def load_models(request: LoadModels, report: ProgressCallback) -> NoResult:
    """Load the large models of a recipe."""
    from ...features import building

    building.prepare(request.recipe, request.device, report)
    return NoResult()


def compute_features(request: ComputeFeatures, report: ProgressCallback) -> ComputeFeaturesResult:
    """Compute features into the cache."""
    from ...cache import store as cache
    from ...features.compute import KeptViews, compute

    snapshot = Snapshot.load(request.snapshot)
    passes = Passes.load(request.passes) if request.passes else None
    kept = KeptViews(cache.partial_folder(request.key), cache.painted_folder(request.key))
    computed = compute(snapshot, request.recipe, passes, request.device, report, kept, request.appearance)
    path = cache.save(request.key, computed)
    shutil.rmtree(cache.partial_folder(request.key), ignore_errors=True)
    return ComputeFeaturesResult(path)


def color_features(request: ColorFeatures, report: ProgressCallback) -> ColorFeaturesResult:
    """Project the features of several shapes onto common principal components, and make colors of them."""
    from ...cache import store as cache
    from ...features.colors import feature_colors

    shapes = [cache.read(path) for path in request.features]
    report("Making colors", 0)
    return ColorFeaturesResult(
        tuple(
            FeatureColorArrays(shown.colors, shown.channels, shape.seen, shape.confidence).save(
                request.folder / f"colors{number}.npz"
            )
            for number, (shape, shown) in enumerate(zip(shapes, feature_colors(shapes, request.channels), strict=True))
        )
    )


def make_contact_sheet(request: MakeContactSheet, report: ProgressCallback) -> MakeContactSheetResult:
    """Make one picture of all views of a shape."""
    from ...cache import store as cache
    from ...features import sheet

    passes, painted = Passes.load(request.passes), cache.painted_folder(request.key)
    pixels, count = sheet.make(request.recipe, passes, painted, request.keep, report)
    return MakeContactSheetResult(save_array(request.output, pixels), count)
