"""A match shown on both meshes: the same color at corresponding points, and the confidence of each vertex."""

from __future__ import annotations

from collections.abc import Iterable

import bmesh
import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...data.snapshot import Snapshot
from .. import objects
from ..arrays import read_booleans
from ..mesh import attributes, matches
from ..mesh import snapshot as snapshots

CONFIDENCE = "match_confidence"
"""Attribute (without prefix) in [0, 1]: the confidence of each vertex's match."""
MATCH_COLOR = "match_color"
"""Attribute (without prefix): a color for each point, the same at the corresponding point of the other object."""
CONFIDENCE_COLOR = "match_confidence_color"
"""Attribute (without prefix): confidence as a color."""
RAMP = ((0.45, 0.01, 0.08), (0.90, 0.25, 0.03), (0.95, 0.75, 0.15), (0.10, 0.50, 0.45))
"""Scene-linear colors of confidence 0, 1/3, 2/3 and 1; chosen so that they differ in brightness too."""
DARKEST, BRIGHTEST = 0.03, 0.93
"""Scene-linear range of each component of a position color; chosen."""
BRIGHTNESS_EXPONENT = 1.5
"""Applied to positions, so that position colors are about evenly spaced to the eye; chosen."""


def paint(source: bpy.types.Object, targets: Iterable[bpy.types.Object]) -> None:
    """Write ``meshkin_match_color``: on the source by position, on each target that of the corresponding points.

    Raises as :func:`meshkin.scene.mesh.matches.load` and :func:`meshkin.scene.mesh.attributes.write`; nothing is
    written then.
    """
    matched_targets = [matches.load(source, target) for target in targets]
    for matched in matched_targets:
        for mesh in (*matched.source_meshes, *matched.target_meshes):
            snapshots.check_writable(mesh.object)
    for matched in matched_targets:
        write_colors(matched, MATCH_COLOR)


def paint_confidence(source: bpy.types.Object, target: bpy.types.Object) -> None:
    """Write ``meshkin_match_confidence`` and ``meshkin_match_confidence_color`` on both objects.

    Raises as :func:`paint`.
    """
    matched = matches.load(source, target)
    for mesh in (*matched.source_meshes, *matched.target_meshes):
        snapshots.check_writable(mesh.object)
    write_colors(matched, CONFIDENCE_COLOR)
    match = matched.match
    for meshes, surface_map in ((matched.source_meshes, match.to_target), (matched.target_meshes, match.to_source)):
        for mesh in meshes:
            attributes.write(mesh.object, CONFIDENCE, surface_map.confidence[mesh.rows])


def write_colors(matched: matches.MatchedSnapshots, name: str) -> None:
    """Write the colors of :func:`colors_of_pair` to all meshes of source and target."""
    for meshes, colors in zip(
        (matched.source_meshes, matched.target_meshes), colors_of_pair(matched, name), strict=True
    ):
        for mesh in meshes:
            attributes.write(mesh.object, name, colors[mesh.rows])


def repaint(source: bpy.types.Object, target: bpy.types.Object) -> None:
    """Update the colors that an earlier match has left on the two objects."""
    if all(snapshots.is_writable(obj) for obj in (source, target)):
        common = set(source.data.attributes.keys()) & set(target.data.attributes.keys())
        if attributes.ATTRIBUTE_PREFIX + MATCH_COLOR in common:
            paint(source, [target])
        if attributes.ATTRIBUTE_PREFIX + CONFIDENCE_COLOR in common:
            paint_confidence(source, target)


def select_below(obj: bpy.types.Object, threshold: float) -> int:
    """Select the vertices whose confidence is below ``threshold``, and no others; returns their number.

    The selection mode becomes vertices. Outside edit mode, the selection is seen when edit mode is entered.

    Raises InputError ``not-a-mesh``, ``read-only``, and ``not-matched`` when the mesh has no confidence.
    """
    if obj.type == "MESH" and obj.data.is_editmode:
        count = _select_in_edit_mode(obj, threshold)
    else:
        snapshots.check_writable(obj)
        confidence = attributes.point_values(obj, CONFIDENCE)
        if confidence is None:
            raise _not_matched(obj)
        selected = (confidence < threshold) & ~read_booleans(obj.data.vertices, "hide")
        objects.select_vertices(obj.data, selected)
        count = int(selected.sum())
    bpy.context.scene.tool_settings.mesh_select_mode = (True, False, False)
    return count


def colors_of_pair(matched: matches.MatchedSnapshots, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The colors of :data:`MATCH_COLOR` or :data:`CONFIDENCE_COLOR`, float32 (V, 4), on the vertices of source and
    target."""
    match = matched.match
    if name == CONFIDENCE_COLOR:
        source_colors, target_colors = map(confidence_colors, (match.to_target.confidence, match.to_source.confidence))
    else:
        source_colors = position_colors(matched.source)
        target_colors = match.to_source.pull(source_colors, match.source_faces)
    return _opaque(source_colors), _opaque(target_colors)


def position_colors(shape: Snapshot) -> NDArray[np.float64]:
    """A scene-linear color for each vertex, float64 (V, 3): x, y, z in the bounding box as red, green and blue."""
    extent = np.ptp(shape.vertices, axis=0)
    share = (shape.vertices - shape.vertices.min(axis=0)) / np.where(extent > 0, extent, 1)
    colors: NDArray[np.float64] = DARKEST + (BRIGHTEST - DARKEST) * share.astype(np.float64) ** BRIGHTNESS_EXPONENT
    return colors


def confidence_colors(confidence: NDArray[np.floating]) -> NDArray[np.float64]:
    """:data:`RAMP` at each confidence, float64 (V, 3)."""
    places = np.linspace(0, 1, len(RAMP))
    return np.stack([np.interp(confidence, places, channel) for channel in np.transpose(RAMP)], axis=1)


def _opaque(colors: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.hstack((colors, np.ones((len(colors), 1)))).astype(np.float32)


def _not_matched(obj: bpy.types.Object) -> InputError:
    return InputError("not-matched", f"“{obj.name}” is not matched yet.", "Press Match first.")


def _select_in_edit_mode(obj: bpy.types.Object, threshold: float) -> int:
    edited = bmesh.from_edit_mesh(obj.data)
    layer = edited.verts.layers.float.get(attributes.ATTRIBUTE_PREFIX + CONFIDENCE)
    if layer is None:
        raise _not_matched(obj)
    edited.select_mode = {"VERT"}
    count = 0
    for vertex in edited.verts:  # BMesh gives them out one by one only
        vertex.select = vertex[layer] < threshold and not vertex.hide
        count += vertex.select
    edited.select_flush_mode()  # updates edges and faces
    bmesh.update_edit_mesh(obj.data, loop_triangles=False, destructive=False)
    return count
