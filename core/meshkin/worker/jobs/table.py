"""All jobs."""

from __future__ import annotations

from typing import Any

from ..job import table
from . import attributes, examination, maintenance, matching, rig, texture, untyped, weights

JOBS: dict[str, Any] = {
    **untyped.JOBS,
    **table(
        matching.match_shapes,
        matching.compose_maps,
        rig.extract_skeleton,
        rig.pose_shape,
        rig.fit_bones,
        texture.unwrap_shape,
        texture.bake_materials,
        texture.texture_photo,
        weights.is_garment,
        weights.transfer_weights,
        weights.transfer_loose_parts,
        attributes.carry_values,
        attributes.carry_strands,
        maintenance.fetch_models,
        maintenance.list_models,
        maintenance.look_at_cache,
        maintenance.clear_cache,
        examination.examine_worker,
    ),
}
"""Every job by the name that a :class:`meshkin.worker.messages.Run` calls it by."""
