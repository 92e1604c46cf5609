"""Whether an object has a surface to work on, and one of its own that results can be written to."""

from __future__ import annotations

import bpy
import numpy as np

from ...base.errors import InputError
from ...data.snapshot import Snapshot
from ..arrays import read_floats
from .hiding import NUMBER
from .snapshot import evaluated, nearest, take

COVERED = 0.05
"""Share of its size within which a surface that modifiers have built anew (Remesh) lies at its own mesh; chosen."""
MOST_PROBES = 2000
"""Vertices at which this is tried; chosen."""


def take_checked(obj: bpy.types.Object) -> Snapshot:
    """The object's snapshot, if there is something to work on.

    Raises InputError ``only-instances`` when all that nodes make are instances of other objects, and as
    :func:`meshkin.scene.mesh.snapshot.take` and :meth:`Snapshot.check`.
    """
    snapshot = take(obj)
    if not len(snapshot.faces) and any(one.type == "NODES" and one.show_viewport for one in obj.modifiers):
        raise InputError(
            "only-instances",
            f"The Geometry Nodes of “{obj.name}” make no faces, or only instances of other objects.",
            "Add a Realize Instances node at their end, or choose Object > Apply > Make Instances Real.",
        )
    return snapshot.check()


def check_own(obj: bpy.types.Object, snapshot: Snapshot) -> None:
    """Raise InputError ``mesh-generated`` when modifiers make an object's surface of something else than its own mesh.

    Results are written to the own mesh, and such modifiers drop them.
    """
    if not len(snapshot.original) or (not _keeps_vertices(obj) and _lies_elsewhere(obj, snapshot)):
        raise InputError(
            "mesh-generated",
            f"The modifiers of “{obj.name}” make its surface, and not of its own mesh, to which results are written.",
            "Apply them first (Object > Convert > Mesh), or choose another target.",
        )


def _keeps_vertices(obj: bpy.types.Object) -> bool:
    """Whether attributes of an object's own vertices come through its modifiers."""
    with evaluated(obj) as (_, mesh):
        return NUMBER in mesh.attributes


def _lies_elsewhere(obj: bpy.types.Object, snapshot: Snapshot) -> bool:
    """Whether most of a snapshot's surface is farther from the own mesh than :data:`COVERED`."""
    linear = np.array(obj.matrix_world, np.float64)[:3, :3]
    own = (read_floats(obj.data.vertices, "co", 3) @ linear.T).astype(np.float32)
    probes = snapshot.vertices[:: max(1, len(snapshot.vertices) // MOST_PROBES)]
    distances = np.linalg.norm(own[nearest(probes, own)] - probes, axis=1)
    return bool(np.median(distances) > COVERED * np.ptp(snapshot.vertices, axis=0).max())
