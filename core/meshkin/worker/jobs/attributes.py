"""Jobs about values on a mesh and hair."""

from __future__ import annotations

from ...base.progress import ProgressCallback
from ...data.snapshot import Snapshot
from ...data.surface_map import Match
from ..requests.arrays import load_array, save_array
from ..requests.attributes import CarriedStrands, CarriedValues, CarryStrands, CarryValues, StrandArrays


def carry_values(request: CarryValues, report: ProgressCallback) -> CarriedValues:
    """Carry values of any domain, UV maps, displacements or detail to a target's own mesh."""
    from ...transfer.attributes.domains import carry_given

    to_source = Match.load(request.map).to_source.at(load_array(request.original))
    source, own = Snapshot.load(request.source), Snapshot.load(request.own)
    edges = [load_array(path) for path in (request.source_edges, request.own_edges)]
    values = [
        {"mode": item.mode, "domain": item.domain, "label": item.label, "values": load_array(item.values)}
        for item in request.values
    ]
    report("Carrying values", 0)
    carried = carry_given(source, own, to_source, edges, values, request.radius)
    return CarriedValues(
        tuple(save_array(request.folder / f"carried{number}.npy", result) for number, result in enumerate(carried))
    )


def carry_strands(request: CarryStrands, report: ProgressCallback) -> CarriedStrands:
    """Carry hair to a target."""
    from ...transfer.attributes import hair

    match = Match.load(request.map)
    report("Carrying hair", 0)
    source, target = Snapshot.load(request.source), Snapshot.load(request.target)
    points, first = load_array(request.points), load_array(request.first)
    carried = StrandArrays(*hair.carry_strands(source, target, match.to_target, points, first))
    return CarriedStrands(carried.save(request.output))
