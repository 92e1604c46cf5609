"""Where the texels of a picture come from: made once for a picture, used for all channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...base.progress import ProgressCallback, silent
from ...base.threads import in_order
from ...geometry.arrays import Integers, ShortIntegers, Singles
from ..carrier import Correspondence, PointCarrier
from .texels import TexelMap

CARRY_BLOCK = 1 << 17
"""Most texels carried at a time. Chosen, to bound memory."""


@dataclass(frozen=True)
class TexelCorrespondence:
    """The covered texels of a picture and where they lie on the source.

    Attributes:
        texel: int64 (N,), the covered texels' numbers, row by row, ascending.
        target_face: int32 (N,), the triangle of the target that the texel shows.
        source_face: int32 (N,), triangle of the source.
        source_weights: float32 (N, 3), barycentric coordinates in it.
        confidence: float32 (N,), of the map.
    """

    texel: Integers
    target_face: ShortIntegers
    source_face: ShortIntegers
    source_weights: Singles
    confidence: Singles

    def points(self, part: slice, texels: TexelMap) -> Correspondence:
        """Some of the texels as points of both surfaces; ``texels`` is the map that they are of."""
        target_weights = texels.barycentric.reshape(-1, 3)[self.texel[part]]
        return Correspondence(self.target_face[part], target_weights, self.source_face[part], self.source_weights[part])


def texel_correspondence(
    texels: TexelMap, carrier: PointCarrier, report: ProgressCallback = silent
) -> TexelCorrespondence:
    """Carry every covered texel of a picture to the source.

    Args:
        texels: what the texels show of the target.
        carrier: carries points of the target.
        report: called with the progress; may raise Cancelled.
    """
    covered = np.flatnonzero(texels.covered)
    face, barycentric = texels.face.ravel(), texels.barycentric.reshape(-1, 3)
    count = len(covered)
    target_face, source_face = np.empty(count, np.int32), np.empty(count, np.int32)
    source_weights, confidence = np.empty((count, 3), np.float32), np.empty(count, np.float32)

    def carry_block(start: int) -> int:
        part = slice(start, start + CARRY_BLOCK)
        texel = covered[part]
        target_face[part] = face[texel]
        target_weights = barycentric[texel]
        source_face[part], source_weights[part] = carrier.carry(target_face[part], target_weights)
        confidence[part] = carrier.confidence(target_face[part], target_weights)
        return start

    for start in in_order(carry_block, range(0, count, CARRY_BLOCK)):
        report("Finding each texel on the source", start / count)
    return TexelCorrespondence(covered, target_face, source_face, source_weights, confidence)
