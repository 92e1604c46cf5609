"""The motion of a character fitted to a clip, against known motion."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from helpers.clips import clip_of, front_camera, posable, waving
from helpers.figures import Figure
from meshkin.base.errors import Cancelled
from meshkin.video.clip import Clip, Motion, PosableShape
from meshkin.video.posing import fit_motion
from meshkin.video.settings import FitSettings
from meshkin.video.skinning import posed

FRAMES = 6
Scene = tuple[list[str], PosableShape, Motion, NDArray[np.float64], Clip]


@cache
def scene() -> Scene:
    """A person who waves and walks, and what a camera that stands still sees."""
    names, shape = posable(Figure())
    motion, camera = waving(shape, names, FRAMES), front_camera(shape)
    return names, shape, motion, camera, clip_of(shape, motion, camera)


def joints(shape: PosableShape, motion: Motion, cameras: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """The places of all joints (T, B, 3) in the world, or before cameras."""
    moved = posed(shape, motion)[0] @ shape.rest
    if cameras is not None:
        moved = cameras[:, None] @ moved
    return moved[:, :, :3, 3]


KNOWN = FitSettings(side_looks=0)
"""For anchors that are true: they are believed."""


def error(scene: Scene, found: Motion, cameras: NDArray[np.float64]) -> float:
    """The mean distance of joints from where they are, before the camera, in heights of the person (1)."""
    _, shape, motion, camera, clip = scene
    true = joints(shape, motion, np.tile(camera, (len(clip), 1, 1)))
    return float(np.linalg.norm(joints(shape, found, cameras) - true, axis=-1).mean())


def test_a_motion_is_found_from_anchors_and_masks() -> None:
    names, shape, true, _, clip = scene()
    found, cameras = fit_motion(clip, shape)
    moved = np.linalg.norm(joints(shape, true) - joints(shape, Motion.at_rest(FRAMES, len(names))), axis=-1)
    assert moved[-1].max() > 0.3
    assert error(scene(), found, cameras) < 0.03
    assert (cameras == cameras[0]).all()
    start = joints(shape, found)[0] - joints(shape, true)[0]
    assert np.abs(start).max() < 0.06  # it begins where it rests, upright and not turned


def test_known_cameras_are_kept_and_give_the_place_in_the_world() -> None:
    _, shape, true, camera, clip = scene()
    given = np.tile(camera, (FRAMES, 1, 1))
    found, cameras = fit_motion(replace(clip, cameras=given), shape)
    np.testing.assert_allclose(cameras, given, atol=1e-9)
    assert np.linalg.norm(joints(shape, found) - joints(shape, true), axis=-1).mean() < 0.03


def test_wrong_anchors_and_a_frame_without_a_mask_are_borne() -> None:
    _, shape, _, _, clip = scene()
    random = np.random.default_rng(1)
    place = clip.anchors.place.copy()
    wrong = random.random(len(place)) < 0.15
    place[wrong] += random.normal(size=(wrong.sum(), 2)) * 40
    masks, confidence = clip.masks.copy(), clip.anchors.confidence.copy()
    masks[3], confidence[clip.anchors.frame == 3] = False, 0
    found, cameras = fit_motion(
        replace(clip, masks=masks, anchors=replace(clip.anchors, place=place, confidence=confidence)), shape
    )
    assert error(scene(), found, cameras) < 0.05


def test_views_as_which_frames_were_matched_hold_the_whole() -> None:
    _, shape, true, camera, clip = scene()
    random = np.random.default_rng(2)
    noisy = replace(clip.anchors, place=clip.anchors.place + random.normal(size=clip.anchors.place.shape) * (20, 4))
    seen, turns = camera @ true.root, []
    for views in (None, seen[:, :3, :3]):
        found, cameras = fit_motion(replace(clip, anchors=noisy, views=views), shape)
        shown = (cameras @ found.root)[:, :3, :3].transpose(0, 2, 1) @ seen[:, :3, :3]
        turns.append(np.arccos(((np.trace(shown, axis1=1, axis2=2) - 1) / 2).clip(-1, 1)).mean())
    assert turns[1] < min(turns[0], 0.08)


def test_given_poses_are_kept_exactly() -> None:
    _, shape, true, _, clip = scene()
    held = np.zeros(FRAMES, bool)
    held[[0, -1]] = True
    start = Motion.at_rest(FRAMES, len(shape.parents))
    start.turns[held], start.root[held] = true.turns[held], true.root[held]
    found, cameras = fit_motion(clip, shape, KNOWN, start=start, held=held)
    for given, kept in ((start.turns, found.turns), (start.root, found.root), (start.shifts, found.shifts)):
        np.testing.assert_array_equal(given[held], kept[held])
    assert error(scene(), found, cameras) < 0.04
    assert np.linalg.norm(joints(shape, found) - joints(shape, true), axis=-1).mean() < 0.07


def test_windows_go_over_into_each_other() -> None:
    _, shape, _, _, clip = scene()
    found, cameras = fit_motion(clip, shape, FitSettings(window=4, overlap=2))
    assert error(scene(), found, cameras) < 0.03
    whole, _ = fit_motion(clip, shape)
    steps = np.linalg.norm(np.diff(joints(shape, found), axis=0), axis=-1)
    smooth = np.linalg.norm(np.diff(joints(shape, whole), axis=0), axis=-1)
    assert steps.max() < smooth.max() + 0.03


def test_limits_of_the_rig_hold() -> None:
    names, shape, _, _, clip = scene()
    limits = shape.limits.copy()
    limits[names.index("forearm.L")] = (-0.2, 0.2)
    found, _ = fit_motion(clip, replace(shape, limits=limits))
    cosine = (np.trace(found.turns[:, names.index("forearm.L")], axis1=1, axis2=2) - 1) / 2
    assert np.arccos(cosine.clip(-1, 1)).max() < 0.4  # of up to 60 degrees that it shows


def test_smoothness_takes_the_jitter_away() -> None:
    _, shape, _, _, clip = scene()
    jitter = []
    for settings in (FitSettings(smooth=0, silhouette_count=0), FitSettings(silhouette_count=0)):
        found, cameras = fit_motion(clip, shape, settings)
        before = joints(shape, found, cameras)
        jitter.append(np.linalg.norm(np.diff(before, 2, axis=0), axis=-1).mean())
    assert jitter[1] < jitter[0] / 2


def test_a_bone_of_another_root_stays_at_its_limb() -> None:
    """As feet that hang on controls of their own."""
    names, shape, _, _, clip = scene()
    parents = shape.parents.copy()
    parents[names.index("forearm.L")] = -1
    found, cameras = fit_motion(clip, replace(shape, parents=parents))
    assert np.abs(found.shifts[-1, names.index("forearm.L")]).max() > 0.02
    assert error(scene(), found, cameras) < 0.05


def test_a_far_leg_that_was_matched_as_the_near_one_is_told_from_it() -> None:
    """Matches confuse left and right: seen from the left, all that shows a leg is matched as the left one."""
    names, shape, _, _, _ = scene()
    true, camera = Motion.at_rest(4, len(names)), front_camera(shape, np.pi / 2)
    for name, angle in (("thigh.L", 45), ("thigh.R", -45)):  # a stride
        axes = shape.rest[names.index(name), :3, :3]
        true.turns[:, names.index(name)] = axes.T @ Rotation.from_euler("x", angle, degrees=True).as_matrix() @ axes
    clip = clip_of(shape, true, camera)
    points = clip.anchors.points(shape)
    twin = np.abs(shape.vertices[:, None] - (points * (-1, 1, 1))[None]).sum(axis=-1).argmin(axis=0)
    wrong = np.flatnonzero(points[:, 0] < 0)
    face, shares = clip.anchors.face.copy(), clip.anchors.barycentric.copy()
    for row in wrong:
        face[row] = np.flatnonzero((shape.faces == twin[row]).any(axis=1))[0]
        shares[row] = shape.faces[face[row]] == twin[row]
    mistaken = replace(clip, anchors=replace(clip.anchors, face=face, barycentric=shares))
    found, cameras = fit_motion(mistaken, shape)
    there = joints(shape, true, np.tile(camera, (4, 1, 1)))
    error = np.linalg.norm(joints(shape, found, cameras) - there, axis=-1)
    assert error[:, names.index("shin.R")].mean() < 0.05


def test_the_fit_can_be_cancelled() -> None:
    _, shape, _, _, clip = scene()

    def report(stage: str, share: float) -> None:
        assert 0 <= share <= 1
        if stage == "Fitting large bones":
            raise Cancelled

    with pytest.raises(Cancelled):
        fit_motion(clip, shape, report=report)
