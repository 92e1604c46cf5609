"""Attributes, material assignments, UV maps, shape keys, sculpted detail and hair from source to target."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from ..base.progress import Progress
from ..base.storage import readable_failure
from ..data.snapshot import Snapshot
from ..scene.mesh import attributes, hair, payloads
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import BlenderObject

KINDS = ("attributes", "materials", "uvs", "shape_keys", "detail", "hair")
"""What this module carries."""
DETAIL = 2.0
"""Detail is what is smaller than this, in hundredths of the square root of the source's area."""

Run = Callable[..., Generator[Progress, None, dict[str, Any]]]
Write = Callable[[BlenderObject], list[str]]


def check(kind: str, source: BlenderObject, target: BlenderObject, names: Sequence[str]) -> None:
    """Raise InputError where the source has nothing of this kind (and of these names): ``no-attributes``,
    ``no-materials``, ``no-uvs``, ``no-shape-keys``, ``no-hair``; or the target has no room for it: ``uv-maps-full``."""
    name = source.name
    mesh = source.data if source.type == "MESH" else None
    if kind == "attributes" and not attributes.transferable(source, names):
        raise InputError("no-attributes", f"“{name}” has no attributes that can be carried.", "Paint or add one first.")
    if kind == "materials" and not (mesh and any(slot.material for slot in source.material_slots)):
        raise InputError("no-materials", f"“{name}” has no materials.", "Give its faces materials first.")
    if kind == "uvs":
        if not (mesh and mesh.uv_layers):
            raise InputError("no-uvs", f"“{name}” has no UV map.", "Unwrap it first (UV > Smart UV Project).")
        found = _of_names([layer.name for layer in mesh.uv_layers], names)
        if not found:
            raise InputError("no-uvs", f"“{name}” has no UV map of this name.", "Choose one that it has.")
        payloads.check_uv_map_count(target, len(found))
    if kind == "shape_keys" and not _of_names([key.name for key in payloads.shape_keys(source)], names):
        called = " of this name" if names and payloads.shape_keys(source) else ""
        raise InputError("no-shape-keys", f"“{name}” has no shape keys{called}.", "Choose a source that has some.")
    if kind == "hair" and not hair.growing_on(source):
        raise InputError(
            "no-hair",
            f"No hair curves grow on “{name}”.",
            "Choose a source that has some; a particle system becomes such by Object > Convert > Curves.",
        )


def carry(
    kind: str,
    source: BlenderObject,
    target: BlenderObject,
    source_shape: Snapshot,
    target_shape: Snapshot,
    names: Sequence[str],
    run: Run,
    folder: Path,
) -> Generator[Progress, None, Write]:
    """Carry one kind of thing; what writes it comes back.

    Args:
        kind: of :data:`KINDS`.
        source, target: the objects.
        source_shape, target_shape: their snapshots.
        names: the attributes, UV maps or shape keys to carry; () for all.
        run: runs a job of the worker on both snapshots and the map.
        folder: for bulk data.
    """
    yield Progress(f"Reading {kind.replace('_', ' ')}", 0)
    if kind == "hair":
        return (yield from _carry_hair(source, run, folder))
    read = {
        "attributes": _read_attributes,
        "materials": _read_materials,
        "uvs": _read_uvs,
        "shape_keys": _read_shape_keys,
        "detail": _read_detail,
    }[kind]
    given, write = read(source, source_shape, names)
    own, edges = snapshots.own_mesh_in_place(target, target_shape), attributes.own_edges(target)
    own.save(folder / "own.npz")
    jobs = []
    for number, (mode, domain, label, values) in enumerate(given):
        path = folder / f"{kind}{number}.npy"
        _save(path, values)
        jobs.append({"mode": mode, "domain": domain, "label": label, "values": str(path)})
    _save(folder / "own-edges.npy", edges)
    _save(folder / "source-edges.npy", attributes.evaluated_edges(source))
    _save(folder / "original.npy", target_shape.original)
    answer = yield from run(
        "domains", own=str(folder / "own.npz"), original=str(folder / "original.npy"), given=jobs, radius=DETAIL,
        edges=[str(folder / "source-edges.npy"), str(folder / "own-edges.npy")],
        output=str(folder / f"{kind}.npz"),
    )  # fmt: skip
    with np.load(answer["output"], allow_pickle=False) as data:
        carried = [data[str(number)] for number in range(len(jobs))]
    return lambda obj: write(obj, carried)


Given = tuple[str, str, bool, NDArray[Any]]
"""Mode ("values", "uvs", "offsets", "detail"), domain, whether it is a label, and the values."""
Reading = tuple[list[Given], Callable[[BlenderObject, list[NDArray[Any]]], list[str]]]


