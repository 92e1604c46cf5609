"""What can be tuned about textures, a dataclass for each stage. All values were chosen, not measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Tiles = Literal["auto", "udim", "one"]


@dataclass(frozen=True)
class SamplingSettings:
    """How the source's pictures are sampled.

    Attributes:
        most_taps: most samples along the longer side of a texel's footprint.
        sharp_length: footprints no longer than this many texels of the picture need no smaller copy of it.
        most_layers: a layout whose triangles' areas add up to more unit squares than this repeats the picture: it has
            no islands.
        overlap_size: width of the picture in which overlapping islands are looked for, texels.
        overlap_share: islands that share more than this of the smaller one's texels, and at least ``overlap_texels``,
            lie over each other on purpose.
        overlap_texels: see there.
    """

    most_taps: int = 4
    sharp_length: float = 1.4
    most_layers: float = 16.0
    overlap_size: int = 512
    overlap_share: float = 0.02
    overlap_texels: int = 4


@dataclass(frozen=True)
class InpaintingSettings:
    """How texture is filled in where the map is not trusted.

    Attributes:
        fade: over this much confidence above the threshold the filled texture fades into the copied one.
        piece: triangles are cut into pieces about this many texels long.
        most_points: about as many points as are solved for at most.
        most_cuts: most pieces that a triangle's edge is cut into.
    """

    fade: float = 0.1
    piece: float = 6
    most_points: int = 150_000
    most_cuts: int = 64


@dataclass(frozen=True)
class ContinuationSettings:
    """How texels of the margin show what lies across a seam.

    Attributes:
        same_picture: values no farther apart than this are of one picture; where they are farther apart the source has
            an edge, and the margin stays as it is.
        reach: in texels, how far outside of its triangle a texel's center may lie to be brought back to the surface.
        height: in texels, how far above the surface it may lie then.
    """

    same_picture: float = 0.06
    reach: float = 3
    height: float = 1


@dataclass(frozen=True)
class SeamSolverSettings:
    """How steps over seams are traded against changes of texels.

    Attributes:
        hold: how strongly texels keep their values, against one spot's wish to have no step.
        hold_decay: share of that which is left from one solution to the next.
        most_change: the most that a covered texel is changed by at a time, of values within [0, 1].
        most_iterations: of the solver.
        tolerance: of the solver, relative.
    """

    hold: float = 0.02
    hold_decay: float = 0.6
    most_change: float = 0.1
    most_iterations: int = 60
    tolerance: float = 1e-3


@dataclass(frozen=True)
class StitchingSettings:
    """How seams are stitched; values of pictures are within [0, 1].

    Attributes:
        margin_hold: how strongly a texel of the margin keeps its value, against 1 for one that is covered.
        stray_hold: the same for a texel of the margin that shows no island, or another one than it is seen with.
        most_solutions: most solutions, each of the steps that the one before has left, or made beside those that it
            removed.
        visible_step: a smaller step is not seen.
        shared_step: the largest step that is removed where texels are shared with another island, which may be of
            another color; that is done by the first ``shared_solutions`` only, since more would wear the other island's
            colors down.
        shared_solutions: see there.
        own_step: the source has a border where its picture changes across one of its seams by more than this and what
            the picture changes by beside the seam.
        slopes: in such changes, how far the texels at one spot may be apart.
        same_place: in the longest side of the source's bounding box: a spot whose two sides the map sends farther apart
            shows two different places.
        seam_reach: the source's seams within this distance of a spot show there, texels of the target.
        islands_reach: the same where the texels come from several islands of the source.
        smooth_edge: normal maps are stitched only where the cosine between the surface's normals on the two sides is
            larger.
        near_places: how many places along the source's seams are looked at for each spot.
        solver: how steps are traded against changes.
    """

    margin_hold: float = 0.25
    stray_hold: float = 0.02
    most_solutions: int = 24
    visible_step: float = 0.9 / 255
    shared_step: float = 0.1
    shared_solutions: int = 3
    own_step: float = 6 / 255
    slopes: float = 3
    same_place: float = 1e-4
    seam_reach: float = 0.25
    islands_reach: float = 5.0
    smooth_edge: float = 0.999
    near_places: int = 8
    solver: SeamSolverSettings = field(default_factory=SeamSolverSettings)


@dataclass(frozen=True)
class BakeSettings:
    """How to bake textures.

    Attributes:
        size: width and height of the baked pictures, pixels.
        margin: bake margin: by how many pixels UV islands are grown beyond their borders.
        tiles: the corners (u, v) of the unit squares of UVs (UDIM tiles) that get a picture each; None for a single
            picture, in which all UVs are repeated.
        threshold: where the map's confidence is below this, in [0, 1], the texture is filled in from around.
        sampling, inpainting, continuation, stitching: the stages.
    """

    size: int
    margin: int = 8
    tiles: tuple[tuple[int, int], ...] | None = None
    threshold: float = 0
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    inpainting: InpaintingSettings = field(default_factory=InpaintingSettings)
    continuation: ContinuationSettings = field(default_factory=ContinuationSettings)
    stitching: StitchingSettings = field(default_factory=StitchingSettings)


@dataclass(frozen=True)
class MaterialBakeSettings:
    """How to bake whole materials into files.

    Attributes:
        size, margin, threshold: as of :class:`BakeSettings`.
        smoothing: radius by which the map is smoothed first, in hundredths of the square root of the target's area.
        tiles: what UVs outside the unit square mean: UDIM tiles, the one picture again, or whichever they look like.
        preview: whether large images of the source are shrunk first, which is faster and less sharp.
        left_out: the source's material slots that show nowhere.
    """

    size: int
    margin: int
    threshold: float
    smoothing: float
    tiles: Tiles
    preview: bool
    left_out: tuple[int, ...] = ()


@dataclass(frozen=True)
class PhotoSettings:
    """How a photograph becomes a texture. Lengths are in diagonals of the shape's bounding box.

    Attributes:
        mirror: whether the mirror twin gives what the photograph does not show.
        reach: distance at which a pixel counts 1/e for a vertex; a vertex twice as far from all pixels is not seen.
        smoothing: length over which deviations from the camera are smoothed.
        most_pixels: most pixels of the photograph that places are learned from.
        pixel_neighbors: how many pixels are looked at for each vertex.
        facing: a pixel counts for a vertex if the cosine between its triangle's and the vertex's normal is larger.
        least_confidence: added to each pixel's confidence, so that none counts nothing.
        feature_components: principal components of the features that the mirror map is found by.
        twin_neighbors: how many vertices of the mirror map are looked at for each vertex.
        twin_spread: a twin is not used if those of the neighbors lie farther apart than so many times the median.
    """

    mirror: bool = True
    reach: float = 0.015
    smoothing: float = 0.03
    most_pixels: int = 60_000
    pixel_neighbors: int = 16
    facing: float = 0.2
    least_confidence: float = 1e-3
    feature_components: int = 32
    twin_neighbors: int = 4
    twin_spread: float = 4
