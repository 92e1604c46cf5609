"""Whole materials: what feeds each channel of an object's Principled BSDFs, slot by slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ..mesh.snapshot import evaluated, materials_of
from .images import MOVING, check_image, is_linear
from .shaders import Groups, Shader, image_nodes, of_material, origin, seen, shaders

Matrix = NDArray[np.float64]

LUMA = np.array([[0.2126], [0.7152], [0.0722]])
"""How Blender makes a value of a color."""
ADDRESSES = {"REPEAT": "repeat", "EXTEND": "extend", "CLIP": "clip", "MIRROR": "mirror"}


@dataclass(frozen=True)
class Slot:
    """One input of the shader as a channel: its name, the socket, how many numbers it has, which group it is in."""

    name: str
    socket: str
    width: int
    group: str


INPUTS = (
    Slot("base_color", "Base Color", 3, "base_color"),
    Slot("metallic", "Metallic", 1, "metallic"),
    Slot("roughness", "Roughness", 1, "roughness"),
    Slot("alpha", "Alpha", 1, "alpha"),
    Slot("emission", "Emission Color", 3, "emission"),
    Slot("emission_strength", "Emission Strength", 1, "emission"),
    Slot("specular", "Specular IOR Level", 1, "other"),
    Slot("subsurface", "Subsurface Weight", 1, "other"),
    Slot("transmission", "Transmission Weight", 1, "other"),
    Slot("coat", "Coat Weight", 1, "other"),
    Slot("coat_roughness", "Coat Roughness", 1, "other"),
    Slot("sheen", "Sheen Weight", 1, "other"),
    Slot("diffuse_roughness", "Diffuse Roughness", 1, "other"),
    Slot("ior", "IOR", 1, "other"),
    Slot("specular_tint", "Specular Tint", 3, "other"),
    Slot("anisotropic", "Anisotropic", 1, "other"),
    Slot("subsurface_radius", "Subsurface Radius", 3, "other"),
    Slot("subsurface_scale", "Subsurface Scale", 1, "other"),
    Slot("coat_ior", "Coat IOR", 1, "other"),
    Slot("coat_tint", "Coat Tint", 3, "other"),
    Slot("sheen_roughness", "Sheen Roughness", 1, "other"),
    Slot("sheen_tint", "Sheen Tint", 3, "other"),
    Slot("film_thickness", "Thin Film Thickness", 1, "other"),
    Slot("film_ior", "Thin Film IOR", 1, "other"),
)
STRENGTH, ALPHA = (next(one for one in INPUTS if one.name == name) for name in ("emission_strength", "alpha"))
COLORS = ("base_color", "emission", "specular_tint", "coat_tint", "sheen_tint")
"""Channels that are seen as colors: stored as sRGB where they fit into it."""
UNLIMITED = (
    *("emission_strength", "ior", "subsurface_radius", "subsurface_scale"),
    *("coat_ior", "film_thickness", "film_ior"),
)
"""Channels of numbers beyond 1."""
DEFAULTS = {
    "roughness": 0.5,
    "alpha": 1.0,
    "specular": 0.5,
    **dict.fromkeys(("metallic", "emission", "emission_strength", "subsurface", "transmission", "coat", "sheen"), 0.0),
    "base_color": 0.8,
}
"""What a Principled BSDF gets for what another shader has not."""
CHANNELS = ("base_color", "roughness", "metallic", "normal", "emission", "alpha", "displacement", "other")
"""What a user can choose from; "other" are specular, subsurface, transmission, coat, sheen and thin film."""


@dataclass(frozen=True)
class Wire:
    """What feeds one input: an image, a value, or nodes that have to be baked.

    The input's value is ``offset + sample @ weights``, the sample linear red, green, blue and alpha.

    Attributes:
        image: None for a plain value, which is ``offset`` then.
        uv_map: name of the UV map, "" for the one active for rendering.
        mapping: (2, 3), what a Mapping node does to UVs.
        weights: (4, width).
        offset: (width,).
        address, closest: how the image is repeated and interpolated.
        baked: the nodes are too complex to read.
        associated: the color is multiplied by the image's alpha, as Blender does where that is not used by itself.
        strength: of a normal map or bump; ``distance`` of a bump, ``midlevel`` of a displacement.
    """

    width: int
    image: bpy.types.Image | None = None
    uv_map: str = ""
    mapping: tuple[tuple[float, ...], ...] = ((1, 0, 0), (0, 1, 0))
    weights: Matrix = field(default_factory=lambda: np.zeros((4, 0)))
    offset: Matrix = field(default_factory=lambda: np.zeros(0))
    address: str = "repeat"
    closest: bool = False
    baked: bool = False
    associated: bool = False
    strength: float = 1
    distance: float = 1
    midlevel: float = 0.5

    @property
    def plain(self) -> bool:
        """Whether it is the image's color as it is."""
        return bool(np.array_equal(self.weights, np.eye(4)[:, : self.width]) and not self.offset.any())

    @property
    def constant(self) -> bool:
        """Whether it is a plain value."""
        return self.image is None and not self.baked

    def as_wide(self, width: int) -> Wire:
        """A color as a value, or a value as a gray."""
        if width == self.width:
            return self
        change = LUMA if width == 1 else np.ones((1, width))
        return replace(self, width=width, weights=self.weights @ change, offset=self.offset @ change)


