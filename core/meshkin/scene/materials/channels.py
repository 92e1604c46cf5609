"""The channels of a material (base color, roughness, normal, ...) and the values that the nodes give them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import bpy
import numpy as np
from numpy.typing import NDArray

from ...transfer.texture.options import CHANNEL_CHOICES

Matrix = NDArray[np.float64]

LUMA = np.array([[0.2126], [0.7152], [0.0722]])
"""Weights of linear red, green and blue when Blender converts a color to a value (Rec. 709 luminance)."""


@dataclass(frozen=True)
class ShaderInput:
    """An input of the Principled BSDF that is carried over as a channel.

    Attributes:
        name: of the channel.
        socket: name of the input socket on the node.
        width: how many numbers the value has: 1 or 3.
        group: the entry of :data:`MATERIAL_CHANNELS` that includes the channel.
    """

    name: str
    socket: str
    width: int
    group: str


SHADER_INPUTS = (
    ShaderInput("base_color", "Base Color", 3, "base_color"),
    ShaderInput("metallic", "Metallic", 1, "metallic"),
    ShaderInput("roughness", "Roughness", 1, "roughness"),
    ShaderInput("alpha", "Alpha", 1, "alpha"),
    ShaderInput("emission", "Emission Color", 3, "emission"),
    ShaderInput("emission_strength", "Emission Strength", 1, "emission"),
    ShaderInput("specular", "Specular IOR Level", 1, "other"),
    ShaderInput("subsurface", "Subsurface Weight", 1, "other"),
    ShaderInput("transmission", "Transmission Weight", 1, "other"),
    ShaderInput("coat", "Coat Weight", 1, "other"),
    ShaderInput("coat_roughness", "Coat Roughness", 1, "other"),
    ShaderInput("sheen", "Sheen Weight", 1, "other"),
    ShaderInput("diffuse_roughness", "Diffuse Roughness", 1, "other"),
    ShaderInput("ior", "IOR", 1, "other"),
    ShaderInput("specular_tint", "Specular Tint", 3, "other"),
    ShaderInput("anisotropic", "Anisotropic", 1, "other"),
    ShaderInput("subsurface_radius", "Subsurface Radius", 3, "other"),
    ShaderInput("subsurface_scale", "Subsurface Scale", 1, "other"),
    ShaderInput("coat_ior", "Coat IOR", 1, "other"),
    ShaderInput("coat_tint", "Coat Tint", 3, "other"),
    ShaderInput("sheen_roughness", "Sheen Roughness", 1, "other"),
    ShaderInput("sheen_tint", "Sheen Tint", 3, "other"),
    ShaderInput("film_thickness", "Thin Film Thickness", 1, "other"),
    ShaderInput("film_ior", "Thin Film IOR", 1, "other"),
)
"""The inputs that are carried over."""
INPUT_BY_NAME = {shader_input.name: shader_input for shader_input in SHADER_INPUTS}
"""The same, by the name of the channel."""
COLOR_CHANNELS = ("base_color", "emission", "specular_tint", "coat_tint", "sheen_tint")
"""Channels that are colors to the eye: stored as sRGB where their values fit into it."""
UNBOUNDED_CHANNELS = (
    *("emission_strength", "ior", "subsurface_radius", "subsurface_scale"),
    *("coat_ior", "film_thickness", "film_ior"),
)
"""Channels whose values can be greater than 1."""
DEFAULTS = {
    "roughness": 0.5,
    "alpha": 1.0,
    "specular": 0.5,
    **dict.fromkeys(("metallic", "emission", "emission_strength", "subsurface", "transmission", "coat", "sheen"), 0.0),
    "base_color": 0.8,
}
"""Values for a Principled BSDF that replaces another shader, for the inputs that the other shader does not have:
Blender's own defaults, and 0 for effects that the other shader does not show."""
MATERIAL_CHANNELS = tuple(choice.value for choice in CHANNEL_CHOICES)
"""What a user can choose from; "other" includes specular, subsurface, transmission, coat, sheen and thin film."""


