"""What a picture of a data set costs beside Cycles itself.

    BLENDER-PYTHON tests/benchmarks/dataset_speed.py [--count 20] [--resolution 512] [--samples 32] [--levels 3,2,3]
                                                     [--noisy] [--folder FOLDER]

The scene: a rounded shape for each level of subdivision (level 2 has 7,958 vertices), a floor and a light. "Beside
Cycles" is all but the render of the picture: what pixels show, masks, key points, and writing everything to the disk.
Of many pictures it tells tenths: where time or memory grew with what is done already, they would rise. ``--noisy``
leaves the pictures as Cycles' few samples make them, which takes a tenth of the time.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import bpy

from meshkin.dataset.options import DatasetOptions
from meshkin.dataset.record import DataFolder
from meshkin.scene.dataset import studio
from meshkin.scene.dataset.shooting import Shooting, keep

TENTHS_FROM = 100
"""Pictures from which on tenths are told."""


def scene(levels: list[int]) -> list[bpy.types.Object]:
    """The objects, in an empty file."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.mesh.primitive_plane_add(size=30)
    light = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    bpy.context.scene.collection.objects.link(light)
    found = []
    for number, level in enumerate(levels):
        bpy.ops.mesh.primitive_monkey_add(location=(3 * number, 0, 1))
        obj = bpy.context.object
        modifier = obj.modifiers.new("Subdivision", "SUBSURF")
        modifier.levels, modifier.render_levels = 0, level
        found.append(obj)
    return found


def memory() -> str:
    """What this process holds, and the most that it has held, MB; the former on Linux alone."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    if sys.platform != "linux":
        return f"at most {most:,.0f} MB"
    held = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
    return f"{held:,.0f} MB held, at most {most:,.0f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--resolution", type=int, default=512)
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--levels", default="3,2,3", help="subdivisions of the shapes, between commas")
    parser.add_argument("--noisy", action="store_true", help="without denoising")
    parser.add_argument("--folder", type=Path, help="keeps the set; else it is removed")
    chosen = parser.parse_args()
    options = DatasetOptions(count=chosen.count, resolution=chosen.resolution, samples=chosen.samples)
    objects = scene([int(level) for level in chosen.levels.split(",")])
    bpy.context.scene.cycles.use_denoising = not chosen.noisy
    work = Shooting.of(objects, options)
    renders: list[float] = []
    take = studio.Studio.picture

    def timed(self: studio.Studio) -> bytes:
        began = time.process_time()
        content = take(self)
        renders.append(time.process_time() - began)
        return content

    studio.Studio.picture = timed  # type: ignore[method-assign]
    whole: list[float] = []
    with tempfile.TemporaryDirectory() as place, work.studio() as opened:
        began = time.process_time()
        work.begin(opened)
        print(f"reading the scene: {time.process_time() - began:.2f} s")
        vertices = sum(len(shape[0]) for shape in work.models.shapes)
        folder = DataFolder(chosen.folder or Path(place))
        tenth = max(chosen.count // 10, 1)
        for number in range(chosen.count):
            began = time.process_time()
            keep(folder, work.take(opened, number))
            whole.append(time.process_time() - began)
            if chosen.count >= TENTHS_FROM and (number + 1) % tenth == 0:
                own = [each - render for each, render in zip(whole[-tenth:], renders[-tenth:], strict=True)]
                beside = statistics.median(own)
                print(f"  {number + 1:,} pictures: {beside:.2f} s beside Cycles; {memory()}", flush=True)
        size = sum(file.stat().st_size for file in folder.path.rglob("*") if file.is_file()) / chosen.count
    all_beside = [each - render for each, render in zip(whole, renders, strict=True)]
    print(f"models of {vertices:,} vertices, {chosen.resolution} pixels, {chosen.samples} samples")
    print(f"Cycles: {statistics.median(renders):.2f} s of processors a picture (median of {chosen.count})")
    print(
        f"beside Cycles: {statistics.median(all_beside):.2f} s of a processor, at most {max(all_beside):.2f} s; "
        f"{size / 1e6:.1f} MB on disk"
    )


if __name__ == "__main__":
    main()
