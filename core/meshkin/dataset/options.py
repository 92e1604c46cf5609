"""Options of data sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..base.errors import OptionError
from ..base.options import ASSIGNMENTS, NAMES, Choice, Text, option

SET_FILE = "dataset.json"
"""The file that says what a folder is a data set of."""
CAMERAS = (
    Choice("dst1", "All Around", "3D-DST's mode 1: from all around, mostly level"),
    Choice("dst2", "Front Half, Level", "3D-DST's mode 2: azimuths from -195 to 15 degrees, mostly level"),
    Choice("dst3", "All Around, Above", "3D-DST's mode 3: from all around, mostly from above"),
    Choice("dst4", "Front Half, Above", "3D-DST's mode 4: azimuths from -195 to 15 degrees, mostly from above"),
    Choice("dst5", "All Angles", "3D-DST's mode 5: azimuth and polar angle both uniform"),
    Choice("sphere", "Whole Sphere", "Evenly from all directions"),
    Choice("upper", "Upper Half", "Evenly from all directions above the horizon"),
    Choice("scene", "Scene's Own", "The scene's cameras in the frames of its range"),
)
AROUND = (
    Choice("each", "Each Object", "Cameras look at one object after another"),
    Choice("all", "All Objects", "Cameras look at the middle of all objects"),
)
CLASSES_FROM = (
    Choice("name", "Names", "The object's name without its number, as in Chair.001"),
    Choice("collection", "Collections", "The name of the collection that the object is in"),
)
FORMAT_CHOICES = (
    Choice("coco", "COCO", "Boxes, masks and key points in one JSON file"),
    Choice("bop", "BOP", "Rigid poses, masks, depth and models"),
    Choice("omni3d", "Omni3D", "3D boxes, for Cube R-CNN"),
    Choice("kitti", "KITTI", "3D boxes that turn about one axis, and calibrations"),
    Choice("pascal3d", "PASCAL3D+", "A viewpoint for each object, with 3D-DST's keys"),
    Choice("yolo", "YOLO", "A text file of boxes and key points for each picture"),
    Choice("nerf", "NeRF", "Cameras alone, as transforms.json"),
)

JUDGES = (
    Choice("poses", "Poses", "Whether poses can be learned from the other pictures"),
    Choice("shape", "Shape", "Whether normals read from painted pictures are those of the objects"),
    Choice("both", "Both", "Poses and shape"),
)


def _formats(text: str) -> tuple[str, ...]:
    """The formats in a text, between commas; raises ValueError."""
    return _known(text, FORMAT_CHOICES)


def _known(text: str, choices: tuple[Choice, ...]) -> tuple[str, ...]:
    """The values of choices in a text, between commas; raises ValueError."""
    chosen = NAMES.parse(text)
    known = [choice.value for choice in choices]
    for name in chosen:
        if name not in known:
            raise ValueError(f"“{name}” is none of {', '.join(known)}")
    return tuple(chosen)


@dataclass(frozen=True)
class DatasetOptions:
    """How the pictures of a data set are made."""

    count: int = option(
        100,
        "Pictures",
        "How many pictures the data set has",
        flat="dataset_count",
        flag="--count",
        least=1,
        most=10_000_000,
        soft_most=10_000,
    )
    resolution: int = option(
        512,
        "Resolution",
        "Width and height of a picture; of the scene's cameras, the longer",
        flat="dataset_resolution",
        flag="--resolution",
        least=16,
        most=8192,
        unit="PIXEL",
    )
    cameras: str = option(
        "dst1", "Cameras", "Where cameras stand", choices=CAMERAS, flat="dataset_cameras", flag="--cameras"
    )
    around: str = option(
        "each", "Around", "What drawn cameras look at", choices=AROUND, flat="dataset_around", flag="--around"
    )
    distance: float = option(
        1.5,
        "Distance",
        "Mean distance of drawn cameras, in longest sides of what they look at",
        flat="dataset_distance",
        flag="--distance",
        least=0.01,
        most=1000,
        soft_most=10,
    )
    spread: float = option(
        0.5,
        "Spread",
        "Standard deviation of that distance, and the most that it differs",
        flat="dataset_spread",
        flag="--spread",
        least=0,
        most=1000,
        soft_most=2,
    )
    animate: bool = option(
        False,
        "Any Frame",
        "Draw a frame of the scene's range for each picture, too",
        flat="dataset_animate",
        flag="--animate",
    )
    samples: int = option(
        32,
        "Samples",
        "Samples of Cycles for each pixel, before denoising",
        flat="dataset_samples",
        flag="--samples",
        least=1,
        most=65_536,
        soft_most=512,
    )
    classes: str = option(
        "name",
        "Classes",
        "What gives objects their classes",
        choices=CLASSES_FROM,
        flat="dataset_classes",
        flag="--classes",
    )
    formats: tuple[str, ...] = option(
        ("coco",),
        "Formats",
        "What is written for trainers, beside MeshKin's own records",
        flat="dataset_formats",
        flag="--formats",
        choices=FORMAT_CHOICES,
        metavar="FORMAT,…",
        text=Text(_formats, NAMES.write, "coco, bop"),
    )
    seed: int = option(
        0, "Seed", "Another number gives other cameras", flat="dataset_seed", flag="--seed", least=0, most=2**31 - 1
    )
    drop: float = option(
        0.1,
        "Drop",
        "Share that the filter drops: of each class, the poses that agree least with the others; of painted "
        "pictures, those that fit their shapes worst",
        flat="dataset_drop",
        flag="--drop",
        least=0,
        most=0.9,
        unit="FACTOR",
    )
    judge: str = option(
        "poses",
        "Judge By",
        "What the filter looks at",
        choices=JUDGES,
        flat="dataset_judge",
        flag="--judge",
    )
    share: str = option(
        "1/1",
        "Share",
        "Which of the pictures to make, of so many shares: 2/4 are every fourth one",
        flat="dataset_share",
        flag="--share",
        metavar="I/N",
        panel=False,
    )

    def numbers(self, count: int | None = None) -> list[int]:
        """The numbers of the pictures to make, of so many, or of ``self.count``; raises OptionError
        ``option-invalid``."""
        first, _, shares = self.share.partition("/")
        try:
            start, step = int(first), int(shares)
        except ValueError:
            start = step = 0
        if not 1 <= start <= step:
            raise OptionError("option-invalid", f"“{self.share}” is no share.", "Write it as in 2/4.")
        return list(range(start - 1, self.count if count is None else count, step))


APPEARANCES = (
    Choice("rendered", "As Rendered", "Pictures stay as Cycles renders them"),
    Choice("painted", "Painted", "Stable Diffusion paints them over, so that they look like photos"),
)
CONTROL_CHOICES = (
    Choice("edges", "Edges", "Lines of the picture, or of the shape alone"),
    Choice("depth", "Depth", "How far each pixel is"),
    Choice("normal", "Normals", "Where the surface faces"),
)
EDGES = (
    Choice("picture", "Picture", "Edges of the rendered picture, those of textures and shadows among them (Canny)"),
    Choice("shape", "Shape", "Outlines, creases and jumps of depth alone"),
)
REPAINTED = (
    Choice("all", "Everything", "Objects and what is around them"),
    Choice("background", "Background", "What is around the objects, which stay as they were rendered"),
    Choice("objects", "Objects", "The objects alone, in what is around them as it was rendered"),
)


def _controls(text: str) -> tuple[str, ...]:
    """The ControlNets in a text, between commas; raises ValueError."""
    return _known(text, CONTROL_CHOICES)


@dataclass(frozen=True)
class LookOptions:
    """How the pictures of a data set look."""

    look: str = option(
        "rendered", "Appearance", "How the pictures look", choices=APPEARANCES, flat="dataset_look", flag="--look"
    )
    prompt: str = option(
        "{style} photo of a {color?} {class} {others}, {place}, {light}",
        "Prompt",
        "A sentence with gaps: words are drawn for each picture; a gap with ? is empty every second time",
        flat="look_prompt",
        flag="--prompt",
    )
    negative: str = option(
        "longbody, lowres, bad anatomy, bad hands, missing fingers, extra digit, fewer digits, cropped, worst quality, "
        "low quality",
        "Avoid",
        "Negative prompt: what the pictures should not look like",
        flat="look_negative",
        flag="--negative-prompt",
    )
    words: str = option(
        "",
        "Words",
        "CSV file of words: its first line names the gaps, and “class” for words of one class; or a file with a "
        "prompt in each line",
        unit="FILE_PATH",
        flat="look_words",
        flag="--prompts",
        metavar="FILE",
    )
    control: tuple[str, ...] = option(
        ("edges",),
        "Guided By",
        "What the painting keeps to, by a ControlNet each",
        choices=CONTROL_CHOICES,
        flat="look_control",
        flag="--control",
        metavar="CONTROL,…",
        text=Text(_controls, NAMES.write, "edges, depth"),
    )
    edges: str = option("picture", "Edges Of", "Whose edges are kept", choices=EDGES, flat="look_edges")
    repaint: str = option("all", "Repaint", "What is painted over", choices=REPAINTED, flat="look_repaint")
    scale: float = option(
        1.0, "Control", "How closely edges, depth and normals are kept", flat="look_scale", least=0, most=2
    )
    guidance: float = option(
        9.0, "Guidance", "How closely the prompt is followed", flat="look_guidance", least=1, most=50
    )
    steps: int = option(20, "Steps", "Steps in which the noise is taken away", flat="look_steps", least=2, most=200)
    strength: float = option(
        1.0,
        "Strength",
        "How much is painted anew; below 1, colors of the rendered picture stay",
        flat="look_strength",
        least=0.1,
        most=1,
        unit="FACTOR",
    )
    models: dict[str, str] = option(
        {},
        "Models",
        "Folders or hub IDs: base (Stable Diffusion 1.5), edges, depth and normal (ControlNets)",
        flat="look_models",
        text=ASSIGNMENTS,
        metavar="NAME=FOLDER;…",
    )
    slow: bool = option(False, "Without a GPU", "Paint on the processor, too, minutes a picture", flat="look_slow")

    @property
    def words_file(self) -> Path | None:
        """The file of words, None for none."""
        return Path(self.words) if self.words else None
