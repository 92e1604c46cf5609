"""What the buttons have in common: the settings as the library takes them, why a button is grayed out, base classes."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: RUF012

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import bpy

from . import driver, preferences, properties, status

if TYPE_CHECKING:
    from meshkin.base.progress import Progress
    from meshkin.workflow import Options, Report

    Steps = Generator[Progress, None, Report]


def options(context: bpy.types.Context, **more: Any) -> Options:
    """The panel's settings and the preferences, as the library takes them; the folders go by the environment."""
    from meshkin.workflow import Options

    preferences.apply(context)
    settings, chosen = context.scene.meshkin, preferences.get(context)
    painting = "diff3f" in settings.features
    if painting:
        more |= {name: getattr(settings, name) for name in ("prompt", "negative_prompt", "profile", "seed")}
    return Options(
        features=settings.features,
        views=settings.views,
        without=_numbers(settings.without),
        resolution=settings.resolution,
        style="" if settings.style == "DEFAULT" else settings.style,
        model=bpy.path.abspath(chosen.model) if chosen and not painting and settings.features != "sd_dino" else "",
        device=chosen.device if chosen else "auto",
        online=bpy.app.online_access,
        through=settings.through if settings.through and settings.through.name in context.scene.objects else None,
        **more,
    )


def _numbers(text: str) -> tuple[int, ...]:
    """The whole numbers in a text such as “3, 7”."""
    from meshkin.base.errors import InputError

    try:
        return tuple(int(word) for word in text.replace(",", " ").split())
    except ValueError as error:
        raise InputError("option-invalid", f"“{text}” are no numbers of views.", "Write them as in 3, 7.") from error


def weight_options(chosen: Any) -> dict[str, Any]:
    """The settings of a transfer of weights, of the panel or of an operator, as the library takes them."""
    from meshkin.base.errors import InputError
    from meshkin.base.sides import parse_table

    values = {name: getattr(chosen, name) for name in properties.WEIGHTS}
    try:
        values["rename"] = tuple(parse_table(values["rename"]).items())
    except ValueError as error:
        raise InputError(
            "option-invalid", f"“{error}” in the table of names is not understood.", "Write old = new, …"
        ) from error
    return values


def busy() -> str:
    """Why no job can start now, or ""."""
    return f"“{driver.running.title}” is running; cancel it first" if driver.running else ""


def missing(context: bpy.types.Context, *wanted: str) -> str:
    """Why the picked objects do not serve, or ""; ``wanted`` out of "source" and "target"."""
    settings = context.scene.meshkin
    for name in wanted:
        obj = getattr(settings, name)
        if obj is None:
            return f"Pick a {name} object first"
        if obj.name not in context.scene.objects:
            return f"“{obj.name}” is not in this scene any more"
    if len(wanted) == 2 and settings.source == settings.target:
        return "Source and target are the same object"
    return ""


def locked(*objects: bpy.types.Object) -> str:
    """Why one of the objects cannot be written to, or ""."""
    for obj in objects:
        if obj.type != "MESH":
            return f"“{obj.name}” is not a mesh"
        if obj.library or obj.data.library:
            return f"“{obj.name}” is linked from another file; make it local first"
        if obj.data.is_editmode:
            return f"“{obj.name}” is being edited; go back to Object Mode first"
    return ""


def unmatched(context: bpy.types.Context) -> str:
    """Why there is no match to look at, or ""."""
    reason = busy() or missing(context, "source", "target")
    known = status.scene_module("mesh.matches")
    if not reason and known and not known.is_matched(context.scene.meshkin.source, context.scene.meshkin.target):
        return "Match source and target first"
    return reason


def picked(settings: Any) -> list[str]:
    """Which of source and target are picked, the same object once; the source where none is."""
    names = [name for name in ("source", "target") if getattr(settings, name)] or ["source"]
    return names[:1] if settings.source == settings.target else names


def picked_objects(settings: Any) -> list[bpy.types.Object]:
    """The objects of :func:`picked`."""
    return [getattr(settings, name) for name in picked(settings)]


class Explained:
    """Mixin of operators that say why they are grayed out."""

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Why the operator cannot run now, or ""."""
        raise NotImplementedError

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether the operator can run now."""
        if reason := cls.why_not(context):
            cls.poll_message_set(reason)  # type: ignore[attr-defined]
        return not reason


class SceneJob(driver.JobOperator, Explained, bpy.types.Operator):
    """Base of the jobs that write to the scene: each is one undo step."""

    bl_options = {"REGISTER", "UNDO"}


class Quick(Explained, bpy.types.Operator):
    """Base of what is done at once: an expected error becomes its sentence."""

    def act(self, context: bpy.types.Context) -> str:
        """Do it; what to tell, or ""."""
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> set[str]:
        from meshkin.base.errors import MeshKinError

        preferences.apply(context)
        try:
            told = self.act(context)
        except MeshKinError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if told:
            self.report({"INFO"}, told)
        status.redraw()
        return {"FINISHED"}
