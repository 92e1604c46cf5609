"""Lines in the viewport from points of the source to their kin on the target; nothing is added to the scene.

They follow objects that are moved, are hidden with them, and are there until they are hidden or another file is
opened. Point pairs are drawn too, thicker.
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
from ..mesh import matches, pairs
from ..objects import Handle
from . import match_colors as look

DEFAULT_COUNT = 60
"""Lines drawn, unless another number is wanted."""
WIDTH, PAIR_WIDTH = 2.0, 4.0
"""Pixels."""
BEHIND = 0.15
"""Share of a line's opacity that is left where it lies behind something."""


@dataclass(frozen=True)
class Lines:
    """What is drawn.

    Attributes:
        source, target: the two objects.
        count: how many were asked for.
        starts, ends: float64 (N, 3), in the coordinates of source and target.
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
_handler: Any = None


def show(source: bpy.types.Object, target: bpy.types.Object, count: int = DEFAULT_COUNT) -> None:
    """Draw lines between ``count`` points, spread evenly over the source, and their kin on the target.

    Where the two have point pairs but no match, or for a count of 0, lines are drawn between the point pairs alone.
    Raises as :func:`meshkin.scene.mesh.matches.load` where there is neither.
    """
    global _shown
    empty = np.empty((0, 3))
    wanted = Lines(Handle.of(source), Handle.of(target), count, empty, empty, np.empty((0, 4), np.float32))
    if count:
        try:
            wanted = _lines(source, target, count)
        except InputError:
            if not pairs.between(source, target):
                raise
    _shown = wanted
    _handle()


def hide() -> None:
    """Draw no lines any more."""
    global _shown
    _shown = None
    _handle()


def mark(points: Sequence[Point]) -> None:
    """Draw a cross at each of these points in the world, and no others."""
    _marks[:] = points
    _handle()


def is_shown() -> bool:
    """Whether lines are drawn."""
    return _shown is not None


def refresh(count: int | None = None) -> None:
    """If lines are drawn, draw those of the two objects' newest match, so many (None: as many as were asked for).

    Where there is no match any more, nor a point pair, there are no lines either.
    """
    if _shown is not None:
        try:
            show(_shown.source.get(), _shown.target.get(), _shown.count if count is None else count)
        except InputError:
            hide()


def segments() -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """The lines as they are now: start and end in the world (N, 2, 3), and colors (N, 4); none for a hidden object."""
    ends = _ends()
    if ends is None or _shown is None:
        return np.empty((0, 2, 3)), np.empty((0, 4), np.float32)
    source, target = ends
    points = _moved(source.matrix_world, _shown.starts), _moved(target.matrix_world, _shown.ends)
    return np.stack(points, axis=1), _shown.colors


def pair_segments() -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """The point pairs of the two objects, as :func:`segments` gives the lines."""
    ends = _ends()
    found = pairs.between(*ends) if ends else []
    points = [[one.matrix_world.translation[:] for one in (pair.source, pair.target)] for pair in found]
    hues = [(*colorsys.hsv_to_rgb(0.618 * index % 1, 0.7, 1.0), 1.0) for index in range(len(found))]
    return np.array(points, np.float64).reshape(-1, 2, 3), np.array(hues, np.float32).reshape(-1, 4)


def spread(vertices: NDArray[np.floating], usable: NDArray[np.integer], count: int) -> NDArray[np.int64]:
    """``count`` of the ``usable`` vertices, each the farthest from those before it (Gonzalez 1985), int64 (N,)."""
    places = np.asarray(vertices, np.float64)[usable]
    chosen = [int(np.linalg.norm(places - places.mean(axis=0), axis=1).argmax())]
    distance = np.linalg.norm(places - places[chosen[0]], axis=1)
    while len(chosen) < min(count, len(usable)) and distance.max() > 0:
        chosen.append(int(distance.argmax()))
        np.minimum(distance, np.linalg.norm(places - places[chosen[-1]], axis=1), out=distance)
    return np.asarray(usable, np.int64)[chosen]


def _lines(source: bpy.types.Object, target: bpy.types.Object, count: int) -> Lines:
    found = matches.load(source, target)
    rows = spread(found.source.vertices, np.unique(found.source.faces), count)
    kin = found.match.to_target.pull(found.target.vertices, found.match.target_faces)[rows]
    shade = look.place_colors(found.source)[rows] ** (1 / 2.2)  # lines are drawn in the screen's colors
    sure = 0.3 + 0.7 * found.match.to_target.confidence[rows]
    return Lines(
        Handle.of(source),
        Handle.of(target),
        count,
        _moved(source.matrix_world.inverted_safe(), found.source.vertices[rows] + found.source.location),
        _moved(target.matrix_world.inverted_safe(), kin + found.target.location),
        np.hstack((shade, sure[:, None])).astype(np.float32),
    )


def _handle() -> None:
    """Have Blender call :func:`_draw` while there is something to draw."""
    global _handler
    wanted = bool(_shown or _marks) and not bpy.app.background
    if wanted and _handler is None:
        _handler = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")
    elif _handler is not None and not wanted:
        bpy.types.SpaceView3D.draw_handler_remove(_handler, "WINDOW")
        _handler = None
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


def _ends() -> tuple[bpy.types.Object, bpy.types.Object] | None:
    """The two objects, if both are there and to be seen."""
    if _shown is None:
        return None
    try:
        source, target = _shown.source.get(), _shown.target.get()
    except InputError:
        return None
    return (source, target) if source.visible_get() and target.visible_get() else None


def _moved(matrix: Any, points: NDArray[np.floating]) -> NDArray[np.float64]:
    values = np.array(matrix, np.float64)
    moved: NDArray[np.float64] = points @ values[:3, :3].T + values[:3, 3]
    return moved


def _crosses() -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Three short lines through each mark, in the size of an empty."""
    region = bpy.context.region_data
    reach = 0.015 * (region.view_distance if region else 1.0)
    centers = np.array(_marks, np.float64).reshape(-1, 1, 1, 3)
    arms = reach * np.stack((np.eye(3), -np.eye(3)), axis=1)
    points = (centers + arms).reshape(-1, 2, 3)
    return points, np.tile(np.array([1.0, 0.8, 0.1, 1.0], np.float32), (len(points), 1))


def _draw() -> None:
    shader = gpu.shader.from_builtin("POLYLINE_SMOOTH_COLOR")
    gpu.state.blend_set("ALPHA")
    for width, behind, (points, colors) in (
        (WIDTH, BEHIND, segments()),
        (PAIR_WIDTH, BEHIND, pair_segments()),
        (WIDTH, 1.0, _crosses()),
    ):
        for depth, share in (("NONE", behind), ("LESS_EQUAL", 1.0)) if len(points) else ():
            shades = np.repeat(colors, 2, axis=0) * np.array((1, 1, 1, share), np.float32)
            content = {"pos": points.reshape(-1, 3).astype(np.float32), "color": shades}
            batch = batch_for_shader(shader, "LINES", content)
            gpu.state.depth_test_set(depth)
            shader.bind()
            shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
            shader.uniform_float("lineWidth", width)
            batch.draw(shader)
    gpu.state.depth_test_set("NONE")
    gpu.state.blend_set("NONE")
