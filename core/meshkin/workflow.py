"""The main job: what every button, script and command runs.

Each function is a generator that yields :class:`Progress` and returns a :class:`Report`. Something drives it: a modal
operator with a timer, or :func:`meshkin.progress.finish`. No step takes longer than one rendered view; all writing to
the scene happens in the last step; closing the generator cancels the job and leaves the scene as it was.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import payloads, sides, texturing
from .errors import InputError
from .photo_map import PhotoMap
from .point_pairs import Pairs
from .progress import Progress
from .scene import armature as armatures
from .scene import attributes, look, matches, materials, passes, sheets, surface_colours, weights
from .scene import motion as motions
from .scene import pairs as point_pairs
from .scene import payloads as written
from .scene import snapshot as snapshots
from .scene.objects import FEATURES_PROPERTY, Handle, described
from .snapshot import Snapshot
from .storage import readable_failure
from .surface_map import Match
from .views import of_recipe
from .worker import client

if TYPE_CHECKING:
    import bpy

TRANSFERS = ("texture", "weights", *payloads.KINDS, "armature")
"""What can be carried over."""
NEARNESS = ("auto", "always", "never")
"""When weights come from the nearest point of the source instead of the match."""
WAYS = ("auto", "map", "features")
"""How weights come over."""
CHANNELS = 16
"""PCA channels written to a mesh."""


@dataclass(frozen=True)
class Options:
    """How to do the job; the defaults work.

    Attributes:
        features: extractor, or several joined by "+"; "auto" takes the best that the models at hand allow.
        model: folder or hub id of the model for ``dinov2``; "" for the default.
        layers: the model's blocks to read; () for the default.
        views: number of evenly spread views; 0 for the default.
        rings: (elevation in degrees, count) of rings of views, used instead of ``views`` when given.
        without: numbers of views to leave out, as the contact sheet (:func:`pictures`) shows them.
        resolution: of the rendered pictures, pixels; 0 for what the extractors want.
        style: of the pictures: "normal", "shading" or "textured" (the objects' own materials); "" for the default.
        background: grey level behind the object, 0 to 1; below 0 for the default.
        render_path: "auto", "gpu" or "cycles".
        device: "auto", "cpu" or a torch device ("cuda", "cuda:1", "mps").
        online: whether models may be fetched from the hub.
        pictures: folder in which to save the rendered passes as pictures; "" for none.
        texture_size: width and height of a transferred texture, pixels.
        margin: pixels by which a texture's islands are grown.
        channels: of a material, of :data:`meshkin.scene.shading.CHANNELS`; () for all.
        texture_threshold: where the map is trusted less than this (0 to 1), textures are filled in from around.
        map_smoothing: evens out the map's detail within this many hundredths of the square root of the target's area.
        unwrap: "smart" (Blender's Smart UV Project) or "xatlas", for a target without UVs.
        tiles: "udim", "one" (UVs outside the unit square repeat), or "auto": what they look like.
        texture_folder: where to keep new images as files; "" packs them.
        preview: show a small texture first.
        limit: most groups that a vertex may be weighted to.
        smoothing: how often each vertex's weights are averaged with its neighbours'.
        threshold: confidence from which a point of the map is relied on for weights; the rest is inpainted.
        nearness: whether weights come from the nearest point of the source instead of the match: "always", "never",
            or "auto": where the target lies on the source (clothes, hair, eyes).
        way: how weights come over where they do not come by nearness: "map"; "features" (a small model learnt on the
            source reads them off the features, for shapes without a good map); or "auto": the map, and where more than
            half would have to be inpainted, the one that does better on held-out patches of the source.
        groups: which vertex groups are carried: "deform" (those of deforming bones), "all", "selected" (of the bones
            selected in the source's armature) or "active".
        pattern: only groups whose names fit, as in ``DEF-*``; several between spaces.
        rename: (old, new) names: groups that are called otherwise on the target.
        mix: how much of the new weights is taken, 0 to 1; the rest are the target's own.
        mask: vertex group of the target by which ``mix`` is multiplied; "" for none.
        also: other meshes that lie on the target (eyes, teeth, hair, clothes): they get weights and armature with it.
        mirrored: create the empty group of the other side for every one whose name has a side.
        names: the attributes, UV maps or shape keys to transfer; () for all.
        pairs: point pairs that guide the match, each a vertex number of the source's own mesh and one of the
            target's, or points in their own coordinates; None for the empties in the scene
            (:mod:`meshkin.scene.pairs`), () for none.
        flip: whether to take the mirrored answer; None for what it was when the two were last matched, if the point
            pairs are still the same.
        through: an object that others are matched through, so that all of a set are consistent.
        prompt: what the object is, in words, for ``diff3f``; "" for its name.
        negative_prompt: what not to paint; "" for the profile's.
        profile: of ``diff3f``, "fast" or "reference"; "" for the first.
        seed: of ``diff3f``'s noise; None for the profile's.
        settings: more of the parameters of ``diff3f`` or ``sd_dino`` by name, see :mod:`meshkin.features.profiles` and
            :mod:`meshkin.features.single_pass`.
    """

    features: str = "auto"
    model: str = ""
    layers: tuple[int, ...] = ()
    views: int = 0
    rings: tuple[tuple[float, int], ...] = ()
    without: tuple[int, ...] = ()
    resolution: int = 0
    style: str = ""
    background: float = -1.0
    render_path: str = "auto"
    device: str = "auto"
    online: bool = False
    pictures: str = ""
    texture_size: int = 2048
    margin: int = 8
    channels: tuple[str, ...] = ()
    texture_threshold: float = 0.0
    map_smoothing: float = 0.0
    unwrap: str = "smart"
    tiles: str = "auto"
    texture_folder: str = ""
    preview: bool = False
    limit: int = 4
    smoothing: int = 0
    threshold: float = 0.4
    nearness: str = "auto"
    way: str = "auto"
    groups: str = "deform"
    pattern: str = ""
    rename: tuple[tuple[str, str], ...] = ()
    mix: float = 1.0
    mask: str = ""
    mirrored: bool = True
    also: tuple[bpy.types.Object, ...] = ()
    names: tuple[str, ...] = ()
    pairs: Pairs | None = None
    flip: bool | None = None
    through: bpy.types.Object | None = None
    prompt: str = ""
    negative_prompt: str = ""
    profile: str = ""
    seed: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Report:
    """What a job did.

    Attributes:
        title: one sentence.
        details: further sentences: what was written, what was not and why.
        data: the same for programs, as JSON values.
    """

    title: str
    details: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    def summary(self) -> str:
        """One sentence for a status bar."""
        return self.title

    def lines(self) -> list[str]:
        """Everything, a sentence a line."""
        return [self.title, *self.details]


Job = Generator[Progress, None, Report]


@dataclass(frozen=True)
class _Described:
    """One object with its snapshot and the cache file of its features."""

    handle: Handle
    snapshot: Snapshot
    key: str
    features: str
    recipe: dict[str, Any]


@dataclass(frozen=True)
class _Found:
    """Two objects, the cache file of their map, and what it was guided by."""

    source: _Described
    target: _Described
    map: str
    flip: bool = False
    pairs: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 2), np.int64))

    def remember(self) -> None:
        """Note on the target what its match is."""
        source, target = self.source.handle.get(), self.target.handle.get()
        shapes = self.source.snapshot, self.target.snapshot
        matches.remember(source, target, shapes, Path(self.map).stem, self.flip, self.pairs)


def features(objects: Iterable[bpy.types.Object], options: Options = Options()) -> Job:
    """Compute (or take from the cache) the features of objects and show them as attributes on their meshes.

    Raises InputError (``nothing-selected``, bad meshes), ModelError, WorkerError, StorageError.
    """
    handles = [Handle.of(obj) for obj in objects]
    if not handles:
        raise InputError("nothing-selected", "No object was given.", "Select an object with a surface.")
    for handle in handles:
        snapshots.check_writable(handle.get())
    with _job_folder() as folder:
        found = []
        for index, handle in enumerate(handles):
            found.append((yield from _describe(handle, options, folder / f"object{index}")))
        colours = yield from _colours(found, options, folder)
        for one in found:
            snapshots.check_unchanged(one.handle.get(), one.snapshot)
        _write_colours(colours)
    names = ", ".join(f"“{handle.name}”" for handle in handles)
    return Report(
        f"Features of {names} are ready.",
        [_seen_sentence(one, values) for one, values in colours if one in found],
        {"features": [one.features for one in found], "recipe": found[0].recipe},
    )


def match(source: bpy.types.Object, target: bpy.types.Object, options: Options = Options()) -> Job:
    """Match two objects both ways; ``data["map"]`` is the path of the map's .npz file in the cache.

    Writes the shared PCA colours on both (on the source only if it can be written to) and
    ``meshkin_match_confidence`` on the target, which remembers the match.
    Raises as :func:`features` and :func:`meshkin.scene.pairs.vertices`, and InputError ``same-object``,
    ``pairs-through`` (point pairs given as an option, or flipped, together with ``through``).
    """
    with _job_folder() as folder:
        snapshots.check_writable(target)
        made = yield from _match(Handle.of(source), Handle.of(target), options, folder)
        found = Match.load(Path(made.map))
        colours = yield from _colours([made.source, made.target], options, folder)
        _write_matches([made], [found], colours)
    confidence = found.to_source.confidence
    names = f"“{made.source.handle.name}” and “{made.target.handle.name}”"
    return Report(
        f"{names} are matched: confidence {confidence.mean():.0%} on average.",
        _guidance(made) + list(found.notes.get("sentences", [])),
        {
            "map": made.map,
            "confidence": float(confidence.mean()),
            "recipe": made.source.recipe,
            "pairs": made.pairs.tolist(),
            "flip": made.flip,
            "notes": found.notes,
        },
    )


def match_set(objects: Iterable[bpy.types.Object], reference: bpy.types.Object, options: Options = Options()) -> Job:
    """Match every object to one reference, which is the source; ``data["maps"]`` holds each one's map by its name.

    With ``Options(through=reference)``, :func:`match` and :func:`transfer` between any two of them join these maps.
    Writes and raises as :func:`match`, and InputError ``nothing-selected``.
    """
    handles = [Handle.of(obj) for obj in objects if obj != reference]
    if not handles:
        raise InputError("nothing-selected", "No object was given beside the reference.", "Select two or more.")
    centre = Handle.of(reference)
    _check_direct(options)
    for handle in handles:
        snapshots.check_writable(handle.get())
    with _job_folder() as folder:
        made = []
        for handle in handles:
            made.append((yield from _match_directly(centre, handle, options, folder)))
        found = [Match.load(Path(one.map)) for one in made]
        colours = yield from _colours([made[0].source, *(one.target for one in made)], options, folder)
        _write_matches(made, found, colours)
    sentences = [
        f"“{one.target.handle.name}”: {text}"
        for one, match in zip(made, found, strict=True)
        for text in [
            f"confidence {match.to_source.confidence.mean():.0%} on average.",
            *match.notes.get("sentences", []),
        ]
    ]
    return Report(
        f"{len(made)} objects are matched to “{centre.name}”, and through it to each other.",
        sentences,
        {"reference": centre.name, "maps": {one.target.handle.name: one.map for one in made}},
    )


def pictures(objects: Iterable[bpy.types.Object], options: Options = Options()) -> Job:
    """Show what the models see of objects: for each a contact sheet of its numbered views, as a new image.

    Diff3F's painted views where it is among the features (which are computed if they are not there), else the rendered
    pictures. Views left out by ``options.without`` are crossed out. With ``options.pictures`` the pictures and the
    sheet are saved there too. ``data["images"]`` holds the names of the images, by object.

    Raises as :func:`features`, and InputError ``pictures-none`` (the features look at no pictures).
    """
    handles = [Handle.of(obj) for obj in objects]
    if not handles:
        raise InputError("nothing-selected", "No object was given.", "Select an object with a surface.")
    made = []
    with _job_folder() as folder:
        for number, handle in enumerate(handles):
            snapshot = yield from _read(handle)
            plan = yield from _plan(handle.get(), snapshot, options)
            recipe = plan["recipe"]
            if not recipe["views"]:
                raise InputError("pictures-none", f"“{recipe['name']}” looks at no pictures.", "Choose other features.")
            if any(part["extractor"] == "diff3f" for part in recipe["parts"]):
                yield from _describe(handle, replace(options, pictures=""), folder / f"features{number}", snapshot)
            every = {**recipe, "views": {name: value for name, value in recipe["views"].items() if name != "without"}}
            colours = surface_colours.read(handle.get(), snapshot) if plan["wants_colour"] else None
            seen = yield from passes.render(snapshot, of_recipe(snapshot, every), options.render_path, colours)
            seen.save(folder / f"passes{number}")
            arguments = {"passes": str(folder / f"passes{number}"), "recipe": recipe, "key": plan["key"]}
            arguments |= {"keep": str(Path(options.pictures) / handle.name) if options.pictures else ""}
            result = yield from client.shared().run("sheet", {**arguments, "output": str(folder / f"{number}.npy")})
            picture = np.load(result["output"], allow_pickle=False)
            if options.pictures:
                passes.write_png(Path(options.pictures) / f"{handle.name} views.png", picture)
            made.append((handle, picture, len(seen.depth)))
        images = {handle.name: sheets.show(picture, f"{handle.name} views").name for handle, picture, _ in made}
    names = ", ".join(f"“{name}”" for name in images.values())
    kept = made[0][2] - len(recipe["views"].get("without", []))
    return Report(
        f"The pictures are in {names}.",
        [f"{kept} of {made[0][2]} views are used; leave others out by their numbers."],
        {"images": images, "views": made[0][2], "used": kept},
    )


def texture_photo(photo: str | Path, target: bpy.types.Object, options: Options = Options(), mask: str = "") -> Job:
    """Give an object a photograph as its texture: where that shows it, else from the mirror twin, else filled.

    The photograph is matched first, as by :func:`match_photo`. The texture is a new image in a new material in a new
    slot; a second new image shows where each texel's colour is from: the photograph (red), the mirror twin (green),
    the surroundings (blue).

    Raises as :func:`match_photo`, and InputError ``no-uvs``, ``uvs-no-area``, ``texture-size``, ``photo-nothing-seen``.
    """
    if target.type == "MESH" and not target.data.uv_layers:
        raise InputError("no-uvs", f"“{target.name}” has no UV map.", "Unwrap it first (UV > Smart UV Project).")
    handle = Handle.of(target)
    with _job_folder() as folder:
        one, path = yield from _match_photo(photo, target, options, mask, folder)
        arguments = {"map": path, "snapshot": str(folder / "shape.npz"), "features": one.features}
        size = {"size": options.texture_size, "margin": options.margin}
        output = str(folder / "texture.npz")
        result = yield from client.shared().run("texture-photo", {**arguments, **size, "output": output})
        made = _arrays(Path(output))
        target = handle.get()
        snapshots.check_unchanged(target, one.snapshot)
        image, material = materials.write_texture(target, made["pixels"], f"{Path(photo).stem} on {target.name}")
        origin = (made["origin"] * 255).round().astype(np.uint8)
        origin_image = sheets.show(origin, f"{image.name} origin")
    seen, mirrored, filled = result["shares"]
    details = [
        f"Texture: image “{image.name}” in the new material “{material.name}”.",
        f"{seen:.0%} is from the photo (red in “{origin_image.name}”), {mirrored:.0%} from the mirror twin (green), "
        f"{filled:.0%} filled in (blue).",
    ]
    if result["overlap"] > 0.05:
        details.append(
            f"{result['overlap']:.0%} of the UV map lies over other parts of it, which get the same colours. "
            "Make a UV map without overlaps for colours of their own."
        )
    names = {"texture": image.name, "image": origin_image.name}
    return Report(
        f"“{handle.name}” has the texture of {Path(photo).name}.",
        details,
        {"map": path, **names, "shares": result["shares"], "overlap": result["overlap"]},
    )


def match_photo(photo: str | Path, target: bpy.types.Object, options: Options = Options(), mask: str = "") -> Job:
    """Match a photograph to an object: for each pixel of what it shows, a point on the object's surface.

    ``data["map"]`` is the path of a :class:`meshkin.photo_map.PhotoMap` in the cache, ``data["image"]`` the name of a
    new image: the photograph, coloured like the mesh's feature colours, which are written to it, as strongly as each
    pixel is trusted. With ``options.pictures`` it is saved there too.

    Args:
        photo: an image file.
        target: a mesh.
        options: of its features only the parts that look at pictures are used, the object rendered in its own
            materials unless ``style`` says otherwise; "auto" takes all whose models are there.
        mask: an image file, white (or opaque) where the object is; "" for the photograph's transparency or, where it
            has none, what agrees with the mesh.

    Raises as :func:`features`, and InputError ``photo-missing``, ``photo-unreadable``, ``photo-small``,
    ``mask-differs``, ``mask-empty``, ``photo-no-object``, ``photo-features`` (none of the features looks at photos).
    """
    handle = Handle.of(target)
    with _job_folder() as folder:
        one, path = yield from _match_photo(photo, target, options, mask, folder)
        found = PhotoMap.load(Path(path))
        colours = yield from _colours([one], _for_photos(options), folder)
        snapshots.check_unchanged(handle.get(), one.snapshot)
        picture = sheets.matched(found, colours[0][1]["colours"])
        title = f"{Path(photo).stem} on {handle.name}"
        if options.pictures:
            passes.write_png(Path(options.pictures) / f"{title}.png", picture)
        _write_colours(colours)
        image = sheets.show(picture, title)
    confidence = float(found.confidence[found.mask].mean())
    return Report(
        f"{Path(photo).name} is matched to “{handle.name}”: confidence {confidence:.0%} on average.",
        [f"The object covers {found.mask.mean():.0%} of the photo. See the image “{image.name}”."],
        {"map": path, "confidence": confidence, "share": float(found.mask.mean()), "image": image.name},
    )


def transfer(
    source: bpy.types.Object, target: bpy.types.Object, what: Sequence[str], options: Options = Options()
) -> Job:
    """Carry texture, weights or attributes from source to target through their map (made first where it is not there).

    Raises as :func:`match`, and InputError ``transfer-unknown``, ``no-texture``, ``no-uvs``, ``no-groups``,
    ``no-attributes``, ``no-armature``: before anything is computed where that can be known.
    """
    unknown = [name for name in what if name not in TRANSFERS]
    if unknown or not what:
        raise InputError(
            "transfer-unknown", f"“{', '.join(unknown)}” cannot be transferred.", f"Choose from {', '.join(TRANSFERS)}."
        )
    for obj in (target, *options.also):
        snapshots.check_writable(obj)
    ends = Handle.of(source), Handle.of(target)
    also = tuple(Handle.of(obj) for obj in options.also if obj not in (source, target))
    wanted = [name for name in TRANSFERS if name in what]
    for name in wanted:
        check, _ = _CARRIERS[name]
        check(source, target, options)
    with _job_folder() as folder:
        worn = "weights" in wanted and (yield from _worn(*ends, options, folder))
        if worn and set(wanted) <= {"weights", "armature"}:
            made = _Found(_undescribed(ends[0]), _undescribed(ends[1]), "")
        else:
            made = yield from _match(*ends, options, folder)
        one, two = made.source, made.target
        for end, name in ((one, "source"), (two, "target")):
            end.snapshot.save(folder / f"{name}.npz")
        job = _Transfer(one, two, made.map, folder, options, worn, also)
        writes = []
        try:
            for name in wanted:
                _, carry = _CARRIERS[name]
                writes.append((yield from carry(job)))
        finally:
            job.take_back()
        snapshots.check_writable(two.handle.get())
        snapshots.check_unchanged(two.handle.get(), two.snapshot)
        details = [sentence for write in writes for sentence in write()]
        if made.map:
            made.remember()
    return Report(
        f"“{one.handle.name}” gave “{two.handle.name}” its {' and '.join(wanted)}.",
        details,
        {"map": made.map, "written": wanted},
    )


def build_armature(obj: bpy.types.Object, options: Options = Options()) -> Job:
    """Make an armature from the object's vertex groups alone, and let it pose the object.

    ``options.groups`` and ``options.pattern`` choose the groups.
    Raises InputError ``no-groups``, ``no-weights`` (no group rules enough vertices), bad meshes; WorkerError.
    """
    snapshots.check_writable(obj)
    chosen = weights.chosen(obj, options.groups, options.pattern)
    handle = Handle.of(obj)
    with _job_folder() as folder:
        snapshot = snapshots.take(obj).check()
        snapshot.save(folder / "target.npz")
        names, values = weights.read(obj, snapshot, chosen)
        _save(folder / "groups.npy", values)
        arguments = {"target": str(folder / "target.npz"), "weights": str(folder / "groups.npy")}
        result = yield from client.shared().run("skeleton", {**arguments, "output": str(folder / "skeleton.npz")})
        found = _arrays(Path(result["output"]))
        snapshots.check_unchanged(handle.get(), snapshot)
        called = [names[column] for column in found["column"]]
        places = found["heads"] + snapshot.location, found["tails"] + snapshot.location
        armature = armatures.build(handle.get(), f"{handle.name} bones", called, *places, found["parents"].tolist())
        said = armatures.attach(handle.get(), armature, handle.get())
    left = [name for name in names if name not in called]
    if left:
        said.append(f"Groups that rule too few vertices to be bones: {', '.join(left)}.")
    return Report(f"“{armature.name}” was built of {len(called)} vertex groups.", said, {"armature": armature.name})


def motion(source: bpy.types.Object, target: bpy.types.Object) -> Job:
    """Let the target's armature play what the source's plays, keyed on every frame.

    Args:
        source, target: armatures, or meshes that armatures pose, with bones of the same names.

    Raises InputError ``no-armature``, ``no-bones``, ``armature-edited``, ``same-object``, ``no-action``,
    ``bones-differ``.
    """
    one, two = (obj if obj.type == "ARMATURE" else armatures.check(obj) for obj in (source, target))
    if one == two:
        raise InputError("same-object", f"“{one.name}” poses both already.", "Fit an armature to the target first.")
    frames = motions.frames_of(one)
    before = two.animation_data.action if two.animation_data else None
    muted = [constraint for bone in two.pose.bones for constraint in bone.constraints if not constraint.mute]
    done = False
    try:
        for share in motions.retarget(one, two, frames, f"{one.animation_data.action.name} on {two.name}"):
            yield Progress("Keying the motion", share)
        done = True
    finally:
        if not done:
            _take_motion_back(two, before, muted)
    said = [f"Frames {frames[0]} to {frames[-1]}."]
    if muted:
        said.append(f"{len(muted)} constraints of “{two.name}” were muted: the keys hold what they would do.")
    return Report(f"“{two.name}” moves as “{one.name}” does.", said, {"action": two.animation_data.action.name})


def _take_motion_back(armature: bpy.types.Object, action: bpy.types.Action | None, muted: list[Any]) -> None:
    made = armature.animation_data.action if armature.animation_data else None
    if made is not None and made != action:
        armature.animation_data.action = action
        motions.remove(made)
    for constraint in muted:
        constraint.mute = False


def pose(source: bpy.types.Object, target: bpy.types.Object, options: Options = Options()) -> Job:
    """Bring the target into the pose that the source has now, without any rig, as a new shape key that is switched on.

    Its other shape keys stay. ``options.threshold`` is the confidence from which the map is relied on.
    ``data["shape_key"]`` is the key's name. Raises as :func:`match`.
    """
    snapshots.check_writable(target)
    with _job_folder() as folder:
        made = yield from _match(Handle.of(source), Handle.of(target), options, folder)
        one, two = made.source, made.target
        own, _ = written.own_shape(two.handle.get(), two.snapshot)
        one.snapshot.save(folder / "source.npz")
        own.save(folder / "own.npz")
        _save(folder / "original.npy", two.snapshot.original)
        arguments = {"map": made.map, "threshold": options.threshold, "output": str(folder / "posed.npz")}
        arguments |= {name: str(folder / f"{name}.npz") for name in ("source", "own")}
        result = yield from client.shared().run("pose", {**arguments, "original": str(folder / "original.npy")})
        found = _arrays(Path(result["output"]))
        obj = two.handle.get()
        snapshots.check_writable(obj)
        snapshots.check_unchanged(obj, two.snapshot)
        offsets = found["vertices"].astype(np.float64) - own.vertices
        said = [written.write_shape_key(obj, f"Pose of {one.handle.name}", offsets, value=1.0)]
        made.remember()
    said.append(
        f"The match was relied on at {found['known'].mean():.0%} of the vertices; "
        f"edges became {float(found['stretch']):.1%} longer or shorter on average."
    )
    if rig := weights.armature_of(obj):
        said.append(f"“{rig.name}” poses “{obj.name}” on top of that: put it into its rest pose to see the key alone.")
    return Report(
        f"“{obj.name}” stands as “{one.handle.name}” does.",
        said,
        {"map": made.map, "shape_key": obj.data.shape_keys.key_blocks[-1].name, "stretch": float(found["stretch"])},
    )


def get_models(options: Options = Options(), name: str = "embedded") -> Job:
    """Fetch models into the model cache. Raises ModelError ``model-download-failed``, ``model-damaged``."""
    result = yield from client.shared().run("models-get", {"name": name})
    return Report(f"The model is ready in {result['folder']}.", result["models"], result)


def release_memory() -> Job:
    """Have the worker forget its models: their memory is Blender's then, until the next job needs them."""
    yield Progress("Releasing models", 0)
    if not client.running():
        return Report("No worker is running: it holds no memory.")
    result = yield from client.shared().run("release", {})
    return Report(f"The models are released: {result['bytes'] / 1e6:.0f} MB of graphics memory were freed.", [], result)


def cache_info() -> Job:
    """How many files and bytes the cache holds."""
    result = yield from client.shared().run("cache-info", {})
    return Report(
        f"The cache holds {result['files']} files, {result['bytes'] / 1e6:.0f} MB, in {result['folder']}.", [], result
    )


def clear_cache() -> Job:
    """Delete all features and maps from the cache."""
    result = yield from client.shared().run("cache-clear", {})
    return Report(f"The cache is empty: {result['bytes'] / 1e6:.0f} MB were freed.", [], result)


# Features --------------------------------------------------------------------------------------------------------


def _plan(obj: bpy.types.Object, snapshot: Snapshot, options: Options) -> Generator[Progress, None, dict[str, Any]]:
    """What has to be computed: ``recipe``, ``key``, ``features`` (the cache file, or None), ``wants_colour``."""
    choice = {
        "name": options.features,
        "model": options.model or None,
        "layers": list(options.layers) or None,
        "views": options.views or None,
        "rings": [list(ring) for ring in options.rings] or None,
        "without": list(options.without),
        "resolution": options.resolution or None,
        "style": options.style or None,
        "background": None if options.background < 0 else options.background,
        "profile": options.profile or None,
        "prompt": options.prompt or _in_words(snapshot.name),
        "settings": _settings(options),
        "online": options.online,
    }
    arguments = {"shape": snapshot.key, "choice": choice, "device": options.device}
    plan = yield from client.shared().run("plan", arguments)
    if plan["wants_colour"]:
        plan = yield from client.shared().run("plan", {**arguments, "look": surface_colours.key(obj)})
    return plan


def _read(handle: Handle) -> Generator[Progress, None, Snapshot]:
    """The object as it is now."""
    yield Progress("Reading the mesh", 0)
    return snapshots.take(handle.get()).check()


def _settings(options: Options) -> dict[str, Any]:
    named = {"negative": options.negative_prompt or None, "seed": options.seed}
    return {**{name: value for name, value in named.items() if value is not None}, **options.settings}


_NAMELESS = {"mesh", "object", "obj", "geo", "cube", "sphere", "icosphere", "plane", "cylinder", "low", "high", "poly"}
"""Words in objects' names that do not say what they are."""


def _in_words(name: str) -> str:
    """What an object is, from its name ("Old_Lion.003": "old lion"); "object" where the name does not say."""
    words = re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    return " ".join(word for word in words if word not in _NAMELESS) or "object"


def _describe(
    handle: Handle, options: Options, folder: Path, snapshot: Snapshot | None = None
) -> Generator[Progress, None, _Described]:
    """The object's features in the cache, computed if they are not there."""
    snapshot = snapshot or (yield from _read(handle))
    plan = yield from _plan(handle.get(), snapshot, options)
    path = plan["features"]
    if path is None or (options.pictures and plan["recipe"]["views"]):
        snapshot.save(folder / "snapshot.npz")
        if plan["recipe"]["views"]:
            colours = surface_colours.read(handle.get(), snapshot) if plan["wants_colour"] else None
            seen = yield from passes.render(snapshot, of_recipe(snapshot, plan["recipe"]), options.render_path, colours)
            seen.save(folder / "passes")
            if options.pictures:
                passes.save_pictures(seen, Path(options.pictures) / handle.name)
    if path is None:
        arguments = {
            "snapshot": str(folder / "snapshot.npz"),
            "passes": str(folder / "passes") if plan["recipe"]["views"] else None,
            "recipe": plan["recipe"],
            "key": plan["key"],
            "device": options.device,
        }
        path = (yield from client.shared().run("features", arguments))["features"]
    shutil.rmtree(folder, ignore_errors=True)
    return _Described(handle, snapshot, plan["key"], path, plan["recipe"])


def _colours(
    found: list[_Described], options: Options, folder: Path
) -> Generator[Progress, None, list[tuple[_Described, dict[str, NDArray[Any]]]]]:
    """PCA colours of these objects and of all others in the file that show the same kind of features, in one basis."""
    group = list(found)
    for obj in described([one.handle for one in found]):
        snapshot = snapshots.take(obj)
        plan = yield from _plan(obj, snapshot, options)
        if plan["key"] == obj[FEATURES_PROPERTY] and plan["features"]:
            group.append(_Described(Handle.of(obj), snapshot, plan["key"], plan["features"], plan["recipe"]))
    arguments = {"features": [one.features for one in group], "folder": str(folder), "channels": CHANNELS}
    result = yield from client.shared().run("colours", arguments)
    return [(one, _arrays(Path(path))) for one, path in zip(group, result["arrays"], strict=True)]


def _write_colours(colours: list[tuple[_Described, dict[str, NDArray[Any]]]]) -> None:
    """Show the features on every object of the group that can be written to (a linked source cannot)."""
    for one, values in colours:
        obj, rows = one.handle.get(), one.snapshot.original
        if not snapshots.is_writable(obj):
            continue
        attributes.write_features(
            obj, values["colours"][rows], values["channels"][rows], values["seen"][rows], values["confidence"][rows]
        )
        obj[FEATURES_PROPERTY] = one.key


def _seen_sentence(one: _Described, values: dict[str, NDArray[Any]]) -> str:
    if not one.recipe["views"]:
        return f"“{one.handle.name}”: {len(one.snapshot.vertices)} vertices described without pictures."
    share = float((values["seen"] > 0).mean())
    return f"“{one.handle.name}”: {share:.1%} of {len(one.snapshot.vertices)} vertices were seen, the rest filled in."


# Photographs -----------------------------------------------------------------------------------------------------


def _for_photos(options: Options) -> Options:
    """The options with only those features that look at pictures, textured ones."""
    names = [name.strip() for name in options.features.split("+") if name.strip() != "geometric"]
    if not names:
        raise InputError("photo-features", "A photo cannot be compared by shape alone.", "Choose other features.")
    if "diff3f" in names:
        raise InputError("photo-features", "Diff3F paints views of meshes, not photos.", "Choose “sd_dino” or “auto”.")
    features = "pictures" if names == ["auto"] else "+".join(names)
    return replace(options, features=features, style=options.style or "textured")


def _match_photo(
    photo: str | Path, target: bpy.types.Object, options: Options, mask: str, folder: Path
) -> Generator[Progress, None, tuple[_Described, str]]:
    """The object described as photographs can be, its snapshot saved as ``shape.npz``; and the file of the match."""
    chosen = _for_photos(options)
    snapshots.check_writable(target)
    handle = Handle.of(target)
    given = {"photo": str(photo), "mask": mask}
    files = {name: str(Path(path).expanduser().resolve()) if path else "" for name, path in given.items()}
    yield from client.shared().run("check-photo", files)
    one = yield from _describe(handle, chosen, folder / "target")
    one.snapshot.save(folder / "shape.npz")
    arguments = {"snapshot": str(folder / "shape.npz"), "features": one.features, "recipe": one.recipe}
    arguments |= {"key": one.key, "device": options.device}
    result = yield from client.shared().run("match-photo", {**files, **arguments})
    return one, result["map"]


# Match -----------------------------------------------------------------------------------------------------------


def _match(one: Handle, two: Handle, options: Options, folder: Path) -> Generator[Progress, None, _Found]:
    """Both objects' features and their map in the cache, made directly or through a third object."""
    if one == two:
        raise InputError("same-object", "Source and target are the same object.", "Choose two different objects.")
    if options.through is None:
        return (yield from _match_directly(one, two, options, folder))
    centre = Handle.of(options.through)
    if centre == one:
        return (yield from _match_directly(one, two, options, folder))
    _check_direct(options)
    first = yield from _match_directly(centre, one, options, folder)
    if centre == two:
        return (yield from _join(first, None, folder))
    return (yield from _join(first, (yield from _match_directly(centre, two, options, folder)), folder))


def _match_directly(
    source: Handle, target: Handle, options: Options, folder: Path
) -> Generator[Progress, None, _Found]:
    """The map between two objects, guided by point pairs: those that cannot be used are told before the work."""
    shapes = (yield from _read(source)), (yield from _read(target))
    ends = source.get(), target.get()
    pairs = point_pairs.vertices(*ends, shapes, options.pairs)
    flip = matches.was_flipped_with(*ends, pairs) if options.flip is None else options.flip
    one = yield from _describe(source, options, folder / "source", shapes[0])
    two = yield from _describe(target, options, folder / "target", shapes[1])
    arguments: dict[str, Any] = {"source_features": one.features, "target_features": two.features}
    arguments |= {"keys": [one.key, two.key], "pairs": pairs.tolist(), "flip": flip}
    arguments |= _shape_files({"source": one, "target": two}, folder)
    result = yield from client.shared().run("match", arguments)
    return _Found(one, two, result["map"], flip, pairs)


def _join(first: _Found, second: _Found | None, folder: Path) -> Generator[Progress, None, _Found]:
    """The map between what two maps of one source go to; or, with one map alone, from its target to its source."""
    target = second.target if second else first.source
    shapes = {"through": first.source, "source": first.target, "target": target}
    arguments = {"first": first.map, "second": second.map if second else None, **_shape_files(shapes, folder)}
    result = yield from client.shared().run("compose", arguments)
    return _Found(first.target, target, result["map"])


def _shape_files(shapes: dict[str, _Described], folder: Path) -> dict[str, str]:
    """Snapshots as files that a worker reads; their paths by name."""
    paths = {name: folder / f"{name}-shape.npz" for name in shapes}
    for name, shape in shapes.items():
        shape.snapshot.save(paths[name])
    return {name: str(path) for name, path in paths.items()}


def _check_direct(options: Options) -> None:
    if options.pairs or options.flip:
        raise InputError(
            "pairs-through",
            "Objects of a set cannot share one list of point pairs, nor be flipped together.",
            "Mark the points by empties in the scene, or match two objects without the set's reference.",
        )


def _write_matches(
    made: list[_Found], found: list[Match], colours: list[tuple[_Described, dict[str, NDArray[Any]]]]
) -> None:
    """Write what new matches show: features as colours, confidence, and where the map is."""
    for one in made:
        for end in (one.source, one.target):
            snapshots.check_unchanged(end.handle.get(), end.snapshot)
    _write_colours(colours)
    for one, match in zip(made, found, strict=True):
        source, target = one.source.handle.get(), one.target.handle.get()
        attributes.write(target, look.CONFIDENCE, match.to_source.confidence[one.target.snapshot.original])
        one.remember()
        look.repaint(source, target)


def _guidance(made: _Found) -> list[str]:
    """What guided a match, a sentence each."""
    count = len(made.pairs)
    pairs = [f"{count} point pair{'s' if count > 1 else ''} guided it."] if count else []
    return pairs + (["It is flipped: the mirrored answer was taken."] if made.flip else [])


def _undescribed(handle: Handle) -> _Described:
    """An object whose features are not needed."""
    return _Described(handle, snapshots.take(handle.get()).check(), "", "", {})


def _worn(source: Handle, target: Handle, options: Options, folder: Path) -> Generator[Progress, None, bool]:
    """Whether weights are to come from the nearest point: chosen so, or the target lies on the source."""
    if options.nearness != "auto" or options.way == "features":
        return options.nearness == "always"
    arguments = {}
    for name, handle in (("source", source), ("target", target)):
        arguments[name] = str(folder / f"{name}-place.npz")
        snapshots.take(handle.get()).check().save(folder / f"{name}-place.npz")
    return bool((yield from client.shared().run("worn", arguments))["worn"])


# Transfers: what each needs, how it is carried, how it is written -------------------------------------------------


@dataclass(frozen=True)
class _Transfer:
    source: _Described
    target: _Described
    map: str
    folder: Path
    options: Options
    worn: bool = False
    also: tuple[Handle, ...] = ()
    undo: list[Callable[[], None]] = field(default_factory=list)

    def answer(self, kind: str, **arguments: Any) -> Generator[Progress, None, dict[str, Any]]:
        """Run one transfer job on both snapshots and the map; its answer comes back."""
        paths = {"map": self.map, "source": str(self.folder / "source.npz"), "target": str(self.folder / "target.npz")}
        return (yield from client.shared().run(kind, {**paths, **arguments}))

    def take_back(self) -> None:
        """Take away what was only shown."""
        while self.undo:
            self.undo.pop()()

    def run(self, kind: str, **arguments: Any) -> Generator[Progress, None, dict[str, NDArray[Any]]]:
        """Run one transfer job on both snapshots and the map; its arrays come back."""
        paths = {"map": self.map, "source": str(self.folder / "source.npz"), "target": str(self.folder / "target.npz")}
        result = yield from client.shared().run(
            kind, {**paths, "output": str(self.folder / f"{kind}.npz"), **arguments}
        )
        return _arrays(Path(result["output"]))


Write = Callable[[], list[str]]
"""Writes what was carried to the target and says what it wrote."""


def _check_texture(source: bpy.types.Object, target: bpy.types.Object, options: Options) -> None:
    texturing.check(source, target, texturing.wanted_of(options))


def _carry_texture(job: _Transfer) -> Generator[Progress, None, Write]:
    def show(small: texturing.Made) -> None:
        obj = job.target.handle.get()
        snapshots.check_writable(obj)
        written = small.write(obj, "")
        job.undo.append(lambda: texturing.take_back(job.target.handle.get(), written))

    source, target = job.source.handle.get(), job.target.handle.get()
    wanted = texturing.wanted_of(job.options)
    made = yield from texturing.carry(source, target, job.source.snapshot, job.answer, job.folder, wanted, show)

    def write() -> list[str]:
        written = made.write(job.target.handle.get(), wanted.folder)
        return texturing.described(written, made)

    return write


_FINDINGS = {
    "missing": "these bones move hardly anything on the target",
    "split": "these bones move several separate places",
    "crossed": "these bones lie on the wrong side",
}
"""What the check after a transfer of weights says."""


def _check_weights(source: bpy.types.Object, target: bpy.types.Object, options: Options) -> None:
    weights.chosen(source, options.groups, options.pattern)
    if options.limit < 1:
        raise InputError("weights-limit", "A vertex cannot have less than one weight.", "Choose a limit of 1 or more.")
    if options.nearness not in NEARNESS:
        raise InputError(
            "nearness-unknown",
            f"“{options.nearness}” is no way to use nearness.",
            f"Choose from {', '.join(NEARNESS)}.",
        )
    if options.way not in WAYS:
        raise InputError("way-unknown", f"“{options.way}” is no way of weights.", f"Choose from {', '.join(WAYS)}.")
    if options.mask and options.mask not in target.vertex_groups:
        raise InputError(
            "mask-missing", f"“{target.name}” has no vertex group “{options.mask}”.", "Choose one that it has."
        )


def _carry_weights(job: _Transfer) -> Generator[Progress, None, Write]:
    source, options = job.source.handle.get(), job.options
    names, values = weights.read(source, job.source.snapshot, weights.chosen(source, options.groups, options.pattern))
    _save(job.folder / "groups.npy", values)
    chosen = {name: getattr(options, name) for name in ("limit", "smoothing", "threshold")}
    chosen |= {"mirror": sides.twins(names), "way": options.way, "features": None}
    if job.source.features and job.target.features:
        chosen["features"] = [job.source.features, job.target.features]
    if job.worn:
        chosen["map"] = ""
    carried = yield from job.run("weights", weights=str(job.folder / "groups.npy"), **chosen)
    original = job.target.snapshot.original
    rows, inpainted = carried["weights"][original], carried["inpainted"][original]
    called = sides.renamed(names, dict(options.rename))
    left = [group.name for group in source.vertex_groups if group.name not in names]
    also = []
    if job.also:
        _save(job.folder / "carried.npy", carried["weights"])
    for index, handle in enumerate(job.also):
        # Each lies on the target: it takes the weights that the target has just been given.
        snapshot = snapshots.take(handle.get()).check()
        snapshot.save(job.folder / f"also{index}.npz")
        places = {"source": str(job.folder / "target.npz"), "target": str(job.folder / f"also{index}.npz"), "map": ""}
        worn = yield from job.run(
            "weights", **{**chosen, **places, "features": None}, weights=str(job.folder / "carried.npy")
        )
        also.append((handle, snapshot, worn))

    def write() -> list[str]:
        obj = job.target.handle.get()
        said = weights.write(obj, called, rows, options.limit, options.mix, options.mask, options.mirrored)
        attributes.write(obj, weights.INPAINTED, inpainted.astype(np.float32))
        origin = "the nearest point of the source" if job.worn else "the match"
        if carried["learnt"]:
            origin = "the features"
        said.insert(0, f"From {origin}; {inpainted.mean():.0%} of the vertices were inpainted.")
        if np.isfinite(carried["compared"]).all():
            learnt, copied = carried["compared"]
            said.append(
                f"On held-out patches of the source, weights learnt from features are off by {learnt:.2f}, "
                f"weights copied from the most similar point by {copied:.2f}."
            )
        if left:
            why = "not of deforming bones" if options.groups == "deform" and not options.pattern else "not chosen"
            said.append(f"Not carried, {why}: {', '.join(left)}.")
        for finding, text in _FINDINGS.items():
            if job.worn and finding == "missing":
                continue  # clothes cover a part of the body only
            if len(carried[finding]):
                said.append(f"Check: {text}: {', '.join(called[bone] for bone in carried[finding])}.")
        for handle, snapshot, worn in also:
            one = handle.get()
            snapshots.check_writable(one)
            snapshots.check_unchanged(one, snapshot)
            weights.write(one, called, worn["weights"][snapshot.original], options.limit, options.mix)
            attributes.write(one, weights.INPAINTED, worn["inpainted"][snapshot.original].astype(np.float32))
            said.append(f"“{one.name}” takes its weights from “{obj.name}”, on which it lies.")
        return said

    return write


def _check_armature(source: bpy.types.Object, target: bpy.types.Object, options: Options) -> None:
    armatures.check(source)


def _carry_armature(job: _Transfer) -> Generator[Progress, None, Write]:
    """Fit a copy of the source's armature; what is worn is posed by the source's own."""
    source, snapshot = job.source.handle.get(), job.source.snapshot
    armature = Handle.of(armatures.check(source))

    def attach(rig: bpy.types.Object) -> list[str]:
        like = job.source.handle.get()
        posed = [job.target.handle, *job.also]
        return [sentence for one in posed for sentence in armatures.attach(one.get(), rig, like)]

    if job.worn:
        return lambda: attach(armature.get())
    skeleton = armatures.read(armature.get(), snapshot.location.tolist())
    groups: list[str] = []
    values = np.zeros((len(snapshot.vertices), 0), np.float32)
    if source.vertex_groups:
        groups, values = weights.read(source, snapshot, [group.name for group in source.vertex_groups])
    number = {name: index for index, name in enumerate(groups)}
    _save(job.folder / "groups.npy", values)
    fields = {name: getattr(skeleton, name) for name in ("heads", "tails", "axes", "parents", "mirror")}
    fields["column"] = np.array([number.get(name, -1) for name in skeleton.names], np.int64)
    with readable_failure(job.folder, "writing"):
        np.savez(job.folder / "bones.npz", **fields)
    fitted = yield from job.run("joints", weights=str(job.folder / "groups.npy"), bones=str(job.folder / "bones.npz"))

    def write() -> list[str]:
        target = job.target.handle.get()
        shift = job.target.snapshot.location - snapshot.location
        copy = armatures.copy_to(armature.get(), target, shift.tolist(), f"{armature.name} on {target.name}")
        scale, place = float(fitted["scale"]), job.target.snapshot.location
        heads, tails = fitted["heads"] + place, fitted["tails"] + place
        armatures.move_bones(copy, skeleton.names, heads, tails, fitted["axes"], scale)
        said = [
            f"Armature: {len(skeleton.names)} bones of “{armature.name}”, {float(fitted['scale']):.2f} times as large."
        ]
        if fitted["moved"].any():
            listed = [name for name, one in zip(skeleton.names, fitted["moved"], strict=True) if one]
            said.append(f"Brought back into the body: {', '.join(listed)}.")
        for old, new in job.options.rename:
            if old in copy.data.bones:
                copy.data.bones[old].name = new
        return said + attach(copy)

    return write


def _payload(kind: str) -> tuple[_Check, _Carry]:
    """How one of :data:`meshkin.payloads.KINDS` is checked and carried."""

    def check(source: bpy.types.Object, target: bpy.types.Object, options: Options) -> None:
        payloads.check(kind, source, options.names)

    def carry(job: _Transfer) -> Generator[Progress, None, Write]:
        source, target = job.source, job.target
        write = yield from payloads.carry(
            kind,
            source.handle.get(),
            target.handle.get(),
            source.snapshot,
            target.snapshot,
            job.options.names,
            job.answer,
            job.folder,
        )
        return lambda: write(target.handle.get())

    return check, carry


_Check = Callable[["bpy.types.Object", "bpy.types.Object", Options], None]
_Carry = Callable[[_Transfer], Generator[Progress, None, Write]]
_CARRIERS: dict[str, tuple[_Check, _Carry]] = {
    "texture": (_check_texture, _carry_texture),
    "weights": (_check_weights, _carry_weights),
    **{kind: _payload(kind) for kind in payloads.KINDS},
    "armature": (_check_armature, _carry_armature),
}


# Files -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _job_folder() -> Iterator[Path]:
    """A folder for one job's bulk data, gone afterwards.

    Raises InputError ``object-gone`` for whatever the job holds of Blender's data and was deleted meanwhile.
    """
    with readable_failure(Path(tempfile.gettempdir()), "making a folder in"):
        folder = Path(tempfile.mkdtemp(prefix="meshkin-"))
    try:
        yield folder
    except ReferenceError as error:
        what = "An object, material or image of this job was deleted while it ran."
        raise InputError("object-gone", what, "Start the job again.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as data:
        return {name: data[name] for name in data.files}


def _save(path: Path, values: NDArray[Any]) -> None:
    with readable_failure(path, "writing"):
        np.save(path, values, allow_pickle=False)
