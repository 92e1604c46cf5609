"""Options of motion from video."""

from __future__ import annotations

from dataclasses import dataclass

from ..base.options import Choice, option

VIDEO_CAMERAS = (
    Choice("new", "New, Standing Still", "A new camera that stands still; what it moved by, the character moves"),
    Choice("scene", "The Scene's", "The scene's camera: its lens, its place and its motion in the frames of the video"),
)
"""Which camera filmed."""
KEPT_POSES = (
    Choice("none", "None", "All poses are fitted"),
    Choice("ends", "First and Last", "The armature's poses in the first and in the last frame"),
    Choice("keys", "All Keys", "The armature's poses in all frames in which its action has keys"),
)
"""Poses that stay exactly as they are."""


@dataclass(frozen=True)
class VideoOptions:
    """Which frames of a video are followed, and how it was filmed.

    Attributes:
        first, last: frames of the video, from 1; 0 for the last.
        step: every how many frames one is followed.
        painted: the frame that a single mask is of; 0 for the first that is followed.
        camera: one of :data:`VIDEO_CAMERAS`.
        lens: focal length of a new camera, millimeters on a sensor 36 mm wide; 0 to fit it.
        keep: one of :data:`KEPT_POSES`.
        shape: whether the shape is fitted, too.
    """

    first: int = option(1, "First Frame", "First frame of the video to follow", flat="video_first", least=1)
    last: int = option(0, "Last Frame", "Last frame of the video to follow; 0: to its end", flat="video_last", least=0)
    step: int = option(
        1, "Step", "Follow every so many frames; keys lie as far apart", flat="video_step", least=1, soft_most=10
    )
    painted: int = option(
        0, "Masked Frame", "Frame of the video that a single mask is of; 0: the first frame to follow",
        flat="video_painted", least=0,
    )  # fmt: skip
    camera: str = option("new", "Camera", "Which camera filmed the video", flat="video_camera", choices=VIDEO_CAMERAS)
    lens: float = option(
        50.0, "Focal Length",
        "Focal length of the new camera, in millimeters on a sensor 36 mm wide; 0: find it from the video",
        flat="video_lens", least=0, most=5000, unit="DISTANCE_CAMERA",
    )  # fmt: skip
    keep: str = option(
        "none", "Keep Poses", "Poses of the armature that stay exactly as they are", flat="video_keep",
        choices=KEPT_POSES,
    )  # fmt: skip
    shape: bool = option(
        False, "Fit Shape", "Change the shape, too, as the video shows it, as a shape key", flat="video_shape"
    )
