"""Options of motion from video."""

from __future__ import annotations

from dataclasses import dataclass

from ..base.options import option


@dataclass(frozen=True)
class VideoOptions:
    """Which frames of a video are followed, and how it was filmed.

    Attributes:
        first, last: frames of the video, from 1; 0 for the last.
        step: every how many frames one is followed.
        lens: focal length, millimeters on a sensor 36 mm wide.
    """

    first: int = option(1, "First Frame", "First frame of the video to follow", flat="video_first", least=1)
    last: int = option(0, "Last Frame", "Last frame of the video to follow; 0: to its end", flat="video_last", least=0)
    step: int = option(
        1, "Step", "Follow every so many frames; keys lie as far apart", flat="video_step", least=1, soft_most=10
    )
    lens: float = option(
        50.0, "Focal Length", "Focal length of the camera that filmed, in millimeters on a sensor 36 mm wide",
        flat="video_lens", least=1, most=5000, unit="DISTANCE_CAMERA",
    )  # fmt: skip