@dataclass(frozen=True)
class Shading:
    """The materials of one object, read.

    Attributes:
        materials: by slot, those that some face uses; None for an empty slot.
        wires: by slot, by channel.
        main: the slot with the most faces.
        told: what could not be read as it is.
    """

    materials: dict[int, bpy.types.Material | None]
    wires: dict[int, dict[str, Wire]]
    main: int
    told: list[str]


class _Complex(Exception):
    """Nodes that cannot be read as one image."""


def read(obj: bpy.types.Object, channels: Sequence[str] = ()) -> Shading:
    """What feeds the channels of each material that some face of the object uses.

    Followed are links through reroutes, groups and muted nodes to image textures (with Mapping and UV Map nodes),
    values, Separate Color, multiplication by a value, simple Math, Invert, Normal Map, Bump and Displacement. What
    else there is becomes a wire that has to be baked, also where several shaders are mixed. The materials are those
    that the modifiers leave.

    Args:
        obj: the source.
        channels: of :data:`CHANNELS`; () for all.

    Raises:
        InputError: ``channel-unknown``; ``no-texture`` when there is no image and no two different values either;
            ``image-missing`` when an image cannot be loaded.
    """
    unknown = [name for name in channels if name not in CHANNELS]
    if unknown:
        raise InputError(
            "channel-unknown", f"There is no channel “{', '.join(unknown)}”.", f"Choose from {', '.join(CHANNELS)}."
        )
    wanted = tuple(channels) or CHANNELS
    slots, faces, rendered = _slots(obj)
    materials, wires = {}, {}
    told: list[str] = []
    for index in np.flatnonzero(faces).tolist():
        material = materials[index] = slots[index] if slots else None
        wires[index] = _wires(material, wanted, rendered, told)
        if complex_ones := [name for name, wire in wires[index].items() if wire.baked]:
            told.append(
                f"“{material.name if material else ''}”: {', '.join(complex_ones)} baked first "
                "(its nodes are more than one image)."
            )
        if (
            material
            and complex_ones
            and (pink := sorted({_called(node.image) for node in image_nodes(material) if _lost(node)}))
        ):
            told.append(
                f"“{material.name}” has images that cannot be loaded, pink as Blender shows them: {', '.join(pink)}."
            )
    images = [wire.image for one in wires.values() for wire in one.values() if wire.image]
    varied = any(wire.baked for one in wires.values() for wire in one.values())
    keys = {tuple(sorted((name, tuple(wire.offset)) for name, wire in one.items())) for one in wires.values()}
    if not images and not varied and len(keys) < 2:
        raise InputError(
            "no-texture",
            f"The materials of “{obj.name}” have no image texture and no values to tell apart.",
            "Connect an image to its material, or choose other channels.",
        )
    return Shading(materials, wires, int(faces.argmax()), told)


def _lost(node: bpy.types.Node) -> bool:
    """Whether the image of a node cannot be shown."""
    try:
        check_image(node.image, node.image_user)
    except InputError as error:
        return error.code != "image-unsaved"
    return False


def _called(image: bpy.types.Image | None) -> str:
    return f"“{image.name}”" if image else "one that is not chosen"


