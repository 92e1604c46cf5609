"""Limbs, or whole skeletons, that could not be fitted and stand as on the source instead, scaled."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.arrays import Floats, unit_rows
from ...geometry.mesh import bounding_diagonal
from .interior import InteriorSettings
from .joints import FittedSkeleton, back_inside
from .problems import JointProblems, Mask, find_joint_problems
from .rest_skeleton import RestSkeleton

CLEAR_TURN = 0.3
"""Correlation, in [0, 1], of the source's vertices, turned, with the mapped ones, above which a map says how the target
stands turned. Chosen: a map at random has less than 0.1."""


@dataclass(frozen=True)
class LimbSettings:
    """When bones are copied rather than fitted. Values that are not marked as measured are chosen.

    Attributes:
        most_astray: share of the bones of a limb that are astray from which the whole limb is copied; the same for the
            whole skeleton. Measured on 26 maps with stray bones between characters whose joints are known: joints are
            off by 5.5 % of the height on average, by 6.0 % with the whole limbs of stray bones, and as much with none.
        stretch: a copied skeleton is scaled to the target's bounding box along each axis, but no more than by this
            factor from the mean of the three: arms that are held differently change the box, not the body.
        interior: how a way back into the body is found.
        brought_back: an end of a copied bone that lies outside is brought back inside if that moves it by no more than
            this share of the diagonal of the target: what lies far outside has nothing of the body near it.
        beside: a bone that moves nothing (a control) goes with a copied limb if it lies this near one of its joints,
            in the source's diagonals.
    """

    most_astray: float = 0.3
    stretch: float = 1.5
    interior: InteriorSettings = field(default_factory=InteriorSettings)
    brought_back: float = 0.05
    beside: float = 0.02


@dataclass(frozen=True)
class CheckedSkeleton:
    """A fitted skeleton whose stray bones were replaced.

    Attributes:
        fitted: in the target.
        copied: bool (B,), bones that stand as on the source, scaled.
        whole: whether these are all.
        doubtful: bool (B,), stray bones that stay all the same, since what hangs on them is where it belongs.
        outside: bool (B,), bones with an end outside of the body that was inside on the source.
    """

    fitted: FittedSkeleton
    copied: Mask
    whole: bool
    doubtful: Mask
    outside: Mask


def check_joints(
    skeleton: RestSkeleton,
    fitted: FittedSkeleton,
    weights: NDArray[np.floating],
    shapes: tuple[Snapshot, Snapshot],
    maps: tuple[SurfaceMap, SurfaceMap],
    settings: LimbSettings = LimbSettings(),
) -> CheckedSkeleton:
    """Replace the limbs of a fitted skeleton that cannot be where they are.

    From a stray bone on (:func:`meshkin.transfer.rig.problems.find_joint_problems`) a limb, and the limb that mirrors
    it, hangs where it was fitted but stands as on the source, at the target's size; if many of its bones are astray,
    all of it. A stray bone stays if what hangs on it is not astray: from there on the source's bones would all lie
    beside the target's. If too many bones are astray, the whole skeleton is the source's, scaled to the target's
    bounding box. In a copy of the source nothing is astray.

    Args:
        skeleton: in the source.
        fitted: in the target.
        weights: (U, C), the source's skinning weights.
        shapes: source and target.
        maps: every target vertex's point on the source, every source vertex's point on the target.
        settings: what is tuned.
    """
    nowhere = np.zeros(len(skeleton.parents), bool)
    if fitted.exact:
        return CheckedSkeleton(fitted, nowhere, False, nowhere, nowhere)
    turn = quarter_turn(*shapes, maps[1])
    problems = find_joint_problems(skeleton, fitted, weights, shapes, maps[0], turn)
    copied = nowhere.copy()
    whole = problems.share > settings.most_astray
    if whole:
        copied[:] = True
        fitted = _box_copy(skeleton, fitted, shapes, turn, settings.stretch)
    elif problems.astray.any():
        copied = _limbs(skeleton, problems, settings.most_astray)
        reach = settings.beside * bounding_diagonal(shapes[0].vertices)
        replaced = _limb_copies(skeleton, fitted, copied, turn)
        fitted = _with_controls(skeleton, fitted, replaced, copied, ~copied & ~problems.judged, reach)
    if copied.any():
        fitted = _brought_back(skeleton, fitted, copied, shapes, settings)
        problems = find_joint_problems(skeleton, fitted, weights, shapes, maps[0], turn)
    return CheckedSkeleton(fitted, copied, whole, problems.astray & ~copied, problems.outside)


def quarter_turn(source: Snapshot, target: Snapshot, to_target: SurfaceMap) -> Floats:
    """How the target stands turned about the upright axis (Z), to the nearest quarter turn: float64 (3, 3).

    Not at all if the map does not say so clearly (:data:`CLEAR_TURN`).
    """
    weight = to_target.confidence.astype(np.float64) + 1e-3  # where nothing is known, all vertices count alike
    weight /= weight.sum()
    mapped = to_target.pull(target.vertices, target.faces)
    before, after = source.vertices - weight @ source.vertices, mapped - weight @ mapped
    products = (weight[:, None] * before[:, :2]).T @ after[:, :2]
    across, along = products[0, 1] - products[1, 0], products[0, 0] + products[1, 1]
    extents = np.sqrt(np.prod([weight @ (points[:, :2] ** 2).sum(axis=1) for points in (before, after)]))
    angle = np.arctan2(across, along) if np.hypot(across, along) > CLEAR_TURN * extents else 0.0
    cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[round(float(angle) / (np.pi / 2)) % 4]
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


def _carries_good(skeleton: RestSkeleton, problems: JointProblems, most_astray: float) -> Mask:
    """The bones on which others hang of which at most a share is astray, bool (B,)."""
    below, astray = np.zeros((2, len(skeleton.parents)))
    for bone, parent in reversed(list(enumerate(skeleton.parents))):  # children come after their parents
        if parent >= 0:
            below[parent] += below[bone] + problems.judged[bone]
            astray[parent] += astray[bone] + problems.astray[bone]
    return np.asarray((below > 0) & (astray <= most_astray * below))


def _limbs(skeleton: RestSkeleton, problems: JointProblems, most_astray: float) -> Mask:
    """The bones that are copied, bool (B,): stray ones and what hangs on them, and what mirrors these.

    A stray bone that carries what is not astray stays. Of a limb, which begins below the nearest bone with several
    children, all is copied if more than a share of its bones is astray.
    """
    parents = skeleton.parents
    children = np.bincount(parents[parents >= 0], minlength=len(parents))
    limb = np.arange(len(parents))
    for bone, parent in enumerate(parents):
        if parent >= 0 and children[parent] == 1:
            limb[bone] = limb[parent]
    of_limb, of_stray = (np.bincount(limb, each, len(limb)) for each in (problems.judged, problems.astray))
    stray = problems.astray & ~_carries_good(skeleton, problems, most_astray)
    copied = stray.copy()
    copied[limb[stray & (of_stray > most_astray * of_limb)[limb]]] = True
    copied[skeleton.mirror[copied & (skeleton.mirror >= 0)]] = True
    for bone, parent in enumerate(parents):
        copied[bone] |= parent >= 0 and copied[parent]
    return copied


def _limb_copies(skeleton: RestSkeleton, fitted: FittedSkeleton, copied: Mask, turn: Floats) -> FittedSkeleton:
    """The skeleton with some bones as on the source, scaled and turned, each where its parent's nearer end is."""
    change = fitted.scale * turn
    heads, tails = fitted.heads.copy(), fitted.tails.copy()
    for bone in np.flatnonzero(copied):
        parent = skeleton.parents[bone]
        if parent >= 0:
            ends = np.stack((skeleton.heads[parent], skeleton.tails[parent]))
            nearer = int(np.linalg.norm(skeleton.heads[bone] - ends, axis=1).argmin())
            anchor = (heads[parent], tails[parent])[nearer]
            heads[bone] = anchor + change @ (skeleton.heads[bone] - ends[nearer])
        tails[bone] = heads[bone] + change @ (skeleton.tails[bone] - skeleton.heads[bone])
    return _with_ends(skeleton, fitted, heads, tails, copied, turn)


