"""Lines in the viewport from points of the source to the corresponding points of the target.

Nothing is added to the scene. The lines follow objects that are moved, are hidden with them, and are drawn until they
are hidden or another file is opened. Point pairs are drawn too, thicker.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from numpy.typing import NDArray

from ...base.errors import InputError
from ...data.point_pairs import Point
from ...geometry.sampling import farthest_points
from ..frames import transform_points
from ..mesh import matches, pairs
from ..objects import Handle
from .match_colors import position_colors

DEFAULT_COUNT = 60
"""Lines that are drawn if no other number is given; chosen."""
WIDTH, PAIR_WIDTH = 2.0, 4.0
"""Pixels; chosen."""
HIDDEN_OPACITY = 0.15
"""Factor for a line's opacity where it lies behind something; chosen."""
MIN_OPACITY = 0.3
"""Opacity of a line whose match has a confidence of 0; with a confidence of 1 it is opaque. Chosen."""
SCREEN_GAMMA = 2.2
"""Lines are drawn in the screen's colors, which this exponent approximates from linear ones."""
CROSS_SIZE = 0.015
"""Half the length of a cross, in distances of the view; chosen."""
CROSS_COLOR = (1.0, 0.8, 0.1, 1.0)
"""RGBA; chosen."""
HUE_STEP = 0.618
"""Distance of the hues of two successive point pairs, in turns: the golden ratio, so that no two hues are close."""

Segments = tuple[NDArray[np.float64], NDArray[np.float32]]
"""Start and end of lines in the world (N, 2, 3), and RGBA colors (N, 4)."""


@dataclass(frozen=True)
class Lines:
    """The lines that are drawn.

    Attributes:
        source, target: the two objects.
        count: how many lines were asked for.
        starts, ends: float64 (N, 3), in local coordinates of source and target.
        colors: float32 (N, 4).
    """

    source: Handle
    target: Handle
    count: int
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    colors: NDArray[np.float32]


_shown: Lines | None = None
_marks: list[Point] = []
_draw_handler: Any = None


def show(source: bpy.types.Object, target: bpy.types.Object, count: int = DEFAULT_COUNT) -> None:
    """Draw lines from ``count`` points, spread evenly over the source, to the corresponding points of the target.

    If the two objects have point pairs but no match, or for a count of 0, only lines between point pairs are drawn.
    Raises as :func:`meshkin.scene.mesh.matches.load` if there is neither.
    """
    global _shown
    none = np.empty((0, 3))
    lines = Lines(Handle.of(source), Handle.of(target), count, none, none, np.empty((0, 4), np.float32))
    if count:
        try:
            lines = _match_lines(source, target, count)
        except InputError:
            if not pairs.between(source, target):
                raise
    _shown = lines
    _update_draw_handler()


def hide() -> None:
    """Draw no lines any more."""
    global _shown
    _shown = None
    _update_draw_handler()


def mark(points: Sequence[Point]) -> None:
    """Draw a cross at each of these points in the world, in place of the crosses before."""
    _marks[:] = points
    _update_draw_handler()


def is_shown() -> bool:
    """Whether lines are drawn."""
    return _shown is not None


def refresh(count: int | None = None) -> None:
    """If lines are drawn, draw those of the newest match of the two objects.

    If there is no match and no point pair any more, the lines are hidden.

    Args:
        count: how many lines; None for as many as before.
    """
    if _shown is not None:
        try:
            show(_shown.source.get(), _shown.target.get(), _shown.count if count is None else count)
        except InputError:
            hide()


def segments() -> Segments:
    """The lines where the objects are now; none if one of them is hidden."""
    objects = _visible_objects()
    if objects is None or _shown is None:
        return np.empty((0, 2, 3)), np.empty((0, 4), np.float32)
    source, target = objects
    starts, ends = (
        transform_points(obj.matrix_world, points) for obj, points in ((source, _shown.starts), (target, _shown.ends))
    )
    return np.stack((starts, ends), axis=1), _shown.colors


