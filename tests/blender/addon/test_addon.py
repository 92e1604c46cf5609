"""The add-on: what it registers, when its buttons are grayed out and why, how jobs are driven and end."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import pytest

from helpers.creatures import creature
from helpers.empty_file import open_empty_file
from helpers.places import CORE, ROOT
from meshkin import __version__
from meshkin.base.errors import InputError, MeshKinError, ModelError, WorkerError
from meshkin.base.progress import Progress
from meshkin.workflow import Report, ResultWarning

addon_utils = importlib.import_module("addon_utils")  # found only once bpy is loaded
JOBS = ("features", "match", "transfer_texture", "transfer_weights", "transfer_attributes")


def cube(name: str) -> bpy.types.Object:
    """A new cube in the scene."""
    bpy.ops.mesh.primitive_cube_add()
    obj = bpy.context.object
    obj.name = name
    return obj


def textured(name: str) -> bpy.types.Material:
    """A material with a picture as its base color."""
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0):
        material.use_nodes = True
    tree = material.node_tree
    texture = tree.nodes.new("ShaderNodeTexImage")
    texture.image = bpy.data.images.new(name, 16, 16)
    tree.links.new(texture.outputs["Color"], tree.nodes["Principled BSDF"].inputs["Base Color"])
    return material


def registered() -> dict[str, Any]:
    """Everything that an add-on could leave behind in Blender."""
    return {
        "types": {name for name in dir(bpy.types) if "meshkin" in name.lower()},
        "operators": set(dir(bpy.ops.meshkin)),
        "scene": set(bpy.types.Scene.bl_rna.properties.keys()),
        "handlers": {
            name: list(handlers)
            for name in dir(bpy.app.handlers)
            if isinstance(handlers := getattr(bpy.app.handlers, name), list)
        },
        "addons": set(bpy.context.preferences.addons.keys()),
    }


def reason(operator: str) -> str:
    """Why a button is grayed out; "" where it is not."""
    call = getattr(bpy.ops.meshkin, operator)
    if call.poll():
        return ""
    with pytest.raises(RuntimeError) as failure:
        call()
    return str(failure.value).strip().partition("poll() ")[2]


def test_unregister_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    open_empty_file()
    before = registered()
    for _ in range(2):
        assert addon_utils.enable("blender_addon", default_set=True) is not None
        assert registered()["types"] > before["types"]
        bpy.app.timers.register(importlib.import_module("blender_addon.base.status").refresh)
        addon_utils.disable("blender_addon", default_set=True)
        assert registered() == before
        assert not bpy.app.timers.is_registered(sys.modules["blender_addon.base.status"].refresh)


ENABLE = """
import sys, bpy, addon_utils
before = set(sys.modules)
assert addon_utils.enable("blender_addon") is not None
print("loaded", *sorted(set(sys.modules) - before), flush=True)
import os
os._exit(0)  # some Blender modules hang in Python's own shutdown
"""


def test_enabling_loads_only_the_descriptions_of_options() -> None:
    """More would cost every start of Blender; the rest may only be loaded by a job or a drawn panel."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(CORE)])}
    ran = subprocess.run([sys.executable, "-c", ENABLE], env=variables, capture_output=True, text=True, timeout=120)
    (line,) = [line for line in ran.stdout.splitlines() if line.startswith("loaded")]
    loaded = {name for name in line.split()[1:] if name.split(".")[0] not in ("blender_addon", "bpy")}
    library = {name for name in loaded if name.split(".")[0] == "meshkin"}
    light = {"options", "errors", "sides", "point_pairs", "storage", "names", "variables"}
    light |= {"registry", "extractor", "known"}  # which extractors there are, without their settings
    modules = {name for name in library if not hasattr(importlib.import_module(name), "__path__")}
    assert {name for name in modules if name.rpartition(".")[2] not in light} == set()
    assert not {name for name in loaded if name.split(".")[0] in ("numpy", "torch", "scipy")}


