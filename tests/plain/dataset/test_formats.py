"""The formats of data sets, each read back by its own reader or by its own formulas, and all of one scene."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO  # type: ignore[import-untyped]
from pycocotools.cocoeval import COCOeval  # type: ignore[import-untyped]

from helpers import datasets
from meshkin.base.progress import silent
from meshkin.dataset.formats import WRITERS
from meshkin.dataset.formats.pascal3d import viewpoint
from meshkin.dataset.record import VISIBLE, DataFolder, PicturePasses, SetRecord
from meshkin.geometry.arrays import Floats

PICTURES = 6


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    folder = datasets.make(tmp_path_factory.mktemp("set"), PICTURES)
    for write in WRITERS.values():
        write(folder, silent)
    return folder


def camera_points(folder: DataFolder, number: int, order: int) -> tuple[Floats, Floats]:
    """The vertices of an object in the camera's frame, and where they are in the picture, from scene and record."""
    record = folder.load(number)
    mesh = next(mesh for mesh in datasets.scene()[0] if mesh.name == record.instances[order].name)
    return record.camera.to_camera(mesh.vertices), record.camera.project(mesh.vertices)[0]


def test_coco_is_read_and_evaluated(made: DataFolder) -> None:
    coco = COCO(str(made.path / "annotations.json"))
    assert {category["name"] for category in coco.loadCats(coco.getCatIds())} == {"car", "crate"}
    found = 0
    for number in made.numbers():
        record, passes = made.load(number), PicturePasses.load(made.passes(number))
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=[number]))
        visible = [instance for instance in record.instances if instance.pixels[0]]
        assert len(annotations) == len(visible)
        for annotation, instance in zip(annotations, visible, strict=True):
            mask = coco.annToMask(annotation).astype(bool)
            assert (mask == (passes.object == instance.id)).all()
            assert annotation["area"] == mask.sum()
            rows, columns = np.nonzero(mask)
            left, top, width, height = annotation["bbox"]
            assert (left, top) == (columns.min(), rows.min())
            assert (left + width, top + height) == (columns.max() + 1, rows.max() + 1)
            found += 1
    assert found > PICTURES
    results = coco.loadRes(
        [
            {"image_id": each["image_id"], "category_id": each["category_id"], "bbox": each["bbox"], "score": 1.0}
            for each in coco.dataset["annotations"]
        ]
    )
    evaluation = COCOeval(coco, results, "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] > 0.999


def test_coco_key_points_are_the_scenes(made: DataFolder) -> None:
    coco = COCO(str(made.path / "annotations.json"))
    seen = 0
    for number in made.numbers():
        record = made.load(number)
        visible = [instance for instance in record.instances if instance.pixels[0]]
        for annotation, instance in zip(coco.loadAnns(coco.getAnnIds(imgIds=[number])), visible, strict=True):
            names = coco.loadCats([annotation["category_id"]])[0]["keypoints"]
            points = np.array(annotation["keypoints"]).reshape(-1, 3)
            mesh = next(mesh for mesh in datasets.scene()[0] if mesh.name == instance.name)
            for name, (x, y, state) in zip(names, points, strict=True):
                place = record.camera.project(dict(mesh.key_points)[name][None])[0][0]
                if state:
                    assert np.abs((x + 0.5, y + 0.5) - place).max() < 1e-6
                seen += state == VISIBLE
    assert seen


def test_bop_reprojects(made: DataFolder) -> None:
    scene = made.path / "bop" / "train_pbr" / "000000"
    cameras, poses, facts = (
        json.loads((scene / f"{name}.json").read_text()) for name in ("scene_camera", "scene_gt", "scene_gt_info")
    )
    infos = json.loads((made.path / "bop" / "models" / "models_info.json").read_text())
    worst = 0.0
    for number in made.numbers():
        matrix = np.array(cameras[str(number)]["cam_K"]).reshape(3, 3)
        depth = np.array(Image.open(scene / "depth" / f"{number:06d}.png")) * cameras[str(number)]["depth_scale"]
        real = PicturePasses.load(made.passes(number)).depth
        known = np.isfinite(real)
        assert np.abs(depth - np.where(known, real, 0) * 1000).max() <= cameras[str(number)]["depth_scale"]
        for order, (pose, fact) in enumerate(zip(poses[str(number)], facts[str(number)], strict=True)):
            vertices = read_ply(made.path / "bop" / "models" / f"obj_{pose['obj_id']:06d}.ply")
            points = vertices @ np.array(pose["cam_R_m2c"]).reshape(3, 3).T + pose["cam_t_m2c"]
            places = (points / points[:, 2:]) @ matrix[:2].T
            worst = max(worst, np.abs(places + 0.5 - camera_points(made, number, order)[1]).max())
            assert np.ptp(vertices, axis=0) == pytest.approx(
                [infos[str(pose["obj_id"])][f"size_{axis}"] for axis in "xyz"], abs=1e-3
            )
            visible = np.array(Image.open(scene / "mask_visib" / f"{number:06d}_{order:06d}.png")) > 0
            whole = np.array(Image.open(scene / "mask" / f"{number:06d}_{order:06d}.png")) > 0
            assert (visible & ~whole).sum() == 0
            assert visible.sum() == fact["px_count_visib"]
            assert fact["visib_fract"] == pytest.approx(visible.sum() / fact["px_count_all"])
            # The box around all of it holds every vertex, to a pixel.
            left, top, width, height = fact["bbox_obj"]
            low, high = places.min(axis=0), places.max(axis=0)
            assert np.abs(np.array((left, top, left + width, top + height)) - (*low, *high)).max() < 1.5
    assert worst < 0.5
    assert len(infos["2"]["symmetries_discrete"]) == 1


def read_ply(path: Path) -> Floats:
    """The vertices of a binary PLY file."""
    header, _, body = path.read_bytes().partition(b"end_header\n")
    count = int(header.split(b"element vertex ")[1].split()[0])
    return np.frombuffer(body, "<f4", count * 3).reshape(-1, 3).astype(np.float64)


def test_omni3d_corners_are_the_meshs(made: DataFolder) -> None:
    data = json.loads((made.path / "omni3d.json").read_text())
    orders: dict[int, int] = {}
    for annotation in data["annotations"]:
        number = annotation["image_id"]
        order = orders.get(number, 0)
        orders[number] = order + 1
        points, _ = camera_points(made, number, order)
        corners = np.array(annotation["bbox3D_cam"])
        # Cube R-CNN makes the same corners of center, dimensions and turn.
        width, height, length = annotation["dimensions"]
        signs = np.array(((-1, 1, 1, -1, -1, 1, 1, -1), (-1, -1, 1, 1, -1, -1, 1, 1), (-1, -1, -1, -1, 1, 1, 1, 1))).T
        own = signs * np.array((length, height, width)) / 2
        assert np.allclose(own @ np.array(annotation["R_cam"]).T + annotation["center_cam"], corners)
        # And the mesh fills the box.
        local = (points - annotation["center_cam"]) @ np.array(annotation["R_cam"])
        assert local.max(axis=0) == pytest.approx(own.max(axis=0))
        assert local.min(axis=0) == pytest.approx(own.min(axis=0))
        assert np.linalg.det(annotation["R_cam"]) == pytest.approx(1)
        image = next(image for image in data["images"] if image["id"] == number)
        places = (corners / corners[:, 2:]) @ np.array(image["K"])[:2].T
        assert annotation["bbox2D_proj"] == pytest.approx([*places.min(axis=0), *places.max(axis=0)])


def test_all_formats_describe_the_same_boxes_and_poses(tmp_path: Path) -> None:
    """Seen by level cameras, by which KITTI's boxes are exact."""
    folder = datasets.make(tmp_path, 4, "level")
    for write in WRITERS.values():
        write(folder, silent)
    data = SetRecord.load(tmp_path)
    omni = json.loads((tmp_path / "omni3d.json").read_text())["annotations"]
    coco = json.loads((tmp_path / "annotations.json").read_text())["annotations"]
    poses = json.loads((tmp_path / "bop/train_pbr/000000/scene_gt.json").read_text())
    nerf = json.loads((tmp_path / "transforms.json").read_text())["frames"]
    described = dict(line.split(": ", 1) for line in (tmp_path / "yolo/data.yaml").read_text().splitlines())
    assert "path" not in described, "Ultralytics would look for it below the folder that it is called in"
    assert len(list((tmp_path / "yolo" / described["train"]).iterdir())) == 4
    for number in folder.numbers():
        record = folder.load(number)
        seen = [order for order, instance in enumerate(record.instances) if instance.pixels[0]]
        kitti = (tmp_path / f"kitti/training/label_2/{number:06d}.txt").read_text().splitlines()
        yolo = (tmp_path / f"yolo/labels/train/{number:06d}.txt").read_text().splitlines()
        boxes = [each for each in omni if each["image_id"] == number]
        flat = [each for each in coco if each["image_id"] == number]
        for place, order in enumerate(seen):
            instance, box = record.instances[order], boxes[order]
            words = kitti[place].split()
            height, width, length, x, y, z, turn = map(float, words[8:15])
            cosine, sine = np.cos(turn), np.sin(turn)
            rotation = np.array(((cosine, 0, sine), (0, 1, 0), (-sine, 0, cosine)))
            assert np.allclose(rotation, box["R_cam"], atol=1e-5)
            assert np.allclose((width, height, length), box["dimensions"], atol=1e-5)
            assert np.allclose((x, y - height / 2, z), box["center_cam"], atol=1e-5)
            turned = float(words[3]) + np.arctan2(x, z)
            assert np.cos(turned - turn) == pytest.approx(1)
            pose = poses[str(number)][order]
            rotation_of_model = np.array(pose["cam_R_m2c"]).reshape(3, 3)
            center = (np.array(instance.low) + instance.high) / 2
            assert np.allclose(rotation_of_model @ center + np.array(pose["cam_t_m2c"]) / 1000, box["center_cam"])
            model_axes = np.array(box["R_cam"]) @ np.array(((1, 0, 0), (0, 0, -1), (0, 1, 0)))
            assert np.allclose(model_axes, rotation_of_model)
            left, top, across, down = flat[place]["bbox"]
            assert [float(word) for word in words[4:8]] == [left, top, left + across - 1, top + down - 1]
            kind, *numbers = yolo[place].split()
            assert data.categories[int(kind)] == data.model(instance.model).category
            size = (record.width, record.height) * 2
            assert np.array(numbers[:4], float) * size == pytest.approx(
                (left + across / 2, top + down / 2, across, down), abs=1e-3
            )
            name = f"{number:06d}" + (f"_{place}" if place else "")
            known = np.load(tmp_path / f"pascal3d/annotation/{name}.npy")[()]
            azimuth, elevation = np.radians((known["azimuth"], known["elevation"]))
            level = np.cos(elevation)
            toward = np.array((level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)))
            assert np.allclose(known["distance"] * rotation_of_model @ toward, -np.array(box["center_cam"]))
            modelview = np.diag((1, -1, -1)) @ np.array(known["modelview_matrix"])[:3]
            assert np.allclose(modelview[:, :3], rotation_of_model)
            assert np.allclose(modelview[:, 3] * 1000, pose["cam_t_m2c"])
            assert known["distance"] == pytest.approx(np.linalg.norm(box["center_cam"]))
        world_to_camera = np.linalg.inv(np.array(nerf[number]["transform_matrix"]))[:3]
        assert np.allclose(np.diag((1, -1, -1)) @ world_to_camera[:, :3], record.camera.rotation)


def from_viewpoint(azimuth: float, elevation: float, theta: float) -> Floats:
    """Model to camera (3, 3) of a viewpoint, camera x right, y down, z forward."""
    place = np.array(
        (np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)),
    )
    right = np.cross((0, 0, 1), place)
    right /= np.linalg.norm(right)
    upright = np.array((right, -np.cross(place, right), -place))
    cosine, sine = np.cos(theta), np.sin(theta)
    return np.array(((cosine, sine, 0), (-sine, cosine, 0), (0, 0, 1))) @ upright


@pytest.mark.parametrize("angles", [(0.3, 0.4, 0.0), (4.0, -0.9, 1.2), (2.0, 0.2, -2.5)])
def test_viewpoints_are_found_again(angles: tuple[float, float, float]) -> None:
    pose = np.eye(4)
    pose[:3, :3] = from_viewpoint(*angles)
    center = np.array((0.3, -0.2, 0.1))
    pose[:3, 3] = np.array((0, 0, 5.0)) - pose[:3, :3] @ center
    assert viewpoint(pose, center) == pytest.approx((*angles, 5.0))