def _read_attributes(obj: BlenderObject, shape: Snapshot, names: Sequence[str]) -> Reading:
    found = attributes.read(obj, shape, names)
    given = [
        (
            "values",
            one.domain,
            one.type in attributes.DISCRETE_TYPES,
            _products(one.values) if _turns(one) else one.values,
        )
        for one in found
    ]

    def write(target: BlenderObject, carried: list[NDArray[Any]]) -> list[str]:
        return [
            attributes.write_transferred(target, one, _quaternions(values) if _turns(one) else values)
            for one, values in zip(found, carried, strict=True)
        ]

    return given, write


def _turns(attribute: attributes.Attribute) -> bool:
    return attribute.type == "QUATERNION"


def _products(quaternions: NDArray[Any]) -> NDArray[np.float32]:
    """Rotations (N, 4) as what can be averaged, (N, 16): a quaternion and its negative, which turn alike, are the
    same there (Markley and others, Averaging Quaternions, 2007)."""
    return np.asarray(np.einsum("ni,nj->nij", quaternions, quaternions).reshape(-1, 16), np.float32)


def _quaternions(products: NDArray[Any]) -> NDArray[np.float32]:
    """The unit quaternions (N, 4) of averages of :func:`_products`; no rotation where there is nothing."""
    matrices = products.reshape(-1, 4, 4).astype(np.float64)
    largest = np.linalg.eigh(matrices)[1][..., -1]
    largest[np.trace(matrices, axis1=1, axis2=2) < 1e-12] = (1, 0, 0, 0)
    return np.where(largest[:, :1] < 0, -largest, largest).astype(np.float32)


def _read_materials(obj: BlenderObject, shape: Snapshot, names: Sequence[str]) -> Reading:
    count = int(shape.polygons.max(initial=-1)) + 1
    numbers = np.zeros((count, 1), np.int32)
    numbers[shape.polygons, 0] = shape.materials
    with snapshots.evaluated(obj) as (result, mesh):
        materials = snapshots.slot_materials(result, mesh)

    def write(target: BlenderObject, carried: list[NDArray[Any]]) -> list[str]:
        return [payloads.write_materials(target, materials, carried[0][:, 0])]

    return [("values", "FACE", True, numbers)], write


def _read_uvs(obj: BlenderObject, shape: Snapshot, names: Sequence[str]) -> Reading:
    chosen = _of_names([layer.name for layer in obj.data.uv_layers], names)
    layouts = snapshots.uv_layouts(obj, shape, chosen)

    def write(target: BlenderObject, carried: list[NDArray[Any]]) -> list[str]:
        return [payloads.write_uv_map(target, name, values) for name, values in zip(chosen, carried, strict=True)]

    return [("uvs", "CORNER", False, layouts[name]) for name in chosen], write


def _read_shape_keys(obj: BlenderObject, shape: Snapshot, names: Sequence[str]) -> Reading:
    found = [key for key in payloads.shape_keys(obj) if not names or key.name in names]
    given: list[Given] = []
    for key in found:
        if len(key.offsets) != len(shape.original):
            raise InputError("mesh-changed", f"“{obj.name}” was changed while the job ran.", "Run the job again.")
        known = np.unique(shape.original)
        if len(known) != len(shape.vertices):
            raise InputError(
                "modifiers-in-the-way",
                f"The modifiers of “{obj.name}” add vertices, which its shape keys do not move.",
                "Switch its Subdivision (or the like) off in the viewport for the transfer.",
            )
        values = np.zeros((len(shape.vertices), 3), np.float32)
        values[shape.original] = key.offsets
        given.append(("offsets", "POINT", False, values))

    def write(target: BlenderObject, carried: list[NDArray[Any]]) -> list[str]:
        return [
            payloads.write_shape_key(target, key.name, values, slider=key.slider, mute=key.mute)
            for key, values in zip(found, carried, strict=True)
        ]

    return given, write


def _read_detail(obj: BlenderObject, shape: Snapshot, names: Sequence[str]) -> Reading:
    def write(target: BlenderObject, carried: list[NDArray[Any]]) -> list[str]:
        return [payloads.write_shape_key(target, f"Detail of {obj.name}", carried[0])]

    return [("detail", "POINT", False, np.zeros(0, np.float32))], write


def _carry_hair(source: BlenderObject, run: Run, folder: Path) -> Generator[Progress, None, Write]:
    carried = []
    for number, one in enumerate(hair.read(source)):
        paths = {name: str(folder / f"hair{number}-{name}.npy") for name in ("points", "first")}
        _save(Path(paths["points"]), one.points)
        _save(Path(paths["first"]), one.first)
        answer = yield from run("strands", **paths, output=str(folder / f"hair{number}.npz"))
        with np.load(answer["output"], allow_pickle=False) as data:
            carried.append((one, data["points"], data["roots"]))
    return lambda obj: [hair.write(obj, one, points, roots) for one, points, roots in carried]


def _of_names(present: list[str], names: Sequence[str]) -> list[str]:
    return [name for name in present if not names or name in names]


def _save(path: Path, values: NDArray[Any]) -> None:
    with readable_failure(path, "writing"):
        np.save(path, values, allow_pickle=False)
