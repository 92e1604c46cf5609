"""Sockets read as channel values: an image or a constant, with the arithmetic that nodes do on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import bpy
import numpy as np

from .channels import ChannelValue, Matrix
from .images import MOVING, check_image, is_linear
from .shaders import Groups, upstream

ADDRESS_MODES = {"REPEAT": "repeat", "EXTEND": "extend", "CLIP": "clip", "MIRROR": "mirror"}
"""Blender's name for what an image shows outside the unit square, and the name in :class:`ChannelValue`."""


class _TooComplex(Exception):
    """Nodes that cannot be read as one image or constant."""


def to_be_baked(width: int) -> ChannelValue:
    """The value of nodes that have to be baked."""
    return ChannelValue(width, needs_baking=True, weights=np.eye(4)[:, :width], offset=np.zeros(width))


def constant(value: Any, width: int) -> ChannelValue:
    """A constant value; ``value`` is a number or ``width`` numbers."""
    offset = np.broadcast_to(np.array(value, np.float64), width).copy()
    return ChannelValue(width, weights=np.zeros((4, width)), offset=offset)


def read_socket(socket: bpy.types.NodeSocket, groups: Groups, width: int) -> ChannelValue:
    """The value of an input socket with ``width`` numbers; one to be baked if the nodes are too complex."""
    try:
        return _read(socket, groups).as_wide(width)
    except _TooComplex:
        return to_be_baked(width)


def normal_values(socket: bpy.types.NodeSocket, groups: Groups, render_uv_map: str) -> dict[str, ChannelValue]:
    """The channels "normal" (a normal map) and "bump" (a height) behind a Normal input.

    A normal to be baked if the nodes are anything else; no channel if nothing is linked.
    """
    output, groups = upstream(socket, groups)
    if not output.is_output:
        return {}
    try:
        values = _normal_map(output.node, groups, render_uv_map) or _bump(output.node, groups, render_uv_map)
    except _TooComplex:
        values = None
    return values or {"normal": to_be_baked(3)}


def read_displacement(socket: bpy.types.NodeSocket) -> ChannelValue | None:
    """The height behind a Displacement input of the output, its scale as strength; None for a vector displacement."""
    output, groups = upstream(socket)
    node = output.node
    if node.type != "DISPLACEMENT":
        return None
    height, scale, midlevel = (read_socket(node.inputs[name], groups, 1) for name in ("Height", "Scale", "Midlevel"))
    if height.needs_baking or not (scale.is_constant and midlevel.is_constant):
        return replace(to_be_baked(1), midlevel=0.0)
    return replace(height, strength=float(scale.offset[0]), midlevel=float(midlevel.offset[0]))


# The functions below raise _TooComplex.


def _read(socket: bpy.types.NodeSocket, groups: Groups) -> ChannelValue:
    """The value of an input socket, as many numbers as the socket has."""
    output, groups = upstream(socket, groups)
    node = output.node
    if not output.is_output or node.type in ("RGB", "VALUE"):
        return _socket_constant(output)
    if node.type == "TEX_IMAGE":
        return _image(node, output, groups)
    if node.type in ("SEPARATE_COLOR", "SEPRGB") and getattr(node, "mode", "RGB") == "RGB":
        color = _read(node.inputs[0], groups).as_wide(3)
        index = list(node.outputs).index(output)
        component = slice(index, index + 1)
        return replace(color, width=1, weights=color.weights[:, component], offset=color.offset[component])
    if node.type == "MIX_RGB" or (node.type == "MIX" and node.data_type == "RGBA"):
        return _mixed(node, groups)
    if node.type == "VALTORGB":
        factor = _read(node.inputs[0], groups).as_wide(1)
        if factor.is_constant:
            color = node.color_ramp.evaluate(float(factor.offset[0]))
            return constant(color[3], 1) if output.name == "Alpha" else constant(color[:3], 3)
    if node.type == "INVERT":
        inverted = _read(node.inputs[0], groups)
        if inverted.is_constant and inverted.offset.tolist() == [1.0]:
            color = _read(node.inputs[1], groups).as_wide(3)
            return replace(color, weights=-color.weights, offset=1 - color.offset)
    if node.type == "MATH" and node.operation in ("MULTIPLY", "ADD", "SUBTRACT") and not node.use_clamp:
        first, second = (_read(operand, groups).as_wide(1) for operand in node.inputs[:2])
        return _arithmetic(node.operation, first, second)
    raise _TooComplex


