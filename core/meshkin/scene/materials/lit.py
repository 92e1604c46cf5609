"""Materials of cartoons made plain: fully lit, and with emission where a color is linked straight to the surface.

Only EEVEE knows Shader to RGB, and what it gives depends on the lamps. A texture holds what is seen in full light.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import bpy

from .emission import emission_node, feed
from .shaders import TRANSPARENT_TYPES, nodes_behind, shaders_behind

_COLORS = ("Base Color", "Color")
"""Names of the inputs that hold a shader's color."""


@contextlib.contextmanager
def plain(material: bpy.types.Material | None) -> Iterator[bpy.types.Material | None]:
    """The material itself, or a temporary copy of it that is made plain if it needs to be."""
    if material is None or material.node_tree is None or not _needs_it(material.node_tree):
        yield material
        return
    copy = material.copy()
    temporary: list[bpy.types.ID] = []
    try:
        copy_groups(copy.node_tree, temporary)
        make_plain(copy.node_tree)
        yield copy
    finally:
        bpy.data.batch_remove([copy, *temporary])


def copy_groups(tree: bpy.types.NodeTree, temporary: list[bpy.types.ID]) -> None:
    """Give every group node in a tree a node tree of its own, which can be changed; they are added to ``temporary``."""
    for node in tree.nodes:
        if node.type == "GROUP" and node.node_tree:
            node.node_tree = node.node_tree.copy()
            temporary.append(node.node_tree)
            copy_groups(node.node_tree, temporary)


def make_plain(tree: bpy.types.NodeTree) -> None:
    """Replace Shader to RGB by the fully lit color, and link colors to shader inputs by Emission; also in groups."""
    for node in list(tree.nodes):
        if node.type == "GROUP" and node.node_tree:
            make_plain(node.node_tree)
        elif node.type == "SHADERTORGB":
            _light_up(tree, node)
    for link in _colors_as_shaders(tree):
        color, to_socket = link.from_socket, link.to_socket
        emission = emission_node(tree, 1.0)
        tree.links.new(emission.inputs["Color"], color)
        tree.links.new(to_socket, emission.outputs[0])


def depends_on_lamps(material: bpy.types.Material | None) -> bool:
    """Whether what a material shows depends on lamps, by a Shader to RGB node."""
    return any(node.type == "SHADERTORGB" for node in nodes_behind(material))


def _needs_it(tree: bpy.types.NodeTree) -> bool:
    return bool(_colors_as_shaders(tree)) or any(
        node.type == "SHADERTORGB" or (node.type == "GROUP" and node.node_tree and _needs_it(node.node_tree))
        for node in tree.nodes
    )


def _colors_as_shaders(tree: bpy.types.NodeTree) -> list[bpy.types.NodeLink]:
    """Links from a color or a number to a shader input, which Blender shows as emission."""
    return [link for link in tree.links if link.to_socket.type == "SHADER" and link.from_socket.type != "SHADER"]


def _light_up(tree: bpy.types.NodeTree, node: bpy.types.Node) -> None:
    """Replace a Shader to RGB node by the color of the shader behind it; white for one of a plain color, fully lit."""
    shown = [shader.node for shader in shaders_behind(node.inputs[0]) if shader.node.type not in TRANSPARENT_TYPES]
    colors = [each.inputs[name] for each in shown for name in _COLORS if name in each.inputs]
    linked = next((socket for socket in colors if socket.is_linked and socket.id_data == tree), None)
    lit, opaque = tree.nodes.new("ShaderNodeMix"), tree.nodes.new("ShaderNodeValue")
    lit.data_type = "RGBA"
    one = next(socket for socket in lit.inputs if socket.enabled and socket.type == "RGBA")
    lit.inputs[0].default_value = 0.0  # the first color alone
    feed(tree, one, linked or 1.0)
    opaque.outputs[0].default_value = 1.0
    result = next(socket for socket in lit.outputs if socket.enabled and socket.type == "RGBA")
    for output, new in zip(node.outputs, (result, opaque.outputs[0]), strict=True):
        for link in list(output.links):
            tree.links.new(link.to_socket, new)
    tree.nodes.remove(node)
