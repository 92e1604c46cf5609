"""What is noted of a map that was learned, in its file beside the numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ...models.checking import PICTURE_TYPE


@dataclass(frozen=True)
class LearnedRecord:
    """What a network or a LoRA was taught.

    Attributes:
        target: one of :data:`meshkin.pictures.learning.options.TARGETS`; "" of a published file, which does not say.
        network: "small", or "lora" of a Stable Diffusion model.
        base: name of that model; "" for none, or where that is not known.
        base_checksum: of its weights; "" where that is not known.
        size: of the pictures that it was taught with, pixels; 0 where that is not known.
        steps: of the learning, likewise.
        subjects: names of what the pictures showed.
        errors: of the held-out pairs after each epoch.
        mean_error: of the mean of all maps, for the same pairs.
        model_type: always the same.
    """

    target: str
    network: Literal["small", "lora"]
    base: str = ""
    base_checksum: str = ""
    size: int = 0
    steps: int = 0
    subjects: tuple[str, ...] = ()
    errors: tuple[float, ...] = ()
    mean_error: float = 0.0
    model_type: Literal["meshkin-picture"] = field(default=PICTURE_TYPE)
