"""What to compute as features, as plain JSON data: which views, which extractors, which of their layers.

A recipe is ``{"name", "views", "resolution", "parts"}``. ``views`` is as :func:`meshkin.data.views.of_recipe` takes it
or,
when no part looks at pictures, None; ``resolution`` is that of the rendered pictures, which all parts share. Each part
names its ``extractor``, its ``weight`` beside the others, and every parameter that its extractor takes.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from .. import models
from ..base.errors import InputError, ModelError
from ..base.progress import ProgressCallback, silent
from ..data.views import count_of_recipe
from .extractor import ImageExtractor, SurfaceExtractor
from .extractors.diff3f.settings import check as check_diff3f
from .extractors.diff3f.settings import profile as profile_of
from .extractors.sd_dino.settings import ROLES as SD_DINO_ROLES
from .extractors.sd_dino.settings import SD_DINO
from .extractors.sd_dino.settings import check as check_sd_dino
from .parameters import CODE as EXTRACTOR_CODE
from .parameters import STRIDES, STYLES, check_layers, check_stages

CODE = 1
"""Raised whenever the same recipe would give other features for a reason that no extractor's own ``CODE`` tells."""

VIEWS = 24
RESOLUTION = 448
"""Pictures are 448 px: 32 patches of 14 px, 14 cells of 32 px."""

# Measured on three TOSCA pairs of one man in three poses: mean geodesic error x100 of the nearest neighbor, mirrored
# answers accepted. Geometric alone 6.3; ViT block 8, 9, 10, 11 alone 37.8, 37.7, 37.5, 36.3; EfficientNet alone 37.5;
# all three with weights 1 25.4, with both at .5 11.4, with .3 and .15 7.3. Pictures cannot beat the shape between
# poses of one body; between bodies they say what the shape does not. Through the matcher, from the demo's woman to a
# dwarf and to an old man: with .25 and .15 6.3 and 1.6, with .5 and .3 5.7 and 1.6, with weights 1 3.7 and 3.2.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "dinov2": {"weight": 0.5, "style": "normal", "background": 1.0, "resolution": RESOLUTION},
    "efficientnet": {"weight": 0.3, "stages": [2, 4], "style": "normal", "background": 1.0, "resolution": RESOLUTION},
    "geometric": {"weight": 1.0},
    "diff3f": {"weight": 1.0},
    "sd_dino": {"weight": 1.0},
}
"""Every extractor and its parameters; those of ``diff3f`` are in :mod:`meshkin.features.extractors.diff3f.settings`,
those of ``sd_dino``
in :mod:`meshkin.features.extractors.sd_dino.settings`."""
_AUTO = ("dinov2", "efficientnet", "geometric")
_ROLES = {"base": "stable-diffusion", "depth": "controlnet", "normal": "controlnet", "dinov2": "dinov2"}
"""The models of ``diff3f`` and what each must be."""
_LAYERS = {"vit-s14-imgfocus": [9]}
"""Hidden states read where the last is not the best: this model was fine-tuned to tell object from background."""
_PICTURES = ("dinov2", "efficientnet", "diff3f", "sd_dino")
_DIFFUSION = ("diff3f", "sd_dino")
_PLACES = ("folder", "model", "license", "compiled")
"""What of a part does not change the features."""


