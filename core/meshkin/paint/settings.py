"""What can be tuned about painting."""

from __future__ import annotations

from dataclasses import dataclass

from ..transfer.texture.settings import Tiles

ABOVE = 2
"""Views from above. Source: SyncMVD's default rig (arXiv 2311.12891)."""


@dataclass(frozen=True)
class PaintSettings:
    """How a shape is painted.

    Attributes:
        prompt, negative: what to paint, and what not, in words.
        views: how many stand around the shape; two more look from above.
        resolution: of the painted views, pixels; a multiple of 64.
        steps: of the schedule.
        guidance: of classifier-free guidance. It is high, because averaging blurs.
        control: how much each ControlNet counts.
        free: share of the steps, the last ones, that are done in the views.
        front: share of the steps, the first ones, in which all views attend to the one from the front.
        seed: of the noise.
        refine: steps of score distillation after that.
        size, margin: of the texture, pixels.
        tiles: what UVs outside the unit square mean.
    """

    prompt: str
    negative: str = ""
    views: int = 8
    resolution: int = 768
    steps: int = 30
    guidance: float = 15.5
    control: float = 0.8
    free: float = 0.2
    front: float = 0.2
    seed: int = 0
    refine: int = 0
    size: int = 2048
    margin: int = 8
    tiles: Tiles = "auto"