def _wires(
    material: bpy.types.Material | None, wanted: Sequence[str], rendered: str, told: list[str]
) -> dict[str, Wire]:
    """What feeds the channels of one material; ``rendered`` is the UV map that is meant where none is named, and
    ``told`` learns what is left out."""
    found = of_material(material)
    shown = seen(found)
    tree = material.node_tree if material else None
    output = tree.get_output_node("ALL") if tree else None
    wires = {}
    for one in (one for one in INPUTS if one.group in wanted):
        if output and one.name == "alpha" and len(found) > len(shown):
            wires["alpha"] = _shares(output.inputs["Surface"])
        elif one.name == "base_color" and not found:
            wires["base_color"] = _plain(material.diffuse_color[:3] if material else (0.8, 0.8, 0.8), 3)
        else:
            heard = [shader for shader in shown if shader.has_say(one.name)] or shown
            wire = _mixed([_input(shader, one) for shader in heard], one)
            if wire:
                wires[one.name] = wire
    if len(shown) > 1 and "emission_strength" in wires:
        # Where shaders are mixed, their colors are baked as strong as they shine.
        strengths = [wire for wire in (_input(one, STRENGTH) for one in shown) if wire]
        shining = any(not wire.constant or wire.offset.any() for wire in strengths)
        wires |= {"emission": _baked(3) if shining else _plain(1, 3), "emission_strength": _plain(shining, 1)}
    bent = [one for one in shown if "Normal" in one.node.inputs]
    if "normal" in wanted and any(one.node.inputs["Normal"].is_linked for one in bent):
        shared = len({origin(one.node.inputs["Normal"], one.groups)[:2] for one in bent}) == 1
        wires |= (
            _normal_wires(bent[0].node.inputs["Normal"], bent[0].groups, rendered) if shared else {"normal": _baked(3)}
        )
    if material and "displacement" in wanted and output is not None and output.inputs["Displacement"].is_linked:
        if lift := _displacement(output.inputs["Displacement"]):
            wires["displacement"] = lift
        else:
            told.append(f"“{material.name}”: its displacement is a vector, not a height, and is not carried.")
    return wires


def _baked(width: int) -> Wire:
    return Wire(width, baked=True, weights=np.eye(4)[:, :width], offset=np.zeros(width))


def _plain(value: Any, width: int) -> Wire:
    return Wire(width, weights=np.zeros((4, width)), offset=np.broadcast_to(np.array(value, np.float64), width).copy())


def _input(shader: Shader, one: Slot) -> Wire | None:
    """What one shader has for a channel; None where it has no such input and no sensible value."""
    found = shader.input(one.name, one.socket)
    if isinstance(found, bpy.types.NodeSocket):
        return _wire(found, shader.groups, one.width)
    if found is None:
        found = None if shader.principled else DEFAULTS.get(one.name)
    return None if found is None else _plain(found, one.width)


def _mixed(wires: Sequence[Wire | None], one: Slot) -> Wire | None:
    """A channel of several shaders: to be baked, unless they have the same value."""
    if not wires:
        return _plain(DEFAULTS[one.name], one.width) if one.name in DEFAULTS else None
    found = [wire for wire in wires if wire]
    if len(found) < 2 or all(wire.constant and (wire.offset == found[0].offset).all() for wire in found):
        return found[0] if found else None
    return _baked(one.width)


def _shares(surface: bpy.types.NodeSocket) -> Wire:
    """The alpha of a surface that is mixed with transparency: the factor of the mix, if that is all there is."""
    out, groups, _ = origin(surface)
    if out.node.type == "MIX_SHADER":
        factor, *sides = out.node.inputs
        found = [shaders(side, groups) for side in sides]
        clear = [bool(one) and all(shader.transparent for shader in one) for one in found]
        if clear[0] != clear[1]:
            alphas = [_input(shader, ALPHA) for shader in found[0 if clear[1] else 1]]
            if all(wire and wire.constant and (wire.offset == 1).all() for wire in alphas):
                wire = _wire(factor, groups, 1)
                return wire if clear[0] or wire.baked else replace(wire, weights=-wire.weights, offset=1 - wire.offset)
    return _baked(1)


def _wire(socket: bpy.types.NodeSocket, groups: Groups, width: int) -> Wire:
    """What feeds an input, as ``width`` numbers; a wire to be baked where that is too complex."""
    try:
        return _read(socket, groups).as_wide(width)
    except _Complex:
        return _baked(width)


