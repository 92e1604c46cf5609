"""Videos that cannot be followed, or only in part: the button and the command tell, and the scene stays as it was."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import bpy
import numpy as np
import pytest

from helpers.filmed import frames_of, points_of, rigged_body, true_map, turn
from meshkin import cli
from meshkin.base.png import write_png

Rigged = tuple[bpy.types.Object, bpy.types.Object]


@pytest.fixture
def rigged(addon: ModuleType, small_model: str, tmp_path: Path) -> Rigged:
    """A posed body as the target, its frames and masks, and settings with which it is matched quickly."""
    obj, armature = rigged_body()
    frames_of(obj, armature, tmp_path)
    settings = bpy.context.scene.meshkin
    settings.target, settings.features, settings.layers = obj, "dinov2", "1"
    settings.views, settings.resolution = 8, 224
    preferences = bpy.context.preferences.addons["blender_addon"].preferences
    preferences.model, preferences.device = small_model, "cpu"
    return obj, armature


def content() -> tuple[object, ...]:
    """What a job could leave behind in the file."""
    lists = (bpy.data.objects, bpy.data.actions, bpy.data.images, bpy.data.cameras, bpy.data.meshes)
    scene, posed = bpy.context.scene, [obj for obj in bpy.data.objects if obj.type == "ARMATURE"]
    return (
        [sorted(each.name for each in one) for one in lists],
        [[tuple(map(tuple, bone.matrix_basis)) for bone in obj.pose.bones] for obj in posed],
        [sorted(group.name for group in obj.vertex_groups) for obj in bpy.data.objects if obj.type == "MESH"],
        (scene.frame_current, scene.camera, scene.render.resolution_x, bpy.context.mode),
        (bpy.context.view_layer.objects.active, list(bpy.context.selected_objects)),
    )


def press(video: Path, mask: Path | str) -> None:
    """The button of the panel *Video*."""
    settings = bpy.context.scene.meshkin
    settings.video, settings.video_mask = str(video), str(mask)
    assert bpy.ops.meshkin.fit_video("EXEC_DEFAULT", True) == {"FINISHED"}


def command(video: Path, mask: Path | str, folder: Path, model: str, *more: str) -> int:
    """``meshkin fit-video`` on the open file, which it saves as another one."""
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "rigged.blend"), copy=True)
    small = ("--features", "dinov2", "--model", model, "--layers", "1", "--views", "8", "--resolution", "224")
    files = ("--video", video, "--output", folder / "out.blend", *(("--mask", mask) if mask else ()))
    arguments = ("fit-video", folder / "rigged.blend", "--target", "body", *files, *small, *more)
    return cli.main([*map(str, arguments)])


def unreadable(folder: Path, rigged: Rigged) -> Path:
    (folder / "broken.mp4").write_bytes(b"no movie")
    return folder / "broken.mp4"


def many(folder: Path, rigged: Rigged) -> Path:
    (folder / "many").mkdir()
    for number in range(10_000):
        (folder / "many" / f"{number:05}.png").touch()
    return folder / "many"


def of_several_sizes(folder: Path, rigged: Rigged) -> Path:
    write_png(folder / "frames" / "shot9.png", np.full((100, 160, 3), 90, np.uint8))
    write_png(folder / "masks" / "shot9.png", np.full((100, 160, 3), 255, np.uint8))
    return folder / "frames"


def without_weights(folder: Path, rigged: Rigged) -> Path:
    for group in list(rigged[0].vertex_groups):
        rigged[0].vertex_groups.remove(group)
    return folder / "frames"


def with_empty_masks(folder: Path, rigged: Rigged) -> Path:
    for file in (folder / "masks").iterdir():
        write_png(file, np.zeros((120, 160, 3), np.uint8))
    return folder / "frames"


REFUSED = {
    unreadable: ("cannot read", "Convert"),
    many: ("at most 2000", "Choose a part"),
    of_several_sizes: ("differ in size", "one size"),
    without_weights: ("weights", ""),
    with_empty_masks: ("No frame of the video shows", "masks that are white"),
}
"""What is refused, and what the sentence and its fix say."""


@pytest.mark.slow
@pytest.mark.parametrize("made", REFUSED)
def test_what_cannot_be_followed_is_told_by_both_doors(
    made: object, rigged: Rigged, small_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(made)
    video, (sentence, fix) = made(tmp_path, rigged), REFUSED[made]
    mask = tmp_path / "masks" if video.name == "frames" else ""
    before = content()
    with pytest.raises(RuntimeError, match=sentence) as caught:
        press(video, mask)
    assert fix in str(caught.value)
    assert content() == before
    capsys.readouterr()
    assert command(video, mask, tmp_path, small_model) != 0
    told = capsys.readouterr()
    assert sentence in told.err + told.out
    assert fix in told.err + told.out
    assert not (tmp_path / "out.blend").exists()


def one_frame(folder: Path, rigged: Rigged) -> tuple[Path, Path | str]:
    return folder / "frames" / "shot8.png", folder / "masks"


def without_masks(folder: Path, rigged: Rigged) -> tuple[Path, Path | str]:
    return folder / "frames", ""


def without_an_armature(folder: Path, rigged: Rigged) -> tuple[Path, Path | str]:
    obj, armature = rigged
    place = obj.matrix_world.copy()
    bpy.data.objects.remove(armature)
    obj.modifiers.clear()
    obj.vertex_groups.clear()
    obj.matrix_world = place
    return folder / "frames", folder / "masks"


def with_a_cut_and_an_empty_mask(folder: Path, rigged: Rigged) -> tuple[Path, Path | str]:
    """The fifth frame is seen from elsewhere, and the last shows nothing."""
    obj, armature = rigged
    (folder / "cut").mkdir()
    (folder / "cut masks").mkdir()
    for frame in range(8):
        turn(armature, 0.1 * frame)
        photo_map, _ = true_map(obj, points_of(obj))
        mask = (photo_map.mask if frame < 4 else photo_map.mask[:, ::-1]) & (frame < 7)
        around = np.full(3, 30 if frame < 4 else 220, np.uint8)
        write_png(folder / "cut" / f"shot{frame}.png", np.where(mask[..., None], np.uint8(120), around))
        write_png(folder / "cut masks" / f"shot{frame}.png", np.repeat(mask[..., None] * np.uint8(255), 3, axis=-1))
    turn(armature, 0)
    return folder / "cut", folder / "cut masks"


PARTS = {
    one_frame: (1, ""),
    without_masks: (3, ""),
    without_an_armature: (3, r"frame.* 3\b"),
    with_a_cut_and_an_empty_mask: (8, r"(?s)cut before frames 5:.*Look at frames (?=[^:]*\b5\b)(?=[^:]*\b8\b)"),
}
"""What is followed in part: how many frames, and what is said of those that were not."""


@pytest.mark.slow
@pytest.mark.parametrize("made", PARTS)
def test_what_can_be_followed_in_part_is_told_by_both_doors(
    made: object, rigged: Rigged, small_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(made)
    (video, mask), (frames, sentence) = made(tmp_path, rigged), PARTS[made]
    if frames == 1:
        bpy.context.scene.meshkin.video_last = 1
    capsys.readouterr()
    assert command(video, mask, tmp_path, small_model, *(("--video-last", "1") if frames == 1 else ())) == 0
    told = capsys.readouterr()
    press(video, mask)
    report = bpy.data.texts["MeshKin Report"].as_string()
    assert re.search(sentence, told.err + told.out)
    assert re.search(sentence, report)
    (armature,) = (obj for obj in bpy.data.objects if obj.type == "ARMATURE")
    ends = tuple(armature.animation_data.action.frame_range)
    assert ends == (1, frames)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out.blend"))
    (armature,) = (obj for obj in bpy.data.objects if obj.type == "ARMATURE")
    assert tuple(armature.animation_data.action.frame_range) == ends
