"""Painting with Stable Diffusion itself: small random networks of its architecture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import igl
import numpy as np
import pytest
import torch

from helpers.paint_oracle import psnr
from helpers.shapes import bumpy, snapshot, sphere, uvs_of
from meshkin.base.errors import Cancelled, InputError
from meshkin.data.photo_map import PhotoMap
from meshkin.features.diffusion.joint import JointDiffusion
from meshkin.features.ray_casting import cast_passes
from meshkin.geometry.closest_points import nearest_on_triangles
from meshkin.paint import known_colors
from meshkin.paint.cameras import rig
from meshkin.paint.layout import texture_layout
from meshkin.paint.painting import Painted, References, check_seen, paint
from meshkin.paint.prediction import Predictor
from meshkin.paint.settings import PaintSettings
from meshkin.paint.synchronized import PaintState
from meshkin.paint.view_maps import view_maps

pytestmark = pytest.mark.usefixtures("home")

ROLES = ("depth", "normal")
SETTINGS = PaintSettings("a potato", "", views=4, resolution=64, steps=4, size=64, guidance=3.0)
SHAPE = bumpy(sphere(16, 8))


@pytest.fixture(scope="module")
def networks(folders: dict[str, str]) -> JointDiffusion:
    return JointDiffusion(Path(folders["base"]), [Path(folders[role]) for role in ROLES], "cpu")


@pytest.fixture(scope="module")
def painted(networks: JointDiffusion) -> Painted:
    return paint(SHAPE, networks, ROLES, SETTINGS)


def look(count: int = 3) -> dict[str, torch.Tensor | int]:
    random = torch.Generator().manual_seed(0)
    return {"latents": torch.randn((count, 4, 8, 8), generator=random), "step": 500}


def test_views_that_see_only_themselves_are_looked_at_as_ever(
    networks: JointDiffusion, folders: dict[str, str]
) -> None:
    from meshkin.features.diffusion.stable_diffusion import StableDiffusion

    alone = StableDiffusion(Path(folders["base"]), [Path(folders[role]) for role in ROLES], device="cpu")
    given = {**look(), "text": networks.encode_text("a potato").expand(3, -1, -1), "scales": [0.8, 0.8]}
    pictures = torch.rand((3, 3, 64, 64), generator=torch.Generator().manual_seed(1))
    theirs, _ = alone.evaluate(**given, controls=[pictures, 1 - pictures])  # type: ignore[arg-type]
    ours = networks.evaluate_together(**given, controls=[pictures, 1 - pictures])  # type: ignore[arg-type]
    assert theirs is not None
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_views_attend_to_the_keys_of_others(networks: JointDiffusion) -> None:
    """Joint attention beside the published formula: softmax over all the tokens of the views that are seen."""
    attention = next(module for name, module in networks._unet.named_modules() if name.endswith("attn1"))
    width = attention.to_q.in_features
    hidden = torch.randn((4, 6, width), generator=torch.Generator().manual_seed(0))
    networks._attended = [(0, 1), (1, 0)]  # of two views in two branches
    ours = attention.processor(attention, hidden)
    networks._attended = ()
    for row, others in enumerate([(0, 1), (1, 0), (2, 3), (3, 2)]):
        seen = torch.cat([hidden[other] for other in others])
        query, key, value = attention.to_q(hidden[row]), attention.to_k(seen), attention.to_v(seen)
        heads = [part.unflatten(-1, (attention.heads, -1)).transpose(0, 1) for part in (query, key, value)]
        weights = torch.softmax(heads[0] @ heads[1].transpose(1, 2) / heads[0].shape[-1] ** 0.5, dim=-1)
        theirs = attention.to_out[0]((weights @ heads[2]).transpose(0, 1).flatten(1))
        torch.testing.assert_close(ours[row], theirs, rtol=1e-4, atol=1e-4)


def test_however_few_rows_at_a_time_the_result_is_the_same(networks: JointDiffusion) -> None:
    pictures = torch.rand((3, 3, 64, 64), generator=torch.Generator().manual_seed(1))
    more = {"controls": [pictures, 1 - pictures], "scales": [0.8, 0.8], "attended": [(0, 1), (1, 2), (2, 0)]}
    given = {**look(6), "text": networks.encode_text("a potato").expand(6, -1, -1), **more}
    results = []
    for rows in (1, 4, 6):
        networks.rows_at_a_time = rows
        results.append(networks.evaluate_together(**given))  # type: ignore[arg-type]
    networks.rows_at_a_time = None
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=1e-4, atol=1e-4)


def test_all_see_the_front_early_and_what_a_photo_shows_always(
    networks: JointDiffusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[tuple[int, ...]]] = []

    def look_at(*given: Any) -> torch.Tensor:
        seen.append(given[5])
        return torch.zeros_like(given[0])

    monkeypatch.setattr(networks, "evaluate_together", look_at)
    views = rig(SHAPE, 4, 64)
    passes = cast_passes(SHAPE, views)
    predict = Predictor(networks, views, passes, ROLES, range(10), replace(SETTINGS, guidance=1.0, front=0.2), (5,))
    for index in (0, 1, 2, 9):
        predict(torch.zeros((6, 4, 8, 8)), index)
    assert [all(0 in others for others in attended) for attended in seen] == [True, True, False, False]
    assert all({number, 5} <= set(others) for attended in seen for number, others in enumerate(attended))


def test_a_texture_has_its_size_and_is_the_same_again(networks: JointDiffusion, painted: Painted) -> None:
    assert painted.pictures.shape == (1, 64, 64, 4)
    assert painted.layers.tiles is None
    assert 0.8 < painted.seen <= 1
    assert painted.given == 0
    assert np.isfinite(painted.pictures).all()
    assert np.array_equal(paint(SHAPE, networks, ROLES, SETTINGS).pictures, painted.pictures)
    other = paint(SHAPE, networks, ROLES, replace(SETTINGS, seed=1))
    assert not np.array_equal(other.pictures, painted.pictures)


def test_it_goes_on_where_it_was_stopped(networks: JointDiffusion, painted: Painted) -> None:
    states: list[PaintState] = []
    roughs = []

    def watch(state: PaintState, _: object, picture: object) -> None:
        states.append(state)
        roughs.append(picture())  # type: ignore[operator]
        if len(states) == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        paint(SHAPE, networks, ROLES, SETTINGS, watch=watch)
    assert roughs[0].shape == (1, 32, 32, 3)
    again = paint(SHAPE, networks, ROLES, SETTINGS, state=states[-1])
    assert np.array_equal(again.pictures, painted.pictures)


def test_refining_goes_on_from_what_was_painted(networks: JointDiffusion, painted: Painted) -> None:
    told: list[str] = []
    settings = replace(SETTINGS, refine=3)
    refined = paint(SHAPE, networks, ROLES, settings, report=lambda stage, _: told.append(stage))
    assert "Refining the texture" in told
    assert np.isfinite(refined.pictures).all()
    assert not np.array_equal(refined.pictures, painted.pictures)


def test_what_is_not_to_be_repainted_stays(networks: JointDiffusion) -> None:
    texture = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
    repaint = np.zeros((64, 64), np.float32)
    repaint[:, :32] = 1
    result = paint(SHAPE, networks, ROLES, SETTINGS, References(present=(texture,), repaint=repaint))
    layout = texture_layout(SHAPE, 64)
    kept = layout.texel % 64 >= 33
    ours = layout.values_of(result.pictures[..., :3])
    assert np.abs(ours - layout.values_of(texture[None]))[kept].max() < 1 / 255
    assert psnr(ours[~kept], layout.values_of(texture[None])[~kept]) < 20
    assert result.given == pytest.approx(kept.mean(), abs=0.05)


def photograph() -> PhotoMap:
    """What a camera far in front of the shape sees of it, in two colors."""
    size, scale = 64, 18.0
    row, column = np.mgrid[:size, :size]
    origins = np.stack([(column + 0.5 - size / 2) / scale, 0 * row - 5, (size / 2 - row - 0.5) / scale], axis=-1)
    vertices, faces = SHAPE.vertices.astype(np.float64), SHAPE.faces.astype(np.int64)
    tree = igl.AABB()
    tree.init(vertices, faces)
    toward = np.tile((0.0, 1.0, 0.0), (size * size, 1))
    face, distance, _ = tree.intersect_ray_first(vertices, faces, origins.reshape(-1, 3), toward)
    mask = (face >= 0).reshape(size, size)
    points = (origins.reshape(-1, 3) + distance[:, None] * toward)[face >= 0]
    weights = np.zeros((size, size, 3), np.float32)
    weights[mask] = nearest_on_triangles(points, vertices[faces[face[face >= 0]]])[0]
    photo = np.where((column < size / 2)[..., None], (200, 40, 40), (40, 40, 200)).astype(np.uint8)
    camera = np.array([(scale, 0), (0, 0), (0, -scale), (size / 2, size / 2)])
    shown = np.where(mask, face.reshape(size, size), -1).astype(np.int32)
    poses = np.tile((0.0, -1.0, 0.0, 0.0, 0.9), (2, 1))
    return PhotoMap(mask, shown, weights, mask.astype(np.float32), SHAPE.faces, camera, photo, poses)


def test_what_a_photo_shows_stays_as_it_is(networks: JointDiffusion, painted: Painted) -> None:
    photo_map = photograph()
    result = paint(SHAPE, networks, ROLES, SETTINGS, References(photo_map))
    layout = texture_layout(SHAPE, SETTINGS.size)
    known = known_colors.of_photo(layout, photo_map)
    assert 0.1 < known.whole.mean() < 0.6
    assert result.given == pytest.approx(known.whole.mean())
    colors = layout.values_of(result.pictures[..., :3])
    assert np.abs(colors - known.colors)[known.whole].max() < 1 / 255
    left = known.whole & (layout.positions[:, 0] < -0.1)
    assert colors[left, 0].mean() > 0.7 > 0.3 > colors[left, 2].mean()


def test_tiles_have_pictures_of_their_own(networks: JointDiffusion) -> None:
    shape = replace(SHAPE, uvs=(uvs_of(SHAPE) * (2, 1)).astype(np.float32))
    result = paint(shape, networks, ROLES, replace(SETTINGS, steps=2, tiles="udim"))
    assert result.layers.tiles == ((0, 0), (1, 0))
    assert result.pictures.shape == (2, 64, 64, 4)


def test_materials_over_each_other_are_painted_apart(networks: JointDiffusion) -> None:
    upper = SHAPE.vertices[SHAPE.faces][..., 2].mean(axis=1) > 0
    uvs = uvs_of(SHAPE).copy()
    uvs[..., 1] = uvs[..., 1] * 2 % 1
    shape = replace(SHAPE, uvs=uvs.astype(np.float32), materials=upper.astype(np.int32), material_names=("a", "b"))
    result = paint(shape, networks, ROLES, replace(SETTINGS, steps=2))
    assert sorted(result.layers.layer_of_slot) == [0, 1]
    assert result.pictures.shape == (2, 64, 64, 4)


@pytest.mark.parametrize(("prompt", "code"), [("  ", "prompt-empty"), ("a potato", "uvs-no-area")])
def test_what_cannot_be_painted_is_refused(networks: JointDiffusion, prompt: str, code: str) -> None:
    shape = replace(SHAPE, uvs=np.zeros_like(uvs_of(SHAPE)))
    with pytest.raises(InputError) as error:
        paint(shape, networks, ROLES, replace(SETTINGS, prompt=prompt))
    assert error.value.code == code


def test_what_no_view_sees_is_refused() -> None:
    """A ball in a larger one, whose own UVs lie at one point."""
    ball = sphere(16, 8)
    vertices = np.concatenate([ball.vertices, 2 * ball.vertices])
    faces = np.concatenate([ball.faces, ball.faces + len(ball.vertices)])
    uvs = np.concatenate([uvs_of(ball), np.zeros_like(uvs_of(ball))])
    shape = snapshot(vertices, faces, uvs)
    with pytest.raises(InputError) as error:
        check_seen(view_maps(texture_layout(shape, 64), rig(shape, 8, 96), 96), shape)
    assert error.value.code == "nothing-seen"
