"""What moving objects are like in other frames of the scene."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import bpy

Seen = TypeVar("Seen")

AT_ONCE = 16
"""Frames that are looked at before the user may act again. Chosen: a heavy scene shows a few in a second."""


def at_frames(frames: Sequence[int], look: Callable[[], Seen]) -> Iterator[list[Seen]]:
    """What there is to see in each frame of the scene, some frames at a time.

    In between the scene is in the frame in which it was.
    """
    scene = bpy.context.scene
    for start in range(0, len(frames), AT_ONCE):
        found, before, subframe = [], scene.frame_current, scene.frame_subframe
        try:
            for frame in frames[start : start + AT_ONCE]:
                scene.frame_set(frame)
                found.append(look())
        finally:
            scene.frame_set(before, subframe=subframe)
        yield found
