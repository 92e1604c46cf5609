"""The shaders that make a material's surface, one or several that are mixed; and which output feeds a socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import bpy

Groups = tuple[bpy.types.Node, ...]
"""The group nodes that a node lies in, the outermost first: the same node tree can be used by several."""

TRANSPARENT_TYPES = ("BSDF_TRANSPARENT", "HOLDOUT")
"""Types of shader nodes that let all light pass."""
MIXING_TYPES = ("MIX_SHADER", "ADD_SHADER")
"""Types of nodes that combine two shaders."""
FIXED_VALUES: Mapping[str, Mapping[str, float]] = {
    "BSDF_DIFFUSE": {"roughness": 1, "specular": 0},
    "BSDF_GLOSSY": {"metallic": 1},
    "BSDF_METALLIC": {"metallic": 1},
    "BSDF_GLASS": {"transmission": 1},
    "BSDF_REFRACTION": {"transmission": 1},
    "SUBSURFACE_SCATTERING": {"subsurface": 1},
    "EMISSION": {"base_color": 0, "specular": 0},
    **{name: {"base_color": 0, "alpha": 0} for name in TRANSPARENT_TYPES},
}
"""For each type of shader node, the channel values that make a Principled BSDF look like it."""
EQUIVALENT_INPUTS: Mapping[str, tuple[str, ...]] = {
    "base_color": ("Color", "Base Color"),
    "roughness": ("Roughness",),
    "ior": ("IOR",),
}
"""For a channel, the inputs of other shaders that mean the same as the Principled BSDF's."""


@dataclass(frozen=True)
class Shader:
    """One of the shaders of a surface: its node, and the groups that the node lies in."""

    node: bpy.types.Node
    groups: Groups

    @property
    def is_principled(self) -> bool:
        """Whether it is a Principled BSDF."""
        return bool(self.node.type == "BSDF_PRINCIPLED")

    @property
    def is_transparent(self) -> bool:
        """Whether all light passes through it."""
        return self.node.type in TRANSPARENT_TYPES

    def affects(self, channel: str) -> bool:
        """Whether the shader contributes to a channel: transparency only to alpha, emission not to reflections."""
        if self.node.type == "EMISSION":
            return channel in ("base_color", "emission", "emission_strength", "alpha")
        return channel == "alpha" or not self.is_transparent

    def input(self, channel: str, socket: str) -> bpy.types.NodeSocket | float | None:
        """The shader's input socket or fixed value for a channel, or None without one.

        Args:
            channel: its name.
            socket: name of the channel's input on a Principled BSDF.
        """
        if self.is_principled:
            return self.node.inputs.get(socket)
        fixed = FIXED_VALUES.get(self.node.type, {})
        if channel in fixed:
            return fixed[channel]
        names = EQUIVALENT_INPUTS.get(channel, ())
        if self.node.type == "EMISSION":
            names = {"emission": ("Color",), "emission_strength": ("Strength",)}.get(channel, ())
        return next((self.node.inputs[name] for name in names if name in self.node.inputs), None)


def material_output(material: bpy.types.Material | None) -> bpy.types.Node | None:
    """The Material Output node that all renderers use, or None without nodes."""
    tree = material.node_tree if material else None
    return tree.get_output_node("ALL") if tree else None


def shaders(material: bpy.types.Material | None) -> list[Shader]:
    """The shaders of a material's surface; none if the material has no nodes or nothing is linked."""
    output = material_output(material)
    return shaders_behind(output.inputs["Surface"]) if output else []


def shaders_behind(socket: bpy.types.NodeSocket, groups: Groups = ()) -> list[Shader]:
    """The shaders that feed a socket, each once, through Mix Shader and Add Shader."""
    output, groups = upstream(socket, groups)
    if not output.is_output:
        return []
    if output.node.type not in MIXING_TYPES:
        return [Shader(output.node, groups)]
    sides = [side for side in output.node.inputs if side.type == "SHADER"]
    return list(dict.fromkeys(shader for side in sides for shader in shaders_behind(side, groups)))


def visible_shaders(all_shaders: list[Shader]) -> list[Shader]:
    """The shaders that are not transparent; all of them if all are transparent."""
    return [shader for shader in all_shaders if not shader.is_transparent] or all_shaders


def image_nodes(material: bpy.types.Material | None) -> list[bpy.types.Node]:
    """The image and environment texture nodes that a material's output depends on."""
    return [node for node in nodes_behind(material) if node.type in ("TEX_IMAGE", "TEX_ENVIRONMENT")]


def nodes_behind(material: bpy.types.Material | None) -> list[bpy.types.Node]:
    """The nodes that a material's output depends on; one in several groups as often."""
    output = material_output(material)
    waiting: list[tuple[bpy.types.NodeSocket, Groups]] = [(socket, ()) for socket in output.inputs] if output else []
    visited: dict[tuple[bpy.types.Node, ...], bpy.types.Node] = {}
    while waiting:
        socket, groups = upstream(*waiting.pop())
        if socket.is_output and (socket.node, *groups) not in visited:
            visited[socket.node, *groups] = socket.node
            waiting += [(node_input, groups) for node_input in socket.node.inputs]
    return list(visited.values())


def upstream(socket: bpy.types.NodeSocket, groups: Groups = ()) -> tuple[bpy.types.NodeSocket, Groups]:
    """The output that feeds an input socket, and the groups that the output lies in.

    Reroutes, groups and muted nodes are passed through. If nothing feeds the input, the last input on the way (whose
    own value counts then) is returned: tell by ``is_output``.

    Args:
        socket: the input.
        groups: that the input lies in.
    """
    while True:
        link = active_link(socket) if socket.is_linked else None
        if link is None:
            return socket, groups
        node, output = link.from_node, link.from_socket
        if node.type == "REROUTE":
            socket = node.inputs[0]
        elif node.mute:
            passed = next((inner.from_socket for inner in node.internal_links if inner.to_socket == output), None)
            if passed is None:
                return socket, groups
            socket = passed
        elif node.type == "GROUP" and node.node_tree:
            group_output = active_group_output(node.node_tree)
            if group_output is None:
                return socket, groups
            socket, groups = same_socket(group_output.inputs, output), (*groups, node)
        elif node.type == "GROUP_INPUT" and groups:
            socket, groups = same_socket(groups[-1].inputs, output), groups[:-1]
        else:
            return output, groups


def active_link(socket: bpy.types.NodeSocket) -> bpy.types.NodeLink | None:
    """The first link to a socket that is not muted."""
    return next((link for link in socket.links if not link.is_muted), None)


def active_group_output(tree: bpy.types.NodeTree) -> bpy.types.Node | None:
    """The Group Output node that counts."""
    return next((node for node in tree.nodes if node.type == "GROUP_OUTPUT" and node.is_active_output), None)


def same_socket(sockets: bpy.types.bpy_prop_collection, socket: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
    """The socket of a group node, or of the Group Output or Input in it, that belongs to ``socket`` of the other."""
    return next(candidate for candidate in sockets if candidate.identifier == socket.identifier)
