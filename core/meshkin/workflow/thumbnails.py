"""Small pictures of shapes, for people who look through many results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from ..base.png import write_png
from ..data.snapshot import Snapshot
from ..data.surface_map import Match
from ..data.views import Passes, Views, frame
from ..scene import characters
from ..scene.characters import Picked
from ..scene.objects import BlenderObject, Handle
from ..scene.render import passes, surface_colors
from .characters import CharacterSnapshot
from .options import Report, Steps

THUMBNAIL = 160
"""Width and height of a thumbnail, pixels. Chosen: three fit beside a row's text."""
_OVERSAMPLED = 2
"""Pixels that are rendered for one of the thumbnail's, along each side. Chosen: smooth outlines."""
_DIRECTION = np.array([[0.45, -1.0, 0.25]]) / np.linalg.norm([0.45, -1.0, 0.25])
"""From where it is seen (chosen): a little beside and above the front, which is -Y in Blender."""
_LEAST_LIGHT = 0.45
"""Share of a color that is there where the surface is seen from its side. Chosen."""
_BEHIND = 0.16
"""Gray of the background, sRGB. Chosen: light and dark surfaces both stand out."""


def thumbnail(picked: Picked, output: Path, places: bool = False) -> Steps:
    """Write a small picture of a character, as it is shown, to a PNG file.

    Args:
        picked: what stands for it, as in :func:`meshkin.workflow.transfer`.
        output: the file.
        places: whether it has colors that tell its places apart instead of its own.

    Raises as :func:`meshkin.scene.render.passes.render`, InputError ``not-a-surface``, StorageError.
    """
    character = _shown(characters.members(picked))
    return (yield from _write(character, output, _place_colors(character.shape) if places else None))


def matched_thumbnail(source: Picked, target: Picked, map_file: Path, output: Path) -> Steps:
    """Write a small picture of a target on which each point has the color of its place on the source.

    Args:
        source, target: as :func:`thumbnail`.
        map_file: of their :class:`meshkin.data.surface_map.Match`.
        output: the PNG file.

    Raises as :func:`thumbnail`, and InputError ``mesh-changed``.
    """
    pair = characters.pair(source, target)
    ends = _shown(pair.sources), _shown(pair.targets)
    match = Match.load(map_file).to_source
    colors, count = _place_colors(ends[0].shape), len(ends[1].shape.vertices)
    if len(match.vertex) != count or match.vertex.max() >= len(colors):
        raise InputError("mesh-changed", f"{map_file} is of other meshes.", "Match them again.")
    return (yield from _write(ends[1], output, colors[match.vertex]))


def _shown(meshes: Sequence[BlenderObject]) -> CharacterSnapshot:
    return CharacterSnapshot.take([Handle.of(obj) for obj in meshes], as_shown=True)


def _place_colors(shape: Snapshot) -> NDArray[np.float64]:
    """Colors that tell a shape's places apart, sRGB in [0, 1], (V, 3): its box, from corner to corner."""
    low, high = shape.vertices.min(axis=0), shape.vertices.max(axis=0)
    colors: NDArray[np.float64] = (shape.vertices - low) / np.maximum(high - low, 1e-12)
    return colors


def _write(character: CharacterSnapshot, output: Path, colors: NDArray[np.float64] | None) -> Steps:
    """Write the picture, in colors of vertices, (V, 3), or in the objects' own."""
    shape = character.shape
    own = surface_colors.joined(
        [surface_colors.read(each.handle.get(), each.shape) for each in character.pieces],
        [each.shape for each in character.pieces],
    )
    views = frame(shape.vertices, _DIRECTION, THUMBNAIL * _OVERSAMPLED)
    rendered = yield from passes.render(shape, views, "auto", own if colors is None else None)
    write_png(output, _picture(rendered, shape, views, colors))
    return Report(f"“{character.name}” is in {output.name}.")


def _picture(rendered: Passes, shape: Snapshot, views: Views, colors: NDArray[np.float64] | None) -> NDArray[np.uint8]:
    """The picture, lit from the camera, uint8 (:data:`THUMBNAIL`, :data:`THUMBNAIL`, 3)."""
    assert rendered.face is not None
    face = rendered.face[0]
    seen = face >= 0
    picture = np.full((*face.shape, 3), _BEHIND)
    if colors is None:
        assert rendered.color is not None
        values = rendered.color[0][seen] / 255
    else:
        weights = views.barycentric(0, shape.vertices[shape.faces], face)
        values = np.einsum("pk,pkc->pc", weights, colors[shape.faces[face[seen]]])
    light = _LEAST_LIGHT + (1 - _LEAST_LIGHT) * np.clip(rendered.normal[0, ..., 2][seen].astype(np.float64), 0, 1)
    picture[seen] = values * light[:, None]
    blocks = picture.reshape(THUMBNAIL, _OVERSAMPLED, THUMBNAIL, _OVERSAMPLED, 3).mean(axis=(1, 3))
    small: NDArray[np.uint8] = (np.clip(blocks, 0, 1) * 255).round().astype(np.uint8)
    return small
