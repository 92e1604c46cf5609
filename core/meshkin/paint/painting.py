"""A texture painted from words, and from one photograph where there is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..base.errors import Cancelled, InputError
from ..base.progress import ProgressCallback, silent
from ..data.photo_map import PhotoMap
from ..data.snapshot import Snapshot
from ..data.views import Views
from ..features.diffusion.joint import JointDiffusion
from ..features.ray_casting import cast_passes
from ..transfer.texture.uv_layers import UvLayers, uv_layers
from . import known_colors
from .cameras import rig
from .finishing import bake_views, covered_with_margin, fill_unseen, join_seams
from .known_colors import KnownColors
from .layout import TextureLayout, texture_layout
from .prediction import Palette, Predictor, decoded
from .refining import Refinement, refine
from .schedule import Schedule, normal_numbers
from .settings import PaintSettings
from .synchronized import EXPONENTS, GIVEN_WEIGHT, PaintPlan, PaintState, foreseen_views, run
from .view_maps import ViewMaps, view_maps

LATENT_TEXELS = 4
"""Width of the latent texture, in widths of a view's latents. Chosen: nearly all cells of a view show a texel of their
own, whose noise is its own."""
RESOLUTION_STEP = 64
"""Pixels: Stable Diffusion takes pictures of multiples of it. Source: its UNet halves latents three times."""
CLEAN_UP = 200
"""Step, of 1000, to whose noise refined views are brought back. Source: USD's settings."""
LEAST_SEEN = 0.01
"""Share of the texels that the views must see. Chosen."""


@dataclass(frozen=True)
class PaintedViews:
    """The views that a texture is baked of.

    Attributes:
        layout: the texels.
        views: the N cameras.
        pictures: float32 (N, 3, H, W), sRGB in [0, 1].
        weights: float32 (N, 1, H, W), how much each pixel counts.
    """

    layout: TextureLayout
    views: Views
    pictures: torch.Tensor
    weights: torch.Tensor


@dataclass(frozen=True)
class Painted:
    """A painted texture.

    Attributes:
        pictures: float32 (tiles, S, S, 4), sRGB and alpha, row 0 at the top.
        layers: the UV layout that they are in, taken apart where materials lie over each other.
        seen: share of the texels that some view sees; the others are filled in.
        given: share of the texels whose colors were known before.
        steps: how many were done: fewer than wanted where that was enough.
        views: what it is baked of.
    """

    pictures: NDArray[np.float32]
    layers: UvLayers
    seen: float
    given: float
    steps: int
    views: PaintedViews


@dataclass(frozen=True)
class References:
    """What a texture is painted from, beside words.

    Attributes:
        photo: a photograph matched to the shape.
        present: float32 (H, W, 3), the present color of each material slot, and
        repaint: float32 (H, W), in [0, 1], where the layout is painted anew; both or none.
    """

    photo: PhotoMap | None = None
    present: Sequence[NDArray[np.floating]] = ()
    repaint: NDArray[np.floating] | None = None


Watch = Callable[[PaintState, UvLayers, Callable[[], NDArray[np.float32]]], None]
"""Told each state, the UV layout, and what makes rough pictures (tiles, S, S, 3) of it."""


def paint(  # a shape, what to paint on it and with what, and who watches
    shape: Snapshot,
    networks: JointDiffusion,
    roles: Sequence[str],
    settings: PaintSettings,
    references: References = References(),
    report: ProgressCallback = silent,
    watch: Watch | None = None,
    state: PaintState | None = None,
    enough: Callable[[], bool] = lambda: False,
) -> Painted:
    """Paint a texture.

    Args:
        shape: with UVs.
        networks: Stable Diffusion with its ControlNets.
        roles: of these, "depth" and "normal", in their order.
        settings: what to paint, and how.
        references: what else to paint from.
        report: told the progress; may raise Cancelled.
        watch: told each state.
        state: where to go on; None to begin.
        enough: whether to stop, and to finish the texture as it is foreseen; asked again and again.

    Raises:
        InputError: ``prompt-empty``, ``nothing-seen``, ``photo-nothing-seen``, ``texture-size``, and as
            :func:`meshkin.transfer.texture.usable_uvs.target_uvs`.
        MeshKinError: ``memory-low``.
        Cancelled: where it is enough before anything is foreseen.
    """
    check_settings(settings)
    layers = uv_layers(shape, settings.tiles)
    shape = replace(shape, uvs=layers.uvs)
    fine = texture_layout(shape, settings.size, layers.tiles, report)
    known: list[KnownColors] = []
    more = []
    if references.photo is not None:
        known.append(known_colors.of_photo(fine, references.photo))
        more.append(references.photo.poses[0, :3])
    views = rig(shape, settings.views, settings.resolution, more)
    photo = None
    if known:
        number = len(views) - 1
        photo = number, *known_colors.rendered(fine, views, number, known[0])
    kept = None
    if references.repaint is not None:
        kept = fine, known_colors.of_present(fine, references.present, references.repaint)
        known.append(kept[1])
    cells = settings.resolution // networks.scale
    rough = texture_layout(shape, min(LATENT_TEXELS * cells, settings.size), layers.tiles)
    maps = view_maps(rough, views, cells, report)
    check_seen(maps, shape)
    palette = Palette.of(networks)
    maps = maps.to(networks.device)
    given = known_colors.given(networks, rough, views, maps, photo, kept)
    steps = networks.timesteps(settings.steps)
    schedule = Schedule.of(steps, networks.alphas)
    plan = PaintPlan(schedule, maps, palette.backgrounds(cells), settings.free, settings.seed, given)
    shown_to_all = () if photo is None else (photo[0],)
    predict = Predictor(networks, views, cast_passes(shape, views, report), roles, steps, settings, shown_to_all)
    clean, done = _painted_views(plan, predict, networks, palette, (rough, layers), report, watch, state, enough)
    if settings.refine and done == len(steps):
        clean = _refined(plan, predict, networks, clean, settings.refine, report, enough)
    seen_as = PaintedViews(fine, views, *_given_in(decoded(networks, clean), photo))
    return _finished(seen_as, layers, known, settings.margin, done, report)


