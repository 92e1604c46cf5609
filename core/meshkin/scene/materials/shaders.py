"""The shaders that make a material's surface: one, or several that are mixed; and where nodes get their input from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import bpy

Groups = tuple[bpy.types.Node, ...]

TRANSPARENT = ("BSDF_TRANSPARENT", "HOLDOUT")
MIXES = ("MIX_SHADER", "ADD_SHADER")
FIXED: Mapping[str, Mapping[str, float]] = {
    "BSDF_DIFFUSE": {"roughness": 1, "specular": 0},
    "BSDF_GLOSSY": {"metallic": 1},
    "BSDF_METALLIC": {"metallic": 1},
    "BSDF_GLASS": {"transmission": 1},
    "BSDF_REFRACTION": {"transmission": 1},
    "SUBSURFACE_SCATTERING": {"subsurface": 1},
    "EMISSION": {"base_color": 0, "specular": 0},
    **{name: {"base_color": 0, "alpha": 0} for name in TRANSPARENT},
}
"""What a Principled BSDF needs to be like another shader, beside that one's own inputs."""
OWN: Mapping[str, tuple[str, ...]] = {
    "base_color": ("Color", "Base Color"),
    "roughness": ("Roughness",),
    "ior": ("IOR",),
}
"""Inputs of other shaders that mean what one of the Principled BSDF's does."""


@dataclass(frozen=True)
class Shader:
    """One of the shaders of a surface: its node, and the groups that it lies in."""

    node: bpy.types.Node
    groups: Groups

    @property
    def principled(self) -> bool:
        """Whether it is a Principled BSDF."""
        return bool(self.node.type == "BSDF_PRINCIPLED")

    @property
    def transparent(self) -> bool:
        """Whether it lets everything through."""
        return self.node.type in TRANSPARENT

    def has_say(self, channel: str) -> bool:
        """Whether it counts for a channel: transparency does for alpha alone, emission not for reflections."""
        if self.node.type == "EMISSION":
            return channel in ("base_color", "emission", "emission_strength", "alpha")
        return channel == "alpha" or not self.transparent

    def input(self, channel: str, socket: str) -> bpy.types.NodeSocket | float | None:
        """What it has for a channel, which is called ``socket`` on a Principled BSDF; None where it has no such."""
        if self.principled:
            return self.node.inputs.get(socket)
        fixed = FIXED.get(self.node.type, {})
        if channel in fixed:
            return fixed[channel]
        names = OWN.get(channel, ())
        if self.node.type == "EMISSION":
            names = {"emission": ("Color",), "emission_strength": ("Strength",)}.get(channel, ())
        return next((self.node.inputs[name] for name in names if name in self.node.inputs), None)


def shaders(socket: bpy.types.NodeSocket, groups: Groups = ()) -> list[Shader]:
    """The shaders behind a socket, each once, through Mix Shader and Add Shader."""
    out, groups, _ = origin(socket, groups)
    if not out.is_output:
        return []
    if out.node.type not in MIXES:
        return [Shader(out.node, groups)]
    sides = [one for one in out.node.inputs if one.type == "SHADER"]
    return list(dict.fromkeys(one for side in sides for one in shaders(side, groups)))


def of_material(material: bpy.types.Material | None) -> list[Shader]:
    """The shaders of a material's surface; none where it has no nodes or nothing is linked."""
    tree = material.node_tree if material else None
    output = tree.get_output_node("ALL") if tree else None
    return shaders(output.inputs["Surface"]) if output else []


def image_nodes(material: bpy.types.Material | None) -> list[bpy.types.Node]:
    """The image and environment textures that something of a material's output is made of."""
    tree = material.node_tree if material else None
    output = tree.get_output_node("ALL") if tree else None
    waiting: list[tuple[bpy.types.NodeSocket, Groups]] = [(one, ()) for one in output.inputs] if output else []
    found: dict[tuple[bpy.types.Node, ...], bpy.types.Node] = {}
    while waiting:
        out, groups, _ = origin(*waiting.pop())
        if out.is_output and (out.node, *groups) not in found:
            found[out.node, *groups] = out.node
            waiting += [(one, groups) for one in out.node.inputs]
    return [node for node in found.values() if node.type in ("TEX_IMAGE", "TEX_ENVIRONMENT")]


def seen(found: list[Shader]) -> list[Shader]:
    """Those that are not transparent, if there are any."""
    return [one for one in found if not one.transparent] or found


def origin(
    socket: bpy.types.NodeSocket, groups: Groups = ()
) -> tuple[bpy.types.NodeSocket, Groups, bpy.types.NodeSocket]:
    """The output that feeds ``socket``, through reroutes, groups and muted nodes, and the groups that it lies in.

    Returns:
        the output (or the input itself, where nothing feeds it), its groups, and the last input on the way.
    """
    while True:
        link = next((one for one in socket.links if not one.is_muted), None) if socket.is_linked else None
        if link is None:
            return socket, groups, socket
        node, out = link.from_node, link.from_socket
        if node.type == "REROUTE":
            socket = node.inputs[0]
        elif node.mute:
            inner = next((one.from_socket for one in node.internal_links if one.to_socket == out), None)
            if inner is None:
                return socket, groups, socket
            socket = inner
        elif node.type == "GROUP" and node.node_tree:
            end = next(
                (one for one in node.node_tree.nodes if one.type == "GROUP_OUTPUT" and one.is_active_output), None
            )
            if end is None:
                return socket, groups, socket
            socket, groups = _same(end.inputs, out), (*groups, node)
        elif node.type == "GROUP_INPUT" and groups:
            socket, groups = _same(groups[-1].inputs, out), groups[:-1]
        else:
            return out, groups, socket


def _same(sockets: bpy.types.bpy_prop_collection, socket: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
    return next(one for one in sockets if one.identifier == socket.identifier)
