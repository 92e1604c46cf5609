"""Modifiers that only hide parts of a mesh: what they hide under clothes is a part of the body all the same."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ..arrays import read_floats

HIDING_MODIFIERS = ("MASK", "BUILD")
"""Types of modifiers that only hide parts of a mesh."""
REST = ".meshkin_rest"
"""Temporary point attribute: the rest position of each vertex, which modifiers carry along."""
NUMBER = ".meshkin_number"
"""Temporary point attribute: the number of each vertex, which modifiers carry along."""
_DELETING_NODES = ("GeometryNodeDeleteGeometry", "GeometryNodeSeparateGeometry")
"""Nodes that take parts of a geometry away."""


@dataclass(frozen=True)
class _Shown:
    """What is left of a mesh: the numbers of the vertices, float32 (V,); where they are, (V, 3); how many faces."""

    numbers: NDArray[np.float32]
    places: NDArray[np.float32]
    faces: int


def show_all(copy: bpy.types.Object, layer: bpy.types.ViewLayer) -> None:
    """Switch the modifiers off that hide parts of a temporary copy of an object, whose vertices are numbered.

    Geometry Nodes are among them if they take vertices or faces away and leave all others where they were.
    """
    for modifier in copy.modifiers:
        if modifier.type in HIDING_MODIFIERS:
            modifier.show_viewport = False
    shown = [modifier for modifier in copy.modifiers if modifier.show_viewport]
    for number, modifier in enumerate(shown):
        if modifier.type == "NODES" and modifier.node_group and _deletes(modifier.node_group, set()):
            for later in shown[number + 1 :]:
                later.show_viewport = False
            with_it = _shown(copy, layer)
            modifier.show_viewport = False
            modifier.show_viewport = not _hides(with_it, _shown(copy, layer))
            for later in shown[number + 1 :]:
                later.show_viewport = True


def _deletes(tree: bpy.types.NodeTree, seen: set[bpy.types.NodeTree]) -> bool:
    """Whether nodes of a tree, or of its groups, take parts of a geometry away."""
    seen.add(tree)
    groups = [node.node_tree for node in tree.nodes if getattr(node, "node_tree", None)]
    return any(node.bl_idname in _DELETING_NODES for node in tree.nodes) or any(
        _deletes(group, seen) for group in groups if group not in seen
    )


def _shown(copy: bpy.types.Object, layer: bpy.types.ViewLayer) -> _Shown | None:
    """What the modifiers leave of a mesh; None if they do not carry the numbers of its vertices along."""
    layer.update()
    evaluated = copy.evaluated_get(layer.depsgraph)
    mesh = evaluated.to_mesh()
    try:
        number = mesh.attributes.get(NUMBER)
        if number is None or number.domain != "POINT":
            return None
        return _Shown(
            read_floats(number.data, "value", 1).ravel(), read_floats(mesh.vertices, "co", 3), len(mesh.polygons)
        )
    finally:
        evaluated.to_mesh_clear()


def _hides(part: _Shown | None, whole: _Shown | None) -> bool:
    """Whether a part of a mesh is less than the whole, and what is left is where it was."""
    if part is None or whole is None or len(np.unique(whole.numbers)) < len(whole.numbers):
        return False
    order = np.argsort(whole.numbers)
    row = np.searchsorted(whole.numbers, part.numbers, sorter=order)
    if (row >= len(order)).any() or len(np.unique(part.numbers)) < len(part.numbers):
        return False
    same = whole.numbers[order[row]] == part.numbers
    unmoved = bool(same.all()) and np.array_equal(whole.places[order[row]], part.places)
    return unmoved and (len(part.numbers) < len(whole.numbers) or part.faces < whole.faces)
