"""Fits of one clip that ``video.py`` has written, with and without each of their terms: lines of its table."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from meshkin.video.clip import Anchors, Clip, Motion, PosableShape
from meshkin.video.drawing import draw_faces, places, to_camera
from meshkin.video.fitting import fit_video_motion
from meshkin.video.scoring import score
from meshkin.video.settings import FitSettings
from meshkin.video.skinning import posed

Array = NDArray[np.float64]
SHAPE = (180, 240)
FOCAL = 50 / 36 * SHAPE[1]
ANCHORS = 300
MOVING, KNOWN, LENS = "moving camera", "moving camera, known", "focal length fitted"
TRUE = FitSettings(side_looks=0, best_anchors=0.004)
"""Of true anchors, which are believed: they err each by itself."""
CASES = {
    "all terms": TRUE,
    "without silhouette": replace(TRUE, silhouette_count=0),
    "anchors for the start only": replace(TRUE, anchor_count=0),
    "without smoothness": replace(TRUE, smooth=0),
    "each frame alone": replace(TRUE, smooth=0, window=1, overlap=0),
    MOVING: TRUE,
    KNOWN: TRUE,
    LENS: replace(TRUE, fit_focal=True),
}
AROUND = 0.6
"""Radians by which a moving camera goes around the character. Chosen: a walk past it."""
WRONG_LENS = 1.3
"""How much longer the focal length is guessed that is to be found. Chosen."""


def camera_before(points: Array, size: float, azimuth: float = np.pi / 2 + 0.3, height: float = 0.15) -> Array:
    """A camera that sees points (T, V, 3) from their left, a little from the front."""
    toward = np.array((np.sin(azimuth), -np.cos(azimuth), height))
    toward /= np.linalg.norm(toward)
    right = np.cross((0, 0, 1), toward)
    right /= np.linalg.norm(right)
    camera = np.eye(4)
    camera[:3, :3] = (right, np.cross(toward, right), toward)
    camera[:3, 3] = -camera[:3, :3] @ (points.reshape(-1, 3).mean(axis=0) + toward * 2.2 * size)
    return camera


def clip_of(shape: PosableShape, true: Array, cameras: Array, noise: float) -> tuple[Clip, NDArray[np.bool_]]:
    """What cameras (T, 4, 4) see, and which vertices (T, V)."""
    random = np.random.default_rng(0)
    masks, columns, seen = [], [], np.zeros(true.shape[:2], bool)
    for frame, points in enumerate(true):
        before = to_camera(points, cameras[frame])
        faces = draw_faces(before, shape.faces, FOCAL, SHAPE)
        masks.append(faces >= 0)
        seen[frame, shape.faces[np.unique(faces[faces >= 0])]] = True
        shown, shares = random.choice(faces[faces >= 0], ANCHORS), random.dirichlet((1, 1, 1), ANCHORS)
        where = places(np.einsum("nk,nkd->nd", shares, before[shape.faces[shown]]), FOCAL, SHAPE)
        where += noise * np.hypot(*np.ptp(np.argwhere(masks[-1]), axis=0)) * random.normal(size=where.shape)
        columns.append((np.full(ANCHORS, frame, np.int32), shown, shares, where, np.ones(ANCHORS)))
    anchors = Anchors(*(np.concatenate(values) for values in zip(*columns, strict=True)))
    return Clip(np.array(masks), anchors, FOCAL), seen


def before_cameras(cameras: Array, matrices: Array) -> tuple[Array, Array]:
    """Places (T, B, 3) and axes (T, B, 3, 3) of bones in camera axes."""
    moved = cameras[:, None] @ matrices
    axes = moved[..., :3, :3] / np.linalg.norm(moved[..., :3, :3], axis=-2, keepdims=True)
    return moved[..., :3, 3], axes


def line(
    shape: PosableShape, truth: Array, seen: NDArray[np.bool_], cameras: Array, found: tuple[Motion, Array]
) -> str:
    """Errors of joints (% of the height at rest; the visible side, the hidden one, beside depth), turns, jitter."""
    motion, own = found
    height = np.ptp(shape.vertices[:, 2])
    (places_found, axes_found), (places_true, axes_true) = (
        before_cameras(own, posed(shape, motion)[0] @ shape.rest),
        before_cameras(cameras, truth),
    )
    share = seen.astype(float) @ shape.weights / np.maximum(shape.weights.sum(axis=0), 1e-9)
    used = (shape.weights.sum(axis=0) > 5) & (np.arange(len(shape.parents)) != shape.main_root)
    visible, hidden = (share > 0.3) & used, (share <= 0.3) & used
    error = np.linalg.norm(places_found - places_true, axis=-1) / height * 100
    across = np.linalg.norm((places_found - places_true)[..., :2], axis=-1) / height * 100
    cosine = (np.einsum("tbij,tbij->tb", axes_found, axes_true) - 1) / 2
    turn = np.degrees(np.arccos(cosine.clip(-1, 1)))
    jitter = np.linalg.norm(np.diff(places_found - places_true, 2, axis=0), axis=-1)[:, used].mean() / height * 100
    values = error[visible].mean(), error[hidden].mean(), across[visible].mean(), turn[visible].mean(), jitter
    return "".join(f"{value:10.2f}" for value in values)


def main() -> None:
    """Print a line for each case; arguments: the clip's file, the noise of anchors, cases (none for all)."""
    path, noise, chosen = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:] or list(CASES)
    arrays = np.load(path)
    fields = ("vertices", "faces", "weights", "rest", "parents", "limits")
    shape = PosableShape(*(arrays[field] for field in fields))
    true, truth = arrays["true"].astype(np.float64), arrays["posed"]
    size, count = float(np.linalg.norm(np.ptp(shape.vertices, axis=0))), len(true)
    print(f"{path.stem}: {count} frames, {len(shape.vertices)} vertices, {len(shape.parents)} bones")
    print(f"{'':30}   visible    hidden    across     turns    jitter       IoU   seconds", flush=True)
    for name in chosen:
        turns = np.linspace(-0.5, 0.5, count) * (AROUND if name in (MOVING, KNOWN) else 0)
        cameras = np.array([camera_before(true, size, np.pi / 2 + 0.3 + turn) for turn in turns])
        clip, seen = clip_of(shape, true, cameras, noise)
        if name == KNOWN:
            clip = replace(clip, cameras=cameras)
        if name == LENS:
            clip = replace(clip, focal=clip.focal * WRONG_LENS)
        start = time.process_time()
        fitted = fit_video_motion(clip, shape, CASES[name])
        seconds, found = time.process_time() - start, (fitted.motion, fitted.cameras)
        agreement = score(replace(clip, focal=fitted.focal), shape, *found)[0].mean()
        told = f"  {fitted.focal / FOCAL:.2f} of the focal length" if name == LENS else ""
        print(f"{name:30}{line(shape, truth, seen, cameras, found)}{agreement:10.2f}{seconds:10.1f}{told}", flush=True)


if __name__ == "__main__":
    main()
