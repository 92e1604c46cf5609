"""What a fit finds beside the motion: the focal length, the character's shape; moving cameras; given poses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from helpers.clips import FOCAL, clip_of, front_camera, posable, waving
from helpers.figures import Figure
from meshkin.video.fitting import fit_video_motion
from meshkin.video.keys import key_poses
from meshkin.video.scoring import score
from meshkin.video.settings import FitSettings
from meshkin.video.skinning import matrices_of, posed

NAMES, SHAPE = posable(Figure())
FRAMES = 4


def test_the_focal_length_is_found() -> None:
    camera = front_camera(SHAPE, 0.6)
    camera[2, 3] *= 0.6  # near: perspective shows
    clip = clip_of(SHAPE, waving(SHAPE, NAMES, 3), camera, noise=0.001)
    found = fit_video_motion(replace(clip, focal=FOCAL * 1.5), SHAPE, FitSettings(fit_focal=True))
    assert abs(np.log(found.focal / FOCAL)) < 0.2 < np.log(1.5)


def test_the_shape_is_found_and_the_offsets_are_those_of_both_sides() -> None:
    motion, camera = waving(SHAPE, NAMES, FRAMES), front_camera(SHAPE)
    belly = np.exp(-(((SHAPE.vertices - (0, 0, 0.55)) / (0.3, 0.3, 0.12)) ** 2).sum(axis=1))
    fat = replace(SHAPE, vertices=SHAPE.vertices * (1 + belly[:, None] * (0.5, 0.3, 0)))
    clip = clip_of(fat, motion, camera)
    thin = fit_video_motion(clip, SHAPE)
    found = fit_video_motion(clip, SHAPE, FitSettings(fit_shape=True))
    assert thin.offsets is None
    assert found.offsets is not None
    changed = replace(SHAPE, vertices=SHAPE.vertices + found.offsets)
    before = score(clip, SHAPE, thin.motion, thin.cameras)[0].mean()
    after = score(clip, changed, found.motion, found.cameras)[0].mean()
    assert after > 0.95, before
    assert after > before + 0.02
    wanted = (fat.vertices - SHAPE.vertices)[:, 0]
    assert np.corrcoef(found.offsets[:, 0], wanted)[0, 1] > 0.7


def test_a_camera_that_moves_is_followed_whether_it_is_known_or_not() -> None:
    motion = waving(SHAPE, NAMES, FRAMES)
    cameras = np.array([front_camera(SHAPE, 0.2 + 0.25 * frame) for frame in range(FRAMES)])
    parts = [clip_of(SHAPE, motion.part(slice(t, t + 1)), cameras[t]) for t in range(FRAMES)]
    columns = [
        (np.full(len(part.anchors.face), frame, np.int32), *list(vars(part.anchors).values())[1:])
        for frame, part in enumerate(parts)
    ]
    anchors = type(parts[0].anchors)(*map(np.concatenate, zip(*columns, strict=True)))
    clip = replace(parts[0], masks=np.concatenate([part.masks for part in parts]), anchors=anchors, cameras=cameras)
    true = (matrices_of(SHAPE, motion) @ SHAPE.rest)[..., :3, 3]
    known = fit_video_motion(clip, SHAPE)
    np.testing.assert_allclose(known.cameras, cameras, atol=1e-9)
    places = (matrices_of(SHAPE, known.motion) @ SHAPE.rest)[..., :3, 3]
    assert np.linalg.norm(places - true, axis=-1).mean() < 0.03
    unknown = fit_video_motion(replace(clip, cameras=None), SHAPE)
    before = (unknown.cameras[:, None] @ matrices_of(SHAPE, unknown.motion) @ SHAPE.rest)[..., :3, 3]
    wanted = np.einsum("tij,tbj->tbi", cameras[:, :3, :3], true) + cameras[:, None, :3, 3]
    assert np.linalg.norm(before - wanted, axis=-1).mean() < 0.03


def test_given_poses_become_a_motion_that_moves_alike() -> None:
    motion = waving(SHAPE, NAMES, FRAMES)
    motion.turns[:, 0] = Rotation.from_euler("z", 10, degrees=True).as_matrix()
    given = matrices_of(SHAPE, motion)[[0, 3]]
    start, held = key_poses(SHAPE, given, np.array([1, 6]), 8)
    np.testing.assert_allclose(matrices_of(SHAPE, start)[[1, 6]], given, atol=1e-9)
    np.testing.assert_allclose(posed(SHAPE, start)[1][7], posed(SHAPE, start)[1][6])
    assert np.flatnonzero(held).tolist() == [1, 6]
