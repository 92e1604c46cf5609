"""Both renderers of passes, against a reference renderer and against each other, and what they leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.empty_file import open_empty_file
from helpers.places import CORE
from meshkin.base.errors import InputError, MeshKinError, StorageError
from meshkin.base.progress import Progress
from meshkin.data.snapshot import Snapshot
from meshkin.data.views import Passes, Views, fibonacci_directions, frame, ring_directions
from meshkin.scene.render import passes

RENDERERS = passes.available_renderers()
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Blender's own properties


def snapshot(points: NDArray[np.floating], triangles: NDArray[np.integer], smooth: bool) -> Snapshot:
    """A snapshot of a triangle mesh with vertex normals (smooth) or face normals."""
    shape = Snapshot.from_arrays(points, triangles, "Körper")
    if not smooth:
        return shape
    corners = shape.vertices[shape.faces].astype(np.float64)
    outwards = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.zeros(shape.vertices.shape)
    np.add.at(sums, shape.faces, np.repeat(outwards[:, None], 3, axis=1))
    normals = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return replace(shape, normals=normals[shape.faces].astype(np.float32))


def blob(rows: int, columns: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A lopsided closed surface with hollows: 2 (rows - 1) columns triangles."""
    polar, azimuth = np.meshgrid(
        (np.arange(rows) + 0.5) / rows * np.pi, np.arange(columns) / columns * 2 * np.pi, indexing="ij"
    )
    radius = 1 + 0.3 * np.sin(3 * polar) * np.cos(2 * azimuth) + 0.2 * np.cos(azimuth)
    flat = radius * np.sin(polar)
    vertices = np.stack((flat * np.cos(azimuth), 0.6 * flat * np.sin(azimuth), 1.4 * radius * np.cos(polar)), axis=-1)
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1], index[1:], np.roll(index, -1, 1)[1:], np.roll(index, -1, 1)[:-1]
    quads = np.stack((a, b, c, a, c, d), axis=-1)
    return vertices.reshape(-1, 3), quads.reshape(-1, 3)