def pair_segments() -> Segments:
    """Lines between the point pairs of the two objects; none if one of them is hidden."""
    objects = _visible_objects()
    shown = pairs.between(*objects) if objects else []
    points = [[empty.matrix_world.translation[:] for empty in (pair.source, pair.target)] for pair in shown]
    colors = [(*colorsys.hsv_to_rgb(HUE_STEP * index % 1, 0.7, 1.0), 1.0) for index in range(len(shown))]
    return np.array(points, np.float64).reshape(-1, 2, 3), np.array(colors, np.float32).reshape(-1, 4)


def _match_lines(source: bpy.types.Object, target: bpy.types.Object, count: int) -> Lines:
    """Lines of the last match of two objects, colored by position on the source, opaque where the match is certain."""
    matched = matches.load(source, target)
    used = np.unique(matched.source.faces)
    rows = used[farthest_points(matched.source.vertices[used], count)]
    to_target = matched.match.to_target
    ends = to_target.pull(matched.target.vertices, matched.match.target_faces)[rows]
    colors = position_colors(matched.source)[rows] ** (1 / SCREEN_GAMMA)
    opacity = MIN_OPACITY + (1 - MIN_OPACITY) * to_target.confidence[rows]
    source_points = matched.source.vertices[rows] + matched.source.location
    return Lines(
        Handle.of(source),
        Handle.of(target),
        count,
        transform_points(source.matrix_world.inverted_safe(), source_points),
        transform_points(target.matrix_world.inverted_safe(), ends + matched.target.location),
        np.hstack((colors, opacity[:, None])).astype(np.float32),
    )


def _visible_objects() -> tuple[bpy.types.Object, bpy.types.Object] | None:
    """Source and target of the lines, if both exist and are visible."""
    if _shown is None:
        return None
    try:
        source, target = _shown.source.get(), _shown.target.get()
    except InputError:
        return None
    return (source, target) if source.visible_get() and target.visible_get() else None


# Drawing ----------------------------------------------------------------------------------------------------------


def _update_draw_handler() -> None:
    """Let Blender call :func:`_draw` while there is something to draw, and draw every 3D view anew."""
    global _draw_handler
    needed = bool(_shown or _marks) and not bpy.app.background
    if needed and _draw_handler is None:
        _draw_handler = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")
    elif _draw_handler is not None and not needed:
        bpy.types.SpaceView3D.draw_handler_remove(_draw_handler, "WINDOW")
        _draw_handler = None
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


def _draw() -> None:
    shader = gpu.shader.from_builtin("POLYLINE_SMOOTH_COLOR")
    gpu.state.blend_set("ALPHA")
    _draw_segments(shader, segments(), WIDTH, HIDDEN_OPACITY)
    _draw_segments(shader, pair_segments(), PAIR_WIDTH, HIDDEN_OPACITY)
    _draw_segments(shader, _crosses(), WIDTH, 1.0)
    gpu.state.depth_test_set("NONE")
    gpu.state.blend_set("NONE")


def _draw_segments(shader: gpu.types.GPUShader, lines: Segments, width: float, hidden_opacity: float) -> None:
    """Draw lines twice: everywhere with ``hidden_opacity``, then opaque where nothing is in front of them."""
    points, colors = lines
    if not len(points):
        return
    for depth_test, opacity in (("NONE", hidden_opacity), ("LESS_EQUAL", 1.0)):
        vertex_colors = np.repeat(colors, 2, axis=0) * np.array((1, 1, 1, opacity), np.float32)
        content = {"pos": points.reshape(-1, 3).astype(np.float32), "color": vertex_colors}
        batch = batch_for_shader(shader, "LINES", content)
        gpu.state.depth_test_set(depth_test)
        shader.bind()
        shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
        shader.uniform_float("lineWidth", width)
        batch.draw(shader)


def _crosses() -> Segments:
    """Three short lines through each mark, along the axes, of the same size on the screen at every zoom."""
    region = bpy.context.region_data
    size = CROSS_SIZE * (region.view_distance if region else 1.0)
    centers = np.array(_marks, np.float64).reshape(-1, 1, 1, 3)
    arms = size * np.stack((np.eye(3), -np.eye(3)), axis=1)
    points = (centers + arms).reshape(-1, 2, 3)
    return points, np.tile(np.array(CROSS_COLOR, np.float32), (len(points), 1))
