"""Video to action: a character's armature follows what a video shows."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..base.errors import InputError
from ..base.progress import Progress, in_step
from ..geometry.arrays import Floats
from ..scene import characters, filming, moments
from ..scene.characters import Picked
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import BlenderObject, Handle
from ..scene.rig import armature as armatures
from ..scene.rig import posable
from ..worker import client
from ..worker.requests.arrays import save_array
from ..worker.requests.photo import CheckPhoto
from ..worker.requests.video import (
    FREE,
    CheckFrames,
    CheckFramesResult,
    ChooseViews,
    CutFrames,
    FitVideo,
    FitVideoResult,
    KeyPoseArrays,
    MatchFrame,
    MotionArrays,
    NeuralBoneArrays,
    NeuralBones,
    PosableArrays,
    ScoreViews,
    ShapeFeatures,
)
from .characters import CharacterSnapshot, read
from .describing import Described, describe
from .files import work_folder
from .options import Options, Steps
from .steps import CUT, FIT, frame_of, match_of_frame, video_costs
from .video_results import Found, write
from .video_sources import Frames, Source
from .whole_job import whole_job

NO_EVIDENCE = frozenset(("mask-empty", "photo-no-object"))
"""Codes of errors of frames that do not show the object."""
FIRST_LENS = 50.0
"""Focal length that a fit of it starts from, millimeters. Chosen: between a telephone's and a telephoto lens."""


def fit_video(video: str | Path, target: Picked, options: Options = Options(), mask: str | Path = "") -> Steps:
    """Let a character's armature follow what a video shows: one new action, with a camera that sees it so.

    Each frame is matched as by :func:`meshkin.workflow.match_photo`; then the bones' rotations and the place of the
    whole are fitted to all frames together. ``options.video`` chooses the frames, the camera, poses to keep and whether
    the shape is fitted, too. Frame n of the video is frame n of the scene. How well each frame fits is keyed as the
    armature's custom property “Video Fit”. A new image shows frames beside the fitted character. A character without an
    armature gets one. Frames' matches and masks stay in the cache: a job that was stopped goes on with the next frame.

    Args:
        video: a movie, a folder of pictures, or one picture of a numbered sequence.
        target: a character.
        options: for the features as :func:`meshkin.workflow.match_photo`.
        mask: the same of masks, white where the object is, one for each frame, or only one of a frame by which it is
            cut out of the others; "" for the pictures' transparency or, where they have none, what agrees with the
            character.

    Raises as :func:`meshkin.workflow.match_photo`, and InputError ``no-weights``, ``no-armature`` (to keep poses of),
    ``no-keys``, ``no-camera``, ``camera-unsuitable``, ``video-missing``, ``video-unreadable``, ``video-range``,
    ``video-long``, ``video-size``, ``video-empty``, ``masks-few``.
    """
    if not str(video):
        raise InputError("video-missing", "No video was given.", "Choose a movie, or a picture of a sequence.")
    armature, meshes = _posed(target)
    for obj in meshes:
        snapshots.check_writable(obj)
    source = Source(_whole(video), _whole(mask) if str(mask) else None, options.video)
    handles = tuple(Handle.of(obj) for obj in meshes)
    camera = Handle.of(filming.scene_camera()) if options.video.camera == "scene" else None
    job = _Follow(None if armature is None else Handle.of(armature), handles, camera, options, source)
    job.kept_frames()  # raises before anything is computed
    costs = video_costs(handles[0], len(source.numbers), options, source.is_cut_by_example)
    return (yield from whole_job(job.run(), costs))


def _whole(path: str | Path) -> Path:
    return Path(path).expanduser().resolve()


def _posed(target: Picked) -> tuple[BlenderObject | None, list[BlenderObject]]:
    """The armature of a character, None without one, and the meshes that follow the video."""
    try:
        armature = characters.rig_of(target)
    except InputError as error:
        if error.code != "no-armature":
            raise
        return None, characters.members(target)
    meshes = posable.posed_meshes(target, armature)
    armatures.check(meshes[0])
    return armature, meshes


