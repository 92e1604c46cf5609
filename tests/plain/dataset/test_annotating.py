"""What is known about pictures: what pixels show, how much of an object is seen, which key points; cameras."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers import datasets
from meshkin.base.errors import InputError, StorageError
from meshkin.dataset import checking, sampling
from meshkin.dataset.annotating import annotate
from meshkin.dataset.camera import PinholeCamera, intrinsic_matrix, look_at
from meshkin.dataset.joining import join
from meshkin.dataset.raster import barycentric, fragments
from meshkin.dataset.record import HIDDEN, UNKNOWN, VISIBLE, DataFolder, PicturePasses, SetRecord
from meshkin.dataset.symmetry import symmetries


def camera(place: tuple[float, float, float], target: tuple[float, float, float], size: int = 96) -> PinholeCamera:
    matrix = intrinsic_matrix(size, size, sampling.LENS, sampling.SENSOR)
    return PinholeCamera.looking(size, size, matrix, look_at(np.array(place), np.array(target)))


def test_pixels_show_what_their_rays_meet_first() -> None:
    random = np.random.default_rng(0)
    eye = camera((0, 0, 0), (0, 1, 0), 64)
    corners = random.normal(0, 1.2, (60, 3, 3)) + np.array((0, 0, 2))  # some behind the camera, some through its plane
    face, depth = fragments(eye, corners, 1e-3).nearest(64 * 64)
    rows, columns = np.divmod(np.arange(64 * 64), 64)
    rays = np.column_stack((columns + 0.5, rows + 0.5, np.ones(64 * 64))) @ np.linalg.inv(eye.matrix).T
    expected = np.full(64 * 64, np.inf)
    for a, b, c in corners:
        normal = np.cross(b - a, c - a)
        away = (normal @ a) / (rays @ normal)
        points = rays * away[:, None]
        inside = np.ones(len(rays), bool)
        for start, end in ((a, b), (b, c), (c, a)):
            inside &= np.einsum("pd,d->p", np.cross(end - start, points - start), normal) >= 0
        expected = np.where(inside & (away > 1e-3), np.minimum(expected, away), expected)
    assert (np.isfinite(expected) == (face >= 0)).mean() > 0.999
    both = np.isfinite(expected) & (face >= 0)
    assert np.allclose(depth[both], expected[both], rtol=1e-3)
    pixel = np.flatnonzero(face >= 0)
    weights = barycentric(eye, corners, pixel, face[pixel])
    met = np.einsum("pk,pkd->pd", weights, corners[face[pixel]])
    assert np.allclose(met, rays[pixel] * depth[pixel, None], atol=1e-3)


def test_a_surface_has_no_holes_and_no_pixel_twice() -> None:
    vertices, faces = datasets.box((1, 1, 1))
    eye = camera((2, -3, 1.5), (0, 0, 0))
    covered = fragments(eye, eye.to_camera(vertices)[faces])
    pixels, counts = np.unique(covered.pixel, return_counts=True)
    assert set(counts.tolist()) == {2}  # its front and its back, once each
    assert len(pixels) > 500


def test_one_object_before_another() -> None:
    shape = datasets.box((1, 1, 1))
    front = datasets.placed("Front", 1, *shape, datasets.turned(0, (0, -3, 0)), {"near": (0, -0.5, 0)})
    back = datasets.placed("Back", 1, *shape, datasets.turned(0, (0.5, 0, 0)), {"middle": (0, 0, 0), "far": (0, 5, 0)})
    aside = datasets.placed("Aside", 1, *shape, datasets.turned(0, (50, 0, 0)), {})
    passes, records = annotate(camera((0, -8, 0), (0, 0, 0)), [front, back, aside])
    assert [record.name for record in records] == ["Front", "Back"]
    assert records[0].visibility == 1
    assert 0.1 < records[1].visibility < 0.7
    assert (passes.masks[1] & (passes.object == 1)).any()
    (near,), (middle, far) = (record.key_points for record in records)
    assert (near.visible, middle.visible, far.visible) == (VISIBLE, HIDDEN, HIDDEN)
    assert passes.depth[passes.object == 1].min() == pytest.approx(4.5)
    assert passes.normal[passes.object == 1][:, 2].astype(float) == pytest.approx(-1, abs=1e-3)


def test_key_points_within_a_body_are_seen_through_its_own_skin() -> None:
    shape = datasets.box((0.4, 0.4, 2))
    points = {"joint": (0, 0, 0.5), "beside": (3.0, 0, 0)}
    limb = datasets.placed("Limb", 1, *shape, datasets.turned(0, (0, 0, 0)), points)
    wall = datasets.placed("Wall", 0, *shape, datasets.turned(0, (0, -2, 0)), {})
    view = camera((0, -6, 0), (0, 0, 0))
    (alone,) = annotate(view, [limb])[1]
    (hidden,) = annotate(view, [limb, wall])[1]
    assert [point.visible for point in alone.key_points] == [VISIBLE, UNKNOWN]
    assert hidden.key_points[0].visible == HIDDEN
    assert hidden.pixels[0] == 0
    assert hidden.box == (0, 0, 0, 0)


def test_what_is_cut_off_is_counted() -> None:
    shape = datasets.box((1, 1, 1))
    mesh = datasets.placed("Cut", 1, *shape, datasets.turned(0, (0, 0, 0)), {})
    eye = camera((0, -4, 0), (1.65, -0.5, 0))
    (record,) = annotate(eye, [mesh])[1]
    assert 0.2 < record.truncation < 0.8
    assert record.whole_box[0] < 0
    assert annotate(camera((0, 4, 0), (0, 8, 0)), [mesh])[1] == ()  # behind the camera
    around = annotate(camera((0, -0.2, 0), (0, 1, 0)), [mesh])[1]  # inside it
    assert around[0].pixels[0] == 96 * 96


def test_nothing_at_all_can_be_seen() -> None:
    passes, records = annotate(camera((0, -4, 0), (0, 0, 0)), [])
    assert records == ()
    assert np.isinf(passes.depth).all()
    flat = datasets.placed("Flat", 1, np.zeros((3, 3)), np.array([[0, 1, 2]]), np.eye(4), {})
    assert annotate(camera((0, -4, 0), (0, 0, 0)), [flat])[1] == ()


@pytest.mark.parametrize(
    ("sampler", "azimuth", "polar", "deviation"),
    [
        ("dst1", (0, 360), 90, 28.6),  # a normal of 30 degrees cut off at 3 sigma; of 20 below at 3 sigma
        ("dst2", (-195, 15), 90, 28.6),
        ("dst3", (0, 360), 60.0, 19.8),
        ("dst4", (-195, 15), 60.0, 19.8),
        ("dst5", (0, 360), 90, 51.96),
        ("sphere", (0, 360), 90, 39.2),
        ("upper", (0, 360), 57.3, 21.6),
    ],
)
def test_cameras_are_drawn_as_published(
    sampler: str, azimuth: tuple[float, float], polar: float, deviation: float
) -> None:
    drawn = [sampling.draw(sampler, number, 7, 1.5, 0.5) for number in range(4000)]
    angles = np.array([(each.azimuth, each.polar, each.distance) for each in drawn])
    low, high = azimuth
    assert angles[:, 0].min() >= low
    assert angles[:, 0].max() <= high
    assert angles[:, 0].mean() == pytest.approx((low + high) / 2, abs=6)
    assert angles[:, 0].std() == pytest.approx((high - low) / np.sqrt(12), rel=0.04)
    assert angles[:, 1].mean() == pytest.approx(polar, abs=2)
    assert angles[:, 1].std() == pytest.approx(deviation, rel=0.05)
    assert angles[:, 2].min() >= 1.0
    assert angles[:, 2].max() <= 2.0
    assert angles[:, 2].mean() == pytest.approx(1.5, abs=0.02)
    assert angles[:, 2].std() == pytest.approx(0.27, abs=0.01)  # of a normal cut off at one sigma: 0.54 sigma
    assert drawn[17] == sampling.draw(sampler, 17, 7, 1.5, 0.5) != sampling.draw(sampler, 17, 8, 1.5, 0.5)


def test_symmetries_are_found() -> None:
    def of(vertices: np.ndarray, surface: np.ndarray) -> tuple[int, int]:
        found = symmetries(vertices, lambda points: np.linalg.norm(points[:, None] - surface, axis=2).min(axis=1))
        return len(found.discrete), len(found.continuous)

    cube, brick, car = (datasets.box(size)[0] for size in ((1, 1, 1), (1, 2, 3), (1, 2, 3)))
    car[0] *= 0.8
    assert of(cube, cube) == (23, 0)
    assert of(brick, brick) == (3, 0)
    assert of(car, car) == (0, 0)
    angle = np.radians(np.arange(0, 360, 0.5))
    ring = np.column_stack((np.cos(angle), np.sin(angle), 0 * angle))
    cone = np.concatenate((ring, [(0, 0, 2.0)]))
    assert of(cone, cone) == (0, 1)


def test_what_is_kept_is_read_again_and_damage_is_told(tmp_path: Path) -> None:
    folder = datasets.make(tmp_path, 2)
    data = SetRecord.load(tmp_path)
    assert data.categories == ["car", "crate"]
    assert folder.numbers() == [0, 1]
    record = folder.load(1)
    again = replace(record, number=7)
    folder.save(again)
    assert folder.load(7) == again
    passes = PicturePasses.load(folder.passes(1))
    assert passes.masks.shape == (len(record.instances), 120, 160)
    assert passes.masks[0].sum() == record.instances[0].pixels[1]
    folder.passes(1).write_bytes(b"PK")
    with pytest.raises(StorageError, match="cannot be read"):
        PicturePasses.load(folder.passes(1))
    folder.record(1).write_text("{")
    with pytest.raises(StorageError):
        folder.load(1)
    with pytest.raises(InputError, match="no data set"):
        SetRecord.load(tmp_path / "records")


def test_parts_are_joined_and_others_refused(tmp_path: Path) -> None:
    whole = datasets.make(tmp_path / "whole", 3)
    first, second = datasets.make(tmp_path / "first", 3), datasets.make(tmp_path / "second", 3)
    for folder, gone in ((first, (1, 2)), (second, (0,))):
        for number in gone:
            folder.record(number).unlink()
    joined = tmp_path / "joined"
    assert join([first.path], joined) == 1
    assert join([first.path, second.path], joined) == 3
    assert DataFolder(joined).load_all() == whole.load_all()
    assert checking.check(DataFolder(joined)).problems == []
    replace(SetRecord.load(second.path), asked="otherwise").save(second.path)
    with pytest.raises(InputError, match="another data set"):
        join([first.path, second.path], tmp_path / "mixed")
