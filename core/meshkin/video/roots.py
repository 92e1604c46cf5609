"""Where the whole character is in each frame, before its bones are fitted: rigid motions found from the anchors alone.

Each frame proposes some, from an affine camera fitted to its anchors (RANSAC). Of these, one in each frame is chosen
such that they agree with the anchors and change little from frame to frame (Viterbi's dynamic programming): where one
picture looks the same from two sides, its neighbors decide.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from ..geometry.arrays import Floats
from ..geometry.mesh import vertex_normals
from ..geometry.rigid_motions import nearest_rotations
from .camera import fit_camera
from .clip import Clip, Motion, PosableShape
from .skinning import posed

AGREEMENT = 0.1
"""Distance in the picture, in sizes of the object, at which an anchor's agreement with a rigid motion is 1/e. Chosen:
limbs that have moved do not count, the body does."""
TURN_COST = 1.0
"""Agreement that a turn by half a circle from one frame to the next costs. Chosen: a wrong side costs more than it can
gain."""
FEWEST_ANCHORS = 12
"""Anchors of known poses from which a camera is fitted to them. Chosen: twice its unknowns."""
MOST_ANCHORS = 400
"""Anchors of a frame that a camera is fitted to. Chosen."""


def find_roots(clip: Clip, shape: PosableShape) -> Floats:
    """The rigid motions (T, 4, 4) that bring the shape at rest before the camera, in its axes, as each frame shows it.

    Frames without anchors take those of the frames around them.
    """
    center = shape.vertices.mean(axis=0)
    proposals = [_proposals(clip, shape, frame, center) for frame in range(len(clip))]
    known = [frame for frame, found in enumerate(proposals) if found]
    if not known:
        return np.tile(_front(clip, shape, center), (len(clip), 1, 1))
    path = _best_path([proposals[frame] for frame in known])
    chosen = [proposals[frame][number][1] for frame, number in zip(known, path, strict=True)]
    nearest = np.abs(np.arange(len(clip))[:, None] - np.array(known)).argmin(axis=1)
    return np.array(chosen)[nearest]


def camera_of_poses(clip: Clip, shape: PosableShape, motion: Motion, known: NDArray[np.bool_], guess: Floats) -> Floats:
    """The camera (4, 4) that stands still and shows known poses as the anchors of their frames say.

    Args:
        clip, shape: whose frames and poses they are.
        motion: of which the frames in ``known`` (T,) are looked at.
        guess: (4, 4), to start from.
    """
    anchors, (_, vertices) = clip.anchors, posed(shape, motion)
    rows = np.flatnonzero(known[anchors.frame] & (anchors.confidence > 0))
    if len(rows) < FEWEST_ANCHORS:
        return guess
    corners = vertices[anchors.frame[rows, None], shape.faces[anchors.face[rows]]]
    points, weights = np.einsum("nk,nkd->nd", anchors.barycentric[rows], corners), np.sqrt(anchors.confidence[rows])

    def camera(step: Floats) -> Floats:
        moved = np.eye(4)
        moved[:3, :3] = Rotation.from_rotvec(step[:3]).as_matrix()
        moved[:3, 3] = step[3:]
        return np.asarray(guess @ moved)

    def errors(step: Floats) -> Floats:
        away = (_shown(camera(step), points, clip) - anchors.place[rows]) / (AGREEMENT * clip.size)
        return np.asarray((away * weights[:, None]).ravel())

    return camera(least_squares(errors, np.zeros(6), loss="soft_l1").x)


def _proposals(clip: Clip, shape: PosableShape, frame: int, center: Floats) -> list[tuple[float, Floats]]:
    """Agreement and rigid motion of what a frame's anchors propose."""
    anchors = clip.anchors
    rows = np.flatnonzero((anchors.frame == frame) & (anchors.confidence > 0))
    if len(rows) > MOST_ANCHORS:
        rows = np.sort(np.random.default_rng(0).choice(rows, MOST_ANCHORS, replace=False))
    if not len(rows):
        return []
    shares, corner = anchors.barycentric[rows], shape.faces[anchors.face[rows]]
    points = np.einsum("nk,nkd->nd", shares, shape.vertices[corner]) - center
    normals = np.einsum("nk,nkd->nd", shares, vertex_normals(shape.vertices, shape.faces)[corner])
    size, weights = clip.size, anchors.confidence[rows]
    unit = np.column_stack((points, np.ones(len(points))))
    camera = fit_camera(unit, normals, anchors.place[rows] / size, weights)
    if camera is None:
        return []
    found, motions = [], _rigid(camera * size, clip)
    if clip.views is not None and clip.views[frame].any():
        motions[0][:3, :3] = clip.views[frame]
        motions = motions[:1]
    for motion in motions:
        shown = _shown(motion, points, clip)
        distance = np.linalg.norm(shown - anchors.place[rows], axis=1) / size
        agreement = float((weights * np.exp(-((distance / AGREEMENT) ** 2))).sum() / weights.sum())
        moved = motion.copy()
        moved[:3, 3] -= motion[:3, :3] @ center
        found.append((agreement, moved))
    return found


