"""How far a posed character is from what the frames show, and from moving as bodies do; with derivatives.

Everything is a sum of squares of residuals divided by their standard deviations (:class:`FitSettings`); where errors
may be large, of their pseudo-Huber lengths, which iteratively reweighted least squares turn into squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from ..geometry.adjacency import boundary_edges
from ..geometry.arrays import AnyIntegers, Floats, unit_rows
from ..geometry.welding import place_numbers
from .clip import PosableShape
from .evidence import NEAREST, Evidence
from .mirroring import mirror_plane
from .settings import FitSettings
from .skinning import BoneTree, bone_lengths, carried_middles, matrices, skin, turning, vectors_of
from .state import Freedom, PoseState

POINTS_ASIDE = 0.7
"""Cosine between a bone and the axis across the body from which it turns alike about all axes. Chosen: an arm that
hangs halfway down."""
TRUNK = 4.0
"""How many times less a bone that carries everything turns from rest than one that carries nothing, less one. Measured
on quadrupeds' clips: joints of the trunk turn by 0 to 10 degrees, by 27 when it eats; those of legs by 10 to 40."""
MOST_STIFF = 6.0
"""How many times less a bone shorter than :attr:`FitSettings.short_bone` turns for that, squared, at most. Chosen."""


@dataclass(frozen=True)
class Normal:
    """The normal equations of a window: ``H step = -g``.

    Attributes:
        blocks: (T, n, n), of each frame.
        next, over: (T - 1, n) and (T - 2, n), what couples each parameter with itself in the next frame and the one
            after that.
        gradient: (T, n).
        cost: the sum of squares.
    """

    blocks: Tensor
    next: Tensor
    over: Tensor
    gradient: Tensor
    cost: float


@dataclass(frozen=True)
class Shown:
    """Points in a picture: ``places`` (T, P, 2) and derivatives by their places in the world, (T, P, 2, 3)."""

    places: Tensor
    slopes: Tensor


