"""A pinhole camera as computer vision has it.

World: Blender's, Z up, Blender units. Camera: x right, y down, z forward (OpenCV). Picture: row 0 is the top; a pixel
(row, column) covers [column, column + 1) x [row, row + 1), its center at + 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.arrays import Floats

FLIP = np.diag((1.0, -1.0, -1.0))
"""From Blender's camera axes (y up, looking along -Z) to these and back."""


@dataclass(frozen=True)
class PinholeCamera:
    """A camera without distortion.

    Attributes:
        width, height: of the picture, pixels.
        matrix: float64 (3, 3), the intrinsic matrix K, pixels.
        rotation: float64 (3, 3), world axes to camera axes.
        translation: float64 (3,), of the world's origin in the camera, Blender units.
    """

    width: int
    height: int
    matrix: Floats
    rotation: Floats
    translation: Floats

    @staticmethod
    def looking(width: int, height: int, matrix: Floats, pose: Floats) -> PinholeCamera:
        """A camera with a pose as Blender has it, (4, 4): camera (y up, looking along -Z) to world, without scale."""
        rotation = FLIP @ pose[:3, :3].T
        return PinholeCamera(width, height, matrix, rotation, -rotation @ pose[:3, 3])

    @property
    def place(self) -> Floats:
        """Where the camera stands in the world, (3,)."""
        return np.asarray(-self.rotation.T @ self.translation)

    @property
    def pose(self) -> Floats:
        """Camera to world as Blender and OpenGL have it (y up, looking along -Z), (4, 4)."""
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = self.rotation.T @ FLIP, self.place
        return pose

    def to_camera(self, points: NDArray[np.floating]) -> Floats:
        """Points (N, 3) of the world in the camera's frame, float64 (N, 3)."""
        return np.asarray(np.asarray(points, np.float64) @ self.rotation.T + self.translation)

    def project(self, points: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """Places (N, 2) of points (N, 3) of the world in the picture, pixels, and their depths (N,).

        Places of points that are not before the camera have no meaning.
        """
        return self.project_camera(self.to_camera(points))

    def project_camera(self, points: Floats) -> tuple[Floats, Floats]:
        """As :meth:`project`, for points (N, 3) in the camera's frame."""
        depth = points[:, 2]
        safe = np.where(np.abs(depth) > np.finfo(np.float64).tiny, depth, np.finfo(np.float64).tiny)
        return np.asarray((points / safe[:, None]) @ self.matrix[:2].T), depth

    def padded(self, times: int) -> PinholeCamera:
        """The same camera with so many widths and heights of the picture beside it on each side."""
        matrix = self.matrix.copy()
        matrix[:2, 2] += times * self.width, times * self.height
        size = 1 + 2 * times
        return PinholeCamera(size * self.width, size * self.height, matrix, self.rotation, self.translation)


def intrinsic_matrix(width: int, height: int, lens: float, sensor: float) -> Floats:
    """K of a camera without shift whose sensor is as wide as the longer side of the picture.

    Args:
        width, height: pixels.
        lens, sensor: focal length and width of the sensor, in one unit.
    """
    focal = lens / sensor * max(width, height)
    return np.array(((focal, 0, width / 2), (0, focal, height / 2), (0, 0, 1.0)))


def look_at(place: Floats, target: Floats, roll: float = 0.0) -> Floats:
    """Pose (4, 4), as Blender has it, of a camera that stands at a place and looks at another, Z upward.

    Args:
        place, target: (3,); where the camera looks straight up or down, the top of the picture is Y.
        roll: turn about the line of sight, radians; positive turns the camera counterclockwise.
    """
    backward = place - target
    backward = backward / np.linalg.norm(backward)
    up = np.array((0.0, 0.0, 1.0)) if abs(backward[2]) < 1 - 1e-9 else np.array((0.0, 1.0, 0.0))
    right = np.cross(up, backward)
    right /= np.linalg.norm(right)
    top = np.cross(backward, right)
    pose = np.eye(4)
    pose[:3, 0] = np.cos(roll) * right + np.sin(roll) * top
    pose[:3, 1] = np.cos(roll) * top - np.sin(roll) * right
    pose[:3, 2], pose[:3, 3] = backward, place
    return pose
