"""Options of features: which extractors to use, and the pictures that they look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..base.options import ASSIGNMENTS, NUMBERS, Choice, Text, option
from . import registry

STYLE_CHOICES = (
    Choice("", "Default", "The style that the chosen features are made for"),
    Choice("normal", "Normals", "The direction of the surface as a color"),
    Choice("shading", "Shading", "A gray surface in soft light"),
    Choice("textured", "Textured", "The object's own materials in even light"),
)
EXTRACTOR_CHOICES = tuple(Choice(item.features, item.label, item.description) for item in registry.choices())
RENDER_PATH_CHOICES = (
    Choice("auto", "Automatic", "The graphics card if there is one, otherwise Cycles"),
    Choice("gpu", "Graphics Card", "Blender's drawing on the graphics card, which is fast"),
    Choice("cycles", "Cycles", "Works on every machine, but is slower"),
)
PROFILE_CHOICES = (
    *registry.profiles(),
    # "" comes last, because .blend files store the numbers of the items.
    Choice("", "Default", "The profile that the chosen features use by default"),
)


def _rings(text: str) -> tuple[tuple[float, int], ...]:
    pairs = [part.split(":") for part in text.replace(";", ",").split(",") if part.strip()]
    return tuple((float(elevation), int(count)) for elevation, count in pairs)


def _written_rings(rings: tuple[tuple[float, int], ...]) -> str:
    return ", ".join(f"{elevation:g}:{count}" for elevation, count in rings)


@dataclass(frozen=True)
class FeatureOptions:
    """How the points of a surface are described."""

    extractor: str = option(
        "auto",
        "Features",
        "How points are described: an extractor, or several joined with +",
        flat="features",
        suggestions=EXTRACTOR_CHOICES,
        metavar="NAME",
    )
    model: str = option(
        "",
        "Model",
        "Folder of the first extractor's model, or its ID on the Hugging Face Hub; empty: the best available",
        panel=False,
    )
    layers: tuple[int, ...] = option(
        (), "Layers", "Blocks of the model to read, such as 9, 11; empty: the default", text=NUMBERS
    )
    profile: str = option("", "Profile", "Named set of settings for features that paint", choices=PROFILE_CHOICES)
    prompt: str = option("", "Prompt", "What the objects are, for features that paint; empty: the objects' names")
    negative_prompt: str = option("", "Negative Prompt", "What must not be painted; empty: the profile's own text")
    seed: int | None = option(None, "Seed", "Seed of the noise that some features use", least=0)
    settings: Mapping[str, Any] = option(
        {},
        "Settings",
        "Further settings of the extractor, such as steps=20; several are separated with semicolons in the panel, and "
        "are repeated arguments on the command line",
        flag="--set",
        metavar="NAME=VALUE",
        text=ASSIGNMENTS,
    )
    style: str = option("", "Style", "What the pictures show", choices=STYLE_CHOICES)
    views: int = option(
        0,
        "Views",
        "Number of pictures of each object, from evenly spread directions; 0: the default",
        least=0,
        most=512,
    )
    rings: tuple[tuple[float, int], ...] = option(
        (),
        "Rings",
        "Rings of views instead, each as ELEVATION:COUNT with the elevation in degrees, such as 0:8, 30:6",
        text=Text(_rings, _written_rings, "0:8, 30:6"),
    )
    without: tuple[int, ...] = option(
        (), "Exclude Views", "Numbers of the views to leave out, as “Show Pictures” shows them, such as 3, 7",
        text=NUMBERS, metavar="VIEWS",
    )  # fmt: skip
    resolution: int = option(
        0, "Resolution", "Width and height of each picture; 0: the default", least=0, most=8192, unit="PIXEL"
    )
    background: float = option(
        -1.0, "Background", "Gray level of the background, from 0 to 1; below 0: the default", least=-1, most=1
    )
    render_path: str = option(
        "auto", "Renderer", "What renders the pictures", choices=RENDER_PATH_CHOICES, flag="--render"
    )
    pictures: str = option(
        "", "Save Pictures", "Folder in which to save the pictures; empty: do not save them", unit="DIR_PATH",
        metavar="FOLDER",
    )  # fmt: skip
