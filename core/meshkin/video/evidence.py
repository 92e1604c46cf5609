"""What the frames of a clip show, as tensors that the fit reads.

Places in the picture are measured from its center in sizes of the object, x to the right and y down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from ..geometry.arrays import Floats, unit_rows
from .clip import Clip, PosableShape
from .mirroring import mirror_plane, mirrored, nearest
from .settings import FitSettings
from .skinning import full_weights, loads

BLUR = 1.5
"""Pixels over which a mask is blurred to find the direction across its outline. Chosen: its steps vanish."""
MASK_BORDER = 1.5
"""Distance of a pixel's middle from the nearest one of the mask, pixels, up to which it is not outside: a pixel from
the border. Measured: of a true motion the farthest vertices lie .2 pixels outside on the mean, .4 where half a pixel
less is borne. A tenth of a pixel all around is 1 % of a wolf's height in its distance."""
FIELD_SIDE = 256
"""Cells along the longer side of the fields of distances. Chosen: a limb is several cells wide."""
NEAREST = 0.05
"""Depth, in sizes of the shape, that nothing comes nearer to the camera than. Chosen: keeps divisions finite."""
FEWEST_PIXELS = 16
"""Pixels of a mask below which a frame shows nothing. Chosen."""


@dataclass(frozen=True)
class Evidence:
    """What T frames show.

    Attributes:
        focal: focal length, sizes.
        half: (2,), half the picture's width and height, sizes.
        span: (2,), the width and height of the fields of distances, which may reach beyond the picture, sizes.
        field: (T, 3, h, w), distance of each place from the mask, sizes, 0 inside; and its slope along x and y.
        contour, across: (T, C, 2), places on the mask's outline, and unit vectors across it there.
        contour_weight: (T, C), 0 where there are fewer.
        place: (T, A, 2), of the anchors; ``weight`` (T, A) is 0 where there are fewer.
        load: (T, A, B, 4), of the anchors' points.
        twin: the same of the points on the other side of the body, which look alike; None if it is not symmetric.
        surface: (V, B, 4), of all vertices.
        cameras: (T, 4, 4).
        sharp: (T, A, 2, 2), by which errors of anchors are multiplied, less along limbs; None for all alike.
        joined: (T,), 1 where a frame goes on from the one before; 0 for the first.
        views: (T, 3, 3), rotations as which the frames were matched; 0 where none is known.
    """

    focal: float
    half: Tensor
    span: Tensor
    field: Tensor
    contour: Tensor
    across: Tensor
    contour_weight: Tensor
    place: Tensor
    weight: Tensor
    load: Tensor
    twin: Tensor | None
    surface: Tensor
    cameras: Tensor
    joined: Tensor
    views: Tensor
    sharp: Tensor | None = None

    def part(self, frames: slice) -> Evidence:
        """Only these frames."""
        twin, sharp = (None if each is None else each[frames] for each in (self.twin, self.sharp))
        return replace(
            self,
            field=self.field[frames],
            contour=self.contour[frames],
            across=self.across[frames],
            contour_weight=self.contour_weight[frames],
            place=self.place[frames],
            weight=self.weight[frames],
            load=self.load[frames],
            cameras=self.cameras[frames],
            joined=self.joined[frames],
            views=self.views[frames],
            twin=twin,
            sharp=sharp,
        )

    def places(self, points: Tensor) -> Tensor:
        """Where points (T, P, 3) are shown, (T, P, 2)."""
        seen = points @ self.cameras[:, :3, :3].transpose(1, 2) + self.cameras[:, None, :3, 3]
        return self.focal * seen[..., :2] * seen.new_tensor((1, -1)) / (-seen[..., 2:]).clamp(min=NEAREST)