def resolve(
    name: str = "auto",
    *,
    model: str | None = None,
    layers: Sequence[int] | None = None,
    views: int | None = None,
    rings: Sequence[Sequence[float]] | None = None,
    without: Sequence[int] = (),
    resolution: int | None = None,
    style: str | None = None,
    background: float | None = None,
    profile: str | None = None,
    prompt: str = "",
    settings: dict[str, Any] | None = None,
    online: bool = False,
    report: ProgressCallback = silent,
) -> dict[str, Any]:
    """The full recipe for what a user asks for; models are located and checked here, before anything is rendered.

    Args:
        name: an extractor ("dinov2", "efficientnet", "geometric", "diff3f", "sd_dino"), several joined by "+", or
            "auto": all of the first three whose models are there ("geometric" always is), or "pictures": the same
            without "geometric".
        model: folder, name or hub id of the model for the first of "dinov2", "efficientnet" and "diff3f" that is asked
            for (of the last the Stable Diffusion model); None for the default.
        layers: hidden states to read of that model, or stages; None for the default. Those of the DINOv2 in "diff3f"
            are among its settings.
        views: number of evenly spread views; None for the default.
        rings: (elevation in degrees, count) of rings of views, instead of ``views``.
        without: numbers of views to leave out, from 0.
        resolution: of the rendered pictures, pixels; None for what the extractors want. Each part uses the largest
            multiple of its cells that is not larger.
        style: of the pictures, see :mod:`meshkin.features.pictures`; None for the default.
        background: gray level behind the object, in [0, 1]; None for the default.
        profile: of "diff3f", "fast" or "reference"; None for the first.
        prompt: what the object is, in words, for "diff3f", and for "sd_dino" where its template asks for it.
        settings: of "diff3f", any of its parameters, and ``base``, ``depth``, ``normal``, ``dinov2``: folder, name or
            hub id of each of its models; or of "sd_dino" likewise (``base``, ``unet``, ``dinov2``).
        online: whether models may be fetched.
        report: told about a download; may raise Cancelled.

    Raises:
        InputError: ``features-unknown`` for an unknown extractor, ``features-option`` for a value that cannot be.
        ModelError: as :func:`meshkin.models.locate`.
    """
    names = _names(name)
    chosen = next((one for one in _PICTURES if one in names), None)
    if (profile and "diff3f" not in names) or (settings and not set(_DIFFUSION) & set(names)):
        raise InputError("features-option", f"“{name}” has no profile and no settings.", "Leave them out.")
    parts = []
    placed: dict[str, Any] = {}
    for one in names:
        part: dict[str, Any] = {"extractor": one, **_DEFAULTS[one]}
        if one == "diff3f":
            part |= _diff3f(profile or "fast", settings or {}, prompt, model if one == chosen else None, online, report)
            placed = part.pop("views")
            if resolution is not None:
                part["resolution"] = max(resolution // 64, 1) * 64
        elif one == "sd_dino":
            size = None if resolution is None else max(resolution // 64, 1) * 64
            look = {"style": style, "background": background, "resolution": size}
            given = {name: value for name, value in look.items() if value is not None} | (settings or {})
            part |= _sd_dino(given, prompt, model if one == chosen else None, online, report)
        elif one in _PICTURES:
            named = model if one == chosen else None
            try:
                located = models.locate(one, named, online=online, report=report)
            except ModelError as error:
                if (
                    name in ("auto", "pictures")
                    and named is None
                    and error.code in ("model-missing", "model-download-failed")
                ):
                    continue
                raise
            part |= _model(located, layers if one == chosen else None)
            look = {"style": style, "background": background}
            part |= {name: value for name, value in look.items() if value is not None}
            if resolution is not None:
                cell = _cell(part)
                part["resolution"] = max(resolution // cell, 1) * cell
        parts.append(part)
    if not parts:
        raise ModelError("model-missing", "No model that looks at pictures has been fetched yet.", models.GET_FIX)
    pictured = [part["resolution"] for part in parts if part["extractor"] in _PICTURES]
    if layers is not None and (chosen in _DIFFUSION or not any(part["extractor"] == chosen for part in parts)):
        raise InputError("features-option", f"“{name}” has no layers to choose.", "Leave them out.")
    recipe = {
        "name": "+".join(part["extractor"] for part in parts),
        "views": _views(views, rings, placed) if pictured else None,
        "resolution": resolution or max(pictured, default=RESOLUTION),
        "parts": parts,
    }
    if without and recipe["views"]:
        recipe["views"] |= {"without": sorted(set(without))}  # type: ignore[operator]
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
    placing = {"distance", "angle"}
    kinds = set(views) - placing - {"without"} if isinstance(views, dict) else set()
    _require(len(kinds) == 1 and (set(views) & placing) in (set(), placing), "views", views)
    if "distance" in views:
        _require(_number(views["distance"]) and 0.5 < views["distance"] < 100, "distance", views["distance"])
        _require(_number(views["angle"]) and 1 <= views["angle"] < 180, "angle", views["angle"])
    if "rings" in views:
        good = [len(ring) == 2 and -90 <= ring[0] <= 90 and _whole(ring[1]) and ring[1] > 0 for ring in views["rings"]]
        _require(bool(good) and all(good), "rings", views["rings"])
    else:
        count = views.get("fibonacci", views.get("grid"))
        _require(_whole(count) and 1 <= count <= 1000, "views", count)
    if "without" in views:
        gone, count = views["without"], count_of_recipe(views)
        numbers = isinstance(gone, list) and bool(gone) and all(_whole(view) and 0 <= view < count for view in gone)
        _require(numbers and gone == sorted(set(gone)) and len(gone) < count, "without", gone)
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
        from .extractors.geometric import Geometric

        return Geometric()
    if part["extractor"] == "diff3f":
        from .extractors.diff3f.extractor import Diff3F

        return Diff3F(part, device)
    if part["extractor"] == "sd_dino":
        from .extractors.sd_dino.extractor import SdDino

        return SdDino(part, device)
    folder, checksum = Path(part["folder"]), part["checksum"]
    look = {name: part[name] for name in ("style", "background", "resolution")}
    if part["extractor"] == "dinov2":
        from .extractors.dinov2 import Dinov2

        return Dinov2(folder, checksum, part["layers"], device=device, **look)
    from .extractors.efficientnet import EfficientNet

    return EfficientNet(folder, checksum, part["stages"], device=device, **look)


def wants_color(recipe: dict[str, Any]) -> bool:
    """Whether the recipe needs the objects' own colors rendered."""
    return any(part.get("style") == "textured" for part in recipe["parts"])


def release() -> None:
    """Forget the models that are kept, and give their memory back: the graphics card is Blender's then."""
    _built.cache_clear()
    if devices := sys.modules.get(f"{__package__}.devices"):
        devices.release()


def prepare(recipe: dict[str, Any], device: str, report: ProgressCallback = silent) -> None:
    """Load the large models of a recipe, so that whatever is wrong with them is known before views are rendered.

    Raises MeshKinError ``memory-low`` where a graphics card has no room for what must be on it at once, InputError
    ``device-missing`` (also where "auto" finds no card for them), ModelError ``model-wrong``.
    """
    for part in recipe["parts"]:
        if part["extractor"] in _DIFFUSION:
            from .devices import check_room

            report("Loading models", 0.0)
            folders = {role: Path(model["folder"]) for role, model in part["models"].items()}
            networks = [folders["base"] / "unet", *(folders[role] for role in ("depth", "normal") if role in folders)]
            shapes = [models.tensor_shapes(models.weights_file(folder)).values() for folder in networks]
            check_room(device, sum(math.prod(shape) for each in shapes for shape in each))
            build(part, device)


def key(recipe: dict[str, Any], shape: str, look: str = "") -> str:
    """Name in the cache of the features of a shape by a recipe, 32 hex digits.

    Everything that changes the features counts: all parameters, the models' checksums, the code's version, the shape.
    Where a model lies and what it is called do not.

    Args:
        recipe: as :func:`resolve` makes it.
        shape: the mesh's :attr:`meshkin.data.snapshot.Snapshot.key`.
        look: content hash of its materials; counts only where the recipe wants color.
    """
    parts = [_lasting(part) for part in recipe["parts"]]
    codes = {part["extractor"]: EXTRACTOR_CODE[part["extractor"]] for part in parts}
    seen = [shape, look] if wants_color(recipe) else shape
    text = json.dumps([CODE, codes, seen, recipe["views"], recipe["resolution"], parts], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _names(text: str) -> list[str]:
    """The extractors in "a+b"; raises InputError ``features-unknown``."""
    if text == "pictures":
        return ["dinov2", "efficientnet"]
    names = list(_AUTO) if text == "auto" else [name.strip() for name in text.split("+")]
    unknown = [name for name in names if name not in _DEFAULTS]
    if unknown or len(set(names)) < len(names):
        raise _unknown(text)
    return names


def _unknown(text: str) -> InputError:
    return InputError(
        "features-unknown",
        f"There are no features “{text}”.",
        f"Choose auto, {', '.join(_DEFAULTS)}, or several of the last {len(_DEFAULTS)} joined by “+”.",
    )


def _model(located: models.Located, layers: Sequence[int] | None) -> dict[str, Any]:
    """The parameters of a part that its model sets."""
    found: dict[str, Any] = {
        "model": located.name,
        "folder": str(located.folder),
        "checksum": located.checksum,
        "license": located.license,
    }
    if located.kind == "dinov2":
        last = models.config(located.folder).get("num_hidden_layers", 12)
        found["layers"] = list(layers or _LAYERS.get(located.name, [last]))
    elif layers is not None:
        found["stages"] = list(layers)
    return found


def _views(views: int | None, rings: Sequence[Sequence[float]] | None, placed: dict[str, Any]) -> dict[str, Any]:
    """The views asked for; ``placed`` says which where the user does not, and how the cameras stand."""
    standing = {name: value for name, value in placed.items() if name in ("distance", "angle")}
    if rings:
        return {"rings": [list(ring) for ring in rings], **standing}
    if not placed:
        return {"fibonacci": VIEWS if views is None else views}
    kind = "grid" if "grid" in placed else "fibonacci"
    return {kind: placed[kind] if views is None else views, **standing}


def _diff3f(
    profile: str, settings: dict[str, Any], prompt: str, model: str | None, online: bool, report: ProgressCallback
) -> dict[str, Any]:
    """The parameters of ``diff3f``, its ``views`` among them, and its ``models`` by role."""
    part = profile_of(profile)
    chosen: dict[str, Any] = {"base": model, "depth": None, "normal": None, "dinov2": None}
    for name, value in {"prompt": prompt or part["prompt"], **settings}.items():
        if name in chosen:
            chosen[name] = str(value)
        elif name in part or name == "weight":
            part[name] = value
        else:
            known = ", ".join(sorted([*part, *chosen]))
            raise InputError("features-option", f"diff3f has no setting “{name}”.", f"It has {known}.")
    check_diff3f({"weight": 1.0, **part})
    needless = [role for role, scale in zip(("depth", "normal"), part["controls"], strict=True) if scale == 0]
    needless += ["dinov2"] if part["fusion"] == 0 else []
    part["models"] = {}
    for role, kind in _ROLES.items():
        if role not in needless:
            located = models.locate(kind, chosen[role] or models.DIFF3F[role], online=online, report=report)
            part["models"][role] = {"model": located.name, "folder": str(located.folder)}
            part["models"][role] |= {"checksum": located.checksum, "license": located.license}
    if "dinov2" in part["models"] and not part["layers"]:
        folder = Path(part["models"]["dinov2"]["folder"])
        part["layers"] = [int(models.config(folder).get("num_hidden_layers", 12))]
    return part


def _sd_dino(
    settings: dict[str, Any], prompt: str, model: str | None, online: bool, report: ProgressCallback
) -> dict[str, Any]:
    """The parameters of ``sd_dino`` and its ``models`` by role."""
    part = {"weight": 1.0, **SD_DINO}
    named: dict[str, Any] = {"base": model or models.DIFF3F["base"], "unet": None, "dinov2": models.DIFF3F["dinov2"]}
    for name, value in settings.items():
        (named if name in named else part)[name] = value
    check_sd_dino(part)
    part["prompt"] = part["prompt"] or prompt if "{}" in part["template"] else ""
    part["models"] = {}
    for role, kind in SD_DINO_ROLES.items():
        if named[role] and (role != "dinov2" or part["fusion"] > 0):
            located = models.locate(kind, str(named[role]), online=online, report=report)
            part["models"][role] = {"model": located.name, "folder": str(located.folder)}
            part["models"][role] |= {"checksum": located.checksum, "license": located.license}
    if "dinov2" in part["models"] and not part["layers"]:
        folder = Path(part["models"]["dinov2"]["folder"])
        last = int(models.config(folder).get("num_hidden_layers", 12))
        part["layers"] = _LAYERS.get(part["models"]["dinov2"]["model"], [last])
    return part


def _check_dinov2(part: dict[str, Any], folders: dict[str, Path]) -> None:
    """Whether the DINOv2 beside Stable Diffusion has the layers, and its patches fill the picture."""
    if "dinov2" in folders:
        check_layers(folders["dinov2"], part["layers"])
        patch = int(models.config(folders["dinov2"]).get("patch_size", 14))
        _require(part["dino_resolution"] % patch == 0, "dino_resolution", part["dino_resolution"])


def _check_sd_dino(part: dict[str, Any]) -> None:
    """Whether the values can be, and the models go together: known from their configurations alone."""
    check_sd_dino(part)
    folders = {role: Path(model["folder"]) for role, model in part["models"].items()}
    if "unet" in folders:
        one, two = models.config(folders["base"] / "unet"), models.config(folders["unet"])
        if one.get("cross_attention_dim") != two.get("cross_attention_dim"):
            raise ModelError(
                "model-wrong",
                f"The UNet in {folders['unet']} is not made for the model in {folders['base']}.",
                "Choose one for Stable Diffusion 1.5.",
            )
    _check_dinov2(part, folders)


def _lasting(part: dict[str, Any]) -> dict[str, Any]:
    """A part without what does not change the features, at any depth."""
    kept = {name: value for name, value in part.items() if name not in _PLACES}
    return {name: _lasting(value) if isinstance(value, dict) else value for name, value in kept.items()}


def _cell(part: dict[str, Any]) -> int:
    """Of what a picture's size in pixels has to be a multiple."""
    if part["extractor"] == "dinov2":
        return int(models.config(Path(part["folder"])).get("patch_size", 14))
    return STRIDES[part["stages"][-1]]


def _check_part(part: dict[str, Any]) -> None:
    extractor = part.get("extractor")
    if extractor not in _DEFAULTS:
        raise _unknown(str(extractor))
    if extractor == "diff3f":
        _check_diff3f(part)
        return
    if extractor == "sd_dino":
        _check_sd_dino(part)
        return
    layers = "layers" if extractor == "dinov2" else "stages"
    known = {"extractor", *_DEFAULTS[extractor]}
    if extractor in _PICTURES:
        known |= {"model", "folder", "checksum", "license", layers}
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


def _check_diff3f(part: dict[str, Any]) -> None:
    """Whether the values can be, and the models go together: known from their configurations alone."""
    check_diff3f(part)
    folders = {role: Path(model["folder"]) for role, model in part["models"].items()}
    unet = models.config(folders["base"] / "unet")
    for role in ("depth", "normal"):
        control = models.config(folders[role]) if role in folders else unet
        for name in ("cross_attention_dim", "block_out_channels"):
            if control.get(name) != unet.get(name):
                raise ModelError(
                    "model-wrong",
                    f"The ControlNet in {folders[role]} is not made for the model in {folders['base']}.",
                    "Choose one for Stable Diffusion 1.5.",
                )
    _check_dinov2(part, folders)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _require(condition: bool, name: str, value: Any) -> None:
    if not condition:
        message = f"The features cannot be computed with {name} “{value}”."
        raise InputError("features-option", message, "Check its value.")
