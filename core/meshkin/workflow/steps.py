"""The steps that jobs consist of: their names, and about how many seconds each takes.

The seconds say how wide each step is on the progress bar, and how long a job will take until it has been watched for a
while. Where nothing else is said they were measured on two cores of a processor, between two characters of 7,400 and
1,000 vertices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..base.errors import InputError
from ..features import registry
from ..scene.objects import Handle
from .options import Options

Costs = dict[str, float]
"""For each step of a job, in order, the seconds that it takes."""

RENDER_SECONDS = 4.0
"""The views of one object, where an extractor looks at pictures."""
MATCH_SECONDS = 22.0
"""The match of two objects whose features are there."""
COMPOSE_SECONDS = 1.0
"""A match through a third object."""
COLOR_SECONDS = 1.0
"""The features' colors of two objects."""
TRANSFER_SECONDS = {"texture": 8.0, "weights": 2.0, "armature": 2.0, "motion": 3.0, "shape_keys": 4.0, "detail": 4.0}
"""By what is transferred: with a texture of 2048 pixels."""
OTHER_TRANSFER_SECONDS = 1.0
"""Of what is not among :data:`TRANSFER_SECONDS`."""
POSE_SECONDS = 5.0
"""A shape brought into a pose."""
PICTURE_SECONDS = 1.0
"""A contact sheet of an object whose views are rendered."""
CUT_SECONDS = 3.0
"""The parts of objects whose features are there."""
SHOT_SECONDS = 2.0
"""A picture of a data set, of 256 pixels with 32 samples."""
CARRY_SECONDS = 30.0
"""The key points of a template on another object: a match."""
REPAINT_SECONDS = 3.0
"""A picture of 512 pixels that is painted over. Chosen: on a graphics card of the middle range."""
FORMATS_SECONDS = 2.0
"""The formats of a small data set, and its contact sheet."""
LEARN_SECONDS = 60.0
"""A family of a network of the small size, in :data:`LEARN_STEPS` steps, from features of 384 channels."""
LEARN_STEPS = 1500
"""Steps that :data:`LEARN_SECONDS` is about."""
SIDES_SECONDS = 8.0
"""The sides of one of its shapes, and the distances along it."""
PUBLISHED_TIMES = 12.0
"""How many times as long a step of the published network takes."""
PHOTO_SECONDS = 15.0
"""The match of a photo."""
CUT_SECONDS = 8.0
"""A frame of a video, out of which an object is cut."""
PICTURE_MAP_SECONDS = 60.0
"""A network that reads maps from a photo. Chosen: seconds on a graphics card, minutes without one."""
PAINT_SECONDS = 120.0
"""A painted texture. Chosen: on a graphics card of the middle range, by the operations that it takes."""
FRAME_SECONDS = 1.8
"""One frame of a video whose match is there, fitted three times and matched again twice: 4,000 vertices, 50 bones."""
TEXTURE_SIZE = 2048
"""Pixels of the texture that :data:`TRANSFER_SECONDS` is about; others take longer by their area."""


def features_of(handle: Handle) -> str:
    """The step that computes the features of an object."""
    return f"features of {handle.name}"


def match_of(source: Handle, target: Handle) -> str:
    """The step that matches two objects directly."""
    return f"match of {source.name} and {target.name}"


COLORING, COMPOSE, POSE, PHOTO, CUT, LEARN = "colors", "compose", "pose", "photo", "cut", "learn"
"""The steps that make colors of features, join two matches, pose a shape, match a photo, find parts, learn a family."""
PICTURE_MAPS = "picture maps"
"""The step that reads maps from a photo."""
PAINT = "paint"
"""The step that paints a texture."""


def pictures_of(handle: Handle) -> str:
    """The step that makes the contact sheet of an object."""
    return f"pictures of {handle.name}"


def transfer_of(name: str) -> str:
    """The step that transfers one of :data:`meshkin.workflow.TRANSFERS`."""
    return f"transfer of {name}"


def feature_costs(handles: Iterable[Handle], options: Options) -> Costs:
    """The steps of describing objects."""
    try:
        extractors = registry.find_all(options.features.extractor)
    except InputError:
        extractors = []
    seconds = sum(each.seconds for each in extractors)
    if any(each.looks_at_pictures for each in extractors):
        seconds += RENDER_SECONDS
    return {features_of(handle): seconds for handle in handles}


def learn_costs(count: int, options: Options) -> Costs:
    """The step of learning a family from so many shapes whose features are there."""
    times = PUBLISHED_TIMES if options.family.network == "published" else 1.0
    return {LEARN: count * SIDES_SECONDS + LEARN_SECONDS * times * options.family.steps / LEARN_STEPS}


def match_costs(source: Handle, target: Handle, options: Options) -> Costs:
    """The steps of :func:`meshkin.workflow.matching.find_match`."""
    through = options.match.through
    center = source if through is None else Handle.of(through)
    if center == source:
        return {**feature_costs([source, target], options), match_of(source, target): MATCH_SECONDS}
    ends = [source] if center == target else [source, target]
    costs = feature_costs([center], options)
    for end in ends:
        costs |= {**feature_costs([end], options), match_of(center, end): MATCH_SECONDS}
    return costs | {COMPOSE: COMPOSE_SECONDS}


def transfer_costs(names: Sequence[str], options: Options) -> Costs:
    """The steps of transferring these, without the match."""
    costs = {transfer_of(name): TRANSFER_SECONDS.get(name, OTHER_TRANSFER_SECONDS) for name in names}
    if (texture := transfer_of("texture")) in costs:
        costs[texture] *= max((options.texture.size / TEXTURE_SIZE) ** 2, 1 / 4)
    return costs


def video_costs(handle: Handle, frames: int, options: Options, cuts: bool) -> Costs:
    """The steps of an action from a video of so many frames, out of which the object may be cut first."""
    costs = feature_costs([handle], options)
    if cuts:
        costs[CUT] = frames * CUT_SECONDS
    scored = {frame_of(number): PHOTO_SECONDS for number in range(frames)}
    matched = {match_of_frame(number): PHOTO_SECONDS / 2 for number in range(frames)}
    return {**costs, **scored, **matched, FIT: frames * FRAME_SECONDS}


def frame_of(number: int) -> str:
    """The step that compares a frame of a video, numbered from 0, with the views of a shape."""
    return f"frame {number}"


def match_of_frame(number: int) -> str:
    """The step that matches a frame of a video."""
    return f"match of frame {number}"


FIT = "fit"
"""The step that fits a motion to a video."""
