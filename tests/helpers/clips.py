"""Clips of the analytic person with known motion: masks, and anchors as true as wanted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from helpers.figures import Figure
from helpers.rest_skeletons import rest_skeleton
from meshkin.video.clip import Anchors, Clip, Motion, PosableShape
from meshkin.video.drawing import draw_faces, places, to_camera
from meshkin.video.skinning import posed

SHAPE = (180, 240)
FOCAL = 50 / 36 * SHAPE[1]


def posable(figure: Figure, cells: int = 36) -> tuple[list[str], PosableShape]:
    """The names of the figure's bones, every parent before its children, and the shape that they pose."""
    body = figure.body(cells)
    bones = rest_skeleton(figure)
    along = (bones.tails - bones.heads) / np.linalg.norm(bones.tails - bones.heads, axis=1, keepdims=True)
    rest = np.tile(np.eye(4), (len(along), 1, 1))
    rest[:, :3, :3] = np.stack((np.cross(along, bones.axes), along, bones.axes), axis=2)
    rest[:, :3, 3] = bones.heads
    order: list[int] = [int(bone) for bone in np.flatnonzero(bones.parents < 0)]
    for bone in order:
        order += [int(child) for child in np.flatnonzero(bones.parents == bone)]
    number = {bone: place for place, bone in enumerate(order)}
    parents = np.array([number.get(int(bones.parents[bone]), -1) for bone in order], np.int32)
    vertices = np.asarray(body.vertices, np.float64)
    weights = figure.weights(vertices)[:, order].astype(np.float32)
    free = np.tile((-np.inf, np.inf), (len(order), 3, 1))
    return [figure.names[bone] for bone in order], PosableShape(
        vertices, body.faces, weights, rest[order], parents, free
    )


def waving(shape: PosableShape, names: list[str], frames: int) -> Motion:
    """The person lifts and bends its left arm, lifts its right thigh, turns by 20 degrees, and walks."""
    motion = Motion.at_rest(frames, len(names))
    for frame, share in enumerate(np.linspace(0, 1, frames)):
        for name, angle in (("upperarm.L", 50), ("forearm.L", 60), ("thigh.R", 40), ("shin.R", 30)):
            turn = Rotation.from_euler("y", -angle * share, degrees=True).as_matrix()  # about the world's axis
            axes = shape.rest[names.index(name), :3, :3]
            motion.turns[frame, names.index(name)] = axes.T @ turn @ axes
        motion.root[frame, :3, :3] = Rotation.from_euler("z", 20 * share, degrees=True).as_matrix()
        motion.root[frame, :3, 3] = (0.2 * share, 0, 0)
    return motion


def clip_of(shape: PosableShape, motion: Motion, camera: NDArray[np.float64], noise: float = 0.005) -> Clip:
    """What a camera (4, 4) that stands still sees, with 200 anchors a frame; noise in sizes of the object."""
    random = np.random.default_rng(0)
    _, vertices = posed(shape, motion)
    masks, columns = [], []
    for frame, points in enumerate(vertices):
        seen = to_camera(points, camera)
        faces = draw_faces(seen, shape.faces, FOCAL, SHAPE)
        masks.append(faces >= 0)
        shown = random.choice(faces[faces >= 0], 200)
        shares = random.dirichlet((1, 1, 1), 200)
        where = places(np.einsum("nk,nkd->nd", shares, seen[shape.faces[shown]]), FOCAL, SHAPE)
        where += noise * np.hypot(*np.ptp(np.argwhere(masks[-1]), axis=0)) * random.normal(size=where.shape)
        columns.append((np.full(200, frame, np.int32), shown, shares, where, np.ones(200)))
    return Clip(np.array(masks), Anchors(*map(np.concatenate, zip(*columns, strict=True))), FOCAL)


def front_camera(shape: PosableShape, azimuth: float = 0.4) -> NDArray[np.float64]:
    """A camera before the shape, turned about it by ``azimuth`` radians."""
    toward = np.array((np.sin(azimuth), -np.cos(azimuth), 0.15))
    toward /= np.linalg.norm(toward)
    right = np.cross((0, 0, 1), toward)
    right /= np.linalg.norm(right)
    camera = np.eye(4)
    camera[:3, :3] = (right, np.cross(toward, right), toward)
    center = shape.vertices.mean(axis=0)
    camera[:3, 3] = -camera[:3, :3] @ (center + toward * 2.2 * np.linalg.norm(np.ptp(shape.vertices, axis=0)))
    return camera
