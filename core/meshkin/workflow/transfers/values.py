"""Values on a mesh: attributes, material assignments, UV maps, shape keys and sculpted detail."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...base.progress import Progress
from ...data.snapshot import Snapshot
from ...scene.mesh import attributes, payloads, rest, shape_keys
from ...scene.mesh import snapshot as snapshots
from ...scene.mesh import uv_maps as uv_layouts
from ...scene.objects import BlenderObject, Handle
from ...scene.rig import binding
from ...transfer.attributes.kinds import Domain, Kind
from ...worker import client
from ...worker.requests.arrays import load_array, save_array
from ...worker.requests.attributes import CarryValues, ValuesToCarry
from ..characters import split
from ..doubts import fold_warnings
from ..options import Options, Remark, ResultWarning
from .context import Carrier, Transfer, Write

_COLUMNS: dict[Kind, int] = {"rotations": 4, "uv_map": 2, "offsets": 3, "detail": 3}
"""Numbers of a carried value, where these are not as many as the source's."""


@dataclass(frozen=True)
class _Values:
    """Values to carry; the first fields are those of :class:`meshkin.worker.requests.attributes.ValuesToCarry`, and
    ``label`` is what a warning about displacements calls them."""

    kind: Kind
    domain: Domain
    values: NDArray[Any]
    label: str = ""


@dataclass(frozen=True)
class _Reading:
    """What was read from the source.

    Attributes:
        values: to be carried, one after the other.
        write: writes the carried values, (M, C) each, to one of the target's meshes; returns a sentence about each.
        left_out: warnings about what was not read, because it could not be written.
        at_rest: the source's shape at rest, if the values are displacements of it.
    """

    values: list[_Values]
    write: Callable[[BlenderObject, list[NDArray[Any]]], list[str]]
    left_out: list[Remark] = field(default_factory=list)
    at_rest: Snapshot | None = None


_Read = Callable[[BlenderObject, Sequence[BlenderObject], Snapshot, Sequence[str]], _Reading]
"""Reads from a source, of which there is a snapshot, what the target's meshes can be given; names limit it, if any."""
_Check = Callable[[BlenderObject, BlenderObject, Options], None]


def _carrier(what: str, check: _Check, read: _Read) -> Carrier:
    """The carrier of values that are read so; ``what`` are they, in a few words."""

    def carry(transfer: Transfer) -> Generator[Progress, None, Write]:
        yield Progress(f"Reading {what}", 0)
        source, targets, pieces = transfer.source.handle.get(), transfer.target.objects(), transfer.target.pieces
        reading = read(source, targets, transfer.source.snapshot, transfer.options.attributes.names)
        folder = transfer.folder / what.replace(" ", "-")
        folder.mkdir()
        place = rest.own_mesh_at_rest if reading.at_rest else snapshots.own_mesh_in_place
        own = [place(target, piece.snapshot) for target, piece in zip(targets, pieces, strict=True)]
        source_file = reading.at_rest.save(folder / "source.npz") if reading.at_rest else transfer.source_file
        counts = [[attributes.own_count(target, item.domain) for target in targets] for item in reading.values]
        columns = [_COLUMNS.get(item.kind) or item.values.shape[1] for item in reading.values]
        answer = yield from client.shared().run(
            CarryValues(
                source=source_file,
                own=Snapshot.joined(own).save(folder / "own.npz"),
                original=save_array(folder / "original.npy", transfer.target.snapshot.original),
                map=transfer.map,
                source_edges=save_array(folder / "source-edges.npy", attributes.evaluated_edges(source)),
                own_edges=save_array(folder / "own-edges.npy", _own_edges(targets)),
                values=tuple(
                    ValuesToCarry(item.kind, item.domain, save_array(folder / f"values{number}.npy", item.values))
                    for number, item in enumerate(reading.values)
                ),
                folder=folder,
            )
        )
        carried = [
            split(load_array(path, "NC", N=sum(count), C=width), count)
            for path, count, width in zip(answer.values, counts, columns, strict=True)
        ]

        def write() -> list[Remark]:
            sentences: list[str] = []
            for number, target in enumerate(transfer.target.objects()):
                sentences += reading.write(target, [values[number] for values in carried])
            shares = {item.label: share for item, share in zip(reading.values, answer.folded, strict=True)}
            return [*dict.fromkeys(sentences), *fold_warnings(shares), *reading.left_out]

        return write

    return Carrier(check, carry)


