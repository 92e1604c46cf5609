"""The panel's settings and the preferences, as the library takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from meshkin.features.options import FeatureOptions

from . import preferences
from .properties import values_of

if TYPE_CHECKING:
    from meshkin.workflow import Options

PAINTING = ("prompt", "negative_prompt", "profile", "seed")
"""Options of features that paint."""


def paints(settings: Any) -> bool:
    """Whether the chosen features paint pictures."""
    return "diff3f" in settings.features


def options(context: bpy.types.Context, **changes: Any) -> Options:
    """How a job is done: what the panel says of features, the preferences, and ``changes`` by options' flat names.

    The folders of the preferences go by the environment.
    """
    from meshkin.workflow import Options

    preferences.apply(context)
    settings, chosen = context.scene.meshkin, preferences.get(context)
    values = values_of(settings, FeatureOptions)
    painting = paints(settings)
    if not painting:
        values = {name: value for name, value in values.items() if name not in PAINTING}
    return Options().changed(
        **values,
        model=bpy.path.abspath(chosen.model) if chosen and not painting and settings.features != "sd_dino" else "",
        device=chosen.device if chosen else "auto",
        online=bpy.app.online_access,
        through=settings.through if settings.through and settings.through.name in context.scene.objects else None,
        **changes,
    )