@dataclass(frozen=True)
class ChannelValue:
    """The value of one channel in one material: an image, a constant, or nodes that have to be baked.

    The value is ``offset + sample @ weights``; ``sample`` is the image's linear red, green, blue and alpha.

    Attributes:
        width: how many numbers the value has.
        image: None for a constant, which is ``offset`` then.
        uv_map: name of the image's UV map, "" for the one active for rendering.
        mapping: (2, 3), the affine map that a Mapping node applies to the UVs.
        weights: float64 (4, width).
        offset: float64 (width,).
        address: what lies outside the unit square: "repeat", "extend", "clip" or "mirror".
        closest: the image is not interpolated.
        needs_baking: the nodes are too complex to be read as one image.
        premultiplied: colors are multiplied by the image's alpha, as Blender does where no node uses that alpha.
        strength: of a normal map or a bump; of a displacement, its scale.
        distance: of a bump.
        midlevel: of a displacement.
    """

    width: int
    image: bpy.types.Image | None = None
    uv_map: str = ""
    mapping: tuple[tuple[float, ...], ...] = ((1, 0, 0), (0, 1, 0))
    weights: Matrix = field(default_factory=lambda: np.zeros((4, 0)))
    offset: Matrix = field(default_factory=lambda: np.zeros(0))
    address: str = "repeat"
    closest: bool = False
    needs_baking: bool = False
    premultiplied: bool = False
    strength: float = 1
    distance: float = 1
    midlevel: float = 0.5

    @property
    def is_image_color(self) -> bool:
        """Whether the value is the image's color, unchanged."""
        return bool(np.array_equal(self.weights, np.eye(4)[:, : self.width]) and not self.offset.any())

    @property
    def is_constant(self) -> bool:
        """Whether the value is the same everywhere."""
        return self.image is None and not self.needs_baking

    def map_uvs(self, uvs: NDArray[np.floating]) -> NDArray[np.float64]:
        """UVs (..., 2) as the Mapping node moves them."""
        matrix = np.array(self.mapping)
        return np.asarray(uvs @ matrix[:, :2].T + matrix[:, 2])

    def as_wide(self, width: int) -> ChannelValue:
        """The value with ``width`` numbers: a color as its luminance, or a number as a gray."""
        if width == self.width:
            return self
        change = LUMA if width == 1 else np.ones((1, width))
        return replace(self, width=width, weights=self.weights @ change, offset=self.offset @ change)


@dataclass(frozen=True)
class Shading:
    """The materials of one object, read.

    Attributes:
        materials: the material of each slot that some face uses; None for an empty slot.
        channels: for each of these slots, the value of each channel by name.
        main_slot: the slot that most faces use.
        notes: sentences about what could not be read as it is.
        left_out: the slots that some face uses and that are not to be carried.
    """

    materials: dict[int, bpy.types.Material | None]
    channels: dict[int, dict[str, ChannelValue]]
    main_slot: int
    notes: list[str]
    left_out: tuple[int, ...] = ()

    def values(self) -> list[ChannelValue]:
        """The values of all channels in all slots."""
        return [value for by_channel in self.channels.values() for value in by_channel.values()]

    def values_of(self, channel: str) -> list[ChannelValue]:
        """The values of one channel in the slots that have it."""
        return [values[channel] for values in self.channels.values() if channel in values]


def common_strength(shading: Shading, channel: str) -> float:
    """The strength of a channel, if all slots that have it agree; else 1, and the differences are baked in."""
    strengths = {value.strength for value in shading.values_of(channel)}
    return strengths.pop() if len(strengths) == 1 else 1.0


def common_bump(shading: Shading) -> tuple[float, float]:
    """Strength and distance of the bump for all slots: those of the slot with the highest bump."""
    highest = max(shading.values_of("bump"), key=lambda value: abs(value.strength * value.distance))
    return highest.strength, highest.distance


def common_displacement(shading: Shading) -> tuple[float, float]:
    """Scale and midlevel of the displacement for all slots: their own if they agree, else a range that holds all."""
    values = shading.values_of("displacement")
    if len({(value.strength, value.midlevel) for value in values}) == 1:
        return values[0].strength, values[0].midlevel
    return 2 * max(abs(value.strength) for value in values), 0.5


def in_common_scale(value: ChannelValue, channel: str, shading: Shading) -> ChannelValue:
    """One slot's heights, converted to the strength and midlevel that the new material has for all slots."""
    if channel == "bump":
        strength, distance = common_bump(shading)
        return _rescaled(value, value.strength * value.distance, strength * distance, 0, 0)
    if channel == "displacement":
        scale, midlevel = common_displacement(shading)
        return _rescaled(value, value.strength, scale, value.midlevel, midlevel)
    return value


def _rescaled(
    value: ChannelValue, own_scale: float, scale: float, own_midlevel: float, midlevel: float
) -> ChannelValue:
    """Heights of one scale about one midlevel, converted to another scale and midlevel."""
    share = own_scale / scale if scale else 1.0
    return replace(value, weights=value.weights * share, offset=midlevel + (value.offset - own_midlevel) * share)
