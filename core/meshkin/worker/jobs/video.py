"""Jobs about motion from video."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...base.errors import StorageError
from ...base.progress import ProgressCallback
from ...base.storage import bring, read_arrays, write_arrays
from ...data.photo_map import PhotoMap
from ...data.snapshot import Snapshot
from ..requests.arrays import load_array
from ..requests.photo import PhotoMapFile
from ..requests.video import (
    FREE,
    CheckFrames,
    CheckFramesResult,
    ChooseViews,
    ChooseViewsResult,
    CutFrames,
    CutFramesResult,
    FitVideo,
    FitVideoResult,
    KeyPoseArrays,
    MatchFrame,
    MotionArrays,
    NeuralBoneArrays,
    NeuralBones,
    NeuralBonesResult,
    PosableArrays,
    ScoreViews,
    ScoreViewsResult,
    ViewScoreArrays,
)
from .files import keyed_map_path


def check_frames(request: CheckFrames, report: ProgressCallback) -> CheckFramesResult:
    """Check whether the frames of a video are pictures of one size, and masks shaped like them."""
    from ...features.photo import check_shape, size_of
    from ...video.reading import one_size

    sizes = []
    for number, file in enumerate(request.photos):
        report("Looking at the frames", number / len(request.photos))
        sizes.append(size_of(file))
    width, height = one_size(sizes)
    for file in request.masks:
        check_shape(file, size_of(file), (height, width))
    return CheckFramesResult(width, height)


def cut_frames(request: CutFrames, report: ProgressCallback) -> CutFramesResult:
    """Cut an object out of a video's frames that is masked in one of them; masks stay in the cache."""
    from PIL import Image

    from ...cache import store as cache
    from ...features import photo as photo_features
    from ...matching.photo.photograph import load_photograph
    from ...video import masks

    known = [_content(file) for file in (request.example, request.mask)]
    channels = cache.read(request.features).origin.channels
    example, written = None, []
    for number, file in enumerate(request.photos):
        report("Cutting the object out", number / len(request.photos))
        path = keyed_map_path("cut", masks.CUTTER_VERSION, str(request.recipe), *known, _content(file))
        bring(path)
        found = None
        with contextlib.suppress(StorageError):
            found = read_arrays(path, "The mask", "")["mask"]
        if found is None:
            if example is None:
                photograph = load_photograph(request.example, request.mask)
                example = masks.MaskedFrame.of(photograph, request.recipe, channels, request.device, report)
            found = example.cut(photo_features.load(file)[0], report)
            write_arrays(path, {"mask": found}, compressed=True)
        written.append(request.folder / f"{number:06d}.png")
        Image.fromarray(found.astype(np.uint8) * 255).save(written[-1])
    return CutFramesResult(tuple(written))


def _content(file: Path) -> str:
    return hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest()


def neural_bones(request: NeuralBones, report: ProgressCallback) -> NeuralBonesResult:
    """Give a shape bones: skin weights by its form, and a skeleton that is built from them."""
    from ...transfer.rig import skeletons
    from ...video import neural

    report("Finding bones", 0)
    shape = Snapshot.load(request.shape)
    weights = neural.neural_bones(shape.vertices.astype(np.float64), shape.faces)
    skeleton = skeletons.extract_skeleton(shape, weights)
    kept = weights[:, skeleton.column]
    kept = kept / np.maximum(kept.sum(axis=1, keepdims=True), 1e-9)
    arrays = NeuralBoneArrays(kept.astype(np.float32), skeleton.heads, skeleton.tails, skeleton.parents)
    return NeuralBonesResult(arrays.save(request.output))


def score_views(request: ScoreViews, report: ProgressCallback) -> ScoreViewsResult:
    """Find how well the views of a shape fit a frame; scores stay in the cache."""
    from ...cache import store as cache
    from ...matching.photo import pipeline
    from ...matching.photo.photograph import load_photograph
    from ...video import reading

    contents = [_content(file) for file in (request.photo, request.mask) if file]
    path = keyed_map_path("views", pipeline.PHOTO_MATCHER_VERSION, request.key, *contents)
    bring(path)
    with contextlib.suppress(StorageError):
        ViewScoreArrays.load(path)
        return ScoreViewsResult(path)
    photograph, shape = load_photograph(request.photo, request.mask), Snapshot.load(request.shape)
    features = cache.read(request.features)
    mask, scores = pipeline.score_views(photograph, shape, features, request.recipe, request.device, report)
    found = ViewScoreArrays(scores, mask, reading.thumbnail(photograph.pixels))
    write_arrays(path, vars(found), compressed=True)
    return ScoreViewsResult(path)