class Residuals:
    """The sum of squares of a window."""

    def __init__(self, skeleton: BoneTree, evidence: Evidence, shape: PosableShape, settings: FitSettings) -> None:
        self._skeleton, self._evidence, self._settings = skeleton, evidence, settings
        self._limits = torch.from_numpy(shape.limits)
        self._rest = _stiffness(shape, settings)
        self._faces = torch.from_numpy(shape.faces.astype(np.int64))
        place = place_numbers(shape.vertices)  # vertices are split where normals or textures are
        self._place, self._valence = torch.from_numpy(place), torch.from_numpy(_closed_valence(place[shape.faces]))

    def cost(self, state: PoseState, freedom: Freedom) -> float:
        """The sum of squares."""
        return self._sum(state, freedom, with_slopes=False).cost

    def normal(self, state: PoseState, freedom: Freedom) -> Normal:
        """The normal equations at a state."""
        return self._sum(state, freedom, with_slopes=True)

    def anchor_distances(self, state: PoseState) -> Tensor:
        """The distances (N,) of all anchors from where they are shown, sizes; one of 0 if there are none."""
        evidence = self._evidence
        moved = matrices(self._skeleton, state.turns, state.shifts, state.root)
        distance = torch.linalg.vector_norm(self._shown(skin(moved, evidence.load)).places - evidence.place, dim=-1)
        used = distance[evidence.weight > 0]
        return used if len(used) else used.new_zeros(1)

    def _sum(self, state: PoseState, freedom: Freedom, with_slopes: bool) -> Normal:
        settings, evidence = self._settings, self._evidence
        moved = matrices(self._skeleton, state.turns, state.shifts, state.root)
        frames, count = len(moved), freedom.count
        total = _Total(frames, count)

        def add(load: Tensor, along: Tensor, error: Tensor, weight: Tensor, norm: Tensor) -> None:
            """Residuals (T, P, K) along directions (T, P, K, 3), weights (T, P), and their part of the sum."""
            total.cost += float(norm.sum())
            if with_slopes:
                rows = self._slopes(state, moved, load, along, freedom).flatten(1, 2)
                weights = weight[:, :, None].expand_as(error).flatten(1)
                weighted = rows * weights[:, :, None]
                total.blocks += weighted.transpose(1, 2) @ rows
                total.gradient += (weighted.transpose(1, 2) @ error.flatten(1)[..., None])[..., 0]

        if settings.anchor_count:
            shown = self._shown(skin(moved, evidence.load))
            share = evidence.weight / evidence.weight.sum(dim=1, keepdim=True).clamp(min=1e-9)
            scale = settings.anchor_count * share / settings.anchors**2
            error, along = shown.places - evidence.place, shown.slopes
            if evidence.sharp is not None:
                error, along = (evidence.sharp @ error[..., None])[..., 0], evidence.sharp @ along
            squares = (error**2).sum(dim=-1)
            soft = softening(squares, settings.anchors)
            add(evidence.load, along, error, scale * soft, scale * _soft_squares(squares, settings.anchors))
        if settings.silhouette_count:
            for index, along, error, share in self.outlines(skin(moved, evidence.surface)):
                load = evidence.surface[index]
                weight = settings.silhouette_count * share / settings.silhouette**2
                soft = softening(error**2, settings.silhouette)
                norm = weight * _soft_squares(error**2, settings.silhouette)
                add(load, along[:, :, None], error[:, :, None], weight * soft, norm)
        self._add_views(state, total)
        self._add_priors(state, freedom, total)
        self._add_changes(state, freedom, total)
        return Normal(total.blocks, total.next, total.over, total.gradient, total.cost)

    def _slopes(self, state: PoseState, moved: Tensor, load: Tensor, along: Tensor, freedom: Freedom) -> Tensor:
        """The derivatives (T, P, K, n) of points along directions (T, P, K, 3) by a freedom's parameters."""
        turned = turning(self._skeleton, moved, load, along)[..., freedom.turning, :]
        weight = load[..., 3].sum(dim=-1)
        arms = skin(moved, load) - weight[..., None] * state.root[:, None, :3, 3]
        moments = torch.linalg.cross(arms[:, :, None].expand_as(along), along, dim=-1)
        whole = moments @ state.root[:, None, :3, :3]
        shift = weight[:, :, None, None] * along
        return torch.cat((whole, shift, turned.flatten(3)), dim=-1)

    def _shown(self, points: Tensor) -> Shown:
        """Where points (T, P, 3) are shown."""
        cameras, focal = self._evidence.cameras, self._evidence.focal
        seen = points @ cameras[:, :3, :3].transpose(1, 2) + cameras[:, None, :3, 3]
        depth = (-seen[..., 2]).clamp(min=NEAREST)
        x, y, zero = focal * seen[..., 0] / depth, -focal * seen[..., 1] / depth, torch.zeros_like(depth)
        across = torch.stack((focal / depth, zero, x / depth), dim=-1)
        down = torch.stack((zero, -focal / depth, y / depth), dim=-1)
        slopes = torch.stack((across, down), dim=-2) @ cameras[:, None, :3, :3]
        return Shown(torch.stack((x, y), dim=-1), slopes)

    def outlines(self, points: Tensor) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """What outlines say about the posed vertices (T, V, 3).

        The outline is compared with the nearest vertices of the rim across it; along it they slide freely, as in
        registration by planes (Chen and Medioni 1992). Vertices outside of the mask are drawn back to it.

        Returns:
            for the outline and for what is outside: numbers of vertices (T, P), directions (T, P, 3), errors (T, P) and
            the share that each counts.
        """
        evidence = self._evidence
        shown = self._shown(points)
        places, slopes, frames = shown.places, shown.slopes, torch.arange(len(points))[:, None]
        nearest = _nearest_marked(evidence.contour, places, self._on_rim(places))
        found = torch.gather(places, 1, nearest[..., None].expand(-1, -1, 2))
        error = ((found - evidence.contour) * evidence.across).sum(dim=-1)
        along = torch.einsum("tpi,tpij->tpj", evidence.across, slopes[frames, nearest])
        share = evidence.contour_weight / evidence.contour_weight.sum(dim=1, keepdim=True).clamp(min=1)
        grid = (places + evidence.half) / evidence.span * 2 - 1
        field = torch.nn.functional.grid_sample(
            evidence.field, grid[:, :, None], padding_mode="border", align_corners=False
        )[..., 0]
        outside, farthest = field[:, 0].topk(min(self._settings.outside, field.shape[2]), dim=1)
        back = torch.gather(field[:, 1:], 2, farthest[:, None].expand(-1, 2, -1)).transpose(1, 2)
        away = torch.einsum("tpi,tpij->tpj", back, slopes[frames, farthest])
        even = (outside > 0).double() / outside.shape[1]
        return [(nearest, along, error, share), (farthest, away, outside, even)]

    def _on_rim(self, places: Tensor) -> Tensor:
        """Which vertices (T, V) lie between triangles seen from their front and from behind, or where it ends."""
        one, two, three = (places[:, self._faces[:, corner]] for corner in range(3))
        first, second = two - one, three - one
        is_front = (first[..., 0] * second[..., 1] > first[..., 1] * second[..., 0]).double()
        around = places.new_zeros(len(places), len(self._valence))
        for corner in range(3):
            around.index_add_(1, self._place[self._faces[:, corner]], 2 * is_front - 1)
        return (around.abs() < self._valence)[:, self._place]

    def _add_views(self, state: PoseState, total: _Total) -> None:
        """Hold the whole as it is seen in the views as which the frames were matched."""
        views, deviation = self._evidence.views, self._settings.view
        is_known = (views != 0).any(dim=2).any(dim=1).double()[:, None]
        away = vectors_of(views.transpose(1, 2) @ self._evidence.cameras[:, :3, :3] @ state.root[:, :3, :3])
        squares = (away**2).sum(dim=-1, keepdim=True)
        scale = is_known / deviation**2
        total.cost += float((scale * _soft_squares(squares, deviation)).sum())
        weight = (scale * softening(squares, deviation)).expand_as(away)
        total.blocks.diagonal(dim1=1, dim2=2)[:, :3] += weight
        total.gradient[:, :3] += weight * away

    def _add_priors(self, state: PoseState, freedom: Freedom, total: _Total) -> None:
        """Draw bones toward their rest, and back within the rig's limits."""
        settings, bones = self._settings, freedom.turning
        if not len(bones):
            return
        own = slice(6, 6 + 3 * len(bones))
        turns = state.turns[:, bones]
        inside = limited(turns, self._limits[bones])
        diagonal = total.blocks.diagonal(dim1=1, dim2=2)
        excess = vectors_of(inside.transpose(-1, -2) @ turns).flatten(1)
        scale = (excess.abs() > 1e-9).double() / settings.limits**2
        total.cost += float((scale * excess**2).sum())
        diagonal[:, own] += scale
        total.gradient[:, own] += scale * excess
        from_rest, stiffness = vectors_of(turns), self._rest[bones]
        pull = (stiffness @ from_rest[..., None])[..., 0]
        squares = (pull * from_rest).sum(dim=-1)
        total.cost += float(_soft_squares(squares, 1).sum())
        soft = softening(squares, 1)
        total.gradient[:, own] += (soft[..., None] * pull).flatten(1)
        for number, block in enumerate((soft[..., None, None] * stiffness).unbind(1)):
            at = slice(6 + 3 * number, 9 + 3 * number)
            total.blocks[:, at, at] += block

    def _add_changes(self, state: PoseState, freedom: Freedom, total: _Total) -> None:
        """Let the changes of turns and places from frame to frame change little."""
        settings = self._settings
        if not settings.smooth or len(state.root) < 3:
            return
        root_turns, turns = state.root[:, None, :3, :3], state.turns[:, freedom.turning]
        changes = [
            (_turned(root_turns), settings.root_turn),
            (state.root[1:, None, :3, 3] - state.root[:-1, None, :3, 3], settings.root_shift),
            (_turned(turns), settings.acceleration),
        ]
        goes_on = (self._evidence.joined[2:] * self._evidence.joined[1:-1])[:, None]
        pulls, weights = [], []
        for change, deviation in changes:
            second = change[1:] - change[:-1]
            squares = (second**2).sum(dim=-1)
            scale = settings.smooth * goes_on / deviation**2
            total.cost += float((scale * _soft_squares(squares, deviation)).sum())
            own = (scale * softening(squares, deviation))[..., None].expand_as(second)
            pulls.append((own * second).flatten(1))
            weights.append(own.flatten(1))
        sight, deviation = self._evidence.cameras[1:-1, 2, :3], settings.root_depth
        second = torch.diff(state.root[:, :3, 3], n=2, dim=0)
        farther = (second * sight).sum(dim=1, keepdim=True)
        scale = settings.smooth * goes_on / deviation**2
        total.cost += float((scale * _soft_squares(farther**2, deviation)).sum())
        own = scale * softening(farther**2, deviation) * sight
        pulls[1], weights[1] = pulls[1] + own * farther, weights[1] + own * sight
        pull, weight = torch.cat(pulls, dim=1), torch.cat(weights, dim=1)
        diagonal = total.blocks.diagonal(dim1=1, dim2=2)
        for start, factor in ((0, 1), (1, -2), (2, 1)):
            part = slice(start, start + len(pull))
            diagonal[part] += factor**2 * weight
            total.gradient[part] += factor * pull
        total.next[:-1] -= 2 * weight
        total.next[1:] -= 2 * weight
        total.over += weight