def _socket_constant(socket: bpy.types.NodeSocket) -> ChannelValue:
    """The value that is set on a socket itself, without its alpha."""
    value = socket.default_value if hasattr(socket, "default_value") else 0.0
    numbers = np.atleast_1d(np.array(value, np.float64))[:3]
    return constant(numbers, len(numbers))


def _image(node: bpy.types.Node, output: bpy.types.NodeSocket, groups: Groups) -> ChannelValue:
    """The value of an output (Color or Alpha) of an Image Texture node."""
    check_image(node.image, node.image_user)
    if node.projection != "FLAT" or node.image.source in MOVING:
        raise _TooComplex
    if node.image.colorspace_settings.name != "sRGB" and not is_linear(node.image):
        raise _TooComplex
    weights = np.eye(4)[:, 3:] if output.name == "Alpha" else np.eye(4)[:, :3]
    width = weights.shape[1]
    uv_map, mapping = _coordinates(node.inputs["Vector"], groups)
    return ChannelValue(
        width, node.image, uv_map, mapping, weights, np.zeros(width), ADDRESS_MODES[node.extension],
        node.interpolation == "Closest", premultiplied=not node.outputs["Alpha"].is_linked,
    )  # fmt: skip


def _coordinates(socket: bpy.types.NodeSocket, groups: Groups) -> tuple[str, tuple[tuple[float, ...], ...]]:
    """The UV map behind a texture's Vector input, "" for the one active for rendering, and the map (2, 3) applied to
    its UVs by Mapping nodes."""
    matrix = np.eye(3)
    while True:
        output, groups = upstream(socket, groups)
        if not output.is_output:
            return "", _affine(matrix)
        node = output.node
        if node.type == "MAPPING":
            matrix = matrix @ _mapping(node)
            socket = node.inputs["Vector"]
        elif node.type == "UVMAP" and not node.from_instancer:
            return str(node.uv_map), _affine(matrix)
        elif node.type == "ATTRIBUTE" and node.attribute_type == "GEOMETRY" and output.name in ("Vector", "Color"):
            return str(node.attribute_name), _affine(matrix)
        elif node.type == "TEX_COORD" and output.name == "UV" and not node.from_instancer:
            return "", _affine(matrix)
        else:
            raise _TooComplex


def _affine(matrix: Matrix) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, matrix[:2].tolist()))


def _mapping(node: bpy.types.Node) -> Matrix:
    """What a Mapping node does to UVs, as a homogeneous matrix (3, 3)."""
    settings = [socket for socket in node.inputs if socket.name != "Vector"]
    if any(socket.is_linked for socket in settings) or node.vector_type not in ("POINT", "TEXTURE", "VECTOR"):
        raise _TooComplex
    values = {socket.name: np.array(socket.default_value, np.float64) for socket in settings}
    rotation, scale = values["Rotation"], values["Scale"]
    if rotation[0] or rotation[1]:
        raise _TooComplex
    cosine, sine = np.cos(rotation[2]), np.sin(rotation[2])
    matrix = np.array([[cosine * scale[0], -sine * scale[1], 0], [sine * scale[0], cosine * scale[1], 0], [0, 0, 1]])
    if node.vector_type != "VECTOR":
        matrix[:2, 2] = values["Location"][:2]
    if node.vector_type == "TEXTURE":
        if abs(np.linalg.det(matrix)) < 1e-12:
            raise _TooComplex
        matrix = np.linalg.inv(matrix)
    return matrix


