"""The library's options, made from the panel's settings and the preferences."""

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
"""Kind of the model that the preferences name."""


def hidden_options(settings: Any) -> set[str]:
    """Return the flat names of options that only matter to other features than the chosen ones."""
    all_options = {option for item in registry.choices() for option in item.options}
    return all_options - set(feature_item(settings).options)


def feature_item(settings: Any) -> registry.FeatureItem:
    """Return what the registry knows about the chosen features, or about "auto" if they no longer exist."""
    from meshkin.base.errors import InputError

    try:
        return registry.choice(settings.features)
    except InputError:
        return registry.choice(registry.AUTO)


def options(context: bpy.types.Context, **changes: Any) -> Options:
    """Return the options of a job: features from the panel, device and model from the preferences.

    The preferences' folders reach the library as environment variables.

    Args:
        context: Blender's context.
        changes: values of further options, by their flat names.
    """
    from meshkin.workflow import Options

    preferences.apply(context)
    settings, user_preferences = context.scene.meshkin, preferences.get(context)
    values = values_of(settings, FeatureOptions)
    hidden = hidden_options(settings)
    values = {name: value for name, value in values.items() if name not in hidden}
    uses_preferred = feature_item(settings).model_kind == PREFERRED_MODEL
    model = user_preferences.model if user_preferences and uses_preferred else ""
    return Options().changed(
        **values,
        model=bpy.path.abspath(model) if model else "",
        device=user_preferences.device if user_preferences else "auto",
        online=bpy.app.online_access or bool(user_preferences and user_preferences.offline_folder),
        match_joints=settings.match_joints,
        through=settings.through if settings.through and settings.through.name in context.scene.objects else None,
        **changes,
    )
