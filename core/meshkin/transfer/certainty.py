"""Where a map is certain: where the target is a copy of the source, turned, scaled and shifted as a whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.snapshot import Snapshot
from ..data.surface_map import SurfaceMap
from ..geometry.adjacency import loose_parts
from ..geometry.arrays import Flags
from ..geometry.mesh import bounding_diagonal
from ..geometry.rigid_motions import SAME_PLACE, Similarity, common_similarity

LEAST_SHARE = 0.5
"""Share of all vertices, and of those of a loose part, that must be copies: a few lie at the right place by chance.
Chosen."""


@dataclass(frozen=True)
class Certainty:
    """Where a map leads from a shape to its copy. What is transferred there is to arrive as it is.

    Attributes:
        vertices: bool (V,), the vertices of the map's domain that are copies of their points.
        motion: how the range, turned, scaled and shifted, lies on the domain there; of no meaning if none is a copy.
    """

    vertices: Flags
    motion: Similarity

    @property
    def everywhere(self) -> bool:
        """Whether the whole shape is a copy."""
        return bool(self.vertices.all())


def certainty(to_range: SurfaceMap, surface: Snapshot, domain: Snapshot) -> Certainty:
    """Return where a map between two shapes is certain.

    The points that the map leads to are brought onto the vertices that it leads from by the similarity that fits most
    of them. Where this leaves nothing over, map and shapes agree exactly: no better answer is possible. Of a loose part
    that only crosses the other surface nothing is certain.

    Args:
        to_range: every vertex's point on the other surface.
        surface: the surface that it leads to.
        domain: the shape whose vertices it maps.
    """
    vertices = np.asarray(domain.vertices, np.float64)
    tolerance = SAME_PLACE * bounding_diagonal(vertices)
    mapped = to_range.pull(surface.vertices, surface.faces)
    motion = common_similarity(mapped, vertices, tolerance)
    same = np.asarray(np.linalg.norm(motion.apply(mapped) - vertices, axis=1) <= tolerance)
    part = loose_parts(domain.vertices, domain.faces).of_vertex
    same &= (np.bincount(part, same) >= LEAST_SHARE * np.bincount(part))[part]
    return Certainty(same if same.mean() >= LEAST_SHARE else np.zeros_like(same), motion)
