"""The buttons that take pictures for a data set, look at one and filter one."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from meshkin.dataset.options import SET_FILE, DatasetOptions, LookOptions
from meshkin.pictures.options import PictureOptions

from ..base import driver, status
from ..base.operators import Explained, busy
from ..base.options import options
from ..base.properties import values_of

if TYPE_CHECKING:
    from meshkin.workflow import Report

    from ..base.operators import Steps


def folder_of(settings: bpy.types.PropertyGroup) -> Path:
    """Return the folder of the data set that the panel names."""
    return Path(bpy.path.abspath(settings.dataset_folder))


def _no_folder(settings: bpy.types.PropertyGroup) -> str:
    """Return why the folder cannot be used, or ""."""
    if not settings.dataset_folder:
        return "Choose a folder for the data set first"
    is_relative = settings.dataset_folder.startswith("//") and not bpy.data.filepath
    return "Save the file first, or choose a folder that does not begin with //" if is_relative else ""


def _not_there(settings: bpy.types.PropertyGroup) -> str:
    """Return why there is no data set in the folder, or ""."""
    reason = _no_folder(settings)
    return reason or ("" if (folder_of(settings) / SET_FILE).is_file() else "There is no data set in the folder yet")


class FolderJob(driver.JobOperator, Explained, bpy.types.Operator):
    """Base of jobs that write to a folder and nothing to the scene. The contact sheet is shown in an image editor."""

    bl_options = {"REGISTER"}  # noqa: RUF012

    def _finished(self, report: Report) -> set[str]:
        if report.data.get("sheet") and not bpy.app.background:
            from meshkin.scene.display import image_editor

            image_editor.open_file(Path(report.data["sheet"]))
        return super()._finished(report)


class MESHKIN_OT_make_dataset(FolderJob):
    """Take pictures of the objects of a collection where they stand, each with its camera, poses, boxes, masks, depth,
    normals and key points. Pressed again after it was canceled, it goes on where it was"""

    bl_idname = "meshkin.make_dataset"
    bl_label = "Make Pictures"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        settings = context.scene.meshkin
        collection = settings.dataset_collection
        reason = busy() or ("" if collection else "Pick a collection of objects first")
        if not reason and not collection.all_objects:
            reason = f"“{collection.name}” is empty"
        return reason or _no_folder(settings) or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        chosen = options(context, **values_of(settings, DatasetOptions), **values_of(settings, LookOptions))
        objects, template = settings.dataset_collection.all_objects, settings.dataset_template
        return workflow.dataset(objects, folder_of(settings), chosen, template)


class MESHKIN_OT_check_dataset(FolderJob):
    """Look at every file of the data set, and draw what is known into some of its pictures"""

    bl_idname = "meshkin.check_dataset"
    bl_label = "Check"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return busy() or _not_there(context.scene.meshkin) or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        formats = values_of(settings, DatasetOptions)["dataset_formats"]
        return workflow.check_dataset(folder_of(settings), formats)


class MESHKIN_OT_filter_dataset(FolderJob):
    """Leave out of what trainers read the pictures whose poses agree least with all others"""

    bl_idname = "meshkin.filter_dataset"
    bl_label = "Filter"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return MESHKIN_OT_check_dataset.why_not(context)

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        values = {**values_of(settings, DatasetOptions), **values_of(settings, PictureOptions)}
        return workflow.filter_dataset(folder_of(settings), options(context, **values))


CLASSES: list[type] = [MESHKIN_OT_make_dataset, MESHKIN_OT_check_dataset, MESHKIN_OT_filter_dataset]
