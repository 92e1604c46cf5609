"""What differs between the Blender versions that MeshKin supports (4.2 to 5.2)."""

from __future__ import annotations

import ctypes
import functools
import importlib
import sys
from pathlib import Path

import addon_utils
import bpy
import gpu

from . import positions

_PNG_COMPRESSION = 15
"""Percent, Blender's default: more takes longer and gives little."""


def node_tree(material: bpy.types.Material | bpy.types.World) -> bpy.types.NodeTree:
    """The node tree of a material or world; before 5.0 a new one has none until ``use_nodes`` is set."""
    if material.node_tree is None:
        material.use_nodes = True
    return material.node_tree


def write_multilayer_exr(settings: bpy.types.ImageFormatSettings) -> None:
    """Make a scene render into a multilayer EXR file of one part.

    From 5.0 on the media type has to be set first, and each pass becomes a part of its own unless they are interleaved.
    """
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    if hasattr(settings, "use_exr_interleave"):
        settings.use_exr_interleave = True


def write_png(settings: bpy.types.ImageFormatSettings) -> None:
    """Make a scene render into PNG files, RGB with 8 bits; from 5.0 on the media type has to be set first."""
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "8"
    settings.compression = _PNG_COMPRESSION


def window() -> bpy.types.Window:
    """The window where the user is, to be written to.

    In 4.2, what is reached through ``bpy.context`` without being a data-block belongs to the scene from which
    ``bpy.context.tool_settings`` was read last, and writing to it marks this scene as changed: freed memory, if the
    scene is gone by then, and Blender crashes now or later. A window of the window manager belongs to that.
    """
    here = bpy.context.window.as_pointer()
    return next(window for window in bpy.context.window_manager.windows if window.as_pointer() == here)


@functools.cache
def gpu_can_draw() -> bool:
    """Whether the ``gpu`` module can draw: always with a window; in background mode from 5.2 on, with a driver."""
    if not bpy.app.background:
        return True
    if not hasattr(gpu, "init") or (sys.platform.startswith("linux") and not _egl_has_opengl()):
        return False
    try:
        gpu.init()
    except SystemError:
        return False
    return True


def _egl_has_opengl() -> bool:
    """Whether EGL can create the OpenGL 4.3 context that Blender needs; without one, ``gpu.init`` ends the process.

    It is tried where Blender tries: on the default display, then on Mesa's surfaceless platform. Source: EGL 1.5
    specification, section 3.
    """
    try:
        egl = ctypes.CDLL("libEGL.so.1")
    except OSError:
        return False
    pointer, integers = ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)
    egl.eglGetPlatformDisplay.restype, egl.eglGetPlatformDisplay.argtypes = pointer, [ctypes.c_uint, pointer, pointer]
    egl.eglGetDisplay.restype, egl.eglGetDisplay.argtypes = pointer, [pointer]
    egl.eglInitialize.argtypes = [pointer, integers, integers]
    egl.eglChooseConfig.argtypes = [pointer, integers, ctypes.POINTER(pointer), ctypes.c_int, integers]
    egl.eglCreateContext.restype, egl.eglCreateContext.argtypes = pointer, [pointer, pointer, pointer, integers]
    egl.eglDestroyContext.argtypes = [pointer, pointer]
    surface_type, renderable_type, opengl_bit, none = 0x3033, 0x3040, 0x0008, 0x3038
    surfaceless, opengl, major, minor = 0x31DD, 0x30A2, 0x3098, 0x30FB
    requirements = (ctypes.c_int * 5)(surface_type, 0, renderable_type, opengl_bit, none)
    version = (ctypes.c_int * 5)(major, 4, minor, 3, none)

    def creates_context(display: int | None) -> bool:
        config, count = pointer(), ctypes.c_int()
        if not (display and egl.eglInitialize(display, None, None) and egl.eglBindAPI(opengl)):
            return False
        egl.eglChooseConfig(display, requirements, ctypes.byref(config), 1, ctypes.byref(count))
        context = egl.eglCreateContext(display, config, None, version) if count.value else None
        return bool(context and egl.eglDestroyContext(display, context))

    return creates_context(egl.eglGetDisplay(None)) or creates_context(
        egl.eglGetPlatformDisplay(surfaceless, None, None)
    )


def selected_bones(armature: bpy.types.Object) -> set[str]:
    """Names of an armature's selected bones; from 5.0 on pose bones are selected, before that bones."""
    bones = armature.data.bones
    if bones and not hasattr(bones[0], "select"):
        return {bone.name for bone in armature.pose.bones if bone.select}
    return {bone.name for bone in bones if bone.select}


def fcurves(obj: bpy.types.Object) -> list[bpy.types.FCurve]:
    """The F-Curves of the action that an object plays; from 4.4 on those of its slot."""
    animation = obj.animation_data
    if animation is None or animation.action is None:
        return []
    if not hasattr(animation, "action_slot"):
        return list(animation.action.fcurves)
    strips = [strip for layer in animation.action.layers for strip in layer.strips]
    bags = [strip.channelbag(animation.action_slot) for strip in strips] if animation.action_slot else []
    return [curve for bag in bags if bag for curve in bag.fcurves]


def import_gltf(path: Path) -> None:
    """Import a .gltf or .glb file with the add-on that is part of Blender, without merging vertices."""
    _enable("io_scene_gltf2")
    bpy.ops.import_scene.gltf(filepath=str(path), merge_vertices=False, disable_bone_shape=True)


def import_fbx(path: Path) -> None:
    """Import an .fbx file: with Blender's own importer from 4.5 on, before that with the add-on that is part of it.

    The add-on moves vertices that are not finite to the origin. Raises InputError ``mesh-nan`` then.
    """
    if "fbx_import" in dir(bpy.ops.wm):
        bpy.ops.wm.fbx_import(filepath=str(path), validate_meshes=False)
    else:
        _enable("io_scene_fbx")
        positions.check_fbx(path, importlib.import_module("io_scene_fbx.parse_fbx").parse)
        bpy.ops.import_scene.fbx(filepath=str(path))


def _enable(module: str) -> None:
    """Enable an add-on for this session if it is not enabled: a user may have disabled it."""
    if not addon_utils.check(module)[1]:
        addon_utils.enable(module)