def _brought_back(
    skeleton: RestSkeleton,
    fitted: FittedSkeleton,
    copied: Mask,
    shapes: tuple[Snapshot, Snapshot],
    settings: LimbSettings,
) -> FittedSkeleton:
    """The skeleton with ends that lie a little outside of the body brought back into it."""
    ends = (fitted.heads, fitted.tails)
    *inside, moved = back_inside(skeleton, *ends, shapes, fitted.scale, settings.interior)
    most = settings.brought_back * bounding_diagonal(shapes[1].vertices)
    near = [np.linalg.norm(after - before, axis=1) <= most for before, after in zip(ends, inside, strict=True)]
    heads, tails = (
        np.where(is_near[:, None], after, before) for before, after, is_near in zip(ends, inside, near, strict=True)
    )
    return replace(fitted, heads=heads, tails=tails, moved=fitted.moved & ~copied | moved & near[0] & near[1])


def _with_controls(
    skeleton: RestSkeleton, fitted: FittedSkeleton, replaced: FittedSkeleton, copied: Mask, free: Mask, reach: float
) -> FittedSkeleton:
    """The skeleton with copied limbs, and what moves nothing itself moved along with the joint that it lies at.

    Args:
        skeleton: in the source.
        fitted: before limbs were copied.
        replaced: after.
        copied: bool (B,), the bones of the copied limbs.
        free: bool (B,), bones that move nothing.
        reach: distance in the source within which a bone lies at a joint.
    """
    ends = np.concatenate((skeleton.heads, skeleton.tails))
    shifts = np.concatenate((replaced.heads - fitted.heads, replaced.tails - fitted.tails))
    shifts[~np.tile(copied, 2)] = 0
    joints = np.flatnonzero(~np.tile(free, 2))
    heads, tails = replaced.heads.copy(), replaced.tails.copy()
    for bone in np.flatnonzero(free):
        distances = np.linalg.norm(ends[joints] - skeleton.heads[bone], axis=1)
        if distances.min() <= reach:
            shift = shifts[joints[distances.argmin()]]
            heads[bone] += shift
            tails[bone] += shift
    return replace(replaced, heads=heads, tails=tails)


