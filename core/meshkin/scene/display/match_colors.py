"""A match to look at: the same color where matched, how sure it is, and where it is not."""

from __future__ import annotations

from collections.abc import Iterable

import bmesh
import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...data.snapshot import Snapshot
from .. import objects
from ..mesh import attributes, matches
from ..mesh import snapshot as snapshots

CONFIDENCE = "match_confidence"
"""Attribute (without prefix) in [0, 1]: how sure the match of each vertex is."""
MATCH_COLOR = "match_color"
"""Attribute (without prefix): a color for each point, the same on its kin."""
CONFIDENCE_COLOR = "match_confidence_color"
"""Attribute (without prefix): confidence as a color."""
RAMP = ((0.45, 0.01, 0.08), (0.90, 0.25, 0.03), (0.95, 0.75, 0.15), (0.10, 0.50, 0.45))
"""Scene-linear colors of confidence 0, 1/3, 2/3 and 1: told apart by brightness too."""


def paint(source: bpy.types.Object, targets: Iterable[bpy.types.Object]) -> None:
    """Write ``meshkin_match_color`` on the source, by place, and on each target, by the place of its kin.

    Raises as :func:`meshkin.scene.mesh.matches.load` and :func:`meshkin.scene.mesh.attributes.write`; nothing is
    written then.
    """
    found = [(target, matches.load(source, target)) for target in targets]
    for obj in (source, *(target for target, _ in found)):
        snapshots.check_writable(obj)
    for target, one in found:
        own = place_colors(one.source)
        attributes.write(source, MATCH_COLOR, _opaque(own[one.source.original]))
        carried = one.match.to_source.pull(own, one.match.source_faces)
        attributes.write(target, MATCH_COLOR, _opaque(carried[one.target.original]))


def paint_confidence(source: bpy.types.Object, target: bpy.types.Object) -> None:
    """Write ``meshkin_match_confidence`` and ``meshkin_match_confidence_color`` on both objects.

    Raises as :func:`paint`.
    """
    one = matches.load(source, target)
    for obj in (source, target):
        snapshots.check_writable(obj)
    ends = ((source, one.source, one.match.to_target), (target, one.target, one.match.to_source))
    for obj, shape, found in ends:
        confidence = found.confidence[shape.original]
        attributes.write(obj, CONFIDENCE, confidence)
        attributes.write(obj, CONFIDENCE_COLOR, _opaque(confidence_colors(confidence)))


def repaint(source: bpy.types.Object, target: bpy.types.Object) -> None:
    """Bring colors that an earlier match left on the two objects up to date with their new one."""
    if all(snapshots.is_writable(obj) for obj in (source, target)):
        there = set(source.data.attributes.keys()) & set(target.data.attributes.keys())
        if attributes.PREFIX + MATCH_COLOR in there:
            paint(source, [target])
        if attributes.PREFIX + CONFIDENCE_COLOR in there:
            paint_confidence(source, target)


def select_below(obj: bpy.types.Object, threshold: float) -> int:
    """Select the vertices whose match is less sure than ``threshold``, and no others; how many those are.

    In Edit Mode vertices become what is selected; otherwise they are selected when Edit Mode is entered.

    Raises InputError ``not-a-mesh``, ``read-only``, and ``not-matched`` when the mesh has no confidence.
    """
    if obj.type == "MESH" and obj.data.is_editmode:
        count = _select_in_edit_mode(obj, threshold)
    else:
        snapshots.check_writable(obj)
        attribute = obj.data.attributes.get(attributes.PREFIX + CONFIDENCE)
        if attribute is None or (attribute.domain, attribute.data_type) != ("POINT", "FLOAT"):
            raise _unmatched(obj)
        values = np.empty(len(obj.data.vertices), np.float32)
        attribute.data.foreach_get("value", values)
        count = _select(obj.data, values < threshold)
    bpy.context.scene.tool_settings.mesh_select_mode = (True, False, False)
    return count


def place_colors(shape: Snapshot) -> NDArray[np.float64]:
    """A color for each vertex by its place: x, y and z across the shape as red, green and blue, float64 (V, 3)."""
    extent = np.ptp(shape.vertices, axis=0)
    share = (shape.vertices - shape.vertices.min(axis=0)) / np.where(extent > 0, extent, 1)
    colors: NDArray[np.float64] = 0.03 + 0.9 * share.astype(np.float64) ** 1.5  # evenly spaced to the eye
    return colors


def confidence_colors(confidence: NDArray[np.floating]) -> NDArray[np.float64]:
    """:data:`RAMP` at each confidence, float64 (V, 3)."""
    places = np.linspace(0, 1, len(RAMP))
    return np.stack([np.interp(confidence, places, channel) for channel in np.transpose(RAMP)], axis=1)


def _opaque(colors: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.hstack((colors, np.ones((len(colors), 1)))).astype(np.float32)


def _unmatched(obj: bpy.types.Object) -> InputError:
    return InputError("not-matched", f"“{obj.name}” has no match to be unsure of.", "Press Match first.")


def _select(mesh: bpy.types.Mesh, chosen: NDArray[np.bool_]) -> int:
    hidden = np.empty(len(mesh.vertices), bool)
    mesh.vertices.foreach_get("hide", hidden)
    chosen = chosen & ~hidden
    objects.select_vertices(mesh, chosen)
    return int(chosen.sum())


def _select_in_edit_mode(obj: bpy.types.Object, threshold: float) -> int:
    edited = bmesh.from_edit_mesh(obj.data)
    layer = edited.verts.layers.float.get(attributes.PREFIX + CONFIDENCE)
    if layer is None:
        raise _unmatched(obj)
    edited.select_mode = {"VERT"}
    count = 0
    for vertex in edited.verts:  # BMesh takes them one by one only
        vertex.select = vertex[layer] < threshold and not vertex.hide
        count += vertex.select
    edited.select_flush_mode()  # edges and faces follow
    bmesh.update_edit_mesh(obj.data, loop_triangles=False, destructive=False)
    return count