def _own_edges(targets: Sequence[BlenderObject]) -> NDArray[np.int32]:
    """The two vertices of each edge of several meshes, int32 (E, 2), their vertices counted end to end."""
    starts = np.cumsum([0, *(attributes.own_count(target, "POINT") for target in targets)])
    return np.concatenate(
        [attributes.own_edges(target) + start for target, start in zip(targets, starts, strict=False)]
    ).astype(np.int32)


def _check_attributes(source: BlenderObject, target: BlenderObject, options: Options) -> None:
    names = attributes.transferable(source, options.attributes.names)
    if not names:
        raise InputError(
            "no-attributes", f"“{source.name}” has no attributes that can be carried.", "Paint or add one first."
        )
    if not any(attributes.can_be_named(target, name) for name in names):
        attributes.check_name(target, names[0])


def _read_attributes(
    obj: BlenderObject, targets: Sequence[BlenderObject], snapshot: Snapshot, names: Sequence[str]
) -> _Reading:
    present = attributes.read(obj, snapshot, names)
    free = {
        name: [attributes.can_be_named(target, name) for target in targets] for name in (one.name for one in present)
    }
    source_attributes = [attribute for attribute in present if any(free[attribute.name])]
    taken = [attribute.name for attribute in present if not all(free[attribute.name])]

    def write(target: BlenderObject, carried: list[NDArray[Any]]) -> list[str]:
        return [
            attributes.write_transferred(target, attribute, values)
            for attribute, values in zip(source_attributes, carried, strict=True)
            if attributes.can_be_named(target, attribute.name)
        ]

    return _Reading(
        [
            _Values(
                _kind(attribute),
                cast(Domain, attribute.domain),  # checked when it arrives at the worker
                attribute.values,
            )
            for attribute in source_attributes
        ],
        write,
        _not_carried("attribute-taken", "attributes, whose names the target uses otherwise", taken),
    )


def _kind(attribute: attributes.Attribute) -> Kind:
    if attribute.type == "QUATERNION":
        return "rotations"
    return "labels" if attribute.type in attributes.DISCRETE_TYPES else "numbers"


def _check_materials(source: BlenderObject, target: BlenderObject, options: Options) -> None:
    if source.type != "MESH" or not any(slot.material for slot in source.material_slots):
        raise InputError("no-materials", f"“{source.name}” has no materials.", "Give its faces materials first.")


def _read_materials(
    obj: BlenderObject, targets: Sequence[BlenderObject], snapshot: Snapshot, names: Sequence[str]
) -> _Reading:
    with snapshots.evaluated(obj) as (evaluated_object, mesh):
        materials = snapshots.slot_materials(evaluated_object, mesh)

    def write(target: BlenderObject, carried: list[NDArray[Any]]) -> list[str]:
        return [payloads.write_materials(target, materials, carried[0][:, 0])]

    return _Reading([_Values("labels", "FACE", snapshot.polygon_materials()[:, None])], write)


def _check_uvs(source: BlenderObject, target: BlenderObject, options: Options) -> None:
    if source.type != "MESH" or not source.data.uv_layers:
        raise InputError("no-uvs", f"“{source.name}” has no UV map.", "Unwrap it first (UV > Smart UV Project).")
    chosen = _chosen([layer.name for layer in source.data.uv_layers], options.attributes.names)
    if not chosen:
        raise InputError("no-uvs", f"“{source.name}” has no UV map of this name.", "Choose one that it has.")
    payloads.check_room_for_uv_maps(target, chosen)


def _read_uvs(
    obj: BlenderObject, targets: Sequence[BlenderObject], snapshot: Snapshot, names: Sequence[str]
) -> _Reading:
    chosen = _chosen([layer.name for layer in obj.data.uv_layers], names)
    wanted = chosen
    rooms = [payloads.uv_maps_with_room(target, wanted) for target in targets]
    chosen = [name for name in wanted if all(name in room for room in rooms)]
    too_many = [name for name in wanted if name not in chosen]
    uv_maps = uv_layouts.layouts(obj, snapshot, chosen)

    def write(target: BlenderObject, carried: list[NDArray[Any]]) -> list[str]:
        return [payloads.write_uv_map(target, name, values) for name, values in zip(chosen, carried, strict=True)]

    left_out = _not_carried("uv-maps-full", "UV maps, for which the target has no room", too_many)
    return _Reading([_Values("uv_map", "CORNER", uv_maps[name]) for name in chosen], write, left_out)