def _box_copy(
    skeleton: RestSkeleton, fitted: FittedSkeleton, shapes: tuple[Snapshot, Snapshot], turn: Floats, stretch: float
) -> FittedSkeleton:
    """The source's skeleton, turned and scaled to the target's bounding box; it stands on the same ground."""
    source, target = (np.asarray(shape.vertices[np.unique(shape.faces)], np.float64) for shape in shapes)
    source = source @ turn.T
    factors = np.ptp(target, axis=0) / np.maximum(np.ptp(source, axis=0), 1e-30)
    mean = np.exp(np.log(np.maximum(factors, 1e-30)).mean())
    factors = np.clip(factors, mean / stretch, mean * stretch)
    start, end = ((points.min(axis=0) + points.max(axis=0)) / 2 for points in (source, target))
    start[2], end[2] = source[:, 2].min(), target[:, 2].min()
    heads, tails = (factors * (ends @ turn.T - start) + end for ends in (skeleton.heads, skeleton.tails))
    return _with_ends(skeleton, replace(fitted, scale=float(mean)), heads, tails, np.ones(len(heads), bool), turn)


def _with_ends(
    skeleton: RestSkeleton, fitted: FittedSkeleton, heads: Floats, tails: Floats, copied: Mask, turn: Floats
) -> FittedSkeleton:
    """The skeleton with new ends; the copied bones are rolled as on the source."""
    directions = unit_rows(tails - heads)
    axes = skeleton.axes @ turn.T
    axes = unit_rows(axes - np.einsum("bd,bd->b", axes, directions)[:, None] * directions)
    return replace(fitted, heads=heads, tails=tails, axes=np.where(copied[:, None], axes, fitted.axes))
