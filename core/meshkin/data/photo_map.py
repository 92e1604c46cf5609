"""Map from a photograph to a surface: for every pixel of the object, its point on the surface."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..base.errors import StorageError
from ..base.storage import UNREADABLE, read_arrays, write_arrays


@dataclass(frozen=True)
class PhotoMap:
    """A photograph of H x W pixels matched to a surface; row 0 is the top.

    Attributes:
        mask: bool (H, W), where the object is.
        face: int32 (H, W), the triangle that each pixel of the object shows, -1 elsewhere.
        barycentric: float32 (H, W, 3), the coordinates of the pixel's point in that triangle: non-negative, sum 1; 0
            outside the object.
        confidence: float32 (H, W) in [0, 1], 0 outside the object.
        faces: int32 (F, 3), the triangles that the indices in ``face`` refer to.
        camera: float64 (4, 2), an affine camera that fits the match: ``(x, y, z, 1) @ camera`` is column and row of a
            vertex (snapshot frame), in pixels.
        photo: uint8 (H, W, 3), sRGB, the photograph as it was matched (large ones are made smaller).
        poses: float64 (2, 5), the view of the surface that the photograph was matched as, and the other one that it
            may show: x, y and z of the unit vector from the surface toward the camera, 1 where the photograph's mirror
            image shows it so (else 0), and how well it fits (mean cosine, at most 1).
    """

    mask: NDArray[np.bool_]
    face: NDArray[np.int32]
    barycentric: NDArray[np.float32]
    confidence: NDArray[np.float32]
    faces: NDArray[np.int32]
    camera: NDArray[np.float64]
    photo: NDArray[np.uint8]
    poses: NDArray[np.float64]

    @property
    def view_direction(self) -> NDArray[np.float64]:
        """The direction (3,) in which the camera looks. A mirrored picture turns its handedness."""
        along: NDArray[np.float64] = np.cross(self.camera[:3, 0], self.camera[:3, 1])
        return -along if self.poses[0, 3] else along

    def pull(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Interpolate values (V,) or (V, C) of the vertices at the object's pixels, in order: (P,) or (P, C)."""
        corners = np.asarray(values, np.float64)[self.faces[self.face[self.mask]]]
        return np.einsum("pk,pk...->p...", self.barycentric[self.mask].astype(np.float64), corners)

    def save(self, path: Path) -> None:
        """Write an .npz file with an array for each attribute; raises StorageError."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        write_arrays(path, fields, compressed=True)

    @staticmethod
    def load(path: Path) -> PhotoMap:
        """Read what :meth:`save` wrote; raises StorageError if the file is missing or damaged."""
        what, fix = "The match", "Match the photo again."
        arrays = read_arrays(path, what, fix)
        try:
            photo_map = PhotoMap(**arrays)
            shown = photo_map.face[photo_map.mask]
            whole = (
                photo_map.mask.shape == photo_map.face.shape == photo_map.confidence.shape == photo_map.photo.shape[:2]
                and photo_map.barycentric.shape == (*photo_map.mask.shape, 3)
                and (not len(shown) or 0 <= shown.min() <= shown.max() < len(photo_map.faces))
                and np.isfinite(photo_map.barycentric).all()
                and np.isfinite(photo_map.confidence).all()
                and np.isfinite(photo_map.camera).all()
                and photo_map.poses.shape == (2, 5)
            )
        except UNREADABLE:
            whole = False
        if not whole:
            raise StorageError("file-damaged", f"{what} {path} holds what cannot be.", fix)
        return photo_map
