"""Emission shaders that show a value as light."""

from __future__ import annotations

import bpy

from .shaders import active_link


def emission_node(
    tree: bpy.types.NodeTree,
    color: bpy.types.NodeSocket | float,
    strength: bpy.types.NodeSocket | float | None = None,
) -> bpy.types.Node:
    """A new Emission shader in a node tree.

    Args:
        tree: the node tree.
        color: a number, or an input socket whose link or value is used.
        strength: as ``color``; None for 1.
    """
    node = tree.nodes.new("ShaderNodeEmission")
    feed(tree, node.inputs["Color"], color)
    if strength is not None:
        feed(tree, node.inputs["Strength"], strength)
    return node


def feed(tree: bpy.types.NodeTree, to_socket: bpy.types.NodeSocket, value: bpy.types.NodeSocket | float) -> None:
    """Give an input socket a number, or the link or the value that another input socket has."""
    if isinstance(value, bpy.types.NodeSocket):
        if link := active_link(value):
            tree.links.new(to_socket, link.from_socket)
            return
        value = value.default_value
    if to_socket.type == "VALUE":
        to_socket.default_value = value
    else:
        to_socket.default_value = (value,) * 3 + (1,) if isinstance(value, (int, float)) else (*value[:3], 1)
