"""Options of painting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..base.options import ASSIGNMENTS, option


@dataclass(frozen=True)
class PaintOptions:
    """How a texture is painted."""

    prompt: str = option(
        "", "Prompt", "What the object is and how it looks, in words", flat="paint_prompt", flag="--prompt"
    )
    negative: str = option(
        "oversmoothed, blurry, depth of field, out of focus, low quality, bloom, glowing effect",
        "Avoid", "Negative prompt: what the texture should not look like",
        flat="paint_negative", flag="--negative-prompt",
    )  # fmt: skip
    views: int = option(
        8, "Views Around", "Views around the object; two more look from above", least=4, most=16,
        flat="paint_views",
    )  # fmt: skip
    resolution: int = option(
        768, "View Resolution", "Width and height of the painted views; a multiple of 64", least=64, most=1024,
        unit="PIXEL", flat="paint_resolution",
    )  # fmt: skip
    steps: int = option(
        30, "Steps", "Steps in which the noise is taken away", least=2, most=200, flat="paint_steps",
    )  # fmt: skip
    guidance: float = option(
        15.5, "Guidance", "How closely the prompt is followed", least=1, most=50, flat="paint_guidance"
    )
    control: float = option(
        0.8, "Shape Guidance", "How closely the shape's depth and normals are followed", least=0, most=2,
        flat="paint_control",
    )  # fmt: skip
    free: float = option(
        0.2, "Free Share", "Share of the steps, the last ones, in which each view gets its own details", least=0,
        most=1, unit="FACTOR", flat="paint_free",
    )  # fmt: skip
    seed: int = option(
        0, "Seed", "Another number gives another texture", least=0, most=2**31 - 1, flat="paint_seed",
    )  # fmt: skip
    refine: int = option(
        0, "Refine", "Steps in which the painted texture is refined view by view; 0: none", least=0, most=20_000,
        soft_most=2000, flat="paint_refine",
    )  # fmt: skip
    surface: bool = option(
        True, "Rough, Metallic", "Read roughness and metallic from the painted views, too, where a model for that is"
        " there", flat="paint_surface", flag="--paint-surface",
    )  # fmt: skip
    shape: bool = option(
        False, "Shape Key", "Make a shape key, too, that follows the normals that a model reads from the painted views:"
        " a start for modeling", flat="paint_shape", flag="--paint-shape",
    )  # fmt: skip
    mask: str = option(
        "", "Repaint Mask", "Image in the UV layout, white where to paint; the rest keeps its colors",
        unit="FILE_PATH", flat="paint_mask", metavar="IMAGE",
    )  # fmt: skip
    subject: str = option(
        "", "Subject", "File of a subject that was learned from a photo: the texture shows it",
        unit="FILE_PATH", flat="paint_subject", flag="--subject", metavar="SUBJECT.safetensors",
    )  # fmt: skip
    models: dict[str, Any] = option(
        {}, "Paint Models", "Folders or hub IDs: base (Stable Diffusion 1.5), depth and normal (ControlNets)",
        flat="paint_models", text=ASSIGNMENTS, metavar="NAME=FOLDER;…",
    )  # fmt: skip
    slow: bool = option(False, "Without a GPU", "Paint on the processor, too, which takes hours", flat="paint_slow")
    keep: bool = option(
        True, "Keep on Cancel", "When cancelled, keep the texture as far as it is painted", flat="paint_keep",
        command=False,
    )  # fmt: skip


@dataclass(frozen=True)
class SubjectOptions:
    """How a subject is learned from a photo."""

    name: str = option(
        "", "What It Is", "What the photo shows, in one or two common words", flat="subject_name", flag="--name",
    )  # fmt: skip
    steps: int = option(
        800, "Steps", "Steps of the learning", flat="subject_steps", flag="--steps", least=4, most=20_000,
        soft_most=3000,
    )  # fmt: skip
    size: int = option(
        512, "Size", "Width and height of the pictures as they are learned from; a multiple of 64",
        flat="subject_size", flag="--size", least=64, most=1024, unit="PIXEL",
    )  # fmt: skip
    own: int = option(
        16, "Other Pictures", "How many pictures of other such things the model makes itself, so that the word"
        " keeps its meaning; 0: none", flat="subject_own", flag="--own", least=0, most=1000, soft_most=100,
    )  # fmt: skip
    seed: int = option(
        0, "Seed", "Other numbers give other subjects", flat="subject_seed", flag="--seed", least=0, most=2**31 - 1,
    )  # fmt: skip