def _nearest_marked(asked: Tensor, points: Tensor, marked: Tensor) -> Tensor:
    """The number (T, Q) of the nearest of the points (T, P, 2) that are marked, bool (T, P), for each of (T, Q, 2).

    It is 0 in frames without any.
    """
    nearest = torch.zeros(asked.shape[:2], dtype=torch.int64)
    for frame, usable in enumerate(marked & points.isfinite().all(dim=2)):
        if usable.any():
            numbers = torch.nonzero(usable)[:, 0]
            tree = cKDTree(points[frame, numbers].numpy())
            nearest[frame] = numbers[torch.from_numpy(tree.query(asked[frame].numpy())[1])]
    return nearest


def _stiffness(shape: PosableShape, settings: FitSettings) -> Tensor:
    """How much each bone resists turns from rest, (B, 3, 3) in its own axes, per square of radians.

    Bodies swing in their plane of symmetry: aside of it, bones turn less, unless they point aside as arms do.
    """
    share = shape.carried / max(shape.carried.max(), 1e-9)
    short = np.clip(settings.short_bone / np.maximum(bone_lengths(shape), 1e-9), 1, MOST_STIFF)
    weight = short * ((1 + TRUNK * share) / settings.rest) ** 2
    stiffness = weight[:, None, None] * np.tile(np.eye(3), (len(share), 1, 1))
    plane = mirror_plane(shape.vertices)
    if plane is None:
        return torch.from_numpy(stiffness)
    axis = np.einsum("bij,i->bj", shape.rest[:, :3, :3], plane[0])
    outward = np.abs(bone_directions(shape) @ plane[0])
    more = (settings.aside**2 - 1) * np.clip(1 - outward / POINTS_ASIDE, 0, 1)
    across = np.eye(3) - axis[:, :, None] * axis[:, None]
    return torch.from_numpy(stiffness + (weight * more)[:, None, None] * across)


