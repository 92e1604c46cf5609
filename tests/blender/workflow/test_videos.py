"""An action from a video: what is written, what is said, and what is refused."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Euler, Quaternion, Vector

from helpers.filmed import frames_of, points_of, rigged_body, true_map, turn
from meshkin import cli, workflow
from meshkin.base import storage
from meshkin.base.errors import InputError
from meshkin.base.png import write_png
from meshkin.base.progress import finish
from meshkin.scene import filming, footage
from meshkin.scene.display import outlines
from meshkin.scene.mesh import snapshot as snapshots
from meshkin.scene.rig import posable
from meshkin.worker import client
from meshkin.worker.requests.video import FREE, FitVideo, MotionArrays, PosableArrays
from meshkin.workflow.steps import match_of_frame

FRAMES = 4


@pytest.fixture
def options(small_model: str) -> workflow.Options:
    """A small model on few and small pictures."""
    return workflow.Options().changed(
        features="dinov2", model=small_model, layers=(1,), views=8, resolution=224, device="cpu", video_lens=60
    )


@pytest.fixture
def rigged() -> tuple[bpy.types.Object, bpy.types.Object]:
    return rigged_body()


def test_what_the_job_finds_moves_the_mesh_as_it_moved(
    rigged: tuple[bpy.types.Object, bpy.types.Object], tmp_path: Path
) -> None:
    obj, armature = rigged
    rest = snapshots.take(obj)
    names, shape = posable.read(armature, [(obj, rest)], rest)
    assert names == ["root", "arm"]
    truth, files = [], []
    for frame in range(FRAMES):
        turn(armature, 0.25 * frame)
        truth.append(points_of(obj))
        photo_map, _ = true_map(obj, truth[-1])
        photo_map.save(tmp_path / f"map{frame}.npz")
        files.append(tmp_path / f"map{frame}.npz")
    turn(armature, 0)
    assert np.abs(truth[-1] - truth[0]).max() > 0.5
    arrays = PosableArrays(
        shape.vertices, shape.faces, shape.weights, shape.rest, shape.parents, np.clip(shape.limits, -FREE, FREE)
    )
    request = FitVideo(arrays.save(tmp_path / "shape.npz"), tuple(files), 60 / 36, tmp_path / "motion.npz")
    found = MotionArrays.load(finish(client.shared().run(request)).arrays, T=FRAMES, B=2)
    assert found.scores.min() > 0.9
    assert not found.doubtful.any()
    numbers = [1, 3, 5, 7]
    posable.new_action(armature, "follows")
    posable.write(armature, names, found.matrices, numbers, rest.location)
    camera = filming.new_camera("eye", found.cameras, numbers, rest.location, 60)
    for number, true in zip(numbers, truth, strict=True):
        bpy.context.scene.frame_set(number)
        before = np.array(camera.matrix_world.inverted())
        shown = points_of(obj) @ before[:3, :3].T + before[:3, 3]
        places = shown[:, :2] * (1, -1) / -shown[:, 2:] * 60 / 36 * 160 + (80, 60)
        seen = true - (3, 1 - 9, 2)
        expected = np.column_stack((seen[:, 0], -seen[:, 2])) / seen[:, 1:2] * 60 / 36 * 160 + (80, 60)
        assert np.linalg.norm(places - expected, axis=1).mean() < 2
    bpy.context.scene.frame_set(7)
    angle = armature.pose.bones["arm"].rotation_quaternion.rotation_difference(Quaternion((1, 0, 0), 0.75)).angle
    assert min(angle, 2 * np.pi - angle) < 0.2


def test_an_action_a_camera_and_scores_are_written(
    rigged: tuple[bpy.types.Object, bpy.types.Object], options: workflow.Options, tmp_path: Path
) -> None:
    obj, armature = rigged
    frames_of(obj, armature, tmp_path)
    limit = armature.pose.bones["arm"].constraints.new("LIMIT_ROTATION")
    limit.owner_space, limit.use_limit_x, limit.min_x, limit.max_x = "LOCAL", True, -1, 1
    report = finish(workflow.fit_video(tmp_path / "frames" / "shot8.png", obj, options, tmp_path / "masks"))
    action = armature.animation_data.action
    assert action.name == report.data["action"]
    assert tuple(action.frame_range) == (1, 3)
    camera = bpy.data.objects[report.data["camera"]]
    assert camera.type == "CAMERA"
    assert camera.data.lens == pytest.approx(60)
    assert bpy.data.images[report.data["image"]].packed_file
    assert 3 in report.data["doubtful"]
    assert report.data["scores"][2] == 0
    assert any(warning.code == "frames-doubtful" and "3" in warning.message for warning in report.warnings)
    bpy.context.scene.frame_set(1)
    assert armature[posable.FIT_PROPERTY] == pytest.approx(report.data["scores"][0])
    assert limit.mute
    assert np.isfinite(Euler(armature.pose.bones["arm"].rotation_quaternion.to_euler()).x)


def scene_camera() -> bpy.types.Object:
    """The camera that filmed :func:`true_map`, which moves away after the first frame."""
    camera = bpy.data.objects.new("filmed", bpy.data.cameras.new("filmed"))
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    camera.location, camera.rotation_euler, camera.data.lens = (3, -8, 2), (np.pi / 2, 0, 0), 60
    camera.keyframe_insert("location", frame=1)
    camera.location.x += 4
    camera.keyframe_insert("location", frame=3)
    return camera


def bones_in(armature: bpy.types.Object, frame: int) -> np.ndarray:
    """The bones in the world, constraints and keys evaluated, in a frame."""
    bpy.context.scene.frame_set(frame)
    return posable.bones_in_world(armature, [bone.name for bone in armature.data.bones])


@pytest.mark.slow
def test_kept_poses_stay_exactly_and_the_scenes_camera_is_known(
    rigged: tuple[bpy.types.Object, bpy.types.Object], options: workflow.Options, tmp_path: Path
) -> None:
    obj, armature = rigged
    frames_of(obj, armature, tmp_path)
    camera = scene_camera()
    arm = armature.pose.bones["arm"]
    for frame, angle, scale in ((1, 0.3, 1.2), (3, -0.2, 1.0)):
        turn(armature, angle)
        arm.scale, arm.location = (scale,) * 3, (0.05, 0, 0.02 * frame)
        for path in ("rotation_quaternion", "location", "scale"):
            arm.keyframe_insert(path, frame=frame)
    before, frame_before = [bones_in(armature, frame) for frame in (1, 3)], 2
    old = armature.animation_data.action
    bpy.context.scene.frame_set(frame_before)
    seen = options.changed(video_keep="keys", video_camera="scene", video_shape=True)
    report = finish(workflow.fit_video(tmp_path / "frames", obj, seen, tmp_path / "masks"))
    assert bpy.context.scene.frame_current == frame_before
    assert report.data["camera"] == camera.name
    assert len([each for each in bpy.data.objects if each.type == "CAMERA"]) == 1
    assert report.data["lens"] == pytest.approx(60)
    assert armature.animation_data.action != old
    assert old.use_fake_user
    for frame, poses in zip((1, 3), before, strict=True):
        assert np.abs(bones_in(armature, frame) - poses).max() < 1e-5
    assert obj.data.shape_keys.key_blocks["From Video"].value == 1
    assert outlines.cameras() == [camera]
    for frame, place in ((1, 3), (2, 5)):
        bpy.context.scene.frame_set(frame)
        x, y, _ = outlines.segments(camera, frame).reshape(-1, 3).T
        assert np.abs((x.min() + x.max()) / 2 - place) < 0.3
        assert y == pytest.approx(-7)
    assert len(outlines.segments(camera, 3)) == len(outlines.segments(camera, 2))  # the last one that has an outline
    assert outlines.is_doubtful(camera, 3)


@pytest.mark.parametrize(("size", "fit"), [((160, 120), "AUTO"), ((90, 160), "AUTO"), ((160, 90), "VERTICAL")])
def test_the_scenes_camera_is_read_as_blender_films(size: tuple[int, int], fit: str) -> None:
    camera = scene_camera()
    camera.data.sensor_fit, camera.scale = fit, (2, 1, 0.5)
    render = bpy.context.scene.render
    render.resolution_x, render.resolution_y = size
    bpy.context.scene.frame_set(2)
    focal, matrix, point = filming.focal_length(camera, *size), filming.seen_by(camera), (4.5, 1.0, 2.5)
    x, y, z = (matrix @ (*point, 1))[:3]
    shown = world_to_camera_view(bpy.context.scene, camera, Vector(point))
    assert (focal * x / -z + 0.5, focal * y / -z * size[0] / size[1] + 0.5) == pytest.approx(tuple(shown)[:2], abs=1e-5)


@pytest.mark.slow
def test_a_character_without_an_armature_gets_one(
    options: workflow.Options, rigged: tuple[bpy.types.Object, bpy.types.Object], tmp_path: Path
) -> None:
    obj, armature = rigged
    frames_of(obj, armature, tmp_path)
    place = obj.matrix_world.copy()
    bpy.data.objects.remove(armature)
    obj.modifiers.clear()
    obj.vertex_groups.clear()
    obj.matrix_world = place
    with pytest.raises(InputError) as caught:
        finish(workflow.fit_video(tmp_path / "frames", obj, options.changed(video_keep="ends"), tmp_path / "masks"))
    assert caught.value.code == "no-armature"
    chosen = options.changed(video_last=2, video_lens=0)
    report = finish(workflow.fit_video(tmp_path / "frames", obj, chosen, tmp_path / "masks"))
    built = bpy.data.objects[report.data["armature"]]
    assert obj.parent == built
    assert 2 <= len(built.data.bones) <= 25
    assert {group.name for group in obj.vertex_groups} == {bone.name for bone in built.data.bones}
    assert built.animation_data.action.name == report.data["action"]
    assert report.data["lens"] == pytest.approx(bpy.data.objects[report.data["camera"]].data.lens, rel=1e-5)
    background = bpy.data.objects[report.data["camera"]].data.background_images[0]
    assert (background.image.source, background.image_user.frame_duration) == ("SEQUENCE", 3)
    assert background.image_user.frame_offset == 7  # the first picture has the number 8


@pytest.mark.slow
def test_one_mask_cuts_the_object_out_of_all_frames(
    rigged: tuple[bpy.types.Object, bpy.types.Object], options: workflow.Options, tmp_path: Path
) -> None:
    obj, armature = rigged
    frames_of(obj, armature, tmp_path)
    mask = tmp_path / "masks" / "shot9.png"
    mask.rename(tmp_path / "only.png")
    cut = options.changed(video_painted=2)
    report = finish(workflow.fit_video(tmp_path / "frames", obj, cut, tmp_path / "only.png"))
    assert len(report.data["scores"]) == 3
    assert report.data["scores"][2] > 0  # as a mask of its own, it would be empty
    camera = bpy.data.objects[report.data["camera"]]
    assert len(outlines.segments(camera, 2))
    with pytest.raises(InputError) as caught:
        finish(workflow.fit_video(tmp_path / "frames", obj, cut.changed(video_painted=9), tmp_path / "only.png"))
    assert caught.value.code == "video-range"


@pytest.mark.slow
def test_a_job_that_was_stopped_goes_on_with_the_next_frame(
    rigged: tuple[bpy.types.Object, bpy.types.Object], options: workflow.Options, tmp_path: Path
) -> None:
    obj, armature = rigged
    frames_of(obj, armature, tmp_path, seed=1)  # that no other test has matched

    def kept() -> dict[Path, int]:
        return {file: file.stat().st_ino for file in (storage.cache_folder() / "maps").glob("*.npz")}

    before = set(kept())
    job = workflow.fit_video(tmp_path / "frames", obj, options, tmp_path / "masks")
    for progress in job:
        if progress.step == match_of_frame(1):
            break
    job.close()
    first = {file: number for file, number in kept().items() if file not in before}
    assert len(first) == 3  # two frames' views, and the first one's match
    assert armature.animation_data is None or armature.animation_data.action is None
    report = finish(workflow.fit_video(tmp_path / "frames", obj, options, tmp_path / "masks"))
    assert len(report.data["scores"]) == 3
    after = kept()
    assert {file: after[file] for file in first} == first
    assert len(set(after) - before) == 4


@pytest.mark.slow
def test_without_masks_the_object_is_found_or_its_absence_told(
    rigged: tuple[bpy.types.Object, bpy.types.Object], options: workflow.Options, tmp_path: Path
) -> None:
    obj, armature = rigged
    frames_of(obj, armature, tmp_path)
    report = finish(workflow.fit_video(tmp_path / "frames", obj, options))
    assert len(report.data["scores"]) == 3
    (tmp_path / "blank").mkdir()
    write_png(tmp_path / "blank" / "shot1.png", np.zeros((120, 160, 4), np.uint8))
    with pytest.raises(InputError) as caught:
        finish(workflow.fit_video(tmp_path / "blank", obj, options))
    assert caught.value.code == "video-empty"


@pytest.mark.slow
def test_the_command_saves_the_action(
    rigged: tuple[bpy.types.Object, bpy.types.Object],
    small_model: str,
    tmp_path: Path,
) -> None:
    frames_of(*rigged, tmp_path)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "rigged.blend"))
    small = ("--features", "dinov2", "--model", small_model, "--layers", "1", "--views", "8", "--resolution", "224")
    files = ("--video", tmp_path / "frames", "--mask", tmp_path / "masks", "--output", tmp_path / "out.blend")
    arguments = ("fit-video", tmp_path / "rigged.blend", "--target", "body", "--video-last", "2", *files, *small)
    assert cli.main([*map(str, arguments)]) == 0
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out.blend"))
    assert tuple(bpy.data.objects["rig"].animation_data.action.frame_range) == (1, 2)
    assert any(obj.type == "CAMERA" and obj.data.lens == pytest.approx(50) for obj in bpy.data.objects)


@pytest.mark.slow
def test_what_cannot_be_followed_is_refused(
    rigged: tuple[bpy.types.Object, bpy.types.Object], options: workflow.Options, tmp_path: Path
) -> None:
    obj, armature = rigged
    frames_of(obj, armature, tmp_path)
    frames, masks = tmp_path / "frames", tmp_path / "masks"

    def code(video: Path | str, mask: Path | str = "", changed: workflow.Options = options) -> str:
        with pytest.raises(InputError) as caught:
            finish(workflow.fit_video(video, obj, changed, mask))
        return caught.value.code

    assert code("") == "video-missing"
    assert code(tmp_path / "none.mp4") == "video-missing"
    assert code(tmp_path / "none") == "video-missing"
    (tmp_path / "broken.mp4").write_bytes(b"no movie")
    assert code(tmp_path / "broken.mp4") == "video-unreadable"
    (tmp_path / "empty").mkdir()
    assert code(tmp_path / "empty") == "video-missing"
    (tmp_path / "many").mkdir()
    for number in range(10_000):
        (tmp_path / "many" / f"{number:05}.png").touch()
    assert code(tmp_path / "many") == "video-long"
    assert code(frames, masks, options.changed(video_first=9)) == "video-range"
    assert code(frames, masks, options.changed(video_first=3)) == "video-empty"
    assert code(frames, masks, options.changed(video_camera="scene")) == "no-camera"
    scene_camera().data.type = "ORTHO"
    assert code(frames, masks, options.changed(video_camera="scene")) == "camera-unsuitable"
    assert code(frames, masks, options.changed(video_keep="keys")) == "no-keys"
    (masks / "shot10.png").unlink()
    assert code(frames, masks) == "masks-few"
    write_png(frames / "shot9.png", np.full((100, 160, 3), 90, np.uint8))
    write_png(masks / "shot9.png", np.pad(np.full((40, 60, 3), 255, np.uint8), ((30, 30), (50, 50), (0, 0))))
    assert code(frames, masks, options.changed(video_last=2)) == "video-size"
    for group in list(obj.vertex_groups):
        obj.vertex_groups.remove(group)
    assert code(frames, masks, options.changed(video_last=1)) == "no-weights"
    assert armature.animation_data is None or armature.animation_data.action is None


def test_a_movie_is_read_frame_by_frame(tmp_path: Path) -> None:
    scene = bpy.context.scene
    image = scene.render.image_settings
    if hasattr(image, "media_type"):
        image.media_type = "VIDEO"
    image.file_format = "FFMPEG"
    scene.render.ffmpeg.format, scene.render.ffmpeg.codec = "MPEG4", "H264"
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 64, 48, 100
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    for number, color in enumerate(((1, 0, 0), (0, 1, 0), (0, 0, 1))):
        try:
            strip = strips.new_effect(f"c{number}", "COLOR", 1, 1 + 4 * number, length=4)
        except TypeError:
            strip = strips.new_effect(f"c{number}", "COLOR", 1, 1 + 4 * number, frame_end=5 + 4 * number)
        strip.color = color
    scene.frame_start, scene.frame_end = 1, 12
    scene.view_settings.view_transform = "Standard"
    scene.render.filepath = str(tmp_path / "colors.mp4")
    bpy.ops.render.render(animation=True)
    path = next(tmp_path.glob("*.mp4"))
    (tmp_path / "half.mp4").write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    before = set(bpy.data.scenes.keys())
    with pytest.raises(InputError, match="cannot read"):
        footage.Movie(tmp_path / "half.mp4")
    movie = footage.Movie(path)
    try:
        assert movie.length == 12
        written = list(movie.write(range(2, 13, 4), tmp_path))
    finally:
        movie.close()
    assert set(bpy.data.scenes.keys()) == before
    for file, channel in zip(written, range(3), strict=True):
        picture = bpy.data.images.load(str(file))
        assert tuple(picture.size) == (64, 48)
        middle = np.array(picture.pixels).reshape(48, 64, 4)[24, 32, :3]
        assert middle.argmax() == channel
        assert middle[channel] > 0.8