@dataclass(frozen=True)
class _Skeleton:
    """Bones that follow: their names, the file of the posable shape, and the arrays of those of no armature yet."""

    names: list[str]
    shape: Path
    built: NeuralBoneArrays | None = None


@dataclass(frozen=True)
class _Follow:
    """A character with its armature, if it has one, the camera that filmed, if it is known, and the video."""

    armature: Handle | None
    meshes: tuple[Handle, ...]
    camera: Handle | None
    options: Options
    source: Source

    def kept_frames(self) -> list[int]:
        """The frames whose poses are kept; raises InputError ``no-armature``, ``no-keys``."""
        keep, numbers = self.options.video.keep, self.source.numbers
        if keep == "none":
            return []
        if self.armature is None:
            raise InputError("no-armature", "There is no armature yet whose poses could be kept.", "Keep no poses.")
        if keep == "ends":
            return sorted({numbers[0], numbers[-1]})
        keyed = [frame for frame in posable.keyed_frames(self.armature.get()) if frame in numbers]
        if not keyed:
            raise InputError(
                "no-keys",
                f"“{self.armature.name}” has no keys in the frames to follow.",
                "Key the poses to keep, or choose other frames.",
            )
        return keyed

    def run(self) -> Steps:
        """Match the frames, fit the motion, and write it."""
        with work_folder() as folder:
            frames = yield from self.source.frames(folder)
            size = yield from client.shared().run(CheckFrames(tuple(frames.pictures), tuple(frames.masks)))
            character = yield from read(self.meshes)
            skeleton = yield from self._skeleton(character, folder)
            cameras = yield from self._cameras(character.shape.location, folder)
            keys = yield from self._keys(skeleton.names, character.shape.location, folder)
            described = yield from describe(character, self.options, folder / "target", photo=True)
            maps = yield from self._matches(described, (yield from self._masked(described, frames, folder)), folder)
            request = FitVideo(
                shape=skeleton.shape,
                maps=tuple(maps),
                focal=self._focal(size),
                output=folder / "motion.npz",
                fit_focal=self.camera is None and not self.options.video.lens,
                fit_shape=self.options.video.shape,
                cameras=cameras,
                keys=keys,
                again=ShapeFeatures(
                    folder / "shape.npz", described.features, described.recipe, self.options.worker.device
                ),
            )
            result: FitVideoResult = yield from in_step(FIT, client.shared().run(request))
            lengths = {"T": len(maps), "B": len(skeleton.names), "V": len(character.shape.vertices)}
            arrays = MotionArrays.load(result.arrays, **lengths)
            character.check_unchanged()
            found = Found(arrays, result.focal, skeleton.names, skeleton.built)
            return write(found, self.source, character, (self.armature, self.camera), self.options.video)

    def _skeleton(self, character: CharacterSnapshot, folder: Path) -> Generator[Progress, None, _Skeleton]:
        """The bones of the armature; without one, new ones."""
        built, file = None, folder / "posable.npz"
        if self.armature is not None:
            pieces = [(piece.handle.get(), piece.snapshot) for piece in character.pieces]
            names, shape = posable.read(self.armature.get(), pieces, character.shape)
        else:
            request = NeuralBones(character.shape.save(folder / "shape.npz"), folder / "bones.npz")
            answer = yield from client.shared().run(request)
            built = NeuralBoneArrays.load(answer.arrays, V=len(character.shape.vertices))
            names = [f"neural.{number:02}" for number in range(len(built.parents))]
            shape = posable.boned(character.shape, built.weights, built.heads, built.tails, built.parents)
        limits = np.clip(shape.limits, -FREE, FREE)
        arrays = PosableArrays(shape.vertices, shape.faces, shape.weights, shape.rest, shape.parents, limits)
        return _Skeleton(names, arrays.save(file), built)

    def _cameras(self, location: Floats, folder: Path) -> Generator[Progress, None, Path | None]:
        """The file of the known camera's matrices in the frames that are followed."""
        if self.camera is None:
            return None
        camera = self.camera
        seen = yield from _in_frames(self.source.numbers, lambda: filming.seen_by(camera.get()))
        around = np.eye(4)
        around[:3, 3] = location
        return save_array(folder / "cameras.npy", np.array(seen) @ around)

    def _keys(self, names: Sequence[str], location: Floats, folder: Path) -> Generator[Progress, None, Path | None]:
        """The file of the poses that are kept."""
        frames, handle = self.kept_frames(), self.armature
        if not frames or handle is None:
            return None
        poses = yield from _in_frames(frames, lambda: posable.bones_in_world(handle.get(), names))
        moved = posable.moved_from_rest(handle.get(), names, np.array(poses), location)
        numbers = np.array([self.source.numbers.index(frame) for frame in frames], np.int32)
        return KeyPoseArrays(moved, numbers).save(folder / "keys.npz")

    def _focal(self, size: CheckFramesResult) -> float:
        """The focal length, widths of the picture, or what its fit starts from."""
        if self.camera is not None:
            return filming.focal_length(self.camera.get(), size.width, size.height)
        return (self.options.video.lens or FIRST_LENS) / filming.FILM_WIDTH

    def _masked(
        self, described: Described, frames: Frames, folder: Path
    ) -> Generator[Progress, None, list[tuple[Path, Path | None]]]:
        """The picture of each frame, and its mask; cut out where only one is given."""
        if frames.example is None:
            return frames.pairs()
        masks = folder / "cut"
        masks.mkdir()
        request = CutFrames(
            photos=tuple(frames.pictures),
            example=frames.example[0],
            mask=frames.example[1],
            recipe=described.recipe,
            features=described.features,
            device=self.options.worker.device,
            folder=masks,
        )
        answer = yield from in_step(CUT, client.shared().run(request))
        return Frames(frames.pictures, list(answer.masks)).pairs()

    def _matches(
        self, described: Described, frames: Sequence[tuple[Path, Path | None]], folder: Path
    ) -> Generator[Progress, None, list[Path | None]]:
        """The file of each frame's match; None for frames that do not show the object.

        From which side each frame shows the object is decided by all frames together.
        """
        shape_file, scored = described.of.shape.save(folder / "shape.npz"), list[Path | None]()
        common = (shape_file, described.features, described.recipe, described.key, self.options.worker.device)
        for number, (picture, mask) in enumerate(frames):
            yield Progress("Looking at the frames", 0.0, frame_of(number))
            try:
                yield from client.shared().run(CheckPhoto(picture, mask))
                request = ScoreViews(picture, mask, *common)
                scored.append((yield from in_step(frame_of(number), client.shared().run(request))).views)
            except InputError as error:
                if error.code not in NO_EVIDENCE:
                    raise
                scored.append(None)
        chosen, found = (yield from client.shared().run(ChooseViews(tuple(scored)))), list[Path | None]()
        for number, (views, view) in enumerate(zip(scored, chosen.views, strict=True)):
            yield Progress("Matching the frames", 0.0, match_of_frame(number))
            if views is None:
                found.append(None)
                continue
            matching = client.shared().run(MatchFrame(frames[number][0], views, view, *common))
            found.append((yield from in_step(match_of_frame(number), matching)).map)
        return found


def _in_frames(frames: Sequence[int], look: Callable[[], Floats]) -> Generator[Progress, None, list[Floats]]:
    """What there is to see in each frame of the scene."""
    seen: list[Floats] = []
    for some in moments.at_frames(frames, look):
        seen += some
        yield Progress("Looking at the scene's frames", len(seen) / len(frames))
    return seen
