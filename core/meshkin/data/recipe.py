"""What to compute as features: views, pictures, and the extractors with their settings.

Blender's process asks with a :class:`FeatureChoice`; the worker answers with a :class:`Recipe`
(:func:`meshkin.features.recipe.resolve`), from which Blender's process reads the views to render, and which it passes
on to later jobs. This module imports nothing but the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..base.json_data import Json, from_json, to_json


@dataclass(frozen=True)
class FeatureChoice:
    """What a user asks for; None, "" and () stand for the extractors' defaults.

    Attributes:
        name: an extractor, several joined by "+", "auto" (all whose models are at hand, of those that take part in
            it), or "pictures" (the same without those that look at no pictures).
        model: folder, name or hub id of the main model of the first extractor that has models.
        layers: hidden states or stages of that model to read.
        views: number of evenly spread views.
        rings: (elevation in degrees, number of views) of rings of views, instead of ``views``.
        without: numbers of views to leave out, from 0.
        resolution: width and height of the rendered pictures, pixels. Each part uses the largest multiple of its
            cell size that is not larger.
        style: what the pictures show, one of :data:`STYLES`.
        background: gray level behind the object, in [0, 1].
        profile: a named set of settings, of an extractor that has some.
        prompt: what the object is, in words, for extractors that read text.
        negative_prompt: what an extractor that paints must not paint.
        seed: of an extractor's random numbers.
        settings: further settings of the extractors by name, and the models of their roles.
        online: whether models may be fetched.
        photo: whether a photograph is to be described too: extractors that look at no pictures are left out, and
            the pictures are textured unless ``style`` says otherwise.
    """

    name: str = "auto"
    model: str | None = None
    layers: tuple[int, ...] = ()
    views: int | None = None
    rings: tuple[tuple[float, int], ...] = ()
    without: tuple[int, ...] = ()
    resolution: int | None = None
    style: str | None = None
    background: float | None = None
    profile: str | None = None
    prompt: str = ""
    negative_prompt: str = ""
    seed: int | None = None
    settings: Mapping[str, Json] = field(default_factory=dict)
    online: bool = False
    photo: bool = False


STYLES = ("normal", "shading", "textured")
"""``normal``: the camera-space normal as a color. ``shading``: a gray surface in even light. ``textured``: the
object's own materials in even light, or a photograph."""


@dataclass(frozen=True)
class ViewPlacement:
    """Where the cameras stand around an object; :func:`meshkin.data.views.of_recipe` places them.

    Attributes:
        pattern: ``fibonacci`` (``count`` evenly spread views), ``rings``, or ``grid`` (the distinct views of a grid of
            ``count``, :func:`meshkin.data.views.grid_directions`).
        count: number of views, of the patterns that have one; 0 for ``rings``.
        rings: (elevation in degrees, number of views) of each ring.
        distance: of all cameras from the middle of the object, in diagonals of its bounding box; None where each
            camera is zoomed so that the object fills its picture.
        angle: of view of all cameras, degrees; None together with ``distance``.
        without: numbers of views that are left out, ascending, from 0.
    """

    pattern: Literal["fibonacci", "rings", "grid"] = "fibonacci"
    count: int = 0
    rings: tuple[tuple[float, int], ...] = ()
    distance: float | None = None
    angle: float | None = None
    without: tuple[int, ...] = ()


@dataclass(frozen=True)
class PartModel:
    """A model that an extractor reads.

    Attributes:
        name: of the model.
        folder: where it lies.
        checksum: SHA-256 of its weights, or of several files' checksums.
        license: SPDX, or "" where not known.
    """

    name: str
    folder: str
    checksum: str
    license: str


@dataclass(frozen=True)
class Part:
    """One extractor's share of the features.

    Attributes:
        extractor: its name.
        weight: how much its features count beside those of the other parts.
        settings: the fields of its settings as JSON data, all of them.
        models: those that it reads, by their role.
        base: how the features are made that it makes its own of; None where it looks at the shape or pictures itself.
    """

    extractor: str
    weight: float
    settings: Mapping[str, Json] = field(default_factory=dict)
    models: Mapping[str, PartModel] = field(default_factory=dict)
    base: Recipe | None = None


@dataclass(frozen=True)
class Recipe:
    """What to compute as features of a shape.

    Attributes:
        name: the extractors, joined by "+".
        views: the cameras that all parts share; None where no part looks at pictures.
        resolution: width and height of the rendered pictures, pixels.
        parts: in the order of the features' columns.
    """

    name: str
    views: ViewPlacement | None
    resolution: int
    parts: tuple[Part, ...]

    def to_json(self) -> Json:
        """This recipe as JSON data; :meth:`from_json` gives it back."""
        return to_json(self)

    @staticmethod
    def from_json(data: Json) -> Recipe:
        """The recipe that :meth:`to_json` described; raises InputError ``data-invalid``, which names the field."""
        return from_json(Recipe, data)
