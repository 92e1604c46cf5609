"""Extractors with their models loaded."""

from __future__ import annotations

import json
import math
from functools import lru_cache

from ..base.errors import MeshKinError, ModelError, is_out_of_memory
from ..base.json_data import from_json, to_json
from ..base.progress import ProgressCallback, silent
from ..data.recipe import Part, Recipe
from ..models import checking, devices
from . import registry
from .extractor import PictureExtractor, PictureReader
from .recipe import check_part


def build(part: Part, device: str = "auto") -> PictureReader:
    """The reader that a part of a recipe describes, its models loaded; the last two are kept.

    Args:
        part: of an extractor that looks at pictures.
        device: as :func:`meshkin.models.devices.choose` takes it.

    Raises as :func:`meshkin.features.recipe.check` and the extractor's ``build``.
    """
    check_part(part)
    return _built(json.dumps(to_json(part), sort_keys=True), device)


@lru_cache(maxsize=2)
def _built(text: str, device: str) -> PictureReader:
    part = from_json(Part, json.loads(text))
    extractor = registry.find(part.extractor)
    assert isinstance(extractor, PictureExtractor)
    try:
        return extractor.build(extractor.settings_of(part), part.models, device)
    except MeshKinError:
        raise
    except Exception as error:  # whatever a library raises on files that are not what they say
        if is_out_of_memory(error) or not part.models:
            raise
        folders = ", ".join(model.folder for model in part.models.values())
        what = f"The model in {folders} cannot be loaded: {f'{type(error).__name__}: {error}'.splitlines()[0]:.300}."
        raise ModelError("model-wrong", what, "Fetch or copy the model again, or choose another.") from error


def prepare(recipe: Recipe, device: str, report: ProgressCallback = silent) -> None:
    """Load the large models of a recipe, so that whatever is wrong with them is known before views are rendered.

    Raises MeshKinError ``memory-low`` where a graphics card has no room for what must be on it at once, InputError
    ``device-missing`` (also where "auto" finds no card for them), ModelError ``model-wrong``.
    """
    for part in recipe.parts:
        if part.base is not None:
            prepare(part.base, device, report)
        extractor = registry.find(part.extractor)
        if not isinstance(extractor, PictureExtractor):
            continue
        if networks := extractor.large_networks(extractor.settings_of(part), part.models):
            report("Loading models", 0.0)
            shapes = [checking.tensor_shapes(checking.weights_file(folder)).values() for folder in networks]
            devices.check_room(device, sum(math.prod(shape) for network in shapes for shape in network))
            build(part, device)
