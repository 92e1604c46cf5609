"""Marigold models, told from each other by their configurations: what each reads from a picture, and how it says it.

A folder of ``diffusers`` with a UNet that sees the latents of the picture beside those of the maps that it makes
(Ke et al. 2024, https://arxiv.org/abs/2312.02145; 2025, https://arxiv.org/abs/2505.09358).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .known import DEPTH, INTRINSICS, NORMALS

CLASSES = {
    DEPTH: "MarigoldDepthPipeline",
    NORMALS: "MarigoldNormalsPipeline",
    INTRINSICS: "MarigoldIntrinsicsPipeline",
}
"""The class of ``diffusers`` of each kind."""
INDEX = "model_index.json"
"""The file in which ``diffusers`` says which class a folder is of, and its settings."""
SCHEDULERS = ("DDIMScheduler", "LCMScheduler")
"""Schedulers that Marigold models are published with."""
PREDICTIONS = {DEPTH: "depth", NORMALS: "normals", INTRINSICS: "intrinsics"}
"""What each kind's settings call its prediction."""
_HOUSE_NAMES = {"albedo": "albedo", "roughness": "roughness", "metallicity": "metallic"}
"""The maps of an intrinsics model by the names in its settings; light and shadow are not used."""


@dataclass(frozen=True)
class Place:
    """Where a map lies in a model's prediction.

    Attributes:
        target: number of the picture.
        channel: of that picture; None for all three.
        space: whether its values are sRGB or linear.
    """

    target: int = 0
    channel: int | None = None
    space: Literal["srgb", "linear"] = "linear"


def places(kind: str, index: Mapping[str, Any]) -> dict[str, Place]:
    """The maps that a model makes, by name, as its settings tell; raises ValueError where they tell none."""
    if kind == DEPTH:
        return {"depth": Place(channel=0)}
    if kind == NORMALS:
        return {"normal": Place()}
    try:
        properties = index["target_properties"]
        found: dict[str, Place] = {}
        for target, name in enumerate(properties["target_names"]):
            space = properties[name].get("prediction_space", "srgb")
            inner = properties[name]["sub_target_names"] if space == "stack" else [name]
            for channel, part in enumerate(inner):
                if part in _HOUSE_NAMES:
                    own = properties.get(part, {}).get("prediction_space", "srgb")
                    linear = own == "linear" or part != "albedo"  # roughness and metallic are numbers, no colors
                    place = channel if space == "stack" else None
                    found[_HOUSE_NAMES[part]] = Place(target, place, "linear" if linear else "srgb")
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{INDEX} does not say what it predicts") from error
    if not found:
        raise ValueError(f"it predicts none of {', '.join(_HOUSE_NAMES)}")
    return found


def kind_of(index: Mapping[str, Any]) -> str:
    """The kind that a folder's settings name; "" for none of Marigold's."""
    return next((kind for kind, name in CLASSES.items() if index.get("_class_name") == name), "")


def refusal(kind: str, index: Mapping[str, Any], configs: Mapping[str, Mapping[str, Any]]) -> str:
    """Why a folder is no such model, in words; "" if it is one.

    Args:
        kind: one of :data:`CLASSES`.
        index: the folder's settings.
        configs: the configurations of ``unet``, ``vae``, ``text_encoder`` and ``scheduler``.
    """
    if index.get("prediction_type") != PREDICTIONS[kind]:
        return f"it predicts “{index.get('prediction_type')}”, not “{PREDICTIONS[kind]}”"
    try:
        places(kind, index)
    except ValueError as error:
        return str(error)
    targets = len(index["target_properties"]["target_names"]) if kind == INTRINSICS else 1
    latent = configs["vae"].get("latent_channels", 4)
    ends = configs["unet"].get("in_channels"), configs["unet"].get("out_channels")
    wanted = (1 + targets) * latent, targets * latent
    if ends != wanted:
        return f"its UNet takes {ends[0]} channels and gives {ends[1]}, not {wanted[0]} and {wanted[1]}"
    if configs["unet"].get("cross_attention_dim") != configs["text_encoder"].get("hidden_size"):
        return "its UNet and its text encoder do not go together"
    if configs["scheduler"].get("_class_name") not in SCHEDULERS:
        return f"its scheduler is {configs['scheduler'].get('_class_name')}, not {' or '.join(SCHEDULERS)}"
    return ""
