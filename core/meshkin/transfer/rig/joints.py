"""The joints of a skeleton, moved from the volume of one body into that of another."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...base.progress import ProgressCallback, silent
from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.arrays import Floats, unit_rows
from ...geometry.closest_points import closest_points
from ...geometry.mean_value import carry_points
from ...geometry.rigid_motions import kabsch, similarity_alignment, turned_least
from ...geometry.welding import weld
from ..carried_points import POINT_SURFACE, coarse_map
from ..certainty import Certainty, certainty
from .interior import InteriorSettings, move_inside, winding_numbers
from .rest_skeleton import RestSkeleton


@dataclass(frozen=True)
class JointSettings:
    """How joints are moved. All values are chosen.

    Attributes:
        interior: how a way back into the body is found.
        surface: number of vertices, at most about, of the source's surface that joints are expressed by.
        shortest: a bone keeps at least this share of its length, measured at the target's size.
        skin_weight: weight from which a vertex belongs to the skin of a bone.
        fewest_vertices: a bone with less skin is turned as its parent is.
    """

    interior: InteriorSettings = field(default_factory=InteriorSettings)
    surface: int = POINT_SURFACE
    shortest: float = 0.25
    skin_weight: float = 0.05
    fewest_vertices: int = 12


@dataclass(frozen=True)
class FittedSkeleton:
    """The same bones in the target.

    Attributes:
        heads, tails, axes: float64 (B, 3), as of :class:`RestSkeleton`.
        moved: bool (B,), bones with an end that came to lie outside and was brought back into the body.
        scale: how many times larger than the source the target is, over all.
        exact: whether the target is a copy of the source, in which bones lie as in the source.
    """

    heads: Floats
    tails: Floats
    axes: Floats
    moved: NDArray[np.bool_]
    scale: float
    exact: bool = False


def fit_joints(
    skeleton: RestSkeleton,
    weights: NDArray[np.floating],
    source: Snapshot,
    target: Snapshot,
    to_target: SurfaceMap,
    report: ProgressCallback = silent,
    settings: JointSettings = JointSettings(),
) -> FittedSkeleton:
    """Move a skeleton with the surface around it; the result is in the target's frame.

    Each joint is a mixture of all vertices of the source's surface, to which those near and around it contribute most
    (mean value coordinates: Ju, Schaefer and Warren, "Mean Value Coordinates for Closed Triangular Meshes", SIGGRAPH
    2005). The same mixture of the mapped vertices is its new place. So bone ends that coincide still do, control bones
    beside the body move along, and errors of the map average out. Then bones of both sides are given equal lengths,
    what was inside the body and is no longer is brought back, tails that are only stubs
    (:meth:`meshkin.transfer.rig.rest_skeleton.RestSkeleton.stubs`) are turned as their bones are, and each bone is
    rolled as its skin turns (Kabsch 1976). In a copy of the source the bones lie as in the source.

    Args:
        skeleton: in the source's frame, in the pose that ``source`` shows.
        weights: (U, C), skinning weights of the source's vertices.
        source, target: the two shapes.
        to_target: every source vertex's point on the target.
        report: told the share done; may raise Cancelled.
        settings: what is tuned.
    """
    certain = certainty(to_target, target, source)
    if certain.everywhere:
        return _in_copy(skeleton, certain)
    mapped = to_target.pull(target.vertices, target.faces)
    coarse, coarse_mapped = coarse_map(source, mapped, settings.surface)
    scale, _ = similarity_alignment(coarse.vertices, coarse_mapped)
    ends = np.concatenate((skeleton.heads, skeleton.tails))
    first, joint = weld(ends)
    joints = carry_points(
        ends[first], coarse.vertices, coarse.faces, coarse_mapped, lambda share: report("Placing joints", share)
    )
    heads, tails = np.split(joints[joint], 2)
    heads, tails = _equal_lengths(skeleton, heads, tails, settings.shortest * scale)
    heads, tails, moved = back_inside(skeleton, heads, tails, (source, target), scale, settings.interior)
    turns = _skin_rotations(skeleton, weights, np.asarray(source.vertices, np.float64), mapped, settings)
    tails = _turned_stubs(skeleton, heads, tails, turns, scale)
    axes = _roll_axes(skeleton, turns, unit_rows(tails - heads))
    return FittedSkeleton(heads, tails, axes, moved, scale)


def _in_copy(skeleton: RestSkeleton, certain: Certainty) -> FittedSkeleton:
    """The bones in a copy of the source, which is turned, scaled and shifted as a whole."""
    motion = certain.motion.inverse()
    unmoved = np.zeros(len(skeleton.heads), bool)
    return FittedSkeleton(
        motion.apply(skeleton.heads),
        motion.apply(skeleton.tails),
        skeleton.axes @ motion.rotation.T,
        unmoved,
        motion.scale,
        exact=True,
    )


def _skin_rotations(
    skeleton: RestSkeleton, weights: NDArray[np.floating], vertices: Floats, mapped: Floats, settings: JointSettings
) -> Rotation:
    """How the map turns the skin of each bone, B rotations.

    A bone with little skin turns as its parent does, or as the whole body.
    """
    _, whole = similarity_alignment(vertices, mapped)
    quaternions = np.empty((len(skeleton.heads), 4))
    for bone, (parent, column) in enumerate(zip(skeleton.parents, skeleton.column, strict=True)):
        quaternions[bone] = quaternions[parent] if parent >= 0 else whole.as_quat()
        if column < 0:
            continue
        skin = np.flatnonzero(weights[:, column] > settings.skin_weight)
        if len(skin) < settings.fewest_vertices:
            continue
        weight = weights[skin, column].astype(np.float64)
        before = vertices[skin] - weight @ vertices[skin] / weight.sum()
        after = mapped[skin] - weight @ mapped[skin] / weight.sum()
        quaternions[bone] = kabsch((weight[:, None] * before).T @ after).as_quat()
    return Rotation.from_quat(quaternions)


def _turned_stubs(skeleton: RestSkeleton, heads: Floats, tails: Floats, turns: Rotation, scale: float) -> Floats:
    """The tails (B, 3), of which stubs are turned as the bones are that they belong to.

    A bone turns as its skin does, and from there the least that brings it to where it leads.

    Args:
        skeleton: as it was.
        heads, tails: (B, 3), of the moved bones.
        turns: how the skin of each bone turned.
        scale: of the target.
    """
    is_stub = skeleton.stubs()
    before = turns.apply(unit_rows(skeleton.spans(skeleton.heads, skeleton.tails)))
    leads = np.isin(np.arange(len(heads)), skeleton.parents)[:, None]
    after = np.where(leads, unit_rows(skeleton.spans(heads, tails)), before)
    turned = turned_least(before, after, turns.apply(skeleton.tails - skeleton.heads))
    return np.where(is_stub[:, None], heads + scale * turned, tails)


def _roll_axes(skeleton: RestSkeleton, turns: Rotation, directions: Floats) -> Floats:
    """Each bone's Z axis (B, 3), turned as its skin is and made perpendicular to its new direction (B, 3)."""
    turned_directions = turns.apply(np.asarray(unit_rows(skeleton.tails - skeleton.heads)))
    axes = turned_least(turned_directions, directions, turns.apply(skeleton.axes))
    return np.asarray(unit_rows(axes - np.einsum("bd,bd->b", axes, directions)[:, None] * directions))