def choose_views(request: ChooseViews, report: ProgressCallback) -> ChooseViewsResult:
    """Find from which side the frames of a video show the object, all of them together."""
    from ...data.views import ring_directions
    from ...matching.photo.settings import FRAME_VIEWS
    from ...video import reading, viewpoints

    found = [None if file is None else ViewScoreArrays.load(file) for file in request.views]
    small = np.array([reading.BLANK if each is None else each.thumbnail for each in found])
    scores = [None if each is None else each.scores for each in found]
    directions = ring_directions(FRAME_VIEWS.rings)
    chosen = viewpoints.choose_views(scores, directions, reading.cuts_between(small))
    return ChooseViewsResult(tuple(chosen.tolist()))


def match_frame(request: MatchFrame, report: ProgressCallback) -> PhotoMapFile:
    """Match a frame, seen from a known side, to a shape; maps stay in the cache."""
    from dataclasses import replace

    from ...cache import store as cache
    from ...matching.photo import pipeline, pose
    from ...matching.photo.photograph import load_photograph
    from ...matching.photo.settings import FramingSettings

    path = keyed_map_path("framed", request.views.stem, request.view)
    bring(path)
    with contextlib.suppress(StorageError):
        PhotoMap.load(path)
        return PhotoMapFile(path)
    photograph, scores = load_photograph(request.photo), ViewScoreArrays.load(request.views)
    shape, features = Snapshot.load(request.shape), cache.read(request.features)
    shown = pose.numbered_view(shape, request.view, scores.scores)
    seen = replace(photograph, mask=scores.mask)
    photo_map = pipeline.match_in_view(
        seen, shape, features, request.recipe, shown, request.device, report, FramingSettings()
    )
    photo_map.save(path)
    return PhotoMapFile(path)


def fit_video(request: FitVideo, report: ProgressCallback) -> FitVideoResult:
    """Fit a character's motion to the matches of a video's frames with it."""
    from dataclasses import replace

    from ...cache import store as cache
    from ...video import keys, rematching, rounds, scoring
    from ...video.clip import PosableShape
    from ...video.fitting import fit_video_motion
    from ...video.settings import FitSettings
    from ...video.skinning import posed

    arrays = PosableArrays.load(request.shape)
    limits = np.where(np.abs(arrays.limits) < FREE, arrays.limits, np.copysign(np.inf, arrays.limits))
    shape = PosableShape(arrays.vertices, arrays.faces, arrays.weights, arrays.rest, arrays.parents, limits)
    maps = [None if file is None else PhotoMap.load(file) for file in request.maps]
    count, bones = len(maps), len(shape.parents)
    cameras = None if request.cameras is None else load_array(request.cameras, "T44", T=count)
    frames = rematching.MatchedFrames(maps, request.focal, cameras)
    start, held, kept = None, None, None
    if request.keys is not None:
        kept = KeyPoseArrays.load(request.keys, B=bones)
        start, held = keys.key_poses(shape, kept.matrices, kept.frames, count)
    settings = FitSettings(fit_focal=request.fit_focal, fit_shape=request.fit_shape)
    if request.again is None:
        fitted = fit_video_motion(frames.footage.clip, shape, settings, start, held, report)
    else:
        again = request.again
        snapshot, features = Snapshot.load(again.shape), cache.read(again.features)
        known = rematching.DescribedShape(snapshot, features, again.recipe, again.device)
        frames, fitted = rounds.fit_and_match(frames, known, shape, settings, start, held, report)
    shown = frames.footage
    clip = shown.clip
    report("Judging the frames", 0)
    offsets = np.zeros_like(shape.vertices) if fitted.offsets is None else fitted.offsets
    seen, seen_shape = replace(clip, focal=fitted.focal), replace(shape, vertices=shape.vertices + offsets)
    scores, doubtful = scoring.score(seen, seen_shape, fitted.motion, fitted.cameras)
    sheet = scoring.contact_sheet(seen, shown.pictures, seen_shape, fitted.motion, fitted.cameras)
    matrices, _ = posed(shape, fitted.motion)
    if kept is not None:
        matrices[kept.frames] = kept.matrices  # exactly: they may shift and scale bones
    cuts = ~np.append(True, clip.joined)
    found = MotionArrays(
        matrices, fitted.cameras, scores, doubtful, cuts, sheet, offsets, *_outlines(clip.masks)
    )  # fmt: skip
    return FitVideoResult(found.save(request.output), fitted.focal / clip.masks.shape[2])


def _outlines(masks: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """The outlines of masks (T, H, W), and the frame of each segment."""
    from ...video.outlines import outline

    found = [outline(mask) for mask in masks]
    return np.concatenate(found), np.repeat(np.arange(len(found)), [len(each) for each in found]).astype(np.int32)
