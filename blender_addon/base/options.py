"""The panel's settings and the preferences, as the library takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from meshkin.features import registry
from meshkin.features.options import FeatureOptions

from . import preferences
from .properties import values_of

if TYPE_CHECKING:
    from meshkin.workflow import Options

PREFERRED_MODEL = "dinov2"
"""The kind of the model that the preferences name."""


def hidden_options(settings: Any) -> set[str]:
    """Options that concern other features than the chosen ones alone, by their flat names."""
    all_options = {option for item in registry.choices() for option in item.options}
    return all_options - set(feature_item(settings).options)


def feature_item(settings: Any) -> registry.FeatureItem:
    """What is known of the chosen features; of those that there are not any more, as of "auto"."""
    from meshkin.base.errors import InputError

    try:
        return registry.choice(settings.features)
    except InputError:
        return registry.choice(registry.AUTO)


def options(context: bpy.types.Context, **changes: Any) -> Options:
    """How a job is done: what the panel says of features, the preferences, and ``changes`` by options' flat names.

    The folders of the preferences go by the environment.
    """
    from meshkin.workflow import Options

    preferences.apply(context)
    settings, chosen = context.scene.meshkin, preferences.get(context)
    values = values_of(settings, FeatureOptions)
    hidden = hidden_options(settings)
    values = {name: value for name, value in values.items() if name not in hidden}
    model = chosen.model if chosen and feature_item(settings).model_kind == PREFERRED_MODEL else ""
    return Options().changed(
        **values,
        model=bpy.path.abspath(model) if model else "",
        device=chosen.device if chosen else "auto",
        online=bpy.app.online_access,
        through=settings.through if settings.through and settings.through.name in context.scene.objects else None,
        **changes,
    )