def _closed_valence(faces: AnyIntegers) -> Floats:
    """How many triangles each vertex has; more than it has where the surface ends there, which always is a rim."""
    valence = np.bincount(faces.ravel()).astype(np.float64)
    valence[boundary_edges(faces)] += 1
    return valence


def bone_directions(shape: PosableShape) -> Floats:
    """Where each bone points, (B, 3): from its head to the middle of what it moves, itself and by those below it."""
    return unit_rows(carried_middles(shape) - shape.rest[:, :3, 3])


class _Total:
    """Normal equations that are being summed up."""

    def __init__(self, frames: int, count: int) -> None:
        double = torch.float64
        self.blocks = torch.zeros(frames, count, count, dtype=double)
        self.next = torch.zeros(max(frames - 1, 0), count, dtype=double)
        self.over = torch.zeros(max(frames - 2, 0), count, dtype=double)
        self.gradient = torch.zeros(frames, count, dtype=double)
        self.cost = 0.0


def _turned(turns: Tensor) -> Tensor:
    """The turns (T - 1, N, 3) from each frame's rotations (T, N, 3, 3) to the next's, about the bones' own axes."""
    return vectors_of(turns[:-1].transpose(-1, -2) @ turns[1:])


def _soft_squares(squares: Tensor, bend: float) -> Tensor:
    """Squares that grow like lengths from ``bend`` on: the pseudo-Huber loss."""
    return 2 * bend**2 * ((1 + squares / bend**2).sqrt() - 1)


def softening(squares: Tensor, bend: float) -> Tensor:
    """The weights with which least squares minimize :func:`_soft_squares`."""
    return (1 + squares / bend**2).rsqrt()


def limited(turns: Tensor, limits: Tensor) -> Tensor:
    """The rotations (T, N, 3, 3) brought within limits (N, 3, 2) of their angles, Blender's order XYZ, radians."""
    bounded = torch.isfinite(limits).any(dim=2).any(dim=1)
    if not bounded.any():
        return turns
    own = turns[:, bounded]
    angles = torch.stack(
        (
            torch.atan2(own[..., 2, 1], own[..., 2, 2]),
            torch.asin((-own[..., 2, 0]).clamp(-1, 1)),
            torch.atan2(own[..., 1, 0], own[..., 0, 0]),
        ),
        dim=-1,
    )
    inside = torch.minimum(torch.maximum(angles, limits[bounded, :, 0]), limits[bounded, :, 1])
    about = [turns_about(inside[..., axis], axis) for axis in range(3)]
    changed = turns.clone()
    is_out = (inside != angles).any(dim=-1)[..., None, None]
    changed[:, bounded] = torch.where(is_out, about[2] @ about[1] @ about[0], own)
    return changed


def turns_about(angles: Tensor, axis: int) -> Tensor:
    """Rotations (..., 3, 3) by angles (...) about a coordinate axis."""
    turns = torch.zeros(*angles.shape, 3, 3, dtype=angles.dtype)
    one, other = (axis + 1) % 3, (axis + 2) % 3
    turns[..., axis, axis] = 1
    turns[..., one, one] = turns[..., other, other] = angles.cos()
    turns[..., other, one] = angles.sin()
    turns[..., one, other] = -angles.sin()
    return turns