def gather(clip: Clip, size: float, shape: PosableShape, cameras: Floats, settings: FitSettings) -> Evidence:
    """Prepare what a clip shows of a shape to these cameras (T, 4, 4); ``size`` of the object, pixels."""
    height, width = clip.masks.shape[1:]
    step, count = _step(clip.masks.shape[1:]), len(clip)
    place, weight, load, twin = _anchors(clip, shape, settings, size)
    contour, across = np.zeros((2, count, settings.contour, 2))
    contour_weight = np.zeros((count, settings.contour))
    for frame, mask in enumerate(clip.masks):
        if mask.sum() >= FEWEST_PIXELS:
            places, slopes = _outline(mask, size, settings.contour)
            contour[frame, : len(places)], across[frame, : len(places)] = places, slopes
            contour_weight[frame, : len(places)] = 1
    return Evidence(
        clip.focal / size,
        torch.tensor((width, height), dtype=torch.float64) / 2 / size,
        torch.tensor((-(-width // step) * step, -(-height // step) * step), dtype=torch.float64) / size,
        torch.from_numpy(np.stack([_field(mask, size) for mask in clip.masks])),
        torch.from_numpy(contour),
        torch.from_numpy(across),
        torch.from_numpy(contour_weight),
        torch.from_numpy(place),
        torch.from_numpy(weight),
        load,
        twin,
        loads(shape.vertices, full_weights(shape)),
        torch.from_numpy(cameras),
        torch.from_numpy(np.append(False, clip.joined).astype(np.float64)),
        torch.from_numpy(np.zeros((count, 3, 3)) if clip.views is None else clip.views),
    )


def _anchors(
    clip: Clip, shape: PosableShape, settings: FitSettings, size: float
) -> tuple[Floats, Floats, Tensor, Tensor | None]:
    """Place (T, A, 2), weight (T, A) and loads (T, A, B, 4) of at most so many anchors of each frame."""
    anchors, most = clip.anchors, settings.anchors_per_frame
    random = np.random.default_rng(0)
    place, weight = np.zeros((len(clip), most, 2)), np.zeros((len(clip), most))
    load = torch.zeros(len(clip), most, shape.weights.shape[1], 4, dtype=torch.float64)
    points, all_weights, plane = anchors.points(shape), full_weights(shape), mirror_plane(shape.vertices)
    twin = None if plane is None else torch.zeros_like(load)
    center = np.array(clip.masks.shape[:0:-1]) / 2
    for frame in range(len(clip)):
        rows = np.flatnonzero((anchors.frame == frame) & (anchors.confidence > 0))
        if len(rows) > most:
            rows = random.choice(rows, most, replace=False)
        corners = all_weights[shape.faces[anchors.face[rows]]]
        blended = np.einsum("nk,nkb->nb", anchors.barycentric[rows], corners)
        place[frame, : len(rows)] = (anchors.place[rows] - center) / size
        weight[frame, : len(rows)] = anchors.confidence[rows]
        load[frame, : len(rows)] = loads(points[rows], blended)
        if twin is not None and plane is not None:
            other = mirrored(points[rows], plane)
            twin[frame, : len(rows)] = loads(other, all_weights[nearest(shape.vertices, other)])
    return place, weight, load, twin


def _step(shape: tuple[int, ...]) -> int:
    """Pixels of a picture (H, W) that a cell of a field of distances has each way."""
    return max(1, int(np.ceil(max(shape) / FIELD_SIDE)))


def _field(mask: NDArray[np.bool_], size: float) -> Floats:
    """The distance (h, w) of places from a mask, sizes, and its slopes, at most :data:`FIELD_SIDE` cells a side."""
    step = _step(mask.shape)
    distance = np.zeros(mask.shape)
    if mask.sum() >= FEWEST_PIXELS:
        # Nearer, steps of the mask would draw all vertices inward, and the whole away from the camera.
        distance = np.maximum(ndimage.distance_transform_edt(~mask) - MASK_BORDER, 0)
    down, right = np.gradient(ndimage.gaussian_filter(distance, BLUR))
    whole = np.stack((distance / size, right, down))
    rows, columns = (-(-side // step) * step for side in mask.shape)
    padded = np.pad(whole, ((0, 0), (0, rows - mask.shape[0]), (0, columns - mask.shape[1])), "edge")
    field: Floats = padded.reshape(3, rows // step, step, columns // step, step).mean(axis=(2, 4))
    return field


def _outline(mask: NDArray[np.bool_], size: float, most: int) -> tuple[Floats, Floats]:
    """Places on a mask's outline, sizes from the picture's center, and unit vectors across it.

    There are none where the picture's border cuts the object.
    """
    right, below = np.argwhere(mask[:, 1:] != mask[:, :-1]), np.argwhere(mask[1:] != mask[:-1])
    places = np.concatenate((right[:, ::-1] + (1, 0.5), below[:, ::-1] + (0.5, 1)))
    places = places[np.random.default_rng(0).permutation(len(places))[:most]]
    smooth = ndimage.gaussian_filter(mask.astype(np.float64), BLUR)
    slopes = np.stack([ndimage.map_coordinates(along, places.T[::-1] - 0.5, order=1) for along in np.gradient(smooth)])
    across: Floats = unit_rows(slopes.T[:, ::-1])
    outline: Floats = (places - np.array(mask.shape[::-1]) / 2) / size
    return outline, across
