"""Hands, laid onto their counterparts afresh."""

from __future__ import annotations

import igl
import numpy as np

from helpers.figures import Figure
from helpers.shapes import joined
from meshkin.geometry.arrays import Floats, Integers
from meshkin.matching.part_laying import lay_parts_afresh
from meshkin.matching.registration import RegisteredMesh, RegistrationSettings, registered_mesh

FINGERS, SPACING = 4, 0.022


def hand(thickness: float, cell: float) -> tuple[Floats, Integers, Integers]:
    """A palm with four fingers along +X at the left wrist of a figure with arms spread, and each vertex's finger."""
    wrist = np.array([0.5, 0, 0.80])

    def at(along: float, y: float) -> Floats:
        return np.asarray(wrist + np.array([along, y, 0]))

    across = (np.arange(FINGERS) - (FINGERS - 1) / 2) * SPACING
    lengths = np.array([0.06, 0.075, 0.07, 0.05])
    capsules = [(at(-0.03, 0), wrist, 0.02), *((at(0, y), at(0.05, y), 0.012) for y in across)]
    capsules += [(at(0.05, y), at(0.05 + length, y), thickness) for y, length in zip(across, lengths, strict=True)]
    thick = np.array([0, 0, 0.04])
    low, high = at(-0.06, -0.07) - thick, at(0.15, 0.07) + thick
    axes = [np.arange(start, end, cell) for start, end in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).transpose(2, 1, 0, 3).reshape(-1, 3)
    distances = []
    for head, tail, radius in capsules:
        bone = tail - head
        share = np.clip((grid - head) @ bone / (bone @ bone), 0, 1)
        distances.append(np.linalg.norm(grid - head - share[:, None] * bone, axis=1) - radius)
    vertices, faces, _ = igl.marching_cubes(np.min(distances, axis=0), grid, *(len(axis) for axis in axes), 0.0)
    finger = np.where(vertices[:, 0] > wrist[0] + 0.065, np.abs(vertices[:, 1, None] - across).argmin(axis=1), FINGERS)
    return vertices, faces[:, ::-1].astype(np.int64), finger


def with_hand(thickness: float, cell: float, cells: int) -> tuple[RegisteredMesh, Integers]:
    """A person with one hand, which has a mesh of its own, and each vertex's finger: FINGERS for the rest."""
    body = Figure(arms=90).body(cells)
    points, faces, finger = hand(thickness, cell)
    vertices, joined_faces = joined((body.vertices.astype(np.float64), body.faces), (points, faces))
    of_body = np.full(len(body.vertices), FINGERS)
    mesh = registered_mesh(vertices, joined_faces, np.zeros((len(vertices), 1), np.float32))
    return mesh, np.concatenate((of_body, finger))


def test_fingers_that_lie_on_their_neighbors_find_their_own() -> None:
    source, finger = with_hand(0.0085, 0.0045, 40)
    target, target_finger = with_hand(0.007, 0.004, 44)
    shifted = source.points.copy()
    off = (finger < FINGERS)[:, None] * np.array([0, 0.8 * SPACING, 0])
    shifted += off
    laid = lay_parts_afresh(source, target, shifted, lambda: None, RegistrationSettings())
    asked = np.flatnonzero(finger < FINGERS)

    def share(points: Floats) -> float:
        """Of the finger's points, how many lie on the right one."""
        apart = np.linalg.norm(points[asked, None] - target.points, axis=2).argmin(axis=1)
        return float((target_finger[apart] == finger[asked]).mean())

    assert share(shifted) < 0.6
    assert share(laid) > 0.95
    elsewhere = source.points[:, 0] < 0.2
    assert np.linalg.norm(laid - source.points, axis=1)[elsewhere].max() < 0.01


def test_what_bends_is_left_as_it_lies() -> None:
    """An arm that is bent in the other pose is no similarity of itself."""
    source, _ = with_hand(0.0085, 0.0045, 40)
    bent = source.points.copy()
    beyond = np.clip((bent[:, 0] - 0.3) / 0.3, 0, 1)
    bent[:, 2] += 0.3 * np.sin(12 * beyond) * beyond
    target = registered_mesh(bent, source.faces, source.features)
    assert np.array_equal(lay_parts_afresh(source, target, bent, lambda: None, RegistrationSettings()), bent)
