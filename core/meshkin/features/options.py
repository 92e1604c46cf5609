"""Options of features: which extractors, and the pictures that they look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..base.options import ASSIGNMENTS, NUMBERS, Choice, Text, option
from . import registry

STYLES = (
    Choice("", "Default", "What the features are made for"),
    Choice("normal", "Normals", "The direction of the surface as a color"),
    Choice("shading", "Shading", "Gray, in soft light"),
    Choice("textured", "Textured", "The object's own materials in even light"),
)
EXTRACTORS = tuple(Choice(item.features, item.label, item.description) for item in registry.choices())
RENDER_PATHS = (
    Choice("auto", "Automatic", "The graphics card where there is one"),
    Choice("gpu", "Graphics Card", "Blender's drawing on the graphics card"),
    Choice("cycles", "Cycles", "Works everywhere, slower"),
)
PROFILES = (
    *registry.profiles(),
    Choice("", "Default", "What the features are made for"),  # last: files keep the numbers of the others
)


def _rings(text: str) -> tuple[tuple[float, int], ...]:
    pairs = [part.split(":") for part in text.replace(";", ",").split(",") if part.strip()]
    return tuple((float(elevation), int(count)) for elevation, count in pairs)


def _written_rings(rings: tuple[tuple[float, int], ...]) -> str:
    return ", ".join(f"{elevation:g}:{count}" for elevation, count in rings)


@dataclass(frozen=True)
class FeatureOptions:
    """How points are described; every default works."""

    extractor: str = option(
        "auto",
        "Features",
        "How points are described: an extractor, or several joined by +",
        flat="features",
        suggestions=EXTRACTORS,
        metavar="NAME",
    )
    model: str = option(
        "",
        "Model",
        "Folder, or id on the hub, of the first extractor's model; empty: the best at hand",
        panel=False,
    )
    layers: tuple[int, ...] = option(
        (), "Layers", "Blocks of that model to read, as in 9, 11; empty: the default", text=NUMBERS
    )
    profile: str = option("", "Profile", "A named set of settings of features that paint", choices=PROFILES)
    prompt: str = option("", "Prompt", "What the objects are, for features that paint; empty: what each is called")
    negative_prompt: str = option("", "Not", "What is not to be painted; empty: what the profile says")
    seed: int | None = option(None, "Seed", "Of the noise that features are computed with", least=0)
    settings: Mapping[str, Any] = option(
        {},
        "Settings",
        "More of the extractor's own settings, as in steps=20; several between semicolons",
        flag="--set",
        metavar="NAME=VALUE",
        text=ASSIGNMENTS,
    )
    style: str = option("", "Style", "What the pictures of each object show", choices=STYLES)
    views: int = option(0, "Views", "Pictures taken of each object, evenly spread; 0: the default", least=0, most=512)
    rings: tuple[tuple[float, int], ...] = option(
        (),
        "Rings",
        "Rings of views instead, ELEVATION:COUNT in degrees, as in 0:8, 30:6",
        text=Text(_rings, _written_rings, "0:8, 30:6"),
    )
    without: tuple[int, ...] = option(
        (), "Without", "Numbers of views to leave out, as the contact sheet shows them: 3, 7", text=NUMBERS,
        metavar="VIEWS",
    )  # fmt: skip
    resolution: int = option(
        0, "Resolution", "Width and height of each picture; 0: what the features want", least=0, most=8192, unit="PIXEL"
    )
    background: float = option(
        -1.0, "Background", "Gray level behind the object, 0 to 1; below 0: the default", least=-1, most=1
    )
    render_path: str = option("auto", "Render", "What renders the pictures", choices=RENDER_PATHS, flag="--render")
    pictures: str = option(
        "", "Save Pictures", "Folder in which the rendered views are saved as pictures; empty: none", unit="DIR_PATH",
        metavar="FOLDER",
    )  # fmt: skip
