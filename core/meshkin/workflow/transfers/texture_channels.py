"""Which channels of the source's materials become pictures, and how they are encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...base.color import linear_to_srgb
from ...scene.materials import images, textures
from ...scene.materials.channels import (
    COLOR_CHANNELS,
    SHADER_INPUTS,
    UNBOUNDED_CHANNELS,
    ChannelValue,
    Shading,
    common_displacement,
    common_strength,
    in_common_scale,
)
from ...transfer.texture.channels import Channel, SlotTexture
from .texture_sources import SourcePictures

WHITE = 1 + 1 / 255
"""A baked value up to this is white and no more (chosen: one step of 8 bits; Cycles is exact to about 1/5000)."""
_FLAT_NORMAL = (0.5, 0.5, 1.0)
"""The color of a tangent-space normal map where the surface is as it is."""


@dataclass(frozen=True)
class ChannelPlan:
    """A channel to bake, and what becomes of its picture.

    Attributes:
        channel: what the worker bakes.
        name: for the image.
        colorspace: of the values in the picture.
    """

    channel: Channel
    name: str
    colorspace: str


def plan_channels(shading: Shading, pictures: SourcePictures) -> list[ChannelPlan]:
    """The channels that need a picture."""
    widths = {shader_input.name: shader_input.width for shader_input in SHADER_INPUTS}
    widths |= {"normal": 3, "bump": 1, "displacement": 1}
    plans: list[ChannelPlan] = []
    used_names: set[str] = set()
    for name, width in widths.items():
        values = {
            slot: in_common_scale(by_channel[name], name, shading)
            for slot, by_channel in shading.channels.items()
            if name in by_channel
        }
        if not _needs_picture(name, values, len(shading.channels)):
            continue
        colorspace, depth = _encoding(name, values, pictures.brightest.get(name, 0.0))
        missing = _missing_value(name, width, shading)
        strength = common_strength(shading, name)
        slots = {}
        for slot in shading.channels:
            value = values.get(slot, missing)
            slots[slot] = _slot_texture(name, width, value, pictures.of(name, value), colorspace == "sRGB", strength)
        channel = Channel(slots, width, depth, name == "normal", name)
        plans.append(ChannelPlan(channel, _image_name(name, values, shading, used_names), colorspace))
    return plans


def _needs_picture(channel: str, values: Mapping[int, ChannelValue], slot_count: int) -> bool:
    """Whether a channel needs a picture: it has images or bakes, or slots have different values."""
    if any(not value.is_constant for value in values.values()):
        return True
    different = len({tuple(value.offset) for value in values.values()}) > 1
    return different or (channel == "displacement" and 0 < len(values) < slot_count)


def _encoding(channel: str, values: Mapping[int, ChannelValue], brightest: float) -> tuple[str, int]:
    """Color space and bits of a channel's picture: the source's own where its images agree."""
    source_images = [value.image for value in values.values() if value.image]
    baked = any(value.needs_baking for value in values.values())
    depth = max((images.bit_depth(image) for image in source_images), default=8)
    if channel in UNBOUNDED_CHANNELS or brightest > WHITE or (channel == "displacement" and baked):
        depth = 32
    if channel not in COLOR_CHANNELS:
        return "Non-Color", depth
    if depth == 32:
        return textures.linear_colorspace(), depth
    spaces = {image.colorspace_settings.name for image in source_images}
    unchanged = all(value.is_image_color for value in values.values() if value.image)
    if len(spaces) == 1 and unchanged and not baked and not any(image.is_float for image in source_images):
        return spaces.pop(), depth
    return "sRGB", depth


def _missing_value(channel: str, width: int, shading: Shading) -> ChannelValue:
    """The value of a channel in slots that do not have it: flat."""
    if channel == "normal":
        offset = np.array(_FLAT_NORMAL)
    else:
        offset = np.full(width, common_displacement(shading)[1] if channel == "displacement" else 0.5)
    return ChannelValue(width, weights=np.zeros((4, width)), offset=offset)


def _slot_texture(
    channel: str, width: int, value: ChannelValue, pictures: Sequence[int], srgb: bool, strength: float
) -> SlotTexture:
    """What a slot gives to a channel.

    Args:
        channel: its name.
        width: how many numbers its value has.
        value: in this slot.
        pictures: indices of the pictures that hold the value.
        srgb: whether the picture to bake is encoded as sRGB.
        strength: of the channel in the new material.
    """
    constant = np.asarray(value.offset, np.float64)[:width]
    plain = tuple((linear_to_srgb(constant) if srgb else constant).tolist())
    if value.is_constant or not pictures:
        return SlotTexture(value=plain)
    linear = value.needs_baking or (value.image is not None and images.is_linear(value.image))
    as_it_is = value.is_image_color and not value.needs_baking and linear != srgb
    return SlotTexture(
        pictures=tuple(pictures),
        value=_FLAT_NORMAL if channel == "normal" else plain,
        from_srgb=not as_it_is and not linear,
        to_srgb=not as_it_is and srgb,
        weights=tuple(map(tuple, np.asarray(value.weights)[:, :width].tolist())),
        offset=tuple(value.offset.tolist()) if value.offset.any() else (),
        strength=value.strength / strength if channel == "normal" and value.strength != strength else 1,
    )


def _image_name(channel: str, values: Mapping[int, ChannelValue], shading: Shading, used: set[str]) -> str:
    """After the image that the channel comes from, the main slot's first, else after the material.

    A name that is in ``used`` is not taken again; the one that is taken is added to it.
    """
    by_importance = sorted(values.items(), key=lambda entry: entry[0] != shading.main_slot)
    image = next((value.image for _, value in by_importance if value.image), None)
    if image is not None and image.name not in used:
        used.add(image.name)
        return str(image.name)
    material = shading.materials[shading.main_slot]
    base = image.name if image else material.name if material else "texture"
    return f"{base} {channel.replace('_', ' ')}"
