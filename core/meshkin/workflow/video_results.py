"""A motion that was fitted to a video, written to the scene, and what is said about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..base.names import cut
from ..geometry.arrays import Floats
from ..scene import filming
from ..scene.display import image_editor, outlines
from ..scene.mesh import shape_keys
from ..scene.objects import BlenderObject, Handle
from ..scene.rig import armature as armatures
from ..scene.rig import binding, posable, weights
from ..video.options import VideoOptions
from ..worker.requests.video import MotionArrays, NeuralBoneArrays
from .characters import CharacterSnapshot
from .options import Remark, Report, ResultWarning
from .video_sources import Source

NAMED_FRAMES = 12
"""Doubtful frames that a warning names. Chosen: a sentence can still be read."""
SHAPE_KEY = "From Video"
"""The shape key of a shape that was fitted to a video."""


@dataclass(frozen=True)
class Found:
    """What a fit has found.

    Attributes:
        arrays: the motion.
        focal: focal length, widths of the picture.
        names: of the bones.
        bones: that are in no armature yet; None if there is one.
    """

    arrays: MotionArrays
    focal: float
    names: list[str]
    bones: NeuralBoneArrays | None


def write(
    found: Found,
    source: Source,
    character: CharacterSnapshot,
    known: tuple[Handle | None, Handle | None],
    options: VideoOptions,
) -> Report:
    """Write a motion as an action, with a camera, its scores, a contact sheet and the outlines of the masks.

    Args:
        found: the motion.
        source: the video.
        character: that follows it.
        known: its armature and the camera that filmed, where there are such.
        options: what was asked for.
    """
    frames, arrays, location = list(source.numbers), found.arrays, character.shape.location
    remarks: list[Remark] = []
    if known[0] is not None:
        armature = known[0].get()
    else:
        armature = _new_armature(found, character)
        remarks.append(f"“{armature.name}” was built of {len(found.names)} bones.")
    name = cut(f"{source.path.stem} on {armature.name}")
    unmuted = sum(not each.mute for bone in armature.pose.bones for each in bone.constraints)
    action = posable.new_action(armature, name)
    posable.write(armature, found.names, arrays.matrices, frames, location)
    posable.write_scores(armature, arrays.scores, frames)
    camera = _camera(found, source, known[1], name, location)
    doubtful = _chosen(frames, arrays.doubtful)
    outlines.keep(
        camera, arrays.outlines.astype(np.float64) / found.focal, np.array(frames)[arrays.outline_frames], doubtful
    )
    image = image_editor.show(arrays.sheet, name)
    remarks += [
        f"Action “{action}”: {len(frames)} keyed frames, {frames[0]} to {frames[-1]}. Camera: “{camera.name}”.",
        f"The outlines agree to {_mean(arrays.scores):.0%} on average (intersection over union, keyed as “"
        f"{posable.FIT_PROPERTY}”). See the image “{image.name}”.",
    ]
    if known[1] is None and not options.lens:
        remarks.append(f"Focal length: {camera.data.lens:.0f} mm, found from the video.")
    if options.shape:
        remarks += _write_shape(character, arrays.offsets.astype(np.float64))
    if unmuted:
        remarks.append(f"{unmuted} constraints were muted: the keys hold what they would do.")
    remarks += _doubts(arrays, frames)
    data = {
        "action": action,
        "armature": armature.name,
        "camera": camera.name,
        "image": image.name,
        "lens": found.focal * filming.FILM_WIDTH,
        "scores": arrays.scores.tolist(),
        "doubtful": doubtful,
        "cuts": _chosen(frames, arrays.cuts),
        "shape_key": SHAPE_KEY if options.shape else "",
    }
    return Report.of(f"“{armature.name}” follows {source.path.name}.", remarks, data)


def _new_armature(found: Found, character: CharacterSnapshot) -> BlenderObject:
    """An armature of the bones that were found, which poses the character by new vertex groups."""
    bones, location = found.bones, character.shape.location
    assert bones is not None
    objects = character.objects()
    armature = armatures.build(
        objects[0],
        cut(f"{objects[0].name} bones"),
        found.names,
        bones.heads + location,
        bones.tails + location,
        bones.parents.tolist(),
    )
    for obj, rows in zip(objects, character.rows(), strict=True):
        weights.write(obj, found.names, bones.weights[rows])
        binding.attach(obj, [armature], obj)
    return armature


def _camera(
    found: Found, source: Source, known: Handle | None, name: str, location: NDArray[np.float64]
) -> BlenderObject:
    """The known camera; else a new one, with the video behind what it films."""
    if known is not None:
        return known.get()
    lens = found.focal * filming.FILM_WIDTH
    camera = filming.new_camera(f"{name} camera", found.arrays.cameras, list(source.numbers), location, lens)
    source.show(camera)
    return camera


def _write_shape(character: CharacterSnapshot, offsets: NDArray[np.float64]) -> list[Remark]:
    """Give each mesh its part of the offsets (V, 3) as a shape key."""
    size = np.ptp(character.shape.vertices, axis=0).max()
    lengths = np.linalg.norm(offsets, axis=1)
    remarks: list[Remark] = [
        f"The shape was changed by {lengths.mean() / size:.1%} of its size on average, and by "
        f"{lengths.max() / size:.1%} at most."
    ]
    for obj, rows in zip(character.objects(), character.rows(), strict=True):
        remarks.append(shape_keys.write(obj, SHAPE_KEY, offsets[rows], value=1.0))
    return remarks


def _mean(scores: Floats) -> float:
    """The mean of the frames that show the character; others count 0."""
    return float(scores[scores > 0].mean()) if scores.any() else 0.0


def _chosen(frames: Sequence[int], is_chosen: NDArray[np.bool_]) -> list[int]:
    return [frame for frame, chosen in zip(frames, is_chosen, strict=True) if chosen]


def _doubts(found: MotionArrays, frames: Sequence[int]) -> list[Remark]:
    """What the user should look at."""
    doubts: list[Remark] = []
    for code, flags, sentence in (
        ("video-cuts", found.cuts, "The video seems to be cut before frames {}: the motion does not go on there."),
        ("frames-doubtful", found.doubtful, "Look at frames {}: the character does not lie on what they show."),
    ):
        if chosen := _chosen(frames, flags):
            listed = ", ".join(map(str, chosen[:NAMED_FRAMES])) + (" and more" if len(chosen) > NAMED_FRAMES else "")
            doubts.append(ResultWarning(code, sentence.format(listed)))
    return doubts
