"""Options of armatures and poses."""

from __future__ import annotations

from dataclasses import dataclass

from ...base.options import option


@dataclass(frozen=True)
class RigOptions:
    """What is rigged, and how a pose is transferred.

    Attributes:
        also: further objects of the scene that lie on the target (eyes, teeth, hair, clothes). They get weights and the
            armature with it.
        threshold: the least confidence with which the match is used for a pose.
    """

    also: tuple[object, ...] = option(
        (),
        "Also",
        "Meshes that lie on the target, such as eyes, teeth, hair or clothes, and are rigged with it; names with "
        "commas in double quotes",
        metavar="OBJECT,…",
        panel=False,
    )
    threshold: float = option(
        0.4, "Threshold", "Lowest confidence at which the match is used for the pose",
        flat="pose_threshold", flag="--threshold", least=0, most=1, unit="FACTOR",
    )  # fmt: skip
