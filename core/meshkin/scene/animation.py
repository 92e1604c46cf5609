"""What animates a data-block, copied to another: its action and the strips of its NLA tracks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

_STRIP_SETTINGS = (
    *("action_frame_start", "action_frame_end", "scale", "repeat", "frame_start", "frame_end"),
    *("use_auto_blend", "blend_in", "blend_out", "blend_type", "extrapolation", "influence", "use_reverse", "mute"),
)
"""Properties of a strip, in the order in which they have to be set: some change others."""


def has(block: bpy.types.ID) -> bool:
    """Whether an action or a strip animates a data-block."""
    animation = block.animation_data
    return bool(animation and (animation.action or any(track.strips for track in animation.nla_tracks)))


def actions(block: bpy.types.ID) -> list[bpy.types.Action]:
    """The actions that animate a data-block."""
    if not has(block):
        return []
    strips = [strip for track in block.animation_data.nla_tracks for strip in track.strips]
    found = [block.animation_data.action, *(strip.action for strip in strips)]
    return list(dict.fromkeys(action for action in found if action))


def clear(block: bpy.types.ID) -> None:
    """Let no action and no strip animate a data-block; its drivers stay."""
    if block.animation_data:
        block.animation_data.action = None
        for track in list(block.animation_data.nla_tracks):
            block.animation_data.nla_tracks.remove(track)


def copy(
    source: bpy.types.ID,
    target: bpy.types.ID,
    action_of: Callable[[bpy.types.Action], bpy.types.Action] = lambda action: action,
) -> None:
    """Let actions and strips animate a data-block as they animate another of its kind.

    Args:
        source, target: the data-blocks; nothing animates the target.
        action_of: the action to use for one of the source's.
    """
    if not has(source):
        return
    old, new = source.animation_data, target.animation_data or target.animation_data_create()
    for old_track in old.nla_tracks:
        track = new.nla_tracks.new()
        track.name, track.mute, track.lock = old_track.name, old_track.mute, old_track.lock
        for old_strip in old_track.strips:
            if old_strip.action:
                strip = track.strips.new(old_strip.name, int(old_strip.frame_start), action_of(old_strip.action))
                _use_slot(old_strip, strip)
                for name in _STRIP_SETTINGS:
                    setattr(strip, name, getattr(old_strip, name))
        track.is_solo = old_track.is_solo
    if old.action:
        new.action = action_of(old.action)
        _use_slot(old, new)


def _use_slot(source: Any, target: Any) -> None:
    """Use the slot of an action that another of its users, or of those of the action it was copied of, uses.

    Actions have slots from 4.4 on.
    """
    slot = getattr(source, "action_slot", None)
    if slot is not None:
        target.action_slot = target.action.slots[slot.identifier]
