"""What can be asked of ``sd_dino``: its parameters as plain data, and what every value may be.

* ``style``, ``background``: of the pictures, see :mod:`meshkin.features.pictures`.
* ``resolution``: of the pictures that Stable Diffusion looks at, a multiple of 64. (The published code looks at four
  overlapping squares of 512 pixels out of 960: four passes a picture. One pass at 512 is a quarter of that work.)
* ``prompt``, ``template``: what the object is in words, and the sentence it is put into. The default sentence is empty,
  as published: no text. "a photo of a {}" is the published alternative.
* ``form``: ``noised``, for a UNet as Stable Diffusion was trained: one look at latents with the noise of ``step``;
  or ``clean``, for one fine-tuned to look at clean latents whatever the step (CleanDIFT, Stracke et al., CVPR 2025,
  https://arxiv.org/abs/2412.03439): no noise, and ``step``, ``seed`` and ``noise`` say nothing.
  An ordinary UNet does worse on clean latents than on noisy ones.
* ``step``: how much noise, 0 to 999; published: 100.
* ``seed``; ``noise``: ``view`` (each view its own noise, by where its camera stands) or ``shared`` (all pictures the
  same, as published). Photographs always get the shared one.
* ``taps``: places in the decoder (:data:`meshkin.features.parameters.TAPS`) and how much each level counts.
* ``components``: to which each level is reduced, jointly for all that meet in a job (:mod:`meshkin.features.joint`).
* ``layers``, ``dino_resolution``: of DINOv2; [] for its last layer. (Published: 840 pixels.)
* ``fusion``: DINOv2's share, 0 to 1; at 0 it is not loaded.
* ``compiled``: whether the attention blocks are compiled first (no part of the cache key).

Source: "A Tale of Two Features" (Zhang et al., NeurIPS 2023, https://arxiv.org/abs/2305.15347), sections 3 and 4.
"""

from __future__ import annotations

from typing import Any

from ....base.errors import InputError
from ...parameters import STYLES, TAPS

SD_DINO: dict[str, Any] = {
    "style": "textured",
    "background": 1.0,
    "resolution": 512,
    "prompt": "",
    "template": "",
    "form": "noised",
    "step": 100,
    "seed": 42,
    "noise": "view",
    "taps": {"s3": 1.0, "s4": 1.0, "s5": 1.0},
    "components": 256,
    "layers": [],
    "dino_resolution": 518,
    "fusion": 0.5,
    "compiled": False,
}
ROLES = {"base": "stable-diffusion", "unet": "unet", "dinov2": "dinov2"}
"""The models and what each must be; ``unet`` takes the place of the base's own where one is named."""

_WHOLE = {"resolution": (64, 2048), "step": (0, 999), "seed": (0, 2**63 - 1), "components": (3, 256)}
_RANGES = {"weight": (1e-6, 1e3), "background": (0.0, 1.0), "fusion": (0.0, 0.99)}
_CHOICES = {"style": STYLES, "form": ("noised", "clean"), "noise": ("view", "shared")}


def check(part: dict[str, Any]) -> None:
    """Raise InputError ``features-option`` unless every value of an ``sd_dino`` part can be."""
    known = {*SD_DINO, "weight", "extractor", "models"}
    for name in (({*SD_DINO, "weight"}) - set(part)) | (set(part) - known):
        raise _refused(name, part.get(name, "missing"), f"It has {', '.join(sorted(SD_DINO))}.")
    for name, choices in _CHOICES.items():
        _require(part[name] in choices, name, part, " or ".join(choices))
    for name, (least, most) in _WHOLE.items():
        _require(_whole(part[name]) and least <= part[name] <= most, name, part, f"from {least} to {most}")
    for name, (low, high) in _RANGES.items():
        _require(_number(part[name]) and low <= part[name] <= high, name, part, f"from {low} to {high}")
    _require(part["resolution"] % 64 == 0, "resolution", part, "a multiple of 64")
    _require(_whole(part["dino_resolution"]) and part["dino_resolution"] > 0, "dino_resolution", part, "a whole number")
    for name in ("prompt", "template"):
        _require(isinstance(part[name], str), name, part, "a text")
    _require(isinstance(part["compiled"], bool), "compiled", part, "true or false")
    taps = part["taps"]
    good = isinstance(taps, dict) and bool(taps) and set(taps) <= set(TAPS)
    good = good and all(_number(value) and 0 < value < 1e3 for value in taps.values())
    _require(good, "taps", part, f"some of {', '.join(TAPS)} with a positive number each")
    layers = part["layers"]
    _require(isinstance(layers, list) and all(map(_whole, layers)), "layers", part, "a list of whole numbers")


def _require(condition: bool, name: str, part: dict[str, Any], wanted: str) -> None:
    if not condition:
        raise _refused(name, part[name], f"It must be {wanted}.")


def _refused(name: str, value: Any, fix: str) -> InputError:
    return InputError("features-option", f"The features cannot be computed with {name} “{value}”.", fix)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
