"""What a job is told and what it answers."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..base.progress import Progress
from ..data.point_pairs import Pairs
from ..scene.objects import BlenderObject
from .payloads import KINDS

TRANSFERS = ("texture", "weights", *KINDS, "armature")
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
        background: gray level behind the object, 0 to 1; below 0 for the default.
        render_path: "auto", "gpu" or "cycles".
        device: "auto", "cpu" or a torch device ("cuda", "cuda:1", "mps").
        online: whether models may be fetched from the hub.
        pictures: folder in which to save the rendered passes as pictures; "" for none.
        texture_size: width and height of a transferred texture, pixels.
        margin: pixels by which a texture's islands are grown.
        channels: of a material, of :data:`meshkin.scene.materials.channels.MATERIAL_CHANNELS`; () for all.
        texture_threshold: where the map is trusted less than this (0 to 1), textures are filled in from around.
        map_smoothing: evens out the map's detail within this many hundredths of the square root of the target's area.
        unwrap: "smart" (Blender's Smart UV Project) or "xatlas", for a target without UVs.
        tiles: "udim", "one" (UVs outside the unit square repeat), or "auto": what they look like.
        texture_folder: where to keep new images as files; "" packs them.
        preview: show a small texture first.
        limit: most groups that a vertex may be weighted to.
        smoothing: how often each vertex's weights are averaged with its neighbors'.
        threshold: confidence from which a point of the map is relied on for weights; the rest is inpainted.
        nearness: whether weights come from the nearest point of the source instead of the match: "always", "never",
            or "auto": where the target lies on the source (clothes, hair, eyes).
        way: how weights come over where they do not come by nearness: "map"; "features" (a small model learned on the
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
            (:mod:`meshkin.scene.mesh.pairs`), () for none.
        flip: whether to take the other answer (mirrored, or the other place that a part fits); None for what it was
            when the two were last matched, if the point pairs are still the same.
        through: an object that others are matched through, so that all of a set are consistent.
        prompt: what the object is, in words, for ``diff3f``; "" for its name.
        negative_prompt: what not to paint; "" for the profile's.
        profile: of ``diff3f``, "fast" or "reference"; "" for the first.
        seed: of ``diff3f``'s noise; None for the profile's.
        settings: more of the parameters of ``diff3f`` or ``sd_dino`` by name, see
        :mod:`meshkin.features.extractors.diff3f.settings` and
            :mod:`meshkin.features.extractors.sd_dino.settings`.
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
    also: tuple[BlenderObject, ...] = ()
    names: tuple[str, ...] = ()
    pairs: Pairs | None = None
    flip: bool | None = None
    through: BlenderObject | None = None
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


Steps = Generator[Progress, None, Report]