@pytest.mark.parametrize("operator", JOBS)
def test_buttons_say_what_is_missing(addon: ModuleType, operator: str) -> None:
    settings = bpy.context.scene.meshkin
    assert reason(operator).startswith("Pick a source")
    one, two = cube("one"), cube("two")
    settings.source = one
    if operator != "features":
        assert reason(operator) == "Pick a target object first"
        settings.target = one
        assert reason(operator) == "Source and target are the same object"
    settings.target = two
    bpy.context.scene.collection.objects.unlink(two)
    assert reason(operator) == "“two” is no longer in this scene"
    bpy.context.scene.collection.objects.link(two)
    wanted = {
        "features": "",
        "match": "",
        "transfer_texture": "“one” has no material",
        "transfer_weights": "“one” has no vertex groups",
        "transfer_attributes": "",
    }
    assert reason(operator) == wanted[operator]
    one.vertex_groups.new(name="arm")
    one.data.materials.append(bpy.data.materials.new("skin"))
    assert reason(operator) == ""
    two.data.uv_layers.remove(two.data.uv_layers[0])
    assert reason(operator) == ""
    two.data.uv_layers.new()
    bpy.context.view_layer.objects.active = two
    bpy.ops.object.mode_set(mode="EDIT")
    assert reason(operator) == "“two” is being edited; go back to Object Mode first"
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.context.preferences.addons["blender_addon"].preferences.worker_python = "/nowhere/python"
    importlib.import_module("blender_addon.base.status").refresh()
    assert reason(operator) == "There is no Python at /nowhere/python"


@pytest.mark.parametrize("operator", JOBS)
def test_jobs_reach_the_worker(addon: ModuleType, operator: str) -> None:
    """Each button collects what it needs and gets as far as a worker can take it: here there is none."""
    one, two = cube("one"), cube("two")
    one.vertex_groups.new(name="arm").add([0], 1.0, "REPLACE")
    one.data.attributes.new("warmth", "FLOAT", "POINT")
    one.data.materials.append(textured("skin"))
    settings = bpy.context.scene.meshkin
    settings.source, settings.target = one, two
    bpy.context.preferences.addons["blender_addon"].preferences.worker_python = "/nowhere/python"
    with pytest.raises(RuntimeError, match="There is no Python at /nowhere/python"):
        getattr(bpy.ops.meshkin, operator)()
    assert not two.vertex_groups
    assert not two.data.materials


def test_pickers_take_surfaces_only(addon: ModuleType) -> None:
    settings = bpy.context.scene.meshkin
    lamp = bpy.data.objects.new("lamp", bpy.data.lights.new("lamp", "POINT"))
    bpy.context.scene.collection.objects.link(lamp)
    poll = importlib.import_module("blender_addon.main.settings")._has_surface
    assert not poll(settings, lamp)
    one = cube("one")
    assert poll(settings, one)
    bpy.context.scene.collection.objects.unlink(one)
    assert not poll(settings, one)


def test_pick_and_swap(addon: ModuleType) -> None:
    settings = bpy.context.scene.meshkin
    one, two = cube("one"), cube("two")
    assert reason("pick").startswith("Select two characters")
    one.select_set(True)
    two.select_set(True)
    bpy.context.view_layer.objects.active = two  # what is selected gives to what is active, as everywhere in Blender
    assert bpy.ops.meshkin.pick() == {"FINISHED"}
    assert (settings.source, settings.target) == (one, two)
    assert bpy.ops.meshkin.swap() == {"FINISHED"}
    assert (settings.source, settings.target) == (two, one)


def job_operator(addon: ModuleType, steps: Any) -> Any:
    """Register an operator that runs the generator function ``steps``; returns it for calling."""
    driver = importlib.import_module("blender_addon.base.driver")

    class MESHKIN_OT_test_job(driver.JobOperator, bpy.types.Operator):  # type: ignore[misc, name-defined]  # noqa: N801
        bl_idname = "meshkin.test_job"
        bl_label = "Test Job"

        def steps(self, context: bpy.types.Context) -> Any:
            return steps()

    bpy.utils.register_class(MESHKIN_OT_test_job)
    return bpy.ops.meshkin.test_job, driver, MESHKIN_OT_test_job


