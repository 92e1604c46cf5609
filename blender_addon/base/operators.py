"""What buttons have in common: why one is grayed out, and the base classes of their operators."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: RUF012

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import bpy

from . import driver, preferences, status
from .options import options

if TYPE_CHECKING:
    from meshkin.base.progress import Progress
    from meshkin.workflow import Options, Report

    Steps = Generator[Progress, None, Report]


SURFACES = {"MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES"}
"""Types of objects that can have a surface."""


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


class TransferJob(SceneJob):
    """Base of the jobs that carry something from the source to the target."""

    what: str

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reason = busy() or missing(context, "source", "target")
        if reason:
            return reason
        source, target = context.scene.meshkin.source, context.scene.meshkin.target
        return locked(target) or cls.unsuited(source, target) or status.worker_missing

    @classmethod
    def unsuited(cls, source: bpy.types.Object, target: bpy.types.Object) -> str:
        """Why this cannot go from source to target, or ""."""
        raise NotImplementedError

    def chosen(self, context: bpy.types.Context) -> Options:
        """The options with the operator's own properties."""
        return options(context)

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        return workflow.transfer(settings.source, settings.target, self.wishes(), self.chosen(context))

    def wishes(self) -> tuple[str, ...]:
        """What is to be transferred."""
        return (self.what,)


class PictureJob(SceneJob):
    """Base of the jobs whose result is a picture: it is shown, in a window of its own where no editor is open."""

    def _finished(self, report: Report) -> set[str]:
        result = super()._finished(report)
        if not bpy.app.background:
            from meshkin.scene.display import image_editor as sheets

            names = [report.data["image"]] if "image" in report.data else list(report.data["images"].values())
            sheets.open_editor(names[-1])
        return result
