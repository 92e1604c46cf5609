"""Shapes, cameras and motions in units of the shape, and back: all settings of a fit are shares of its size."""

from __future__ import annotations

from dataclasses import replace

from ..geometry.arrays import Floats
from .clip import Clip, Motion, PosableShape


def unit_shape(shape: PosableShape, center: Floats, size: float) -> PosableShape:
    """A shape around the origin, of size 1."""
    rest = shape.rest.copy()
    rest[:, :3, 3] = (rest[:, :3, 3] - center) / size
    return replace(shape, vertices=(shape.vertices - center) / size, rest=rest)


def unit_clip(clip: Clip, center: Floats, size: float) -> Clip:
    """A clip whose cameras see such a shape as they saw the shape."""
    if clip.cameras is None:
        return clip
    cameras = clip.cameras.copy()
    cameras[:, :3, 3] = (cameras[:, :3, 3] + cameras[:, :3, :3] @ center) / size
    return replace(clip, cameras=cameras)


def full_cameras(cameras: Floats, center: Floats, size: float) -> Floats:
    """The cameras of the shape as it was."""
    full = cameras.copy()
    full[:, :3, 3] = full[:, :3, 3] * size - full[:, :3, :3] @ center
    return full


def unit_motion(motion: Motion, center: Floats, size: float) -> Motion:
    """The motion of such a shape."""
    root = motion.root.copy()
    root[:, :3, 3] = (root[:, :3, 3] + root[:, :3, :3] @ center - center) / size
    return Motion(motion.turns, motion.shifts / size, root)


def full_motion(motion: Motion, center: Floats, size: float) -> Motion:
    """The motion of the shape as it was."""
    root = motion.root.copy()
    root[:, :3, 3] = root[:, :3, 3] * size + center - root[:, :3, :3] @ center
    return Motion(motion.turns, motion.shifts * size, root)
