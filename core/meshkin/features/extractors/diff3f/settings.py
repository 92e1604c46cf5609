"""What can be asked of ``diff3f``: its two profiles as plain data, and what every value may be.

A profile names the views (which go into the recipe) and every parameter of the recipe's part:

* ``resolution``: of the pictures, pixels.
* ``prompt``, ``template``, ``negative``: what the object is in words; the sentence it is put into; what not to paint.
* ``conditioning``: how depth and normals become the ControlNets' pictures: ``published`` (see
  :mod:`meshkin.features.extractors.diff3f.published`) or ``calibrated`` (see
  :mod:`meshkin.features.extractors.diff3f.extractor`).
* ``controls``: how much the depth and the normal ControlNet count; at 0 one is not even loaded.
* ``steps``, ``strength``, ``eta``: of the DDIM schedule; the last ``strength`` of it is run; ``eta`` 1 adds all noise
  again at each step, 0 none.
* ``guidance``: classifier-free; above 1 two branches are run, with the prompt and with the negative one.
* ``read``: the branch (``positive`` or ``negative``) whose features are taken.
* ``taps``: places in the decoder (:data:`meshkin.features.parameters.TAPS`) and how much each counts.
* ``share``, ``step_weights``: the last share of the steps is read, with weights rising evenly from the first to the
  second number.
* ``finish``: whether the last step still cleans the picture that DINOv2 is shown; without it the decoder stops after
  the last tap there, and DINOv2 is shown what the step before foresaw.
* ``seed``; ``noise``: ``shared`` (all views get the same) or ``view`` (each its own, by where its camera stands);
  ``encoder``: whether the VAE's distribution is ``sampled`` or its ``mean`` taken.
* ``layers``, ``dino_resolution``: of DINOv2; [] for its last layer.
* ``fusion``: DINOv2's share, 0 to 1; at 0 nothing is decoded and no DINOv2 loaded.
* ``lifting``: ``visible`` (:func:`meshkin.features.lifting.lift`) or ``published``; ``tolerance``: the latter's radius
  around a vertex, in lengths of the shape's diameter.
* ``compiled``: whether the attention blocks are compiled first (no part of the cache key).
"""

from __future__ import annotations

from typing import Any

from ....base.errors import InputError
from ...parameters import TAPS

REFERENCE: dict[str, Any] = {
    "views": {"grid": 100, "distance": 0.65, "angle": 90.0},
    "resolution": 512,
    "prompt": "object",
    "template": "{},best quality,highly detailed,photorealistic,photo",
    "negative": "lowres,low quality,monochrome,watermark",
    "conditioning": "published",
    "controls": [0.8, 0.8],
    "steps": 30,
    "strength": 0.8,
    "eta": 1.0,
    "guidance": 7.0,
    "read": "negative",
    "taps": {"up1": 1.0},
    "share": 0.75,
    "step_weights": [0.1, 1.0],
    "finish": True,
    "seed": 60,
    "noise": "shared",
    "encoder": "sampled",
    "layers": [],
    "dino_resolution": 518,
    "fusion": 0.5,
    "lifting": "published",
    "tolerance": 0.01,
    "compiled": False,
}
"""Diff3F as its published code runs (Dutt et al., CVPR 2024, https://arxiv.org/abs/2311.17024): 50 distinct views, 24
steps with two branches each. What of it is a quirk and no choice is told in
:mod:`meshkin.features.extractors.diff3f.published`."""

FAST: dict[str, Any] = {
    **REFERENCE,
    "views": {"fibonacci": 24},
    "template": "a photo of a {}, best quality, highly detailed, photorealistic",
    "conditioning": "calibrated",
    "steps": 10,
    "eta": 0.0,
    "guidance": 1.0,
    "read": "positive",
    "finish": False,
    "noise": "view",
    "encoder": "mean",
    "lifting": "visible",
}
"""The default: 192 UNet rows a shape where the published code runs 4,800.

What each saving costs, by the published ablation (SHREC'19 accuracy at 1 %, 26.41 in full) where that says so:

* Distinct, evenly spread, framed views: nothing is lost by leaving repeats out; 24 instead of 50 is not ablated.
* 8 steps instead of 24, and no new noise in them: not ablated by itself. Reading one step instead of 18 costs 0.68
  (25.73), so how many steps are averaged matters little; what must stay is that the picture is painted at all (without
  it 17.20).
* One branch instead of two: not ablated. Without guidance the prompt counts for less; the ControlNets hold the shape.
* Vertices sampled where they are seen instead of a ball around each: 0.69 (25.72; on SHREC'20 it gains 1.5).
* The decoder stops at the tap in the last step, and DINOv2 is shown the clean picture that the step before foresaw:
  not ablated.
* Pictures as the ControlNets were trained on them, noise of its own for each view: savings of nothing, mended quirks
  (leaving the normal ControlNet out costs 0.73).

DINOv2 stays on the painted pictures, which is why they are decoded: without it TOSCA and SHREC'20 lose more (64.89
instead of 72.60) than the 26.53 on SHREC'19 gain. ``fusion`` 0 saves that too.
"""

