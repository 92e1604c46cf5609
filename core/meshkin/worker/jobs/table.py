"""All jobs."""

from __future__ import annotations

from ..job import table
from . import (
    attributes,
    datasets,
    examination,
    families,
    features,
    heads,
    maintenance,
    matching,
    parts,
    photo,
    rig,
    texture,
    weights,
)

JOBS = table(
    features.plan_features,
    features.load_models,
    features.compute_features,
    features.color_features,
    features.make_contact_sheet,
    heads.check_head,
    heads.learn_head,
    matching.is_copy,
    matching.match_shapes,
    matching.compose_maps,
    parts.find_shape_parts,
    families.learn_family,
    families.import_model,
    datasets.write_formats,
    datasets.check_dataset,
    photo.check_photo,
    photo.match_photo,
    texture.unwrap_shape,
    texture.bake_materials,
    texture.texture_photo,
    weights.is_garment,
    weights.transfer_weights,
    weights.transfer_loose_parts,
    rig.extract_skeleton,
    rig.fit_bones,
    rig.pose_shape,
    attributes.carry_values,
    attributes.carry_strands,
    maintenance.fetch_models,
    maintenance.list_models,
    maintenance.look_at_cache,
    maintenance.clear_cache,
    maintenance.set_cache_limit,
    examination.examine_worker,
)
"""Every job by the name that a :class:`meshkin.worker.messages.RunMessage` calls it by."""
