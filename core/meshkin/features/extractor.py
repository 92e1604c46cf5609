"""What an extractor is: the light description that the registry finds, and the reader that does the work.

A module or folder of :mod:`meshkin.features.extractors`, or of a user's folder, gives the name ``EXTRACTOR`` to an
instance of :class:`SurfaceExtractor`, :class:`PictureExtractor` or :class:`DerivedExtractor`. Listing and resolving
import that module, also inside Blender: it must not import heavy libraries (torch, SciPy, ...) before it computes.
MeshKin's own modules import even their settings late, since Blender lists them each time it starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, TypeAlias, TypeVar

from ..base.options import Choice

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from ..base.progress import ProgressCallback
    from ..data.features import Features
    from ..data.recipe import FeatureChoice, Part, PartModel, Recipe, ViewPlacement
    from ..data.snapshot import Snapshot
    from .settings import Settings
    from .view_data import Grids, Lifted, SeenViews, ViewImages

SettingsType = TypeVar("SettingsType", bound="Settings")
Models: TypeAlias = "Mapping[str, PartModel]"
"""The models of a part by their role."""


@dataclass(frozen=True)
class ModelRole:
    """A model that an extractor reads.

    Attributes:
        kind: what it must be, as :func:`meshkin.models.locate` takes it.
        default: name of the model that is read where the user names none; None for the first one at hand of its kind.
        optional: whether it is read only where the user names one.
    """

    kind: str
    default: str | None = None
    optional: bool = False


@dataclass(frozen=True)
class Profile(Generic[SettingsType]):
    """A named set of settings.

    Attributes:
        settings: all of them.
        views: where the cameras stand unless the user chooses; None for the default of all extractors.
    """

    settings: SettingsType
    views: ViewPlacement | None = None


class Extractor(Generic[SettingsType]):
    """What MeshKin knows of an extractor before it computes; see the two subclasses.

    Attributes:
        name: as users write it: small letters, digits, underscores.
        label: as people read it; "" for the name.
        description: one sentence for people.
        code_version: to be raised whenever the same settings and models would give other features.
        transient: names of settings that do not change the features.
        profiles: what it calls its named sets of settings (:meth:`profile`), the default first; () where there are
            none.
        roles: the models that it reads. The option ``model`` of a choice names that of the first role.
        weight: how much its features count beside those of the other parts.
        auto: its place among the extractors that "auto" takes; None where it must be asked for by name.
        settable: whether users may set its settings by name. Its weight and its models go by the same names. Those of
            optional roles may always be named.
        layers_setting: the setting that the option ``layers`` of a choice sets; "" for none.
        intrinsic: whether its features tell intrinsic geometry alone: the same for a surface bent without stretching.
        panel: its entries in the panel's list, each an extractor or several joined by "+"; None for one with its name,
            label and description.
        panel_options: names of options of the panel that concern it alone.
        seconds: that it takes for one object on two cores of a processor, about (a model that needs a graphics card: on
            one): how wide its step is on the progress bar.
    """

    name: str
    label: str = ""
    description: str = ""
    code_version: int = 1
    transient: tuple[str, ...] = ()
    profiles: tuple[Choice, ...] = ()
    roles: Mapping[str, ModelRole] = {}
    weight: float = 1.0
    auto: int | None = None
    settable: bool = True
    layers_setting: str = ""
    intrinsic: bool = False
    panel: tuple[Choice, ...] | None = None
    panel_options: tuple[str, ...] = ()
    seconds: float = 20.0
    looks_at_pictures: ClassVar[bool]

    @property
    def settings_type(self) -> type[SettingsType]:
        """The class of its settings: :class:`meshkin.features.settings.Settings` itself where it has none."""
        from .settings import Settings

        return Settings  # type: ignore[return-value]

    def profile(self, name: str) -> Profile[SettingsType]:
        """The settings of one of its profiles; "" for the default."""
        return Profile(self.settings_type())

    def settings_of(self, part: Part) -> SettingsType:
        """The settings of a recipe's part; raises InputError ``features-option`` also where one is absent."""
        from .settings import read, require

        for name in self.settings_type.__dataclass_fields__:
            require(name in part.settings, f"{self.name}: {name}", "missing", "given")
        return read(self.settings_type, part.settings, self.name)

    def needed_roles(self, settings: SettingsType) -> Sequence[str]:
        """The roles whose models these settings need; optional ones count only where the user names a model."""
        return list(self.roles)

    def complete(self, settings: SettingsType, models: Models) -> SettingsType:
        """The settings with what is left open filled in from the models."""
        return settings

    def check(self, settings: SettingsType, models: Models) -> None:
        """Check that settings and models go together, by the models' configurations alone.

        Raises InputError ``features-option``, ModelError ``model-wrong``.
        """