def _read(socket: bpy.types.NodeSocket, groups: Groups) -> Wire:
    out, groups, _ = origin(socket, groups)
    if not out.is_output:
        return _value(out)
    node = out.node
    if node.type in ("RGB", "VALUE"):
        return _value(out)
    if node.type == "TEX_IMAGE":
        return _image(node, out, groups)
    if node.type in ("SEPARATE_COLOR", "SEPRGB") and getattr(node, "mode", "RGB") == "RGB":
        wire = _read(node.inputs[0], groups).as_wide(3)
        index = list(node.outputs).index(out)
        part = slice(index, index + 1)
        return replace(wire, width=1, weights=wire.weights[:, part], offset=wire.offset[part])
    if node.type == "MIX" and node.data_type == "RGBA" and node.blend_type == "MULTIPLY":
        sides = [one for one in node.inputs if one.enabled and one.type == "RGBA"]
        factor = next(one for one in node.inputs if one.enabled and one.type != "RGBA")
        return _product(_read(factor, groups), *(_read(one, groups).as_wide(3) for one in sides))
    if node.type == "MIX_RGB" and node.blend_type == "MULTIPLY":
        factor, *sides = node.inputs
        return _product(_read(factor, groups), *(_read(one, groups).as_wide(3) for one in sides))
    if node.type == "INVERT":
        factor = _read(node.inputs[0], groups)
        if factor.constant and factor.offset.tolist() == [1.0]:
            wire = _read(node.inputs[1], groups).as_wide(3)
            return replace(wire, weights=-wire.weights, offset=1 - wire.offset)
    if node.type == "MATH" and node.operation in ("MULTIPLY", "ADD", "SUBTRACT") and not node.use_clamp:
        one, two = (_read(side, groups).as_wide(1) for side in node.inputs[:2])
        return _arithmetic(node.operation, one, two)
    raise _Complex


def _value(socket: bpy.types.NodeSocket) -> Wire:
    value = socket.default_value if hasattr(socket, "default_value") else 0.0
    offset = np.atleast_1d(np.array(value, np.float64))[:3]
    return Wire(len(offset), weights=np.zeros((4, len(offset))), offset=offset)


def _image(node: bpy.types.Node, out: bpy.types.NodeSocket, groups: Groups) -> Wire:
    check_image(node.image, node.image_user)
    if node.projection != "FLAT" or node.image.source in MOVING:
        raise _Complex
    space = node.image.colorspace_settings.name
    if space != "sRGB" and not is_linear(node.image):
        raise _Complex
    weights = np.eye(4)[:, 3:] if out.name == "Alpha" else np.eye(4)[:, :3]
    uv_map, mapping = _coordinates(node.inputs["Vector"], groups)
    return Wire(
        weights.shape[1], node.image, uv_map, mapping, weights, np.zeros(weights.shape[1]),
        ADDRESSES[node.extension], node.interpolation == "Closest", associated=not node.outputs["Alpha"].is_linked,
    )  # fmt: skip


def _coordinates(socket: bpy.types.NodeSocket, groups: Groups) -> tuple[str, tuple[tuple[float, ...], ...]]:
    """The UV map's name and what a Mapping node does to it."""
    matrix = np.eye(3)
    while True:
        out, groups, _ = origin(socket, groups)
        if not out.is_output:
            return "", tuple(map(tuple, matrix[:2].tolist()))
        node = out.node
        if node.type == "MAPPING":
            matrix = matrix @ _mapping(node)
            socket = node.inputs["Vector"]
            continue
        if node.type == "UVMAP" and not node.from_instancer:
            name = node.uv_map
        elif node.type == "ATTRIBUTE" and node.attribute_type == "GEOMETRY" and out.name == "Vector":
            name = node.attribute_name
        elif node.type == "TEX_COORD" and out.name == "UV" and not node.from_instancer:
            name = ""
        else:
            raise _Complex
        return str(name), tuple(map(tuple, matrix[:2].tolist()))


