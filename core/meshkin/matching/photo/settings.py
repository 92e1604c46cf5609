"""Settings of photo matching: one frozen object for each stage."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CutoutSettings:
    """How the object is cut out of a photograph. All values are chosen.

    Attributes:
        references: vertices whose features say what the object looks like, at most about.
        looks: how often the object is cut out, each time within the frame of the last cutout.
        free_border: share of the frame's side that is left free around the last cutout.
        background_cells: cells at the edge of the frame that a cell is compared with, the most similar ones.
        edge_width: width of that edge, share of the frame's side.
        softness: difference between object and background, in standard deviations above Otsu's threshold, at which a
            cell belongs to the object with a probability of 73 %.
        band: cells on both sides of the object's border in which colors decide.
        surroundings: cells around the object whose colors are the background's.
        gaussians: Gaussians in a mixture of colors.
        color_weight: weight of the colors in the band, from 0 to 1; the features have the rest.
        rounds: how often the border is moved by colors.
        certain: log odds outside the band, and the most inside it.
        fewest_pixels: pixels that are needed to learn the colors of the object, and of the background.
        filter_softness: regularization of the guided filter, in squared colors from 0 to 1.
        smallest_piece: share of the largest piece's pixels; smaller pieces are removed.
    """

    references: int = 2000
    looks: int = 2
    free_border: float = 0.15
    background_cells: int = 5
    edge_width: float = 0.04
    softness: float = 0.3
    band: float = 2.0
    surroundings: float = 8.0
    gaussians: int = 5
    color_weight: float = 0.7
    rounds: int = 2
    certain: float = 6.0
    fewest_pixels: int = 200
    filter_softness: float = 1e-3
    smallest_piece: float = 0.2


@dataclass(frozen=True)
class FramingSettings:
    """How large and where a surface is shown to lie on a photograph. All values are chosen.

    Attributes:
        cells: of both pictures, each way.
        reach: of the shifts, in cells, each way.
        zooms: factors by which it is shown larger.
        margin: by how much more of both must agree to move it at all. Measured: 0.02 to 0.05 is gained on a walking
            wolf matched with itself, whose matches become worse by it; 0.08 to 0.11 with a dog, whose tail is shorter.
    """

    cells: int = 32
    reach: int = 6
    zooms: tuple[float, ...] = (0.7, 0.76, 0.82, 0.88, 0.94, 1.0, 1.07, 1.14, 1.22)
    margin: float = 0.06


@dataclass(frozen=True)
class DisplacementSettings:
    """How the cells of a photograph are found again in the view that it fits best.

    Attributes:
        cells: of both pictures, each way. Chosen: half of those that are matched.
        reach: of the search, in cells, each way. Chosen: an eighth of the picture.
        smoothness: deviation, in cells, of the Gaussian over which displacements are judged together.
        stiffness: cosine that a displacement by the picture's width loses; it grows with the square.
        sharpness: cosine by which a displacement fits worse that counts 1/e.
        background: what a cell counts that is background in both pictures. Chosen: as what agrees well.
    """

    cells: int = 48
    reach: int = 6
    smoothness: float = 5.0
    stiffness: float = 3.0
    sharpness: float = 0.005
    background: float = 0.5


@dataclass(frozen=True)
class CellMatchSettings:
    """How the cells of a photograph are matched to the points that a view shows.

    Attributes:
        displacement: of finding the place of each cell in the view.
        reach: distance from that place, in widths of the frame, that counts as far.
        distance_penalty: cosine that a point loses that is shown far from there.
        agreement_distance: distance in the picture, in widths of the frame, within which answers agree. Chosen.
        ball: radius, along the surface, of the ball around a cell's point over which it is averaged, in diagonals of
            the bounding box. Chosen.
        sharpness: temperature of that average: a point whose score is lower by this much counts 1/e. As published by
            "Telling Left from Right" (Zhang et al., CVPR 2024).
    """

    displacement: DisplacementSettings = field(default_factory=DisplacementSettings)
    reach: float = 0.03
    distance_penalty: float = 0.3
    agreement_distance: float = 0.1
    ball: float = 0.05
    sharpness: float = 0.02


@dataclass(frozen=True)
class ViewRankSettings:
    """How the views of a surface are compared with a photograph.

    Attributes:
        rings: elevation in degrees and number of the views of each ring. Chosen: denser than most renders are, because
            outlines are compared; no view from below the ground.
        cells: of each picture, each way. Chosen: as many as the usual network has patches.
        reach: distance, in widths of the frame, within which places are compared. Measured on 48 photographs of six
            characters: right direction in 46 for 0.12, 46 for 0.16 and 0.2, 45 without a limit.
        apart: degrees between the best view and the runner-up. Chosen: more than two neighbors on a ring.
        outline: how much the outlines count beside the features.
        starts: views that are turned. Chosen.
        turns: degrees by which these are turned, one after the other. Chosen: the views of a ring are 22 degrees apart.
        fine_reach: reach when views are turned. Chosen: half.
        fine_turns, fine_cells: the same for the two views that are left, and the cells of their pictures. Chosen: by
            two degrees, points move by a cell.
        mirror_margin: by how much the mirror image must agree better to be preferred. Chosen: photographs are rarely
            mirrored, and a symmetric shape does not tell.
        tilt_cost: score that a view loses whose elevation is 90 degrees from ``level``; others by their share of that.
            0 for photographs, which may be from anywhere.
        level: elevation, degrees, from which most pictures are taken.
    """

    rings: tuple[tuple[float, int], ...] = ((0, 16), (25, 16), (60, 8), (-30, 8))
    cells: int = 32
    reach: float = 0.12
    apart: float = 60.0
    outline: float = 0.3
    starts: int = 3
    turns: tuple[float, ...] = (8.0, 4.0)
    fine_reach: float = 0.06
    fine_turns: tuple[float, ...] = (2.0, 1.0)
    fine_cells: int = 48
    mirror_margin: float = 0.05
    tilt_cost: float = 0.0
    level: float = 0.0


FRAME_VIEWS = ViewRankSettings(rings=((10, 24), (-10, 24), (30, 24), (55, 12), (-35, 12)), tilt_cost=0.2, level=10.0)
"""For frames of videos, whose scores are put together and whose views are not turned further: closer to each other, and
filmed from a little above the middle of what they show. The level is chosen (eyes and hands are above most animals'
middle); measured on a walking wolf, the means of all frames' scores from 30 degrees below, 10 and 35 above differ by
0.002, and the best direction is 30 degrees off from below, right from above."""


@dataclass(frozen=True)
class PhotoMatchSettings:
    """All settings of :func:`meshkin.matching.photo.match_photo`.

    Attributes:
        cutout: of cutting the object out.
        pose: of finding from which side it is seen.
        cells: of matching its cells.
        smooth_distance: distance, in diagonals of the bounding box, within which points of neighboring cells are
            averaged. Chosen.
        flip: whether the second best view of the surface is taken in place of the best.
    """

    cutout: CutoutSettings = field(default_factory=CutoutSettings)
    pose: ViewRankSettings = field(default_factory=ViewRankSettings)
    cells: CellMatchSettings = field(default_factory=CellMatchSettings)
    smooth_distance: float = 0.05
    flip: bool = False