def _rigid(camera: Floats, clip: Clip) -> list[Floats]:
    """The rigid motions of an affine camera (4, 2), pixels: as it is, and seen from behind its plane.

    An affine picture does not change when depth is turned over; for a body that was bent both may be tried.
    """
    across, down = camera[:3, 0], -camera[:3, 1]
    scale = float(np.linalg.norm(across) + np.linalg.norm(down)) / 2
    rows = np.array((across, down, np.cross(across, down) / scale)) / scale
    rotation = nearest_rotations(rows[None])[0]
    depth = clip.focal / scale
    height, width = clip.masks.shape[1:]
    place = np.array(
        ((camera[3, 0] - width / 2) * depth / clip.focal, -(camera[3, 1] - height / 2) * depth / clip.focal, -depth)
    )
    found = []
    for turn in (np.eye(3), np.diag((-1.0, 1.0, -1.0))):
        motion = np.eye(4)
        motion[:3, :3], motion[:3, 3] = turn @ rotation, place
        found.append(motion)
    return found


def _shown(motion: Floats, points: Floats, clip: Clip) -> Floats:
    """Where a rigid motion shows points (N, 3), pixels."""
    height, width = clip.masks.shape[1:]
    moved = points @ motion[:3, :3].T + motion[:3, 3]
    depth = np.maximum(-moved[:, 2:], 1e-6)
    return clip.focal * moved[:, :2] * (1, -1) / depth + (width / 2, height / 2)


def _front(clip: Clip, shape: PosableShape, center: Floats) -> Floats:
    """The shape seen from its front (-Y) as large as the masks, where nothing says from where."""
    motion = np.eye(4)
    motion[:3, :3] = ((1, 0, 0), (0, 0, 1), (0, -1, 0))
    motion[2, 3] = -np.ptp(shape.vertices, axis=0).max() * clip.focal / clip.size
    motion[:3, 3] -= motion[:3, :3] @ center
    return motion


def _best_path(proposals: list[list[tuple[float, Floats]]]) -> list[int]:
    """One proposal of each frame: most agreement, least turning."""
    total = np.array([agreement for agreement, _ in proposals[0]])
    back: list[Floats] = []
    for before, now in pairwise(proposals):
        turns = np.array([[_angle(one, other) / np.pi for _, one in before] for _, other in now])
        through = total[None] - TURN_COST * turns
        back.append(through.argmax(axis=1))
        total = through.max(axis=1) + np.array([agreement for agreement, _ in now])
    path = [int(total.argmax())]
    for step in reversed(back):
        path.insert(0, int(step[path[0]]))
    return path


def _angle(one: Floats, other: Floats) -> float:
    cosine = (np.trace(one[:3, :3].T @ other[:3, :3]) - 1) / 2
    return float(np.arccos(np.clip(cosine, -1, 1)))