def test_without_a_window_a_job_runs_to_its_end(addon: ModuleType) -> None:
    seen = []

    def steps() -> Generator[Progress, None, Any]:
        for index in range(5):
            seen.append(index)
            yield Progress("Counting", index / 5)
        return Report("Counted.", ["To five."])

    call, driver, kind = job_operator(addon, steps)
    assert call("INVOKE_DEFAULT") == {"FINISHED"}
    assert seen == [0, 1, 2, 3, 4]
    assert driver.running is None
    assert (driver.outcome.title, driver.outcome.lines, driver.outcome.icon) == ("Counted.", ["To five."], "CHECKMARK")
    bpy.utils.unregister_class(kind)


def test_warnings_are_in_the_title_and_in_the_icon(addon: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    def steps() -> Generator[Progress, None, Any]:
        yield Progress("Counting", 0)
        doubt = ResultWarning("finger-missing", "There were only nine fingers.")
        return Report.of("Counted.", ["To nine.", doubt, doubt], {})

    call, driver, kind = job_operator(addon, steps)
    assert call() == {"FINISHED"}
    outcome = driver.outcome
    assert (outcome.title, outcome.icon) == ("Counted, with 1 warning.", driver.WARNING_ICON)
    assert (outcome.warnings, outcome.lines) == (["There were only nine fingers."], ["To nine."])
    assert not outcome.failed
    told = capfd.readouterr().out
    assert "Info: To nine." in told
    assert "Warning: There were only nine fingers." in told
    assert told.rindex("Warning: Counted, with 1 warning.") > told.index("nine fingers")
    bpy.utils.unregister_class(kind)


def test_expected_errors_are_a_sentence_and_a_fix(addon: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    closed = []

    def steps() -> Generator[Progress, None, Any]:
        try:
            yield Progress("Looking", 0)
            raise InputError("mesh-empty", "“Hat” has no faces.", "Choose another.")
        finally:
            closed.append(True)

    call, driver, kind = job_operator(addon, steps)
    with pytest.raises(RuntimeError, match=r"“Hat” has no faces\. Choose another\."):
        call()
    assert closed
    assert driver.running is None
    assert (driver.outcome.title, driver.outcome.lines, driver.outcome.icon) == (
        "“Hat” has no faces.",
        ["Choose another."],
        "ERROR",
    )
    assert "Traceback" not in capfd.readouterr().err
    bpy.utils.unregister_class(kind)


@pytest.mark.parametrize(
    ("error", "button"),
    [
        (WorkerError("worker-start-failed", "The worker ended before it was ready."), "meshkin.set_up"),
        (ModelError("model-missing", "There is no model."), "meshkin.get_model"),
        (InputError("mesh-empty", "“Hat” has no faces."), ""),
    ],
)
def test_errors_that_a_button_mends_have_it(addon: ModuleType, error: MeshKinError, button: str) -> None:
    def steps() -> Generator[Progress, None, Any]:
        yield Progress("Looking", 0)
        raise error

    call, driver, kind = job_operator(addon, steps)
    with pytest.raises(RuntimeError, match=error.message):
        call()
    assert driver.outcome.failed
    assert driver.outcome.leads_to == (button if bpy.app.online_access else button.replace("get_model", "allow_online"))
    bpy.utils.unregister_class(kind)


def test_surprises_are_told_briefly_and_printed_in_full(addon: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    def steps() -> Generator[Progress, None, Any]:
        yield Progress("Dividing", 0)
        return 1 / 0

    call, driver, kind = job_operator(addon, steps)
    with pytest.raises(RuntimeError, match="Test Job failed unexpectedly") as failure:
        call()
    assert "Traceback" not in str(failure.value).partition("Error: ")[2]
    assert "ZeroDivisionError" in capfd.readouterr().err
    assert driver.outcome.icon == "ERROR"
    assert driver.outcome.failed
    bpy.utils.unregister_class(kind)


def test_cancelling_a_job_that_a_script_runs(addon: ModuleType) -> None:
    closed = []

    def steps() -> Generator[Progress, None, Any]:
        try:
            yield Progress("Waiting", 0)
            raise KeyboardInterrupt
        finally:
            closed.append(True)

    call, driver, kind = job_operator(addon, steps)
    assert call() == {"CANCELLED"}
    assert closed
    assert driver.outcome.title == "Test Job: cancelled."
    assert driver.outcome.icon == "CANCEL"
    bpy.utils.unregister_class(kind)


def test_preferences_reach_the_library(addon: ModuleType, tmp_path: Path) -> None:
    from meshkin.base import storage

    preferences = importlib.import_module("blender_addon.base.preferences")
    preferences.apply(bpy.context)
    inherited = storage.cache_folder()
    chosen = bpy.context.preferences.addons["blender_addon"].preferences
    chosen.cache_folder = str(tmp_path / "Ordner für Zwischenstände")
    preferences.apply(bpy.context)
    assert storage.cache_folder() == tmp_path / "Ordner für Zwischenstände"
    chosen.cache_folder = ""
    preferences.apply(bpy.context)
    assert storage.cache_folder() == inherited


def test_what_computes_and_the_shared_cache_reach_the_library(addon: ModuleType, tmp_path: Path) -> None:
    from meshkin.base import storage
    from meshkin.worker import client

    preferences = importlib.import_module("blender_addon.base.preferences")
    preferences.apply(bpy.context)
    assert not client.wants_service()
    assert storage.shared_cache_folder() is None
    chosen = bpy.context.preferences.addons["blender_addon"].preferences
    chosen.compute, chosen.shared_cache = "service", str(tmp_path / "Netz")
    preferences.apply(bpy.context)
    status = importlib.import_module("blender_addon.base.status")
    status.refresh()
    assert "does not run" in status.service
    assert client.wants_service()
    assert storage.shared_cache_folder() == tmp_path / "Netz"
    chosen.compute, chosen.shared_cache = "own", ""
    preferences.apply(bpy.context)
    assert not client.wants_service()
    assert storage.shared_cache_folder() is None


INSTALL = """
import os, sys, bpy
bpy.ops.extensions.package_install_files(filepath=sys.argv[-1], repo="user_default", enable_on_install=True)
name = "bl_ext.user_default.meshkin"
assert name in bpy.context.preferences.addons, "not enabled"
assert bpy.ops.meshkin.match.poll() is False
import meshkin
home = os.environ["BLENDER_USER_RESOURCES"]
def installed():
    return {file for _, _, files in os.walk(home) for file in files} & {"driver.py", "surface_map.py"}
assert installed() == {"driver.py", "surface_map.py"}, installed()
assert meshkin.__file__.startswith(home), meshkin.__file__
import addon_utils
addon_utils.disable(name, default_set=True)
assert not hasattr(bpy.types.Scene, "meshkin")
repos = [repo.module for repo in bpy.context.preferences.extensions.repos]
bpy.ops.extensions.package_uninstall(repo_index=repos.index("user_default"), pkg_id="meshkin")
assert installed() == set(), installed()
print("INSTALLED AND REMOVED", flush=True)
os._exit(0)
"""


def test_built_zip_installs_in_a_fresh_blender(tmp_path: Path) -> None:
    """The zip that packaging/ builds (and Blender's validator accepts) works with nothing but itself on the path."""
    script = ROOT / "packaging" / "build_extension.py"
    built = subprocess.run(
        [sys.executable, str(script), "--output-dir", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    package = tmp_path / f"meshkin-{__version__}.zip"
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    variables["BLENDER_USER_RESOURCES"] = str(tmp_path / "user")
    (tmp_path / "user").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", INSTALL, str(package)],
        capture_output=True,
        text=True,
        env=variables,
        timeout=120,
        check=False,
    )
    assert "INSTALLED AND REMOVED" in done.stdout, done.stdout + done.stderr


GUIDE = ("flip", "show_match", "show_confidence", "show_lines")


@pytest.fixture
def matched(addon: ModuleType, tmp_path: Path) -> Iterator[tuple[bpy.types.Object, bpy.types.Object]]:
    """Two small creatures, picked and matched by the button."""
    from meshkin.worker import client

    bpy.context.preferences.addons["blender_addon"].preferences.cache_folder = str(tmp_path)
    client.stop()
    one, two = creature("one", subdivisions=3), creature("two", 1.2, subdivisions=3)
    settings = bpy.context.scene.meshkin
    settings.source, settings.target, settings.features = one, two, "geometric"
    importlib.import_module("blender_addon.base.status").refresh()
    assert reason("show_match") == "Match source and target first"
    bpy.ops.meshkin.match()
    yield one, two
    client.stop()


def test_buttons_to_look_at_a_match(matched: tuple[bpy.types.Object, bpy.types.Object]) -> None:
    status = importlib.import_module("blender_addon.base.status")
    _, two = matched
    for operator, color in (("show_match", "match_color"), ("show_confidence", "match_confidence_color")):
        call = getattr(bpy.ops.meshkin, operator)
        assert not status.colors_shown(color)
        assert call() == {"FINISHED"}
        assert status.colors_shown(color)
        assert {obj.data.color_attributes.active_color_name for obj in matched} == {f"meshkin_{color}"}
    assert bpy.ops.meshkin.show_colors() == {"FINISHED"}
    assert status.colors_shown()
    assert bpy.ops.meshkin.show_match() == {"FINISHED"}
    assert bpy.ops.meshkin.show_match() == {"FINISHED"}
    assert not status.colors_shown("match_color")
    assert not status.colors_shown()
    assert bpy.ops.meshkin.show_lines() == {"FINISHED"}
    bpy.context.scene.meshkin.lines = 17
    assert len(status.scene_module("display.lines").segments()[0]) == 17
    assert bpy.ops.meshkin.show_lines() == {"FINISHED"}
    assert not status.lines_shown()
    two.data.vertices[0].co.x += 1
    for operator in ("show_match", "show_lines"):
        with pytest.raises(RuntimeError, match=r"“two” was changed since it was matched\. Match the two again\."):
            getattr(bpy.ops.meshkin, operator)()


def test_a_texture_is_one_undo_step_and_is_changed_without_another_match(
    matched: tuple[bpy.types.Object, bpy.types.Object], tmp_path: Path
) -> None:
    """The redo panel's settings, one after the other: none is matched again; each undo takes one texture back."""

    def kept() -> set[tuple[Path, int]]:
        """Features and maps in the cache: one written anew is another file."""
        return {(path, path.stat().st_ino) for path in tmp_path.rglob("*") if path.is_file()}

    one, two = matched
    one.data.materials.append(textured("Fur"))
    bpy.data.images["Fur"].pixels.foreach_set([1.0] * (4 * 16 * 16))
    for mesh in (one.data, two.data):
        layer = mesh.uv_layers.new(name="UVMap")
        for loop, uv in zip(mesh.loops, layer.uv, strict=True):
            place = mesh.vertices[loop.vertex_index].co
            uv.vector = (0.5 + 0.1 * place.x, 0.5 + 0.1 * place.z)
    bpy.ops.meshkin.match()
    before = [set(data.keys()) for data in (bpy.data.materials, bpy.data.images)], len(two.material_slots)
    settings = (
        {"texture_size": 64, "margin": 2, "texture_threshold": 0.0},
        {"texture_size": 128, "margin": 2, "texture_threshold": 0.0},
        {"texture_size": 128, "margin": 8, "texture_threshold": 0.0},
        {"texture_size": 128, "margin": 8, "texture_threshold": 0.99},
    )
    covered = []
    files = kept()
    assert files
    bpy.ops.ed.undo_push(message="Matched")
    for chosen in settings:
        assert bpy.ops.meshkin.transfer_texture("EXEC_DEFAULT", True, channels={"base_color"}, **chosen) == {"FINISHED"}
        assert kept() == files
        two = bpy.data.objects["two"]
        image = next(node.image for node in two.active_material.node_tree.nodes if node.type == "TEX_IMAGE")
        assert tuple(image.size) == (chosen["texture_size"],) * 2
        covered.append(sum(list(image.pixels)[::4]))
        masks = [one_.name for one_ in bpy.data.images if "mask" in one_.name.lower()]
        assert bool(masks) == (chosen["texture_threshold"] > 0)
        bpy.ops.ed.undo()
        two = bpy.data.objects["two"]
        assert ([set(data.keys()) for data in (bpy.data.materials, bpy.data.images)], len(two.material_slots)) == before
    assert covered[2] > covered[1]  # a wider margin


def test_the_match_is_flipped_and_back(matched: tuple[bpy.types.Object, bpy.types.Object]) -> None:
    matches = importlib.import_module("meshkin.scene.mesh.matches")
    for flipped in (True, False):
        assert bpy.ops.meshkin.flip() == {"FINISHED"}
        assert matches.is_flipped(*matched) == flipped


def test_low_confidence_is_selected_in_edit_mode(matched: tuple[bpy.types.Object, bpy.types.Object]) -> None:
    one, two = matched
    assert bpy.context.mode == "OBJECT"
    confidence = two.data.attributes["meshkin_match_confidence"].data
    confidence.foreach_set("value", [0.5] * len(confidence))  # the two have one base mesh: their match is exact
    for threshold in (1.0, 0.0):
        assert bpy.ops.meshkin.select_low(threshold=threshold) == {"FINISHED"}
        assert (two.mode, one.mode) == ("EDIT", "OBJECT")
        two.update_from_editmode()
        assert {vertex.select for vertex in two.data.vertices} == {threshold == 1}


def test_pairs_by_selection(matched: tuple[bpy.types.Object, bpy.types.Object]) -> None:
    one, two = matched
    with pytest.raises(RuntimeError, match="vertices of “one” are selected"):
        bpy.ops.meshkin.pair_selected()
    for obj, vertex in ((one, 3), (two, 8)):
        flags = [index == vertex for index in range(len(obj.data.vertices))]
        obj.data.vertices.foreach_set("select", flags)
    assert bpy.ops.meshkin.pair_selected() == {"FINISHED"}
    assert {obj.name for obj in bpy.data.objects if obj.type == "EMPTY"} == {"Kin 1 · one", "Kin 1 · two"}
    assert bpy.data.objects["Kin 1 · two"].parent_vertices[0] == 8
    with pytest.raises(RuntimeError, match="There is no point pair “7”"):
        bpy.ops.meshkin.remove_pair(label="7")
    assert bpy.ops.meshkin.remove_pair(label="1") == {"FINISHED"}
    assert not [obj for obj in bpy.data.objects if obj.type == "EMPTY"]
    two.hide_set(True)
    assert reason("pick_pairs") == "“two” is hidden"


def test_a_set_by_selection(matched: tuple[bpy.types.Object, bpy.types.Object]) -> None:
    one, two = matched
    assert reason("match_set").startswith("Select three or more objects")
    third = creature("three", 0.9, subdivisions=3)
    for obj in (one, two, third):
        obj.select_set(True)
    bpy.context.view_layer.objects.active = one
    assert bpy.ops.meshkin.match_set() == {"FINISHED"}
    settings = bpy.context.scene.meshkin
    assert settings.through == one
    settings.source = third
    assert bpy.ops.meshkin.match() == {"FINISHED"}
    assert reason("flip").startswith("Only a direct match can be flipped")
    assert bpy.ops.meshkin.show_match() == {"FINISHED"}


@pytest.mark.parametrize("operator", GUIDE)
def test_guiding_buttons_say_what_is_missing(addon: ModuleType, operator: str) -> None:
    assert reason(operator).startswith("Pick a source")
    settings = bpy.context.scene.meshkin
    settings.source, settings.target = cube("one"), cube("two")
    importlib.import_module("blender_addon.base.status").refresh()
    assert reason(operator) == "Match source and target first"
