"""What buttons, scripts and commands do, from the objects to what is written to them.

Each function returns :data:`Steps`: a generator that yields :class:`meshkin.base.progress.Progress` and returns a
:class:`Report`. A modal operator with a timer drives it, or :func:`meshkin.base.progress.finish`. No step takes longer
than one rendered view. Everything is written to the scene in the last step; closing the generator before cancels the
work and leaves the scene as it was. :func:`load` alone is no job: it loads a mesh file at once.
"""

from ..dataset.options import DatasetOptions, LookOptions
from ..families.options import FamilyOptions
from ..features.options import FeatureOptions
from ..matching.options import MatchOptions
from ..paint.options import PaintOptions, SubjectOptions
from ..parts.options import PartOptions
from ..pictures.learning.options import PairOptions, PictureLearningOptions
from ..pictures.options import PictureOptions
from ..scene.isolated import load
from ..transfer.attributes.options import TRANSFERS, AttributeOptions
from ..transfer.rig.options import RigOptions
from ..transfer.texture.options import TextureOptions
from ..transfer.weights.options import WeightOptions
from ..video.options import VideoOptions
from ..worker.options import WorkerOptions
from .comparing import compare
from .contact_sheets import pictures
from .datasets import check_dataset, dataset, filter_dataset, paint_dataset
from .describing import features
from .families import learn_family
from .heads import STEPS as HEAD_STEPS
from .heads import learn_head
from .matching import match, match_set
from .options import NEARNESS, WEIGHT_METHODS, Options, Report, ResultWarning, Steps
from .painting import paint
from .part_finding import parts
from .photographs import match_photo, texture_photo
from .picture_learning import apply_picture, learn_picture, picture_pairs
from .picture_maps import picture_maps
from .reports import keep_report
from .rigs import build_armature, motion, pose
from .subjects import learn_subject
from .thumbnails import matched_thumbnail, thumbnail
from .transferring import transfer
from .try_it import try_it
from .updating import flip, update
from .upkeep import cache_info, clear_cache, get_models, release_memory, set_up
from .videos import fit_video

__all__ = [
    "HEAD_STEPS",
    "NEARNESS",
    "TRANSFERS",
    "WEIGHT_METHODS",
    "AttributeOptions",
    "DatasetOptions",
    "FamilyOptions",
    "FeatureOptions",
    "LookOptions",
    "MatchOptions",
    "Options",
    "PaintOptions",
    "PairOptions",
    "PartOptions",
    "PictureLearningOptions",
    "PictureOptions",
    "Report",
    "ResultWarning",
    "RigOptions",
    "Steps",
    "SubjectOptions",
    "TextureOptions",
    "VideoOptions",
    "WeightOptions",
    "WorkerOptions",
    "apply_picture",
    "build_armature",
    "cache_info",
    "check_dataset",
    "clear_cache",
    "compare",
    "dataset",
    "features",
    "filter_dataset",
    "fit_video",
    "flip",
    "get_models",
    "keep_report",
    "learn_family",
    "learn_head",
    "learn_picture",
    "learn_subject",
    "load",
    "match",
    "match_photo",
    "match_set",
    "matched_thumbnail",
    "motion",
    "paint",
    "paint_dataset",
    "parts",
    "picture_maps",
    "picture_pairs",
    "pictures",
    "pose",
    "release_memory",
    "set_up",
    "texture_photo",
    "thumbnail",
    "transfer",
    "try_it",
    "update",
]
