"""Options of pictures that are rendered to learn from, and of learning from them."""

from __future__ import annotations

from dataclasses import dataclass

from ...base.options import Choice, option

TARGETS = (
    Choice("normal", "Normals", "The direction of the surface, in the camera's frame"),
    Choice("depth", "Depth", "How far the surface is: white the nearest point"),
    Choice("albedo", "Albedo", "The materials' colors without light and shadow"),
    Choice("parts", "Parts", "A color for each part, or for each material where no parts were found"),
)
"""What can be learned of a picture; also the order in which a file of a pair holds them, after the picture."""
SMALL = "small"
"""What stands for a small network of its own, in place of a model's name."""


@dataclass(frozen=True)
class PairOptions:
    """Pictures to learn from."""

    count: int = option(
        400, "Pairs", "How many pictures to render", flat="pair_count", flag="--count", least=2, most=100_000,
        soft_most=10_000,
    )  # fmt: skip
    size: int = option(
        64, "Size", "Width and height of the pictures in pixels: 64 for the small network, 512 for Stable Diffusion",
        flat="pair_size", flag="--size", least=32, most=2048,
    )  # fmt: skip
    seed: int = option(
        0, "Seed", "Other numbers give other lights, views and materials", flat="pair_seed", flag="--seed", least=0,
    )  # fmt: skip


@dataclass(frozen=True)
class PictureLearningOptions:
    """How maps of pictures are learned."""

    target: str = option(
        "normal", "Target", "What is learned", choices=TARGETS, flat="picture_target", flag="--what",
    )  # fmt: skip
    model: str = option(
        SMALL, "Model", "Small: a small network of its own, for a processor; or a Stable"
        " Diffusion 1.x model that gets a LoRA: a folder, the name of a known model, or an ID on the Hugging Face Hub",
        flat="picture_model", flag="--model", metavar="MODEL",
    )  # fmt: skip
    steps: int = option(
        4000, "Steps", "Steps of the learning, each on a few pairs", flat="picture_steps", flag="--steps", least=1,
        most=1_000_000, soft_most=20_000,
    )  # fmt: skip
    batch: int = option(
        8, "Batch", "Pairs that a step looks at", flat="picture_batch", flag="--batch", least=1, most=256,
        soft_most=32,
    )  # fmt: skip
    seed: int = option(
        0, "Seed", "Other numbers give other networks", flat="picture_seed", flag="--learning-seed", least=0,
    )  # fmt: skip