def _product(factor: ChannelValue, first: ChannelValue, second: ChannelValue) -> ChannelValue:
    """A Multiply of two colors where at least one is a constant, and so is the factor."""
    if not factor.is_constant or not (first.is_constant or second.is_constant):
        raise _TooComplex
    value, multiplier = (second, first) if first.is_constant else (first, second)
    if first.is_constant and factor.offset[0] != 1:
        raise _TooComplex
    scale = 1 - factor.offset[0] + factor.offset[0] * multiplier.offset
    return replace(value, weights=value.weights * scale, offset=value.offset * scale)


def _mixed(node: bpy.types.Node, groups: Groups) -> ChannelValue:
    """A node that mixes or multiplies two colors by a constant factor, of which one is a constant or shows alone."""
    factor, first, second = (side for side in node.inputs if side.enabled)
    share = _read(factor, groups).as_wide(1)
    if node.blend_type not in ("MIX", "MULTIPLY") or not share.is_constant:
        raise _TooComplex
    if node.blend_type == "MULTIPLY":
        return _product(share, *(_read(side, groups).as_wide(3) for side in (first, second)))
    part = float(np.clip(share.offset[0], 0, 1))
    if part in (0, 1):
        return _read(second if part else first, groups).as_wide(3)
    one, other = (_read(side, groups).as_wide(3) for side in (first, second))
    if not (one.is_constant or other.is_constant):
        raise _TooComplex
    value, plain, part = (other, one, part) if one.is_constant else (one, other, 1 - part)
    return replace(value, weights=value.weights * part, offset=value.offset * part + plain.offset * (1 - part))


def _arithmetic(operation: str, first: ChannelValue, second: ChannelValue) -> ChannelValue:
    """MULTIPLY, ADD or SUBTRACT of two numbers, at least one of them a constant."""
    if not (first.is_constant or second.is_constant):
        raise _TooComplex
    if operation == "MULTIPLY":
        value, multiplier = (second, first) if first.is_constant else (first, second)
        return replace(value, weights=value.weights * multiplier.offset, offset=value.offset * multiplier.offset)
    sign = 1 if operation == "ADD" else -1
    if first.is_constant:
        return replace(second, weights=sign * second.weights, offset=first.offset + sign * second.offset)
    return replace(first, offset=first.offset + sign * second.offset)


def _normal_map(node: bpy.types.Node, groups: Groups, render_uv_map: str) -> dict[str, ChannelValue] | None:
    """The channels of a Normal Map node in tangent space; None if it is another node, or not one plain image."""
    if node.type != "NORMAL_MAP" or node.space != "TANGENT":
        return None
    color, strength = _read(node.inputs["Color"], groups).as_wide(3), _read(node.inputs["Strength"], groups)
    same_uv_map = (node.uv_map or render_uv_map) == (color.uv_map or render_uv_map)
    if not (strength.is_constant and color.image and color.is_image_color and same_uv_map):
        return None
    return {"normal": replace(color, strength=float(strength.offset[0]))}


def _bump(node: bpy.types.Node, groups: Groups, render_uv_map: str) -> dict[str, ChannelValue] | None:
    """The channels of a Bump node and of a normal map below it; None if it is another node, or not one image."""
    if node.type != "BUMP":
        return None
    height = _read(node.inputs["Height"], groups).as_wide(1)
    settings = [_read(node.inputs[name], groups) for name in ("Strength", "Distance")]
    if not (height.image and all(setting.is_constant for setting in settings)):
        return None
    strength, distance = (float(setting.offset[0]) for setting in settings)
    values = {"bump": replace(height, strength=-strength if node.invert else strength, distance=distance)}
    if node.inputs["Normal"].is_linked:
        below = normal_values(node.inputs["Normal"], groups, render_uv_map)
        if "bump" in below or any(value.needs_baking for value in below.values()):
            return None
        values.update(below)
    return values