PROFILES = {"fast": FAST, "reference": REFERENCE}

CHOICES = {
    "conditioning": ("published", "calibrated"),
    "read": ("positive", "negative"),
    "noise": ("shared", "view"),
    "encoder": ("sampled", "mean"),
    "lifting": ("published", "visible"),
}
_RANGES = {
    "weight": (1e-6, 1e3),
    "strength": (1e-3, 1.0),
    "eta": (0.0, 1.0),
    "guidance": (1.0, 100.0),
    "share": (1e-3, 1.0),
    "fusion": (0.0, 0.99),
    "tolerance": (1e-6, 1.0),
}
_COUNTS = {"resolution": (64, 2048), "steps": (1, 1000), "seed": (0, 2**63 - 1), "dino_resolution": (14, 4096)}


def profile(name: str) -> dict[str, Any]:
    """A copy of a profile; raises InputError ``features-option`` for an unknown name."""
    if name not in PROFILES:
        raise InputError("features-option", f"There is no profile “{name}”.", f"Choose {' or '.join(PROFILES)}.")
    return dict(PROFILES[name])


def check(part: dict[str, Any]) -> None:
    """Raise InputError ``features-option`` unless every value of a ``diff3f`` part can be."""
    needed = {*REFERENCE, "weight"} - {"views"}
    for name in (needed - set(part)) | (set(part) - needed - {"extractor", "models", "views"}):
        raise _refused(name, part.get(name, "missing"))
    for name, choices in CHOICES.items():
        _require(part[name] in choices, name, part, " or ".join(choices))
    for name, (least, most) in _RANGES.items():
        _require(_number(part[name]) and least <= part[name] <= most, name, part, f"a number from {least} to {most}")
    for name, (first, last) in _COUNTS.items():
        good = _whole(part[name]) and first <= part[name] <= last
        _require(good, name, part, f"a whole number from {first} to {last}")
    for name in ("prompt", "template", "negative"):
        _require(isinstance(part[name], str), name, part, "a text")
    for name in ("finish", "compiled"):
        _require(isinstance(part[name], bool), name, part, "true or false")
    _require("{}" in part["template"], "template", part, "a text with {} where the prompt goes")
    _require(part["resolution"] % 64 == 0, "resolution", part, "a multiple of 64")
    _require(int(part["steps"] * part["strength"]) >= 1, "strength", part, "enough for one step")
    _require(_numbers(part["controls"], 2, 0.0, 10.0), "controls", part, "two numbers from 0 to 10")
    _require(_numbers(part["step_weights"], 2, 0.0, 1e3), "step_weights", part, "two numbers of 0 or more")
    _require(sum(part["step_weights"]) > 0, "step_weights", part, "two numbers of 0 or more, not both 0")
    taps = part["taps"]
    good = isinstance(taps, dict) and bool(taps) and all(name in TAPS for name in taps)
    _require(good and _numbers(list(taps.values()), len(taps), 1e-6, 1e3), "taps", part, f"some of {', '.join(TAPS)}")
    layers = part["layers"]
    _require(isinstance(layers, list) and all(map(_whole, layers)), "layers", part, "a list of whole numbers")
    if part["read"] == "negative":
        _require(part["guidance"] > 1, "read", part, "positive where guidance is 1: no other branch is run")


def _require(condition: bool, name: str, part: dict[str, Any], wanted: str) -> None:
    if not condition:
        raise _refused(name, part[name], f"It must be {wanted}.")


def _refused(name: str, value: Any, fix: str = "Check its value.") -> InputError:
    return InputError("features-option", f"The features cannot be computed with {name} “{value}”.", fix)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numbers(values: Any, count: int, least: float, most: float) -> bool:
    good = isinstance(values, list) and len(values) == count
    return good and all(_number(value) and least <= value <= most for value in values)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