def check_settings(settings: PaintSettings) -> None:
    """Raise InputError ``prompt-empty``, ``option-invalid`` if nothing can be painted so."""
    if not settings.prompt.strip():
        raise InputError("prompt-empty", "There is no prompt.", "Say in words what to paint.")
    if settings.resolution % RESOLUTION_STEP:
        raise InputError(
            "option-invalid",
            f"Views of {settings.resolution} pixels cannot be painted.",
            f"Choose a multiple of {RESOLUTION_STEP}.",
        )


def check_seen(maps: ViewMaps, shape: Snapshot) -> None:
    """Raise InputError ``nothing-seen`` where no view sees the surface, as inside of a closed box."""
    if float(maps.seen.float().mean()) < LEAST_SEEN:
        raise InputError(
            "nothing-seen",
            f"No view from outside sees “{shape.name}”, or its UV map shows other faces than those that are seen.",
            "Remove what lies around it, or give it a UV map of its own.",
        )


def _painted_views(  # one loop's parts
    plan: PaintPlan,
    predict: Predictor,
    networks: JointDiffusion,
    palette: Palette,
    layout: tuple[TextureLayout, UvLayers],
    report: ProgressCallback,
    watch: Watch | None,
    state: PaintState | None,
    enough: Callable[[], bool],
) -> tuple[torch.Tensor, int]:
    """The clean latents (N, 4, h, w) of all views, and how many steps are done."""
    texels_layout, layers = layout
    count = len(plan.schedule.steps)
    done = state.index if state else 0
    last = state

    def tick() -> None:
        report("Painting the views", done / count)
        if enough():
            raise _StoppedEarlyError

    networks.tick = tick
    try:
        for last in run(plan, predict, state):
            done = last.index
            tick()
            if watch is not None and last.foreseen is not None:
                watch(last, layers, lambda texels=last.foreseen: texels_layout.picture(palette.colors(texels)))  # type: ignore[misc]
    except _StoppedEarlyError:
        if last is None or last.foreseen is None:
            raise Cancelled from None
        return foreseen_views(plan, last.foreseen), last.index
    finally:
        networks.tick = lambda: None
    assert last is not None
    assert last.views is not None
    return last.views, last.index


def _refined(  # one loop's parts
    plan: PaintPlan,
    predict: Predictor,
    networks: JointDiffusion,
    clean: torch.Tensor,
    steps: int,
    report: ProgressCallback,
    enough: Callable[[], bool],
) -> torch.Tensor:
    """Clean latents (N, 4, h, w) refined in one texture, and each view cleaned up a little after that."""
    maps, schedule = plan.maps, plan.schedule
    alphas = networks.alphas.to(clean.device)
    refinement = Refinement(maps, alphas, plan.backgrounds[:1], steps, seed=plan.seed, given=plan.given)
    texture = refine(maps.bake(clean, EXPONENTS[1]), refinement, predict.conditioned, predict.base, report, enough)
    views = torch.where(maps.pixels.shown[:, None], maps.pixels.render(texture), clean)
    first = next((index for index, step in enumerate(schedule.steps) if step <= CLEAN_UP), len(schedule.steps) - 1)
    noise = normal_numbers(plan.seed, "clean up", tuple(views.shape), views.device)
    state = PaintState(first, texture, schedule.noised(first, views, noise))
    last = list(run(replace(plan, free=1.0), predict, state))[-1]
    assert last.views is not None
    return last.views


def _given_in(
    pictures: torch.Tensor, photo: tuple[int, torch.Tensor, torch.Tensor] | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Clean pictures (N, 3, H, W) with the photograph in its view, and how much each pixel counts (N, 1, H, W)."""
    pictures, weights = pictures.clone(), torch.ones((len(pictures), 1, *pictures.shape[2:]))
    if photo is not None:
        number, picture, share = photo
        inside = (share > known_colors.WHOLE).float()
        pictures[number] = pictures[number] + inside * (picture - pictures[number])
        weights[number] += (GIVEN_WEIGHT - 1) * inside
    return pictures, weights


def _finished(  # views, and what is to become of them
    painted: PaintedViews,
    layers: UvLayers,
    known: Sequence[KnownColors],
    margin: int,
    steps: int,
    report: ProgressCallback,
) -> Painted:
    """The texture of the views."""
    layout = painted.layout
    values, seen = bake_views(layout, painted.views, painted.pictures, painted.weights, report)
    report("Filling what is not seen", 0)
    values = fill_unseen(layout, values, seen)
    fixed = np.zeros(len(values), bool)
    for colors in known:
        values = colors.on(values)
        fixed |= colors.whole
    report("Joining the seams", 0)
    joined = join_seams(layout, values, fixed)
    alpha = covered_with_margin(layout, margin)[..., None].astype(np.float32)
    whole = np.concatenate([joined * alpha, alpha], axis=-1).astype(np.float32)
    return Painted(whole, layers, float((seen | fixed).mean()), float(fixed.mean()), steps, painted)


class _StoppedEarlyError(Exception):
    """What is there is enough."""
