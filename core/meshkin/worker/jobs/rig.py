"""Jobs about bones and poses."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...base.progress import ProgressCallback
from ...data.snapshot import Snapshot
from ...data.surface_map import Match
from ..requests.arrays import load_array, save_array
from ..requests.rig import (
    BoneArrays,
    ExtractSkeleton,
    ExtractSkeletonResult,
    FitBones,
    FitBonesResult,
    FittedBoneArrays,
    JointArrays,
    MapByJoints,
    MapByJointsResult,
    PosedArrays,
    PoseShape,
    PoseShapeResult,
    SkeletonArrays,
)

if TYPE_CHECKING:
    from pathlib import Path

    from ...transfer.rig.rest_skeleton import RestSkeleton

SAME_JOINT = 1e-3
"""Share of the target's size by which a joint may have moved and still be the same (chosen: far above rounding errors,
far below what moves a map)."""


def extract_skeleton(request: ExtractSkeleton, report: ProgressCallback) -> ExtractSkeletonResult:
    """Build a skeleton from skin weights alone."""
    from ...transfer.rig import skeletons

    report("Finding bones", 0)
    shape = Snapshot.load(request.shape)
    skeleton = skeletons.extract_skeleton(shape, load_array(request.weights, "VC", V=len(shape.vertices)))
    arrays = SkeletonArrays(skeleton.column, skeleton.heads, skeleton.tails, skeleton.parents)
    return ExtractSkeletonResult(arrays.save(request.output))


def fit_bones(request: FitBones, report: ProgressCallback) -> FitBonesResult:
    """Move a skeleton of the source into the target."""
    from ...transfer.rig.joints import fit_joints
    from ...transfer.rig.limbs import check_joints

    match, bones = Match.load(request.map), _skeleton(request.bones)
    source, target = Snapshot.load(request.source), Snapshot.load(request.target)
    weights = load_array(request.weights, "UC", U=len(source.vertices))
    fitted = fit_joints(bones, weights, source, target, match.to_target, report)
    checked = check_joints(bones, fitted, weights, (source, target), (match.to_source, match.to_target))
    fitted = checked.fitted
    arrays_file = FittedBoneArrays(
        fitted.heads, fitted.tails, fitted.axes, fitted.moved, checked.copied, checked.doubtful, checked.outside
    ).save(request.output)
    return FitBonesResult(arrays_file, float(fitted.scale), checked.whole)


def _skeleton(bones: Path) -> RestSkeleton:
    from ...transfer.rig.rest_skeleton import RestSkeleton

    arrays = BoneArrays.load(bones)
    return RestSkeleton(arrays.heads, arrays.tails, arrays.axes, arrays.parents, arrays.mirror, arrays.column)


def map_by_joints(request: MapByJoints, report: ProgressCallback) -> MapByJointsResult:
    """Map two bodies by nearness, the source posed until its joints lie where the target's armature has them."""
    from ...geometry.mesh import bounding_diagonal
    from ...transfer.rig.end_sizes import end_sizes
    from ...transfer.rig.onto_joints import Joints, posed_onto_joints, rearranged
    from ...transfer.weights.garment_map import nearest_points_map

    report("Posing the source", 0)
    source, target, skeleton = Snapshot.load(request.source), Snapshot.load(request.target), _skeleton(request.bones)
    arrays = JointArrays.load(request.joints, B=len(skeleton.heads))
    weights = load_array(request.weights, "UC", U=len(source.vertices))
    joints = Joints(arrays.heads, arrays.tails, arrays.known)
    vertices = posed_onto_joints(source.vertices, weights, skeleton, joints)
    posed = replace(source, vertices=vertices, location=target.location)
    report("Finding nearest points", 0.3)
    to_source, to_target = nearest_points_map(posed, target), nearest_points_map(target, posed)
    Match(to_source, to_target, source.faces, target.faces).save(request.output)
    size = bounding_diagonal(target.vertices)
    away = to_source.pull(posed.vertices, posed.faces) - target.vertices
    distance = float(np.linalg.norm(away, axis=1).mean()) / size
    change = rearranged(skeleton, joints) / size
    key = _key([skeleton.heads, skeleton.tails, arrays.heads, arrays.tails], size, [weights, arrays.known])
    report("Posing the source", 0.8)
    ends = end_sizes(skeleton, joints, np.isin(skeleton.column, np.flatnonzero(weights.any(axis=0))), source, target)
    start = posed_onto_joints(source.vertices, weights, skeleton, joints, ends)
    return MapByJointsResult(request.output, distance, change, save_array(request.posed, start), key)


def _key(places: Sequence[NDArray[np.floating]], size: float, others: Sequence[NDArray[Any]]) -> str:
    """A digest of places, but for rounding errors, as a character that was moved has them, and of other arrays."""
    rounded = [np.round(place / (SAME_JOINT * size)).astype(np.int64) for place in places]
    digest = hashlib.blake2b(digest_size=16)
    for values in (*rounded, *others):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def pose_shape(request: PoseShape, report: ProgressCallback) -> PoseShapeResult:
    """Bring the target's own mesh into the source's pose."""
    from ...transfer.folds import folded_share
    from ...transfer.rig.pose import transfer_pose

    source, own = Snapshot.load(request.source), Snapshot.load(request.own)
    to_source = Match.load(request.map).to_source.at(load_array(request.original, "W", W=len(own.vertices)))
    posed = transfer_pose(source, own, to_source, request.threshold, report)
    folded = folded_share(own.vertices, posed.vertices, own.faces, everywhere=True)
    arrays = PosedArrays(posed.vertices, posed.known).save(request.output)
    return PoseShapeResult(arrays, float(posed.stretch), folded)
