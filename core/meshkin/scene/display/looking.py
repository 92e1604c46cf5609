"""Where a 3D view looks."""

from __future__ import annotations

import bpy
from mathutils import Vector

from ..mesh.matches import DoubtfulPlace
from . import comparison

PLACE_DISTANCE = 5.0
"""Distance of the view from a place, in radii of the place. Chosen: with Blender's lens it takes half of the view."""
LEAST_RADIUS = 0.04
"""Smallest radius that is shown, in largest dimensions of the object. Chosen: what lies around stays in sight."""
FACING = 0.3
"""Length of a place's normal from which the view turns to face it: around a limb there is no such side. Chosen."""

APART_DISTANCE = 1.6
"""Distance of the view, in distances between two objects that are compared, from which both places are in sight;
chosen."""


def look_at(view: bpy.types.RegionView3D, target: bpy.types.Object, place: DoubtfulPlace) -> None:
    """Let a 3D view look at a place of an object, from outside; what is compared with it is moved into sight."""
    matrix = target.matrix_world
    center, normal = matrix @ Vector(place.center), Vector(place.normal)
    if view.view_perspective == "CAMERA":
        view.view_perspective = "PERSP"
    view.view_location = center
    view.view_distance = PLACE_DISTANCE * max(place.radius, LEAST_RADIUS) * max(target.dimensions)
    if normal.length >= FACING:
        outward = matrix.to_3x3().inverted_safe().transposed() @ normal
        view.view_rotation = outward.to_track_quat("Z", "Y")
    if comparison.is_shown() and target in comparison.ends():
        comparison.arrange(view.view_rotation @ Vector((1, 0, 0)))
        apart = comparison.offset()
        view.view_location = center + apart / 2
        view.view_distance = max(view.view_distance, APART_DISTANCE * apart.length)
