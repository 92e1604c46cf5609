"""What to compute as features, as plain JSON data: which views, which extractors, which of their layers.

A recipe is ``{"name", "views", "resolution", "parts"}``. ``views`` is ``{"fibonacci": N}``,
``{"rings": [[elevation in degrees, N], ...]}`` or, when no part looks at pictures, None; ``resolution`` is that of the
rendered pictures, which all parts share. Each part names its ``extractor``, its ``weight`` beside the others, and
every parameter that its extractor takes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from .. import models
from ..errors import InputError, ModelError
from ..progress import Report, silent
from .extractor import ImageExtractor, SurfaceExtractor
from .parameters import CODE as EXTRACTOR_CODE
from .parameters import STRIDES, STYLES, check_layers, check_stages

CODE = 1
"""Raised whenever the same recipe would give other features for a reason that no extractor's own ``CODE`` tells."""

VIEWS = 24
RESOLUTION = 448
"""Pictures are 448 px: 32 patches of 14 px, 14 cells of 32 px."""

# Measured on three TOSCA pairs of one man in three poses: mean geodesic error x100 of the nearest neighbour, mirrored
# answers accepted. Geometric alone 6.3; ViT block 8, 9, 10, 11 alone 37.8, 37.7, 37.5, 36.3; EfficientNet alone 37.5;
# all three with weights 1 25.4, with both at .5 11.4, with .3 and .15 7.3. Pictures cannot beat the shape between
# poses of one body; between bodies they say what the shape does not. Through the matcher, from the demo's woman to a
# dwarf and to an old man: with .25 and .15 6.3 and 1.6, with .5 and .3 5.7 and 1.6, with weights 1 3.7 and 3.2.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "dinov2": {"weight": 0.5, "style": "normal", "background": 1.0, "resolution": RESOLUTION},
    "efficientnet": {"weight": 0.3, "stages": [2, 4], "style": "normal", "background": 1.0, "resolution": RESOLUTION},
    "geometric": {"weight": 1.0},
}
"""Every extractor and its parameters."""
_LAYERS = {"vit-s14-imgfocus": [9]}
"""Hidden states read where the last is not the best: this model was fine-tuned to tell object from background."""
_PICTURES = ("dinov2", "efficientnet")