def soup() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Separate triangles across each other, seen from either side."""
    return np.random.default_rng(3).normal(size=(60, 3)), np.arange(60).reshape(-1, 3)


SHAPES: dict[str, Callable[[], Snapshot]] = {
    "smooth": lambda: snapshot(*blob(12, 16), smooth=True),
    "flat, open, millimeters": lambda: snapshot(1e-3 * blob(9, 12)[0], blob(9, 12)[1][::2], smooth=False),
    "soup, kilometers, far off": lambda: snapshot(1e3 * soup()[0] + (5e3, -2e4, 1e4), soup()[1], smooth=False),
}


def finish(mesh: Snapshot, views: Views, renderer: str = "auto") -> Passes:
    """Run the generator to its end; its progress rises to 1."""
    steps, fractions = passes.render(mesh, views, renderer), []
    while True:
        try:
            fractions.append(next(steps).fraction)
        except StopIteration as end:
            assert fractions == [(view + 1) / len(views) for view in range(len(views))]
            result: Passes = end.value
            return result


def reference(mesh: Snapshot, views: Views, view: int) -> tuple[NDArray[np.float64], ...]:
    """Every pixel center against every triangle: face, depth, normal and margin of each pixel.

    The margin is the distance, in pixels, to the nearest place where another triangle would be seen.
    """
    pixels, depth = views.project(view, mesh.vertices)
    size = views.resolution
    centers = np.stack(np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5), axis=-1).reshape(-1, 1, 2)
    a, b, c = (pixels[mesh.faces[:, corner]] for corner in range(3))

    def cross(p: NDArray[np.float64], q: NDArray[np.float64], r: NDArray[np.float64]) -> NDArray[np.float64]:
        u, v = q - p, r - p
        return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]

    area = cross(a, b, c)
    screen = np.stack((cross(centers, b, c), cross(centers, c, a), cross(centers, a, b)), axis=-1) / area[:, None]
    inverse = screen / depth[mesh.faces]
    depths = 1 / inverse.sum(axis=-1)
    heights = np.abs(area[:, None]) / np.stack([np.linalg.norm(p - q, axis=1) for p, q in ((b, c), (c, a), (a, b))], -1)
    inside = (screen * heights).min(axis=-1)
    margin = np.abs(inside).min(axis=1)
    depths = np.where(inside >= 0, depths, np.inf)
    face = depths.argmin(axis=1)
    rows = np.arange(len(face))
    seen = np.isfinite(depths[rows, face])
    nearest = np.partition(depths, 1, axis=1)
    with np.errstate(invalid="ignore"):
        margin = np.where(nearest[:, 1] - nearest[:, 0] < 1e-4, 0, margin)
    weights = (inverse * depths[..., None])[rows, face]
    normal = np.einsum("pi,pij->pj", np.where(seen[:, None], weights, 0), mesh.normals[face].astype(np.float64))
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    camera = np.stack([views.to_camera(view, mesh.vertices)[mesh.faces[:, corner]] for corner in range(3)])
    outwards = np.cross(camera[1] - camera[0], camera[2] - camera[0])
    back = np.einsum("fi,fi->f", outwards, camera[0]) > 0
    normal = np.where(back[face], -1, 1)[:, None] * (normal @ views.rotation[view].T)
    shape = (size, size)
    return (
        np.where(seen, face, -1).reshape(shape),
        depths[rows, face].reshape(shape),
        normal.reshape(*shape, 3),
        margin.reshape(shape),
    )


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_passes_show_what_a_reference_renderer_shows(shape: str, renderer: str) -> None:
    mesh = SHAPES[shape]()
    directions = np.concatenate((fibonacci_directions(3), ring_directions([(0, 1), (90, 1)])))
    views = frame(mesh.vertices, directions, 64)
    result = finish(mesh, views, renderer)
    assert result.normal.dtype == np.float16
    assert result.depth.dtype == np.float32
    assert result.face is not None
    assert result.face.dtype == np.int32
    for view in range(len(views)):
        face, depth, normal, margin = reference(mesh, views, view)
        decided = margin > 0.02
        assert decided.mean() > 0.8
        np.testing.assert_array_equal(result.face[view][decided], face[decided])
        seen = decided & (face >= 0)
        assert seen.any()
        np.testing.assert_allclose(result.depth[view][seen], depth[seen], atol=2e-4)
        difference = np.linalg.norm(result.normal[view][seen] - normal[seen], axis=1)
        # Where shading normals cancel each other the direction is anything
        assert np.quantile(difference, 0.99) < 5e-3
        background = result.face[view] < 0
        assert np.isinf(result.depth[view][background]).all()
        assert not result.normal[view][background].any()


def test_cycles_is_always_among_the_renderers() -> None:
    assert RENDERERS in (("cycles",), ("gpu", "cycles"))


@pytest.mark.skipif("gpu" not in RENDERERS, reason="the gpu module cannot draw here")
def test_the_renderers_agree() -> None:
    mesh = snapshot(*blob(60, 80), smooth=True)
    views = frame(mesh.vertices, fibonacci_directions(4), 256)
    gpu, cycles = (finish(mesh, views, renderer) for renderer in ("gpu", "cycles"))
    assert gpu.face is not None
    assert cycles.face is not None
    for view in range(len(views)):
        gpu_shows, cycles_shows = gpu.face[view] >= 0, cycles.face[view] >= 0
        assert (gpu_shows & cycles_shows).sum() / (gpu_shows | cycles_shows).sum() > 0.999
        same = gpu_shows & (gpu.face[view] == cycles.face[view])
        assert same.sum() > 0.98 * gpu_shows.sum()
        extent = float(np.ptp(gpu.depth[view][gpu_shows]))
        assert np.abs(gpu.depth[view][same] - cycles.depth[view][same]).max() < 1e-3 * extent
        difference = np.linalg.norm(gpu.normal[view][same].astype(np.float64) - cycles.normal[view][same], axis=1)
        assert np.quantile(difference, 0.999) < 5e-3


@pytest.mark.parametrize("renderer", RENDERERS)
def test_normals_face_the_camera_from_both_sides_of_a_sheet(renderer: str) -> None:
    mesh = snapshot(np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)]), np.array([(0, 1, 2), (0, 2, 3)]), False)
    views = frame(mesh.vertices, ring_directions([(60, 2), (-60, 2)]), 32)
    result = finish(mesh, views, renderer)
    for view in range(len(views)):
        seen = np.isfinite(result.depth[view])
        assert 100 < seen.sum() < 900
        expected = np.sign(views.rotation[view, 2, 2]) * views.rotation[view][:, 2]
        np.testing.assert_allclose(result.normal[view][seen], np.tile(expected, (seen.sum(), 1)), atol=2e-3)


@pytest.mark.parametrize("renderer", RENDERERS)
def test_faces_that_are_wound_either_way_look_the_same(renderer: str) -> None:
    """Vertex normals of such a mesh are means over faces that face opposite ways."""
    vertices, faces = blob(24, 32)
    is_reversed = np.random.default_rng(0).random(len(faces)) < 0.5
    harmed = snapshot(vertices, np.where(is_reversed[:, None], faces[:, ::-1], faces), smooth=True)
    mesh = snapshot(vertices, faces, smooth=True)
    views = frame(mesh.vertices, fibonacci_directions(2), 64)
    results = [finish(shape, views, renderer).normal.astype(np.float64) for shape in (harmed, mesh)]
    difference = np.linalg.norm(results[0] - results[1], axis=-1)
    assert np.quantile(difference, 0.99) < 0.1  # normals by angle there, by area here


@pytest.mark.parametrize("renderer", RENDERERS)
def test_a_needle_seen_from_its_tip_fills_the_picture(renderer: str) -> None:
    vertices, faces = blob(12, 16)
    mesh = snapshot(vertices * (1e-3, 1e-3, 5), faces, smooth=False)
    views = frame(mesh.vertices, np.array([(0.0, 0.0, 1.0)]), 64)
    seen = np.isfinite(finish(mesh, views, renderer).depth[0])
    filled = np.flatnonzero(seen.any(axis=0)), np.flatnonzero(seen.any(axis=1))
    assert max(np.ptp(filled[0]), np.ptp(filled[1])) >= 0.85 * 64


def test_auto_takes_the_first_renderer() -> None:
    mesh = snapshot(*blob(8, 8), smooth=False)
    views = frame(mesh.vertices, fibonacci_directions(2), 32)
    np.testing.assert_array_equal(finish(mesh, views).depth, finish(mesh, views, RENDERERS[0]).depth)


def test_a_renderer_that_is_not_there_is_named() -> None:
    mesh = snapshot(*blob(8, 8), smooth=False)
    views = frame(mesh.vertices, fibonacci_directions(1), 32)
    bpy.ops.preferences.addon_disable(module="cycles")
    try:
        assert "cycles" not in passes.available_renderers()
        with pytest.raises(MeshKinError, match=r"cycles.*enable the Cycles add-on") as caught:
            next(passes.render(mesh, views, "cycles"))
    finally:
        bpy.ops.preferences.addon_enable(module="cycles")
    assert caught.value.code == "render-unavailable"


# What is left behind


def scene_of_the_user() -> None:
    """A scene with every setting the renderer uses set otherwise, and an object in edit mode."""
    scene = bpy.context.scene
    scene.name = "Scène"
    bpy.ops.mesh.primitive_cube_add(location=(3, 2, 1))
    bpy.ops.mesh.primitive_uv_sphere_add()
    bpy.ops.object.camera_add()
    scene.camera = bpy.context.object
    bpy.context.view_layer.objects.active = bpy.data.objects["Sphere"]
    bpy.data.objects["Sphere"].select_set(True)
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.resolution_x, scene.render.resolution_percentage = 333, 50
    scene.render.filepath = "//mine"
    scene.render.image_settings.file_format = "JPEG"
    scene.view_settings.view_transform = "Raw"
    scene.cycles.samples = 77
    scene.frame_set(12)
    scene.view_layers[0].use_pass_mist = True
    scene.view_layers.new("Second")
    bpy.ops.object.mode_set(mode="EDIT")


def properties(struct: bpy.types.bpy_struct) -> dict[str, object]:
    """Every property of a Blender struct as Python values, but for collections and evaluated data."""
    values = {}
    for prop in struct.bl_rna.properties:
        if prop.type == "COLLECTION" or prop.identifier == "depsgraph":
            continue
        value = getattr(struct, prop.identifier)
        if prop.type == "POINTER":
            value = repr(value)
        elif getattr(prop, "is_array", False):
            value = np.array(value).tolist()
        values[prop.identifier] = value
    return values


def state() -> dict[str, object]:
    """All that a render could change: settings, data-blocks, selection, mode, context, handlers, temporary files."""
    values: dict[str, object] = {}
    for scene in bpy.data.scenes:
        structs = {
            "scene": scene,
            "render": scene.render,
            "image": scene.render.image_settings,
            "cycles": scene.cycles,
            "eevee": scene.eevee,
            "view": scene.view_settings,
            "display": scene.display_settings,
            "shading": scene.display.shading,
            "tools": scene.tool_settings,
            **{f"layer {layer.name}": layer for layer in scene.view_layers},
            **{f"layer {layer.name} cycles": layer.cycles for layer in scene.view_layers},
        }
        values[scene.name] = {name: properties(struct) for name, struct in structs.items()}
    for prop in bpy.data.bl_rna.properties:
        if prop.type == "COLLECTION":
            values[prop.identifier] = [(data.name, data.users) for data in getattr(bpy.data, prop.identifier)]
    context = bpy.context
    values["context"] = [context.scene.name, context.view_layer.name, context.mode]
    values["selected"] = sorted(obj.name for obj in context.view_layer.objects if obj.select_get())
    values["active"] = context.view_layer.objects.active.name
    values["modes"] = [obj.mode for obj in bpy.data.objects]
    values["handlers"] = {name: list(getattr(bpy.app.handlers, name)) for name in HANDLERS}
    values["preferences"] = properties(context.preferences.system) | properties(context.preferences.filepaths)
    values["files"] = sorted(os.listdir(tempfile.gettempdir()))
    return values


def differences(before: object, after: object) -> object:
    """What differs, alone, so that a failure can be read."""
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() == after.keys():
        return {name: differences(before[name], after[name]) for name in before if before[name] != after[name]}
    return {} if before == after else (before, after)


HANDLERS = [name for name in dir(bpy.app.handlers) if isinstance(getattr(bpy.app.handlers, name), list)]


@pytest.fixture
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of the test's own, so that what others do in the system's one does not count."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def steps_of_a_render(renderer: str) -> Generator[Progress, None, Passes]:
    mesh = snapshot(*blob(8, 8), smooth=False)
    return passes.render(mesh, frame(mesh.vertices, fibonacci_directions(3), 32), renderer)


@pytest.mark.parametrize("end", ["finished", "closed midway", "error midway", "left to the garbage collector"])
@pytest.mark.parametrize("renderer", RENDERERS)
def test_the_users_file_stays_as_it_was(renderer: str, end: str, temporary_folder: Path) -> None:
    scene_of_the_user()
    called = []
    for name in ("render_init", "render_pre", "render_post", "render_complete", "render_write", "frame_change_pre"):
        getattr(bpy.app.handlers, name).append(lambda *_, name=name: called.append(name))
    before = state()
    steps = steps_of_a_render(renderer)
    if end == "finished":
        assert len(list(steps)) == 3
    elif end == "closed midway":
        next(steps)
        steps.close()
    elif end == "error midway":
        next(steps)
        with pytest.raises(KeyboardInterrupt):
            steps.throw(KeyboardInterrupt)
    else:
        next(steps)
        del steps
    assert differences(before, state()) == {}
    assert called == []


@pytest.mark.parametrize("renderer", RENDERERS)
def test_opening_another_file_midway_does_no_harm(renderer: str) -> None:
    steps = steps_of_a_render(renderer)
    next(steps)
    open_empty_file()
    steps.close()
    assert [scene.name for scene in bpy.data.scenes] == ["Scene"]
    assert (
        len(finish(snapshot(*soup(), smooth=False), frame(soup()[0], fibonacci_directions(1), 32), renderer).depth) == 1
    )


@pytest.mark.skipif("gpu" not in RENDERERS, reason="the gpu module cannot draw here")
def test_the_drawing_state_stays_as_it_was() -> None:
    import gpu

    gpu.state.depth_test_set("GREATER")
    gpu.state.depth_mask_set(False)
    gpu.state.blend_set("ADDITIVE")
    list(steps_of_a_render("gpu"))
    assert gpu.state.depth_test_get() == "GREATER"
    assert gpu.state.depth_mask_get() is False
    assert gpu.state.blend_get() == "ADDITIVE"
    gpu.state.depth_test_set("NONE")
    gpu.state.blend_set("NONE")


# Faults


def test_no_temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    scenes = len(bpy.data.scenes)
    with pytest.raises(StorageError, match="missing"):
        list(steps_of_a_render("cycles"))
    assert len(bpy.data.scenes) == scenes


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on file sizes")
def test_no_space_for_a_view(temporary_folder: Path) -> None:
    import resource

    data = {name: len(getattr(bpy.data, name)) for name in ("scenes", "objects", "meshes", "materials", "cameras")}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(StorageError):
            list(steps_of_a_render("cycles"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert data == {name: len(getattr(bpy.data, name)) for name in data}
    assert not list(temporary_folder.iterdir())


def test_too_many_triangles() -> None:
    mesh = snapshot(*soup(), smooth=False)
    views = frame(mesh.vertices, fibonacci_directions(1), 32)
    many = np.broadcast_to(mesh.faces[:1], (passes.MOST_TRIANGLES + 1, 3))
    with pytest.raises(InputError, match="16,777,216 triangles"):
        next(passes.render(Snapshot(**{**vars(mesh), "faces": many}), views))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux finds its driver through EGL")
def test_without_a_driver_cycles_is_left() -> None:
    script = (
        "from meshkin.scene.render import passes; import os; "
        "print(passes.available_renderers(), flush=True); os._exit(0)"
    )
    core = str(CORE)
    environment = {**os.environ, "PYTHONPATH": core, "__EGL_VENDOR_LIBRARY_FILENAMES": "/none"}
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "('cycles',)"


# Pictures


def test_pictures(tmp_path: Path) -> None:
    mesh = snapshot(*blob(20, 20), smooth=True)
    result = finish(mesh, frame(mesh.vertices, fibonacci_directions(2), 48))
    files = passes.save_pictures(result, tmp_path / "bilder é")
    assert [file.name for file in files] == ["normal_000.png", "depth_000.png", "normal_001.png", "depth_001.png"]
    for view in range(2):
        seen = np.isfinite(result.depth[view])
        normal, depth = (read_png(file) for file in files[2 * view : 2 * view + 2])
        expected = (result.normal[view][seen].astype(np.float64) + 1) / 2
        np.testing.assert_allclose(normal[seen], expected, atol=1 / 255)
        assert not normal[~seen].any()
        assert not depth[~seen].any()
        assert np.corrcoef(depth[seen][:, 0], result.depth[view][seen])[0, 1] < -0.999
        assert depth[seen].max() == 1


def read_png(file: Path) -> NDArray[np.float32]:
    image = bpy.data.images.load(str(file))
    image.colorspace_settings.name = "Non-Color"
    pixels = np.empty(4 * image.size[0] * image.size[1], np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(image.size[1], image.size[0], 4)[::-1, :, :3]
