"""What the functions of the workflow are told, and what they return."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..base.options import check_numbers, options_of
from ..base.progress import Progress
from ..dataset.options import DatasetOptions, LookOptions
from ..families.options import FamilyOptions
from ..features.options import FeatureOptions
from ..matching.options import MatchOptions
from ..paint.options import PaintOptions, SubjectOptions
from ..parts.options import PartOptions
from ..pictures.learning.options import PairOptions, PictureLearningOptions
from ..pictures.options import PictureOptions
from ..transfer.attributes.options import AttributeOptions
from ..transfer.rig.options import RigOptions
from ..transfer.texture.options import TextureOptions
from ..transfer.weights.options import WeightOptions
from ..video.options import VideoOptions
from ..worker.options import WorkerOptions

WEIGHT_OPTIONS = options_of(WeightOptions)

NEARNESS = WEIGHT_OPTIONS["nearness"].values
"""When weights come from the nearest point of the source instead of the match."""
WEIGHT_METHODS = WEIGHT_OPTIONS["method"].values
"""How weights come over."""


@dataclass(frozen=True, init=False)
class Options:
    """How the work is done, a group for each stage; the defaults work.

    ``Options(texture=TextureOptions(size=4096), worker=WorkerOptions(device="cpu"))``. What each option means stands
    beside it, in the modules ``options`` of features, matching, transfer and worker.

    Keywords from before options were grouped (``texture_size=4096``) are still understood, with a DeprecationWarning.
    """

    features: FeatureOptions = FeatureOptions()
    match: MatchOptions = MatchOptions()
    texture: TextureOptions = TextureOptions()
    weights: WeightOptions = WeightOptions()
    rig: RigOptions = RigOptions()
    attributes: AttributeOptions = AttributeOptions()
    parts: PartOptions = PartOptions()
    family: FamilyOptions = FamilyOptions()
    dataset: DatasetOptions = DatasetOptions()
    look: LookOptions = LookOptions()
    maps: PictureOptions = PictureOptions()
    paint: PaintOptions = PaintOptions()
    subject: SubjectOptions = SubjectOptions()
    video: VideoOptions = VideoOptions()
    picture_pairs: PairOptions = PairOptions()
    picture_learning: PictureLearningOptions = PictureLearningOptions()
    worker: WorkerOptions = WorkerOptions()

    def __init__(  # one parameter for each stage
        self,
        features: FeatureOptions | str = FeatureOptions(),
        match: MatchOptions = MatchOptions(),
        texture: TextureOptions = TextureOptions(),
        weights: WeightOptions = WeightOptions(),
        rig: RigOptions = RigOptions(),
        attributes: AttributeOptions = AttributeOptions(),
        parts: PartOptions = PartOptions(),
        family: FamilyOptions = FamilyOptions(),
        dataset: DatasetOptions = DatasetOptions(),
        look: LookOptions = LookOptions(),
        maps: PictureOptions = PictureOptions(),
        paint: PaintOptions = PaintOptions(),
        subject: SubjectOptions = SubjectOptions(),
        video: VideoOptions = VideoOptions(),
        picture_pairs: PairOptions = PairOptions(),
        picture_learning: PictureLearningOptions = PictureLearningOptions(),
        worker: WorkerOptions = WorkerOptions(),
        **flat: Any,
    ) -> None:
        """Take whole groups, or single options by their old flat names; raises TypeError for an unknown name."""
        if isinstance(features, str):
            flat["features"] = features
            features = FeatureOptions()
        groups: dict[str, Any] = {"features": features, "match": match, "texture": texture, "weights": weights}
        groups |= {"rig": rig, "attributes": attributes, "parts": parts, "family": family, "dataset": dataset}
        groups |= {"look": look, "maps": maps, "paint": paint, "subject": subject, "video": video, "worker": worker}
        groups |= {"picture_pairs": picture_pairs, "picture_learning": picture_learning}
        if flat:
            warnings.warn(
                f"Options are grouped: {', '.join(flat)} will not be understood by the next version.",
                DeprecationWarning,
                stacklevel=2,
            )
            groups = with_flat(groups, flat)
        for name, group in groups.items():
            check_numbers(group)
            object.__setattr__(self, name, group)

    def changed(self, **values: Any) -> Options:
        """A copy with single options changed, by their flat names: ``options.changed(texture_size=4096)``.

        Raises TypeError for a name that no option has.
        """
        return Options(**with_flat({each.name: getattr(self, each.name) for each in fields(self)}, values))


def with_flat(groups: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The groups of :class:`Options` with some values changed, which are given by the options' flat names.

    Raises TypeError for a name that no option has.
    """
    changed = dict(groups)
    unknown = set(values)
    for name, group in groups.items():
        own = {
            option.field: values[option.flat] for option in options_of(type(group)).values() if option.flat in values
        }
        unknown -= {option.flat for option in options_of(type(group)).values()}
        if own:
            changed[name] = replace(group, **own)
    if "threshold" in values:  # one option before: for weights and for poses
        changed["rig"] = replace(changed["rig"], threshold=values["threshold"])
    if unknown:
        raise TypeError(f"There are no options {', '.join(sorted(unknown))}.")
    return changed


@dataclass(frozen=True)
class ResultWarning:
    """Why a result should be looked at before it is used.

    Attributes:
        code: kebab-case name, stable between releases (``low-confidence``).
        message: one or two sentences for people.
    """

    code: str
    message: str


Remark = str | ResultWarning
"""What a job has to say about its result: a detail, or a warning."""


@dataclass
class Report:
    """What was done.

    Attributes:
        title: one sentence.
        details: further sentences: what was written, what was not and why.
        data: the same for programs, as JSON values.
        warnings: where the result is poor. It is written all the same.
    """

    title: str
    details: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    warnings: list[ResultWarning] = field(default_factory=list)

    @staticmethod
    def of(title: str, remarks: Iterable[Remark], data: dict[str, Any]) -> Report:
        """A report with the remarks sorted into warnings, each once, and details."""
        details: list[str] = []
        warned: list[ResultWarning] = []
        for remark in remarks:
            if isinstance(remark, str):
                details.append(remark)
            elif remark not in warned:
                warned.append(remark)
        return Report(title, details, data, warned)

    def summary(self) -> str:
        """One sentence for a status bar, which says so if there are warnings."""
        count = len(self.warnings)
        return (
            f"{self.title.removesuffix('.')}, with {count} warning{'s' if count > 1 else ''}." if count else self.title
        )

    def lines(self) -> list[str]:
        """Everything, a sentence a line, the warnings before the details."""
        return [self.summary(), *(each.message for each in self.warnings), *self.details]


Steps = Generator[Progress, None, Report]
"""What a function of the workflow returns: its steps, which yield their progress and return the report."""
