"""The one button for everything that is ticked, the menu that search reads, the report, and what is let go of."""

from __future__ import annotations

import importlib
from types import ModuleType, SimpleNamespace
from typing import Any

import bpy
import pytest

from meshkin.base.progress import Progress
from meshkin.workflow import TRANSFERS, Report


def cube(name: str) -> bpy.types.Object:
    """A new cube in the scene."""
    bpy.ops.mesh.primitive_cube_add()
    obj = bpy.context.object
    obj.name = name
    return obj


class Recorder:
    """Stands where a panel's layout stands, and keeps what is drawn."""

    def __init__(self) -> None:
        self.operators: list[str] = []
        self.texts: list[str] = []
        self.lines = 0

    def operator(self, name: str, text: str = "", **_: Any) -> Recorder:
        self.operators.append(name)
        self.texts.append(text)
        return self

    def label(self, text: str = "", **_: Any) -> None:
        self.texts.append(text)
        self.lines += 1

    progress = label

    def popover(self, panel: str, text: str = "", **_: Any) -> None:
        """A button, on the line of the others."""

    def separator(self) -> None:
        """A line between entries."""

    def row(self, **_: Any) -> Recorder:
        return self

    column = box = row


def test_each_tick_can_be_transferred(addon: ModuleType) -> None:
    operators = importlib.import_module("blender_addon.transfer.operators")
    assert {kind.value for kind in operators.KINDS} == set(TRANSFERS)
    assert set(bpy.context.scene.meshkin.kinds) == {"texture", "weights", "armature"}


def test_the_button_carries_what_is_there_and_tells_the_rest(addon: ModuleType) -> None:
    """Two cubes, one a copy of the other: attributes come over, a rig that the source lacks is told."""
    one, two = cube("one"), cube("two")
    one.data.attributes.new("warmth", "FLOAT", "POINT").data.foreach_set("value", [0.5] * 8)
    settings = bpy.context.scene.meshkin
    settings.source, settings.target, settings.features = one, two, "geometric"
    settings.kinds = {"armature", "attributes", "motion"}
    assert bpy.ops.meshkin.transfer(kinds=settings.kinds) == {"FINISHED"}
    assert two.data.attributes["warmth"].data[0].value == pytest.approx(0.5)
    driver = importlib.import_module("blender_addon.base.driver")
    assert driver.outcome.title.endswith("with 2 warnings.")
    told = " ".join(driver.outcome.warnings)
    assert "armature" in told
    assert "motion" in told
    kept = bpy.data.texts["MeshKin Report"].as_string()
    assert driver.outcome.title in kept
    assert all(line in kept for line in (*driver.outcome.warnings, *driver.outcome.lines))


def test_search_finds_every_button_in_the_object_menu(addon: ModuleType) -> None:
    menu = importlib.import_module("blender_addon.transfer.menu")
    names = [f"meshkin.{entry[0]}" for entry in menu.ENTRIES if entry]
    for name in names:
        assert getattr(bpy.ops.meshkin, name.partition(".")[2]).get_rna_type().identifier
    layout = Recorder()
    menu.MESHKIN_MT_object.draw(type("Menu", (), {"layout": layout}), bpy.context)
    assert layout.operators == names
    words = " ".join(layout.texts).lower()
    for word in ("rig", "weights", "retarget", "texture", "bake", "shape keys", "match"):
        assert word in words
    if hasattr(bpy.types, "VIEW3D_MT_object"):
        assert menu.draw_entry in bpy.types.VIEW3D_MT_object.draw._draw_funcs


def test_nothing_moves_when_a_job_starts_or_ends_and_reports_can_be_closed(
    addon: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = importlib.import_module("blender_addon.base.driver")
    widgets = importlib.import_module("blender_addon.base.widgets")

    class MESHKIN_OT_long_job(driver.JobOperator, bpy.types.Operator):  # type: ignore[misc, name-defined]  # noqa: N801
        bl_idname = "meshkin.long_job"
        bl_label = "Long Job"

        def steps(self, context: bpy.types.Context) -> Any:
            yield Progress("Counting", 0)
            return Report("Counted.", [f"Number {number}." for number in range(30)])

    bpy.utils.register_class(MESHKIN_OT_long_job)
    preferences = SimpleNamespace(system=SimpleNamespace(ui_scale=1.0))  # without a window Blender has none
    context = SimpleNamespace(region=SimpleNamespace(width=300), preferences=preferences)

    def shown(job: Any = None) -> Recorder:
        layout = Recorder()
        monkeypatch.setattr(driver, "running", job)
        widgets.job_place(layout, context, widgets.Hint("Press Transfer.", ("meshkin.pick",)))
        monkeypatch.setattr(driver, "running", None)
        return layout

    idle = shown()
    assert (idle.texts[0], idle.operators) == ("Press Transfer.", ["meshkin.pick"])
    assert bpy.ops.meshkin.long_job() == {"FINISHED"}
    ended = shown()
    assert ended.texts[0] == "Counted."
    job = driver.RunningJob("Long Job", iter(()), None, "Counting", 0.3, "Step 2 of 3, about 20 s left")
    running = shown(job)
    assert {"Counting", "Step 2 of 3, about 20 s left", "30%"} <= set(running.texts)
    assert idle.lines == ended.lines == running.lines == widgets.JOB_LINES
    report = Recorder()
    widgets.MESHKIN_PT_report.draw(SimpleNamespace(layout=report), context)
    assert report.texts == ["Counted.", *(f"Number {number}." for number in range(30))]
    assert bpy.ops.meshkin.dismiss() == {"FINISHED"}
    assert shown().texts == idle.texts
    bpy.utils.unregister_class(MESHKIN_OT_long_job)


def test_texts_are_broken_where_they_must(addon: ModuleType) -> None:
    text = importlib.import_module("blender_addon.base.text")
    assert text.wrapped("one two three", 7, len) == ["one two", "three"]
    assert text.wrapped("これは日本語の文です", 4, len) == ["これは日", "本語の文", "です"]
    assert text.wrapped("a verylongword", 4, len) == ["a", "very", "long", "word"]
    assert text.wrapped("", 4, len) == [""]
    assert text.shortened(["one", "two", "three"], 2, 8, len) == ["one", "two thr…"]
    assert text.shortened(["one", "two"], 2, 8, len) == ["one", "two"]


def test_deleted_objects_do_not_stay_in_the_file(addon: ModuleType, tmp_path: Any) -> None:
    one, two = cube("one"), cube("two")
    settings = bpy.context.scene.meshkin
    settings.source, settings.target = one, two
    bpy.ops.object.select_all(action="DESELECT")
    one.select_set(True)
    bpy.ops.object.delete()
    assert settings.source is not None
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert settings.source is None
    assert settings.target == two
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert "one" not in bpy.data.objects
