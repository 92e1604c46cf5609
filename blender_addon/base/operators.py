"""Base classes of the operators, and the reasons why a button is grayed out."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: RUF012

from __future__ import annotations

import functools
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import bpy

from . import driver, members, preferences, status
from .options import options
from .text import told

if TYPE_CHECKING:
    from meshkin.base.progress import Progress
    from meshkin.workflow import Options, Report

    Steps = Generator[Progress, None, Report]


SURFACES = {"MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES"}
"""Blender's types of objects that can have a surface."""


def busy() -> str:
    """Return why no job can start now, or ""."""
    return f"“{driver.running.title}” is running; cancel it first" if driver.running else ""


def missing(context: bpy.types.Context, *roles: str) -> str:
    """Return why the picked objects cannot be used, or ""; ``roles`` are "source", "target" or both."""
    settings = context.scene.meshkin
    for name in roles:
        obj = getattr(settings, name)
        if obj is None:
            return f"Pick a {name} object first"
        if obj.name not in context.scene.objects:
            return f"“{obj.name}” is no longer in this scene"
    if len(roles) == 2 and settings.source == settings.target:
        return "Source and target are the same object"
    return ""


def locked(*objects: bpy.types.Object) -> str:
    """Return why one of the objects cannot be written to, or ""."""
    for obj in objects:
        if obj.type != "MESH":
            return f"“{obj.name}” is not a mesh"
        if obj.library or obj.data.library:
            return f"“{obj.name}” is linked from another file; make it local first"
        if obj.data.is_editmode:
            return f"“{obj.name}” is being edited; go back to Object Mode first"
    return ""


def unmatched(context: bpy.types.Context) -> str:
    """Return why there is no match to show, or ""."""
    reason = busy() or missing(context, "source", "target")
    matches = status.scene_module("mesh.matches")
    if not reason and matches and not matches.is_matched(context.scene.meshkin.source, context.scene.meshkin.target):
        return "Match source and target first"
    return reason


def picked(settings: Any) -> list[str]:
    """Return which of "source" and "target" are picked, without the target if it is the source; default: ["source"]."""
    names = [name for name in ("source", "target") if getattr(settings, name)] or ["source"]
    return names[:1] if settings.source == settings.target else names


def picked_objects(settings: Any) -> list[bpy.types.Object]:
    """Return the objects that :func:`picked` names."""
    return [getattr(settings, name) for name in picked(settings)]


class Explained:
    """Mixin of operators whose tooltip says why they are grayed out."""

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Return why the operator cannot run now, or ""."""
        raise NotImplementedError

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Return whether the operator can run now."""
        if reason := cls.why_not(context):
            cls.poll_message_set(told(reason))  # type: ignore[attr-defined]
        return not reason


class SceneJob(driver.JobOperator, Explained, bpy.types.Operator):
    """Base of jobs that write to the scene; each job is one undo step, and its report is kept in the file."""

    bl_options = {"REGISTER", "UNDO"}

    def _finished(self, report: Report) -> set[str]:
        from meshkin import workflow

        workflow.keep_report(report)
        return super()._finished(report)


class QuickAction(Explained, bpy.types.Operator):
    """Base of operators that finish at once, without a job. An expected error is reported as a sentence."""

    def act(self, context: bpy.types.Context) -> str:
        """Do the work; returns the sentence to report, or ""."""
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> set[str]:
        from meshkin.base.errors import MeshKinError

        preferences.apply(context)
        try:
            message = self.act(context)
        except MeshKinError as error:
            self.report({"ERROR"}, " ".join(filter(None, (told(error.message), told(error.fix)))))
            return {"CANCELLED"}
        if message:
            self.report({"INFO"}, told(message))
        status.redraw()
        return {"FINISHED"}


class TransferJob(SceneJob):
    """Base of jobs that transfer something from the source to the target."""

    what: str
    """What is transferred, one of :data:`meshkin.workflow.TRANSFERS`."""

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reason = busy() or missing(context, "source", "target")
        if reason:
            return reason
        settings = context.scene.meshkin
        target = settings.target
        unsuitable = [
            cls.unsuitable(source, target) for source in (settings.source, *members.ticked(settings, "source"))
        ]
        return locked(target) or ("" if "" in unsuitable else unsuitable[0]) or status.worker_missing

    @classmethod
    def unsuitable(cls, source: bpy.types.Object, target: bpy.types.Object) -> str:
        """Return why this cannot be transferred from source to target, or ""."""
        raise NotImplementedError

    def job_options(self, context: bpy.types.Context) -> Options:
        """Return the options of the job, with the operator's own properties."""
        return options(context)

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        source, target = (members.picked(context.scene.meshkin, role) for role in members.ROLES)
        return workflow.transfer(source, target, self.payloads(), self.job_options(context))

    def payloads(self) -> tuple[str, ...]:
        """Return everything that is to be transferred, of :data:`meshkin.workflow.TRANSFERS`."""
        return (self.what,)


class PictureJob(SceneJob):
    """Base of jobs whose result is an image. The image is shown in an image editor; a new window opens if needed."""

    def _finished(self, report: Report) -> set[str]:
        result = super()._finished(report)
        if not bpy.app.background:
            from meshkin.scene.display import image_editor

            names = [report.data["image"]] if "image" in report.data else list(report.data["images"].values())
            show = functools.partial(image_editor.open_editor, names[-1])
            bpy.app.timers.register(show, first_interval=0.01)  # a new window within the job would cost its undo step
        return result