class SurfaceExtractor(Extractor[SettingsType]):
    """An extractor that describes a surface without pictures of it."""

    looks_at_pictures = False

    def describe(self, snapshot: Snapshot, settings: SettingsType, report: ProgressCallback) -> NDArray[np.floating]:
        """Features of every vertex, (V, C), finite; ``report`` may raise Cancelled."""
        raise NotImplementedError


class DerivedExtractor(Extractor[SettingsType]):
    """An extractor that makes its features of those of another recipe, its base."""

    looks_at_pictures = True

    def base(self, models: Models) -> Recipe | FeatureChoice:
        """The base, by its models: as a recipe, whose models may have moved since, or as users ask for it."""
        raise NotImplementedError

    def derive(
        self, snapshot: Snapshot, base: Features, models: Models, report: ProgressCallback
    ) -> NDArray[np.float32]:
        """Features of every vertex, (V, C), finite, from those of the base; ``report`` may raise Cancelled."""
        raise NotImplementedError

    def derive_cells(self, cells: NDArray[np.float32], models: Models) -> NDArray[np.float32]:
        """Features (N, C) of cells of a photograph, from those of the base, (N, B)."""
        raise NotImplementedError


@dataclass(frozen=True)
class PictureLook:
    """The pictures that an extractor looks at.

    Attributes:
        style: one of :data:`meshkin.data.recipe.STYLES`.
        background: gray level behind the object, in [0, 1].
        resolution: width and height, pixels.
    """

    style: Literal["normal", "shading", "textured"]
    background: float
    resolution: int


class PictureReader:
    """Pictures in, feature maps out: an extractor with its models loaded.

    Attributes:
        channels: of each map, in order.
    """

    channels: tuple[int, ...]

    @property
    def map_weights(self) -> tuple[float, ...]:
        """How much each map counts beside the others, as a unit vector."""
        return (len(self.channels) ** -0.5,) * len(self.channels)

    def extract(self, images: ViewImages, report: ProgressCallback) -> Iterator[Grids]:
        """Yield the feature maps batch by batch; ``report`` may raise Cancelled between batches."""
        raise NotImplementedError


class PictureExtractor(Extractor[SettingsType]):
    """An extractor that looks at pictures of a surface, or at photographs.

    Attributes:
        photo_refusal: why it cannot describe a photograph, one sentence; "" where it can.
        resumable: whether its maps take so long that those of single views are kept for when a job is stopped.
        reduces: whether its features are reduced where several shapes meet, see :meth:`reduce`.
    """

    looks_at_pictures = True
    photo_refusal: str = ""
    resumable: bool = False
    reduces: bool = False

    def look(self, settings: SettingsType) -> PictureLook:
        """The pictures that it looks at."""
        raise NotImplementedError

    def cell_size(self, settings: SettingsType, models: Models) -> int:
        """Pixels along a cell of its maps: the pictures' resolution must be a multiple of it."""
        return 1

    def paints(self, settings: SettingsType) -> bool:
        """Whether it makes pictures of its own that people may want to see."""
        return False

    def large_networks(self, settings: SettingsType, models: Models) -> Sequence[Path]:
        """Folders of the networks that must be on the device at once, where they are so large that it may not hold
        them: they are loaded before the views are rendered."""
        return ()

    def build(self, settings: SettingsType, models: Models, device: str) -> PictureReader:
        """Its reader on a device ("auto", "cpu" or a torch device), the models loaded.

        Raises ModelError ``model-wrong``, InputError ``device-missing``.
        """
        raise NotImplementedError

    def lift(self, seen: SeenViews, settings: SettingsType, report: ProgressCallback) -> Lifted:
        """Carry the maps to the vertices: each takes what the views that see it show there."""
        from .lifting import lift_weighted

        return lift_weighted(seen, report)

    def reduce(
        self,
        features: Sequence[NDArray[np.float32]],
        settings: SettingsType,
        weight: float,
        channels: Sequence[int],
    ) -> list[NDArray[np.float32]]:
        """Reduce its features of several shapes that meet in a job to one common space; see ``reduces``.

        Args:
            features: its columns (V_i, sum of ``channels``) of each shape.
            settings: of the part.
            weight: of the part.
            channels: of each map.
        """
        raise NotImplementedError

    def multiple_of_cell(self, resolution: int, settings: SettingsType, models: Models) -> int:
        """The largest multiple of its cell size that is not larger than ``resolution``, but at least one cell."""
        cell = self.cell_size(settings, models)
        return max(resolution // cell, 1) * cell