def _check_shape_keys(source: BlenderObject, target: BlenderObject, options: Options) -> None:
    present = [key.name for key in shape_keys.read(source)]
    chosen = _chosen(present, options.attributes.names)
    if not chosen:
        of_name = " of this name" if options.attributes.names and present else ""
        raise InputError(
            "no-shape-keys", f"“{source.name}” has no shape keys{of_name}.", "Choose a source that has some."
        )
    shape_keys.displacements(source, snapshots.take(source), chosen[:1])


def _read_shape_keys(
    obj: BlenderObject, targets: Sequence[BlenderObject], snapshot: Snapshot, names: Sequence[str]
) -> _Reading:
    keys = [key for key in shape_keys.read(obj) if not names or key.name in names]
    chosen, source = [key.name for key in keys], Handle.of(obj)

    def write(target: BlenderObject, carried: list[NDArray[Any]]) -> list[str]:
        sentences = [
            shape_keys.write(target, key.name, values, slider=key.slider, mute=key.mute)
            for key, values in zip(keys, carried, strict=True)
        ]
        rigs = binding.counterparts(source.get(), target)
        sentences += shape_keys.copy_drivers(source.get(), target, chosen, rigs)
        return sentences + shape_keys.copy_keyframes(source.get(), target)

    at_rest, offsets = shape_keys.displacements(obj, snapshot, chosen, targets)
    values = [
        _Values("offsets", "POINT", moved, f"Shape key “{key}”") for key, moved in zip(chosen, offsets, strict=True)
    ]
    return _Reading(values, write, at_rest=at_rest)


def _check_detail(source: BlenderObject, target: BlenderObject, options: Options) -> None:
    """Every source has detail."""


def _read_detail(
    obj: BlenderObject, targets: Sequence[BlenderObject], snapshot: Snapshot, names: Sequence[str]
) -> _Reading:
    def write(target: BlenderObject, carried: list[NDArray[Any]]) -> list[str]:
        return [shape_keys.write(target, f"Detail of {name}", carried[0])]

    name, at_rest = obj.name, snapshot
    with contextlib.suppress(InputError):  # modifiers that make other vertices: the pose is part of the detail then
        at_rest = rest.at_rest(obj, snapshot)
    return _Reading([_Values("detail", "POINT", np.zeros(0, np.float32), "The detail")], write, at_rest=at_rest)


def unknown_names(source: BlenderObject, what: Sequence[str], options: Options) -> list[Remark]:
    """A warning about names that nothing of what is carried has, if any were asked for."""
    present: set[str] = set()
    if "attributes" in what:
        present.update(attributes.transferable(source, options.attributes.names))
    if "uvs" in what:
        present.update(layer.name for layer in source.data.uv_layers)
    if "shape_keys" in what:
        present.update(key.name for key in shape_keys.read(source))
    named = {"attributes", "uvs", "shape_keys"}.intersection(what)
    unknown = [name for name in options.attributes.names if name not in present] if named else []
    return _not_carried("names-unknown", f"names that “{source.name}” does not have", unknown)


def _not_carried(code: str, what: str, names: Sequence[str]) -> list[Remark]:
    """A warning that something was left out; none without names."""
    listed = ", ".join(f"“{name}”" for name in names)
    return [ResultWarning(code, f"Not carried, {what}: {listed}.")] if names else []


def _chosen(present: list[str], names: Sequence[str]) -> list[str]:
    """Those of the names that are chosen; all if there is no choice."""
    return [name for name in present if not names or name in names]


ATTRIBUTES = _carrier("attributes", _check_attributes, _read_attributes)
MATERIALS = _carrier("materials", _check_materials, _read_materials)
UVS = _carrier("uvs", _check_uvs, _read_uvs)
SHAPE_KEYS = _carrier("shape keys", _check_shape_keys, _read_shape_keys)
DETAIL = _carrier("detail", _check_detail, _read_detail)
