"""Video to action: a character's armature follows what a video shows."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from ..base.names import cut
from ..base.progress import Progress, in_step
from ..scene import characters, footage
from ..scene.characters import Picked
from ..scene.display import image_editor
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import Handle
from ..scene.rig import armature as armatures
from ..scene.rig import posable
from ..worker import client
from ..worker.requests.photo import CheckPhoto, MatchPhoto
from ..worker.requests.video import FREE, FitVideo, MotionArrays, OtherViews, PosableArrays
from .characters import CharacterSnapshot, read
from .describing import Described, describe
from .files import work_folder
from .options import Options, Remark, Report, ResultWarning, Steps
from .steps import FIT, PHOTO, video_costs
from .whole_job import whole_job

MOST_FRAMES = 2000
"""Frames that are followed at once, at most. Chosen: the matches of more take days."""
NAMED_FRAMES = 12
"""Doubtful frames that a warning names. Chosen: a sentence can still be read."""
NO_EVIDENCE = frozenset(("mask-empty", "photo-no-object"))
"""Codes of errors of frames that do not show the object."""


def fit_video(video: str | Path, target: Picked, options: Options = Options(), mask: str | Path = "") -> Steps:
    """Let a character's armature follow what a video shows: one new action, with a camera that sees it so.

    Each frame is matched as by :func:`meshkin.workflow.match_photo`; then the bones' rotations and the place of the
    whole are fitted to all frames together. ``options.video`` chooses the frames and has the focal length. Key ``n`` of
    the action lies at frame ``first + n * step``. How well each frame fits is keyed as the armature's custom property
    “Video Fit”. A new image shows frames beside the fitted character. Frames' matches stay in the cache: a job that was
    stopped goes on with the next frame.

    Args:
        video: a movie, a folder of pictures, or one picture of a numbered sequence.
        target: a character that an armature poses.
        options: for the features as :func:`meshkin.workflow.match_photo`.
        mask: the same of masks, white where the object is, one for each frame; "" for the pictures' transparency or,
            where they have none, what agrees with the character.

    Raises as :func:`meshkin.workflow.match_photo`, and InputError ``no-armature``, ``no-weights``, ``video-missing``,
    ``video-unreadable``, ``video-range``, ``video-long``, ``video-size``, ``video-empty``, ``masks-few``.
    """
    armature = characters.rig_of(target)
    meshes = posable.posed_meshes(target, armature)
    armatures.check(meshes[0])
    handles = [Handle.of(obj) for obj in meshes]
    for obj in meshes:
        snapshots.check_writable(obj)
    job = _Follow(Handle.of(armature), tuple(handles), options)
    source = _Source(_whole(video), _whole(mask) if str(mask) else None, options)
    costs = video_costs(handles[0], len(source.numbers), options)
    return (yield from whole_job(job.run(source), costs))


def _whole(path: str | Path) -> Path:
    return Path(path).expanduser().resolve()


class _Source:
    """Which pictures and masks are followed.

    Attributes:
        path: of the video.
        numbers: of the frames, from 1.
    """

    def __init__(self, path: Path, mask: Path | None, options: Options) -> None:
        self.path, self._mask = path, mask
        self._files, count = _listed_frames(path)
        self._masks: list[Path] = []
        chosen = options.video
        last = min(chosen.last or count, count)
        self.numbers = range(chosen.first, last + 1, chosen.step)
        if not self.numbers:
            raise InputError(
                "video-range", f"The video has {count} frames; none is from {chosen.first} to {last}.", "Choose others."
            )
        if len(self.numbers) > MOST_FRAMES:
            raise InputError(
                "video-long",
                f"{len(self.numbers)} frames are to be followed; at most {MOST_FRAMES} are at once.",
                "Choose a part of the video, or a larger step.",
            )
        if mask is not None:
            self._masks, masks = _listed_frames(mask, "The mask")
            if masks < self.numbers[-1]:
                raise InputError(
                    "masks-few",
                    f"There are {masks} masks, but frame {self.numbers[-1]} is to be followed.",
                    "Give a mask for each frame of the video.",
                )

    def frames(self, folder: Path) -> Generator[Progress, None, list[tuple[Path, Path | None]]]:
        """The picture of each frame, and its mask; those of movies are written to the folder."""
        pictures = yield from self._pictures(self.path, self._files, folder / "frames")
        if self._mask is None:
            return [(picture, None) for picture in pictures]
        masks = yield from self._pictures(self._mask, self._masks, folder / "masks")
        return list(zip(pictures, masks, strict=True))

    def _pictures(self, path: Path, files: Sequence[Path], folder: Path) -> Generator[Progress, None, list[Path]]:
        if files:
            return [files[number - 1] for number in self.numbers]
        folder.mkdir()
        movie, written = footage.Movie(path), []
        try:
            for file in movie.write(self.numbers, folder):
                written.append(file)
                yield Progress("Reading the video", len(written) / len(self.numbers))
        finally:
            movie.close()
        return written


def _listed_frames(path: Path, what: str = "The video") -> tuple[list[Path], int]:
    """The pictures of a sequence (none for a movie), and how many frames there are."""
    if not footage.is_movie(path):
        files = footage.sequence(path, what)
        return files, len(files)
    movie = footage.Movie(path)
    try:
        return [], movie.length
    finally:
        movie.close()


@dataclass(frozen=True)
class _Follow:
    """An armature, the meshes that it poses, and the options."""

    armature: Handle
    meshes: tuple[Handle, ...]
    options: Options

    def run(self, source: _Source) -> Steps:
        """Match the frames, fit the motion, and write it."""
        with work_folder() as folder:
            frames = yield from source.frames(folder)
            character = yield from read(self.meshes)
            names, shape_file = self._posable(character, folder)
            described = yield from describe(character, self.options, folder / "target", photo=True)
            maps = yield from self._matches(described, frames, folder)
            lens = self.options.video.lens
            request = FitVideo(shape_file, tuple(maps), lens / posable.FILM_WIDTH, folder / "motion.npz")
            result = yield from in_step(FIT, client.shared().run(request))
            found = MotionArrays.load(result.arrays, T=len(frames), B=len(names))
            character.check_unchanged()
            return self._write(found, names, source, character)

    def _posable(self, character: CharacterSnapshot, folder: Path) -> tuple[list[str], Path]:
        pieces = [(piece.handle.get(), piece.snapshot) for piece in character.pieces]
        names, shape = posable.read(self.armature.get(), pieces, character.shape)
        limits = np.clip(shape.limits, -FREE, FREE)
        arrays = PosableArrays(shape.vertices, shape.faces, shape.weights, shape.rest, shape.parents, limits)
        return names, arrays.save(folder / "posable.npz")

    def _matches(
        self, described: Described, frames: Sequence[tuple[Path, Path | None]], folder: Path
    ) -> Generator[Progress, None, list[Path | None]]:
        """The file of each frame's match; None for frames that do not show the object.

        Frames that were matched from another side than those around them show are matched again.
        """
        shape_file, found = described.of.shape.save(folder / "shape.npz"), list[Path | None]()

        def request(number: int, flip: bool) -> MatchPhoto:
            return MatchPhoto(
                photo=frames[number][0],
                mask=frames[number][1],
                shape=shape_file,
                features=described.features,
                recipe=described.recipe,
                key=described.key,
                device=self.options.worker.device,
                flip=flip,
            )

        for number, (picture, mask) in enumerate(frames):
            yield Progress("Matching the frames", number / len(frames), PHOTO)
            try:
                yield from client.shared().run(CheckPhoto(picture, mask))
                answer = yield from in_step(PHOTO, client.shared().run(request(number, flip=False)))
                found.append(answer.map)
            except InputError as error:
                if error.code not in NO_EVIDENCE:
                    raise
                found.append(None)
        others = yield from in_step(PHOTO, client.shared().run(OtherViews(tuple(found))))
        for number in others.frames:
            yield Progress("Matching frames again, from the other side", 1.0, PHOTO)
            answer = yield from in_step(PHOTO, client.shared().run(request(number, flip=True)))
            found[number] = answer.map
        return found

    def _write(
        self, found: MotionArrays, names: Sequence[str], source: _Source, character: CharacterSnapshot
    ) -> Report:
        armature, frames = self.armature.get(), list(source.numbers)
        location = character.shape.location
        name = cut(f"{source.path.stem} on {armature.name}")
        unmuted = sum(not each.mute for bone in armature.pose.bones for each in bone.constraints)
        action = posable.new_action(armature, name)
        posable.write(armature, names, found.matrices, frames, location)
        posable.write_scores(armature, found.scores, frames)
        camera = posable.new_camera(f"{name} camera", found.cameras, frames, location, self.options.video.lens)
        image = image_editor.show(found.sheet, name)
        remarks: list[Remark] = [
            f"Action “{action}”: {len(frames)} keyed frames, {frames[0]} to {frames[-1]}. Camera: “{camera.name}”.",
            f"The outlines agree to {found.scores.mean():.0%} on average (intersection over union, keyed as “"
            f"{posable.FIT_PROPERTY}”). See the image “{image.name}”.",
        ]
        if unmuted:
            remarks.append(f"{unmuted} constraints were muted: the keys hold what they would do.")
        remarks += _doubts(found, frames)
        data = {
            "action": action,
            "camera": camera.name,
            "image": image.name,
            "scores": found.scores.tolist(),
            "doubtful": _chosen(frames, found.doubtful),
            "cuts": _chosen(frames, found.cuts),
        }
        return Report.of(f"“{armature.name}” follows {source.path.name}.", remarks, data)


def _chosen(frames: Sequence[int], is_chosen: NDArray[np.bool_]) -> list[int]:
    return [frame for frame, chosen in zip(frames, is_chosen, strict=True) if chosen]


def _doubts(found: MotionArrays, frames: Sequence[int]) -> list[Remark]:
    """What the user should look at."""
    doubts: list[Remark] = []
    for code, flags, sentence in (
        ("video-cuts", found.cuts, "The video seems to be cut before frames {}: the motion does not go on there."),
        ("frames-doubtful", found.doubtful, "Look at frames {}: the character does not lie on what they show."),
    ):
        if chosen := _chosen(frames, flags):
            listed = ", ".join(map(str, chosen[:NAMED_FRAMES])) + (" and more" if len(chosen) > NAMED_FRAMES else "")
            doubts.append(ResultWarning(code, sentence.format(listed)))
    return doubts