def _equal_lengths(skeleton: RestSkeleton, heads: Floats, tails: Floats, shortest: float) -> tuple[Floats, Floats]:
    """Heads and tails with bones of both sides made equally long, and none too short.

    What hangs on a bone moves with its tail.

    Args:
        skeleton: as it was.
        heads, tails: (B, 3), of the moved bones.
        shortest: least length of a moved bone, in lengths that the bone had.
    """
    old_lengths = np.linalg.norm(skeleton.tails - skeleton.heads, axis=1)
    lengths = np.linalg.norm(tails - heads, axis=1)
    paired = skeleton.mirror >= 0
    new_lengths = np.where(paired, (lengths + lengths[skeleton.mirror]) / 2, lengths)
    new_lengths = np.maximum(new_lengths, shortest * old_lengths)
    directions = np.where(lengths[:, None] > 0, unit_rows(tails - heads), unit_rows(skeleton.tails - skeleton.heads))
    new_heads, new_tails = heads.copy(), tails.copy()
    for bone, parent in enumerate(skeleton.parents):
        if parent >= 0:
            # What sits at the parent's head stays there, what sits at its tail follows it.
            parent_length = np.linalg.norm(skeleton.tails[parent] - skeleton.heads[parent])
            distance = np.linalg.norm(skeleton.heads[bone] - skeleton.heads[parent])
            share = min(distance / parent_length, 1.0) if parent_length > 0 else 1.0
            head_shift = new_heads[parent] - heads[parent]
            tail_shift = new_tails[parent] - tails[parent]
            new_heads[bone] = heads[bone] + (head_shift + share * (tail_shift - head_shift))
        new_tails[bone] = new_heads[bone] + new_lengths[bone] * directions[bone]
    return new_heads, new_tails


def back_inside(
    skeleton: RestSkeleton,
    heads: Floats,
    tails: Floats,
    shapes: tuple[Snapshot, Snapshot],
    scale: float,
    settings: InteriorSettings,
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Bring back into the target what was inside the source; ends that coincide still do, and stubs follow their heads.

    Args:
        skeleton: as it was.
        heads, tails: (B, 3), of the moved bones.
        shapes: source and target.
        scale: of the target, by which depths below the surface are multiplied.
        settings: how the way inside is found.

    Returns:
        heads and tails (B, 3), and which bones (B,) had an end that was brought back.
    """
    source, target = shapes
    before = np.concatenate((skeleton.heads, skeleton.tails))
    after = np.concatenate((heads, tails))
    was_inside = winding_numbers(before, source.vertices, source.faces) > 0.5
    is_outside = winding_numbers(after, target.vertices, target.faces) < settings.winding
    outside = was_inside & is_outside & np.append(np.ones(len(heads), bool), ~skeleton.stubs())
    if outside.any():
        square = closest_points(before[outside], source.vertices, source.faces).square
        depths = scale * np.sqrt(np.maximum(square, 0))
        after[outside] = move_inside(after[outside], depths, target.vertices, target.faces, settings)
    new_heads, new_tails = np.split(after, 2)
    new_tails = np.where(skeleton.stubs()[:, None], new_heads + (tails - heads), new_tails)
    return new_heads, new_tails, np.logical_or(*np.split(outside, 2))