def resolve(
    name: str = "auto",
    *,
    model: str | None = None,
    layers: Sequence[int] | None = None,
    views: int | None = None,
    rings: Sequence[Sequence[float]] | None = None,
    resolution: int | None = None,
    style: str | None = None,
    background: float | None = None,
    online: bool = False,
    report: Report = silent,
) -> dict[str, Any]:
    """The full recipe for what a user asks for; models are located and checked here, before anything is rendered.

    Args:
        name: an extractor ("dinov2", "efficientnet", "geometric"), several joined by "+", or "auto": all whose models
            are there; "geometric" always is.
        model: folder, name or hub id of the model for "dinov2" (for "efficientnet" when that is asked for without
            "dinov2"); None for the default.
        layers: hidden states to read of that model, or stages; None for the default.
        views: number of evenly spread views; None for the default.
        rings: (elevation in degrees, count) of rings of views, instead of ``views``.
        resolution: of the rendered pictures, pixels; None for what the extractors want. Each part uses the largest
            multiple of its cells that is not larger.
        style: of the pictures, see :mod:`meshkin.features.pictures`; None for the default.
        background: grey level behind the object, in [0, 1]; None for the default.
        online: whether models may be fetched.
        report: told about a download; may raise Cancelled.

    Raises:
        InputError: ``features-unknown`` for an unknown extractor, ``features-option`` for a value that cannot be.
        ModelError: as :func:`meshkin.models.locate`.
    """
    names = _names(name)
    chosen = next((one for one in _PICTURES if one in names), None)
    parts = []
    for one in names:
        part: dict[str, Any] = {"extractor": one, **_DEFAULTS[one]}
        if one in _PICTURES:
            named = model if one == chosen else None
            try:
                located = models.locate(one, named, online=online, report=report)
            except ModelError as error:
                if name == "auto" and named is None and error.code in ("model-missing", "model-download-failed"):
                    continue
                raise
            part |= _model(located, layers if one == chosen else None)
            look = {"style": style, "background": background}
            part |= {name: value for name, value in look.items() if value is not None}
            if resolution is not None:
                cell = _cell(part)
                part["resolution"] = max(resolution // cell, 1) * cell
        parts.append(part)
    pictured = [part["resolution"] for part in parts if part["extractor"] in _PICTURES]
    if layers is not None and not any(part["extractor"] == chosen for part in parts):
        raise InputError("features-option", f"“{name}” has no layers to choose.", "Leave them out.")
    recipe = {
        "name": "+".join(part["extractor"] for part in parts),
        "views": _views(views, rings) if pictured else None,
        "resolution": resolution or max(pictured, default=RESOLUTION),
        "parts": parts,
    }
    return check(recipe)


def check(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe, if every value in it can be.

    Raises InputError ``features-unknown``, ``features-option``.
    """
    _require(bool(recipe.get("parts")), "parts", recipe.get("parts"))
    for part in recipe["parts"]:
        _check_part(part)
    if not any(part["extractor"] in _PICTURES for part in recipe["parts"]):
        return recipe
    resolution, views = recipe["resolution"], recipe["views"]
    _require(_whole(resolution) and 16 <= resolution <= 8192, "resolution", resolution)
    _require(isinstance(views, dict) and len(views) == 1, "views", views)
    if "rings" in views:
        good = [len(ring) == 2 and -90 <= ring[0] <= 90 and _whole(ring[1]) and ring[1] > 0 for ring in views["rings"]]
        _require(bool(good) and all(good), "rings", views["rings"])
    else:
        count = views.get("fibonacci")
        _require(_whole(count) and 1 <= count <= 1000, "views", count)
    return recipe


def build(part: dict[str, Any], device: str = "auto") -> ImageExtractor | SurfaceExtractor:
    """The extractor that a part of a recipe describes, its model loaded; the last two are kept.

    Raises as :func:`check` and the extractor's class.
    """
    _check_part(part)
    return _built(json.dumps(part, sort_keys=True), device)


@lru_cache(maxsize=2)
def _built(text: str, device: str) -> ImageExtractor | SurfaceExtractor:
    part = json.loads(text)
    if part["extractor"] == "geometric":
        from .geometric import Geometric

        return Geometric()
    folder, checksum = Path(part["folder"]), part["checksum"]
    look = {name: part[name] for name in ("style", "background", "resolution")}
    if part["extractor"] == "dinov2":
        from .dinov2 import Dinov2

        return Dinov2(folder, checksum, part["layers"], device=device, **look)
    from .efficientnet import EfficientNet

    return EfficientNet(folder, checksum, part["stages"], device=device, **look)


def wants_colour(recipe: dict[str, Any]) -> bool:
    """Whether the recipe needs the objects' own colours rendered."""
    return any(part.get("style") == "textured" for part in recipe["parts"])


def key(recipe: dict[str, Any], shape: str, look: str = "") -> str:
    """Name in the cache of the features of a shape by a recipe, 32 hex digits.

    Everything that changes the features counts: all parameters, the models' checksums, the code's version, the shape.
    Where a model lies and what it is called do not.

    Args:
        recipe: as :func:`resolve` makes it.
        shape: the mesh's :attr:`meshkin.snapshot.Snapshot.key`.
        look: content hash of its materials; counts only where the recipe wants colour.
    """
    places = ("folder", "model", "licence")
    parts = [{name: value for name, value in part.items() if name not in places} for part in recipe["parts"]]
    codes = {part["extractor"]: EXTRACTOR_CODE[part["extractor"]] for part in parts}
    seen = [shape, look] if wants_colour(recipe) else shape
    text = json.dumps([CODE, codes, seen, recipe["views"], recipe["resolution"], parts], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _names(text: str) -> list[str]:
    """The extractors in "a+b"; raises InputError ``features-unknown``."""
    names = list(_DEFAULTS) if text == "auto" else [name.strip() for name in text.split("+")]
    unknown = [name for name in names if name not in _DEFAULTS]
    if unknown or len(set(names)) < len(names):
        raise _unknown(text)
    return names


def _unknown(text: str) -> InputError:
    return InputError(
        "features-unknown",
        f"There are no features “{text}”.",
        f"Choose auto, {', '.join(_DEFAULTS)}, or several of the last three joined by “+”.",
    )


def _model(located: models.Located, layers: Sequence[int] | None) -> dict[str, Any]:
    """The parameters of a part that its model sets."""
    found: dict[str, Any] = {
        "model": located.name,
        "folder": str(located.folder),
        "checksum": located.checksum,
        "licence": located.licence,
    }
    if located.kind == "dinov2":
        last = models.config(located.folder).get("num_hidden_layers", 12)
        found["layers"] = list(layers or _LAYERS.get(located.name, [last]))
    elif layers is not None:
        found["stages"] = list(layers)
    return found


def _views(views: int | None, rings: Sequence[Sequence[float]] | None) -> dict[str, Any]:
    return {"rings": [list(ring) for ring in rings]} if rings else {"fibonacci": VIEWS if views is None else views}


def _cell(part: dict[str, Any]) -> int:
    """Of what a picture's size in pixels has to be a multiple."""
    if part["extractor"] == "dinov2":
        return int(models.config(Path(part["folder"])).get("patch_size", 14))
    return STRIDES[part["stages"][-1]]


def _check_part(part: dict[str, Any]) -> None:
    extractor = part.get("extractor")
    if extractor not in _DEFAULTS:
        raise _unknown(str(extractor))
    layers = "layers" if extractor == "dinov2" else "stages"
    known = {"extractor", *_DEFAULTS[extractor]}
    if extractor in _PICTURES:
        known |= {"model", "folder", "checksum", "licence", layers}
    for name in known ^ set(part):
        _require(False, f"{extractor}: {name}", part.get(name, "missing"))
    _require(_number(part["weight"]) and 0 < part["weight"] < 1000, "weight", part["weight"])
    if extractor not in _PICTURES:
        return
    _require(isinstance(part[layers], list) and all(map(_whole, part[layers])), layers, part[layers])
    if extractor == "dinov2":
        check_layers(Path(part["folder"]), part["layers"])
    else:
        check_stages(part["stages"])
    cell, resolution = _cell(part), part["resolution"]
    _require(part["style"] in STYLES, "style", part["style"])
    _require(_number(part["background"]) and 0 <= part["background"] <= 1, "background", part["background"])
    _require(_whole(resolution) and 0 < resolution <= 8192 and resolution % cell == 0, "resolution", resolution)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _require(condition: bool, name: str, value: Any) -> None:
    if not condition:
        message = f"The features cannot be computed with {name} “{value}”."
        raise InputError("features-option", message, "Check its value.")
