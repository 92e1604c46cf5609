"""What values on a mesh mean. It needs no library, so that it can be read inside Blender."""

from __future__ import annotations

from typing import Literal

Domain = Literal["POINT", "EDGE", "FACE", "CORNER"]
"""What has a value each, as Blender calls it."""

Kind = Literal["numbers", "labels", "rotations", "uv_map", "offsets", "detail"]
"""What values are: numbers, which are averaged; labels (whole numbers, truth values), of which the majority counts;
rotations, as quaternions (w, x, y, z); a UV map; offsets, which turn and scale with the surface; or the sculpted detail
of the source, for which no values are given."""

DETAIL_RADIUS = 2.0
"""Sculpted detail is what is smaller than this, in hundredths of the square root of the source's area. Chosen."""
