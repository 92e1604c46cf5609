"""Settings of the fit of a character's motion to a video."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class FitSettings:
    """How far a fit may be from what the frames show, and how freely a body moves.

    The fit minimizes a sum of squares, each divided by the square of its standard deviation. Lengths in the picture are
    shares of the object's size there (the diagonal of its bounding box, the median over the frames); lengths in space
    are shares of the shape's size at rest. All values are chosen on ``tests/benchmarks/video.py``.

    Attributes:
        anchors: standard deviation of where matched points are shown; less where they are shown to agree better, but at
            least ``best_anchors``, since neighbors err alike: matches with a posed shape repeat its pose, and agree
            with it better than they are right. Errors above count by their length, not its square.
        sliding: how many times farther matches err along a limb than across it: at the end of a wolf's tail by 1.2 % of
            its size, all to the same side, and by .4 % across; counted three times as far, they turn it aside by 30
            degrees, ten times by 8.
        anchor_count: as how many measurements the anchors of a frame count together; 0 for none. They are not
            independent: neighbors err alike.
        most_counted: how many times more they count at most where they agree so well that each tells something.
        silhouette: standard deviation of the distance between outline and mask.
        silhouette_count: as how many measurements each way counts; 0 for none.
        acceleration: of the change of a bone's turn from frame to frame, radians; what is above counts by its length,
            so that a gallop may be fast.
        view: of the turn of the whole from the view as which a frame was matched, radians; what is above counts by its
            length.
        root_turn, root_shift: of the same of the whole, radians and sizes.
        root_depth: of the same of the distance of the whole from the camera, sizes: one camera sees distances ten times
            worse than places.
        smooth: weight of these four; 0 fits each frame alone.
        rest: of a bone's turn from rest, radians: holds what no frame shows. What is above counts by its length: a
            knee bends far, while most bones keep still.
        aside: how many times less a bone turns out of the body's plane of symmetry.
        short_bone: length of a bone, sizes of the shape, below which it turns the less from rest the shorter it is: a
            rod that is made of more pieces bends no further. Chosen: legs have bones of .08 to .16, tails and ears of
            .01 to .05, which what matches err by turned aside; .06 is better for knights and a wolf, worse for two
            others.
        limits: of what a turn exceeds the rig's own limits by, radians.
        root_rounds, limb_rounds, all_rounds: steps of Gauss and Newton for the whole alone, with its large bones, with
            all bones.
        side_rounds: of each time that all bones are fitted again, after limbs' sides were told by what covers what.
        side_looks: how often this is done; 0 believes the matches, which then count the more the better they agree.
        near_first: whether all that shows a limb is taken for the near one at first; else as a given motion shows it.
        exchange_rounds: of each time that limbs are exchanged to see whether that fits better; 0 to try none.
        all_exchange_rounds: the same, of all limbs together, for matches with the shape at rest: those with a posed
            shape repeat its pose; 0 not to try it.
        large: share of the weights that a large bone carries, itself and by the bones below it, at least.
        window: frames that are fitted at once.
        overlap: frames that two windows share.
        anchors_per_frame: most that are looked at, drawn evenly.
        contour: places on each mask's outline.
        outside: vertices of each frame that are looked at because they lie outside of the mask, at most.
        fit_focal: whether the focal length is fitted, from the clip's as a first guess.
        fit_shape: whether the shape at rest is fitted to the outlines.
    """

    anchors: float = 0.02
    best_anchors: float = 0.01
    sliding: float = 10.0
    anchor_count: float = 60.0
    most_counted: float = 5.0
    silhouette: float = 0.005
    silhouette_count: float = 200.0
    acceleration: float = 0.07
    view: float = 0.05
    root_turn: float = 0.05
    root_shift: float = 0.01
    root_depth: float = 0.002
    smooth: float = 1.0
    rest: float = 0.6
    aside: float = 6.0
    short_bone: float = 0.1
    limits: float = 0.02
    root_rounds: int = 6
    limb_rounds: int = 8
    all_rounds: int = 14
    side_rounds: int = 8
    side_looks: int = 4
    near_first: bool = True
    exchange_rounds: int = 0
    all_exchange_rounds: int = 0
    large: float = 0.04
    window: int = 32
    overlap: int = 8
    anchors_per_frame: int = 400
    contour: int = 96
    outside: int = 96
    fit_focal: bool = False
    fit_shape: bool = False


def for_another_body(settings: FitSettings) -> FitSettings:
    """Settings for a video of another individual: tails and ears bend freely, and matches are believed more.

    Chosen on one clip, a dog that follows a wolf: with these, its far feet are right in 94 % of the frames and never
    exchanged for longer than two; as for its own video in 69 %, and nine. Small changes tip this.
    """
    return replace(settings, short_bone=0.03, best_anchors=0.006)