def _mapping(node: bpy.types.Node) -> Matrix:
    if any(one.is_linked for one in node.inputs if one.name != "Vector") or node.vector_type not in (
        "POINT",
        "TEXTURE",
        "VECTOR",
    ):
        raise _Complex
    get = {one.name: np.array(one.default_value, np.float64) for one in node.inputs if one.name != "Vector"}
    turn, scale = get["Rotation"], get["Scale"]
    if turn[0] or turn[1]:
        raise _Complex
    c, s = np.cos(turn[2]), np.sin(turn[2])
    matrix = np.array([[c * scale[0], -s * scale[1], 0], [s * scale[0], c * scale[1], 0], [0, 0, 1]])
    if node.vector_type != "VECTOR":
        matrix[:2, 2] = get["Location"][:2]
    if node.vector_type == "TEXTURE":
        if abs(np.linalg.det(matrix)) < 1e-12:
            raise _Complex
        matrix = np.linalg.inv(matrix)
    return matrix


def _product(factor: Wire, one: Wire, two: Wire) -> Wire:
    """A x B where one side is a value and the factor a value."""
    if not factor.constant or not (one.constant or two.constant):
        raise _Complex
    wire, value = (two, one) if one.constant else (one, two)
    if one.constant and factor.offset[0] != 1:
        raise _Complex
    scale = 1 - factor.offset[0] + factor.offset[0] * value.offset
    return replace(wire, weights=wire.weights * scale, offset=wire.offset * scale)


def _arithmetic(operation: str, one: Wire, two: Wire) -> Wire:
    if not (one.constant or two.constant):
        raise _Complex
    if operation == "MULTIPLY":
        wire, value = (two, one) if one.constant else (one, two)
        return replace(wire, weights=wire.weights * value.offset, offset=wire.offset * value.offset)
    sign = 1 if operation == "ADD" else -1
    if one.constant:
        return replace(two, weights=sign * two.weights, offset=one.offset + sign * two.offset)
    return replace(one, offset=one.offset + sign * two.offset)


def _normal_wires(socket: bpy.types.NodeSocket, groups: Groups, rendered: str) -> dict[str, Wire]:
    """The normal map and the bump behind a Normal input."""
    out, groups, _ = origin(socket, groups)
    node = out.node
    flat = _baked(3)
    if not out.is_output:
        return {}
    try:
        if node.type == "NORMAL_MAP" and node.space == "TANGENT":
            wire, strength = _read(node.inputs["Color"], groups).as_wide(3), _read(node.inputs["Strength"], groups)
            same = (node.uv_map or rendered) == (wire.uv_map or rendered)
            if strength.constant and wire.image and wire.plain and same:
                return {"normal": replace(wire, strength=float(strength.offset[0]))}
        elif node.type == "BUMP":
            height = _read(node.inputs["Height"], groups).as_wide(1)
            numbers = [_read(node.inputs[name], groups) for name in ("Strength", "Distance")]
            if height.image and all(one.constant for one in numbers):
                lift, distance = (float(one.offset[0]) for one in numbers)
                found = {"bump": replace(height, strength=-lift if node.invert else lift, distance=distance)}
                if node.inputs["Normal"].is_linked:
                    below = _normal_wires(node.inputs["Normal"], groups, rendered)
                    if "bump" in below or any(one.baked for one in below.values()):
                        return {"normal": flat}
                    found.update(below)
                return found
    except _Complex:
        pass
    return {"normal": flat}


def _displacement(socket: bpy.types.NodeSocket) -> Wire | None:
    """The height behind a Displacement output: one channel, with the scale as strength; None for a vector."""
    out, groups, _ = origin(socket)
    if out.node.type != "DISPLACEMENT":
        return None
    height, scale, middle = (_wire(out.node.inputs[name], groups, 1) for name in ("Height", "Scale", "Midlevel"))
    if height.baked or not (scale.constant and middle.constant):
        return replace(_baked(1), midlevel=0.0)
    return replace(height, strength=float(scale.offset[0]), midlevel=float(middle.offset[0]))


def _slots(obj: bpy.types.Object) -> tuple[list[bpy.types.Material | None], NDArray[Any], str]:
    """The material of each slot as the modifiers leave them, how many faces use it, and the UV map that is rendered."""
    with evaluated(obj) as (result, mesh):
        slots = materials_of(result, mesh)
        used = np.zeros(len(mesh.polygons), np.int32)
        mesh.polygons.foreach_get("material_index", used)
        rendered = next((layer.name for layer in mesh.uv_layers if layer.active_render), "")
    return slots, np.bincount(np.clip(used, 0, max(len(slots) - 1, 0)), minlength=1), rendered
