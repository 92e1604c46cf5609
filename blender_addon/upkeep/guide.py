"""What is still missing before MeshKin can work, and the buttons that get it."""

from __future__ import annotations

import bpy

from ..base import status
from ..base.text import translated
from ..base.widgets import Hint


def offline() -> str:
    """Return why nothing can be fetched, or ""."""
    if bpy.app.online_access or status.offline_folder:
        return ""
    if bpy.app.online_access_override:
        return "Blender was started offline; start it without --offline-mode, or choose a Downloads Folder"
    return "Allow Online Access for the download, or choose a Downloads Folder"


def setup_hint() -> Hint | None:
    """Return what to do before anything can be computed; None if all is there."""
    if not status.known:
        return Hint(translated("Looking for what MeshKin computes with …"), icon="SORTTIME")
    if status.worker_missing and status.worker_chosen:
        return Hint(f"{status.worker_missing}. {translated('Choose another one.')}", icon="ERROR", preferences=True)
    if not (status.worker_missing or not status.model):
        return None
    what = translated(
        "MeshKin has to be set up once: about 2 GB on the disk, some minutes."
        if status.worker_missing
        else "Without models, MeshKin compares points by shape alone (105 MB)."
    )
    button = "meshkin.set_up" if status.worker_missing else "meshkin.get_model"
    if reason := offline():
        allow = () if bpy.app.online_access_override else ("meshkin.allow_online",)
        return Hint(f"{what} {translated(reason)}.", allow, preferences=True)
    more = () if status.worker_missing else ("meshkin.try_it",)
    return Hint(what, (button, *more), preferences=True)
