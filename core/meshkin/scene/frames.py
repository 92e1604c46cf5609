"""Conversions between the frames in which points and directions are given.

* Local: an object's own coordinates, as its mesh stores them.
* World: Blender's world, Z up.
* Snapshot: world axes and units, origin at the object's origin (:class:`meshkin.data.snapshot.Snapshot`).
* Camera: X right, Y up, the camera looks along -Z (:class:`meshkin.data.views.Views`).

Points are float (N, 3); a matrix is Blender's ``Matrix``, which is applied to column vectors.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ..data.views import Views
from ..geometry.arrays import Floats


def transform_points(matrix: Any, points: NDArray[np.floating]) -> Floats:
    """Points transformed by a 4 x 4 matrix, float64 (N, 3)."""
    values = np.array(matrix, np.float64)
    transformed: Floats = np.asarray(points, np.float64) @ values[:3, :3].T + values[:3, 3]
    return transformed


def local_to_snapshot(obj: bpy.types.Object, points: NDArray[np.floating], owner: bpy.types.Object) -> Floats:
    """Points in the local frame of ``obj``, in the snapshot frame of ``owner``."""
    return transform_points(obj.matrix_world, points) - np.array(owner.matrix_world.translation)


def offsets_to_world(obj: bpy.types.Object, offsets: NDArray[np.floating]) -> Floats:
    """Offsets (not points) along an object's local axes, along the world's axes; float64 (N, 3)."""
    linear = np.array(obj.matrix_world, np.float64)[:3, :3]
    turned: Floats = np.asarray(offsets, np.float64) @ linear.T
    return turned


def offsets_to_local(obj: bpy.types.Object, offsets: NDArray[np.floating]) -> Floats:
    """Offsets along the world's axes, along an object's local axes; 0 along an axis whose scale is 0."""
    linear = np.array(obj.matrix_world, np.float64)[:3, :3]
    turned: Floats = np.asarray(offsets, np.float64) @ np.linalg.pinv(linear).T
    return turned


def mirrors(obj: bpy.types.Object) -> bool:
    """Whether the object's scale mirrors its mesh, so that its triangles wind clockwise in the world."""
    return bool(obj.matrix_world.determinant() < 0)


def camera_to_unit(views: Views, view: int) -> Matrix:
    """The pose of a camera in the unit frame, where the snapshot has its center at 0 and a radius of 1."""
    backward = views.rotation[view].T
    pose = Matrix(backward.tolist()).to_4x4()
    pose.translation = (backward @ (0, 0, views.distance)).tolist()
    return pose


def unit_to_camera(views: Views, view: int) -> Matrix:
    """The inverse of :func:`camera_to_unit`."""
    matrix = Matrix(views.rotation[view].tolist()).to_4x4()
    matrix.translation = (0, 0, -views.distance)
    return matrix
