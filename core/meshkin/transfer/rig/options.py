"""Options of armatures and poses."""

from __future__ import annotations

from dataclasses import dataclass

from ...base.options import option


@dataclass(frozen=True)
class RigOptions:
    """What is rigged, and how a pose is taken over.

    Attributes:
        also: further objects of the scene that lie on the target (eyes, teeth, hair, clothes): they get weights and
            armature with it.
        threshold: confidence from which the match is relied on when the target takes the source's pose.
    """

    also: tuple[object, ...] = option(
        (),
        "Also",
        "Meshes that lie on the target (eyes, teeth, hair, clothes): they get weights and armature with it",
        metavar="OBJECT,…",
        panel=False,
    )
    threshold: float = option(
        0.4, "Threshold", "Confidence from which the match is relied on for the pose",
        flat="pose_threshold", flag="--threshold", least=0, most=1, unit="FACTOR",
    )  # fmt: skip
