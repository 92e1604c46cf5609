"""Hair to hair, eyes to eyes, skin to skin: textures keep to the pieces that belong together, against the truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers import shapes
from helpers.textured import known_map, split
from meshkin.base.progress import silent
from meshkin.data.snapshot import Snapshot, connected_parts
from meshkin.data.surface_map import Match, SurfaceMap
from meshkin.geometry.closest_points import closest_points
from meshkin.transfer.texture.channels import Channel, Picture, SlotTexture, SourceTextures
from meshkin.transfer.texture.material_files import bake_material_files
from meshkin.transfer.texture.piece_claims import piece_claims
from meshkin.transfer.texture.piece_names import kind_of
from meshkin.transfer.texture.pieces import piece_map
from meshkin.transfer.texture.settings import MaterialBakeSettings

Array = shapes.Array

SKIN, HAIR, EYES = 0, 1, 2
COLORS = {SKIN: (0.8, 0.4, 0.2), HAIR: (0.1, 0.1, 0.9), EYES: (0.0, 0.7, 0.0)}
SIZE = 512


def head(names: tuple[str, ...], lock: bool, size: float = 1.0) -> Snapshot:
    """A head: a ball of skin, a cap of hair above it (and, if asked for, a lock that hangs over its front), two eyes
    that stick out."""
    ball = shapes.sphere(48, 24)
    middle = ball.vertices[ball.faces].mean(axis=1)
    cap = middle[:, 2] > 0.45
    if lock:
        cap |= (np.abs(middle[:, 0]) < 0.3) & (middle[:, 1] < 0) & (middle[:, 2] > -0.6)
    eye = shapes.sphere(12, 6)
    used, faces = np.unique(ball.faces[cap], return_inverse=True)
    pieces: list[tuple[Array, Array, int]] = [
        (ball.vertices, ball.faces, SKIN),
        (1.06 * ball.vertices[used], faces.reshape(-1, 3), HAIR),
    ]
    pieces += [(eye.vertices * 0.13 + (x, -0.85, 0.25), eye.faces, EYES) for x in (-0.5, 0.5)]
    starts = np.cumsum([0, *(len(vertices) for vertices, _, _ in pieces)])
    vertices = np.concatenate([vertices for vertices, _, _ in pieces]).astype(np.float32) * size
    faces = np.concatenate([faces + start for (_, faces, _), start in zip(pieces, starts, strict=False)])
    shape = Snapshot.from_arrays(vertices, faces)
    materials = np.concatenate([np.full(len(faces), slot) for _, faces, slot in pieces]).astype(np.int32)
    uvs = split(len(faces)).astype(np.float32)
    return replace(
        shape, materials=materials, material_names=names, uvs=uvs, parts=connected_parts(len(vertices), faces)
    )


def outermost(source: Snapshot, target: Snapshot) -> Match:
    """The map that sends each point to what lies outermost there: skin under hair to hair, and skin around eyes to
    eyes."""

    def to_outside(domain: Snapshot, surface: Snapshot) -> SurfaceMap:
        scale = np.ptp(surface.vertices, axis=0).max() / np.ptp(domain.vertices, axis=0).max()
        points = 1.05 * scale * domain.vertices.astype(np.float64)
        nearest = closest_points(points, surface.vertices, surface.faces)
        trust = np.full(len(points), 0.9)
        return SurfaceMap.at_points(nearest.face, nearest.barycentric, trust, surface.vertices, surface.faces)

    return Match(to_outside(target, source), to_outside(source, target), source.faces, target.faces)


def baked(source: Snapshot, target: Snapshot, match: Match, folder: Path, left_out: tuple[int, ...] = ()) -> Array:
    """The color in the middle of each of the target's triangles, (G, 3), where each material has one."""
    channel = Channel({slot: SlotTexture(value=color) for slot, color in COLORS.items()}, 3, 8, False, "base_color")
    return colors_shown(SourceTextures([], [], [channel]), source, target, match, folder, left_out)


def colors_shown(
    textures: SourceTextures,
    source: Snapshot,
    target: Snapshot,
    match: Match,
    folder: Path,
    left_out: tuple[int, ...] = (),
) -> Array:
    """The color in the middle of each of the target's triangles, (G, 3)."""
    settings = MaterialBakeSettings(SIZE, 0, 0, 0, "one", False, left_out)
    made = bake_material_files(textures, source, target, match, settings, folder, silent)
    pixels = np.asarray(Image.open(made.files[0]["base_color"][1001]))[..., :3] / 255
    assert target.uvs is not None
    column, row = (target.uvs.mean(axis=1) * SIZE).astype(int).T
    return np.asarray(pixels[SIZE - 1 - row, column])


def shares(source: Snapshot, target: Snapshot, match: Match) -> float:
    """The share of triangles whose corners the map sends to the material of their own."""
    sent = source.materials[match.to_source.face][target.faces]
    return float((sent == target.materials[:, None]).all(axis=1).mean())


@pytest.mark.parametrize("names", [("Skin", "Hair", "Eyes"), ("Material", "Material.001", "Brown")])
def test_every_piece_shows_its_own(names: tuple[str, ...], tmp_path: Path) -> None:
    """Through a map that is wrong at a fifth of the triangles; a lock over the front does not show on the skin."""
    source, target = head(names, lock=True), head(("a", "b", "c"), lock=False, size=1.3)
    match = outermost(source, target)
    assert shares(source, target, match) < 0.85
    shown = baked(source, target, match, tmp_path)
    truth = np.array([COLORS[slot] for slot in target.materials])
    assert np.abs(shown - truth).max() <= 0.01


def test_the_colors_of_a_palette_are_pieces(tmp_path: Path) -> None:
    """Skin, hair and eyes of one material, each on one color of a palette, onto a target with a material for each."""
    source, target = head(("Atlas",) * 3, lock=True), head(("a", "b", "c"), lock=False, size=1.3)
    palette = np.zeros((8, 8, 3), np.uint8)
    uvs = np.empty((len(source.faces), 3, 2), np.float32)
    for slot, color in COLORS.items():
        palette[:, 2 * slot : 2 * slot + 2] = np.rint(np.array(color) * 255)
        corner = np.array([(2 * slot + 1) / 8, 0.4])
        uvs[source.materials == slot] = np.add(corner, [[0.01, 0], [0.02, 0], [0.01, 0.1]])
    source = replace(source, materials=np.zeros(len(source.faces), np.int32), material_names=("Atlas",), uvs=uvs)
    textures = SourceTextures([Picture(palette)], [uvs], [Channel({0: SlotTexture((0,))}, 3, 8, False, "base_color")])
    shown = colors_shown(textures, source, target, outermost(source, target), tmp_path)
    assert np.abs(shown - np.array([COLORS[slot] for slot in target.materials])).max() <= 0.01


def test_what_is_left_out_shows_nowhere(tmp_path: Path) -> None:
    """Skin shows in its place, on a target of the same pieces and on one of a single piece."""
    source = head(("Skin", "Hair", "Eyes"), lock=True)
    one = shapes.sphere(32, 16)
    one = replace(one, uvs=split(len(one.faces)).astype(np.float32))
    for target in (head(("a", "b", "c"), lock=True), one):
        match = outermost(source, target)
        shown = baked(source, target, match, tmp_path)
        assert (np.abs(shown - COLORS[HAIR]).max(axis=1) < 0.01).mean() > 0.1
        shown = baked(source, target, match, tmp_path, left_out=(HAIR,))
        assert (np.abs(shown - COLORS[HAIR]).max(axis=1) > 0.1).all()
        assert (np.abs(shown - COLORS[SKIN]).max(axis=1) < 0.01).mean() > 0.8


def all_seen(shape: Snapshot) -> Array:
    return np.zeros(len(shape.faces), bool)


def test_a_right_map_stays_as_it_is() -> None:
    """An exact copy: no point moves, and each piece belongs to its twin."""
    shape = head(("Skin", "Hair", "Eyes"), lock=True)
    match = known_map(shape, shape)
    kept = piece_map(shape, shape, match)
    np.testing.assert_allclose(kept.match.to_source.pull(shape.vertices, shape.faces), kept.target.vertices, atol=1e-6)
    claims = piece_claims(shape, shape, match.to_source, match.to_target, (all_seen(shape), all_seen(shape)))
    np.testing.assert_array_equal(claims.source_claim, claims.target_claim)
    assert (claims.source_claim >= 0).all()


def test_one_piece_shows_everything() -> None:
    """A target of one piece takes whatever the map says, of what can be seen."""
    source, target = head(("Skin", "Hair", "Eyes"), lock=True), shapes.sphere(32, 16)
    match = outermost(source, target)
    kept = piece_map(source, target, match)
    np.testing.assert_array_equal(kept.target.faces, target.faces)
    np.testing.assert_array_equal(kept.match.to_source.face, match.to_source.face)
    assert len(kept.groups.allowed) == 1


def helmeted(clear: bool = False) -> tuple[Snapshot, SourceTextures]:
    """A ball of skin in a helmet (of the color of hair) far above it, that is open at the front; and its materials."""
    ball, shell = shapes.sphere(48, 24), shapes.sphere(48, 24)
    outside = shell.vertices[shell.faces].mean(axis=1)[:, 1] > -0.5
    vertices = np.concatenate((ball.vertices, 1.3 * shell.vertices)).astype(np.float32)
    faces = np.concatenate((ball.faces, shell.faces[outside] + len(ball.vertices))).astype(np.int32)
    materials = np.repeat(np.array([SKIN, HAIR], np.int32), (len(ball.faces), outside.sum()))
    shape = replace(Snapshot.from_arrays(vertices, faces), materials=materials, material_names=("a", "b"))
    shape = replace(shape, uvs=split(len(faces)).astype(np.float32), parts=connected_parts(len(vertices), faces))
    colors = {slot: SlotTexture(value=COLORS[slot]) for slot in (SKIN, HAIR)}
    alphas = {SKIN: SlotTexture(value=(1.0,)), HAIR: SlotTexture(value=(0.2 if clear else 1.0,))}
    channels = [Channel(colors, 3, 8, False, "base_color"), Channel(alphas, 1, 8, False, "alpha")]
    return shape, SourceTextures([], [], channels)


def test_what_a_helmet_hides_shows_nowhere(tmp_path: Path) -> None:
    """The map leads to the skin everywhere; the target is of one piece. Through glass, skin is seen."""
    ball = shapes.sphere(40, 20)
    target = replace(ball, uvs=split(len(ball.faces)).astype(np.float32))
    front = target.vertices[target.faces].mean(axis=1)[:, 1]
    for clear in (False, True):
        source, textures = helmeted(clear)
        skin = np.flatnonzero(source.materials == SKIN)
        nearest = closest_points(
            target.vertices.astype(np.float64), source.vertices.astype(np.float64), source.faces[skin]
        )
        to_source = SurfaceMap.at_points(
            skin[nearest.face], nearest.barycentric, np.ones(len(target.vertices)), source.vertices, source.faces
        )
        to_target = outermost(source, target).to_target
        match = Match(to_source, to_target, source.faces, target.faces)
        shown = colors_shown(textures, source, target, match, tmp_path)
        is_skin = np.abs(shown - COLORS[SKIN]).max(axis=1) < 0.01
        assert is_skin[front < -0.7].all()
        assert is_skin[front > 0.2].all() if clear else not is_skin[front > 0.2].any()


def test_a_body_shows_what_the_clothes_of_another_hide(tmp_path: Path) -> None:
    """Both wear a helmet, and both show skin in the middle: what is hidden may show where the helmet may not, and on
    what is hidden itself."""
    (source, textures), (target, _) = helmeted(), helmeted()
    target = replace(target, vertices=target.vertices * np.array([1.2, 1, 1], np.float32))
    match = known_map(source, target)
    shown = colors_shown(textures, source, target, match, tmp_path)
    truth = np.array([COLORS[slot] for slot in target.materials])
    assert np.abs(shown - truth).max() <= 0.01
    joined = replace(target, materials=np.zeros(len(target.faces), np.int32), material_names=("a",))
    assert np.abs(colors_shown(textures, source, joined, match, tmp_path) - truth).max() <= 0.01


def bust(joined: bool) -> Snapshot:
    """A trunk, a head above it of another material (one piece with the trunk, if they are joined), and hair over most
    of that."""
    ball = shapes.sphere(48, 24)
    middle = ball.vertices[ball.faces].mean(axis=1)
    top = np.array([0, 0, 1.8])
    pieces = [
        (ball.vertices, ball.faces, SKIN),
        (0.6 * ball.vertices + top, ball.faces, EYES),
        (0.61 * ball.vertices + top, ball.faces[middle[:, 1] > -0.4], HAIR),
    ]
    count = len(ball.vertices)
    faces = np.concatenate([faces + number * count for number, (_, faces, _) in enumerate(pieces)])
    materials = np.repeat([slot for _, _, slot in pieces], [len(faces) for _, faces, _ in pieces])
    if joined:
        materials[materials == EYES] = SKIN
        faces = np.concatenate((faces, [[0, count, count + 1]]))  # a thin neck
        materials = np.append(materials, SKIN)
    vertices = np.concatenate([vertices for vertices, _, _ in pieces]).astype(np.float32)
    shape = Snapshot.from_arrays(vertices, faces.astype(np.int32))
    shape = replace(shape, materials=materials.astype(np.int32), material_names=("", "Hair", "Hair.001"))
    return replace(shape, uvs=split(len(faces)).astype(np.float32), parts=connected_parts(len(vertices), shape.faces))


def test_a_face_shows_on_a_body_that_is_one_piece_with_it(tmp_path: Path) -> None:
    """By its name, and by the scalp that the hair hides, the head belongs to the hair; the target's to its trunk."""
    source, target = bust(joined=False), bust(joined=True)
    shown = baked(source, target, known_map(source, target), tmp_path)
    middle = target.vertices[target.faces].mean(axis=1)
    is_face = (target.materials == SKIN) & (middle[:, 2] > 1.2) & (middle[:, 1] < -0.35)
    is_trunk = (target.materials == SKIN) & (middle[:, 2] < 0.9)
    for part, color in ((is_face, EYES), (is_trunk, SKIN), (target.materials == HAIR, HAIR)):
        assert (np.abs(shown[part] - COLORS[color]).max(axis=1) < 0.01).mean() > 0.98


def test_two_pieces_alike_are_a_pair_whatever_else_is_beside_them() -> None:
    """A face of skin under much hair, onto a head whose pieces are all of one material."""
    source, target = head(("a", "b", "c"), lock=True), head(("", "", ""), lock=True, size=1.3)
    target = replace(target, materials=np.zeros(len(target.faces), np.int32), material_names=("",))
    match = known_map(source, target)
    claims = piece_claims(source, target, match.to_source, match.to_target, (all_seen(source), all_seen(target)))
    np.testing.assert_array_equal(claims.source_claim[claims.source_piece], claims.target_claim[claims.target_piece])


@pytest.mark.parametrize(
    ("name", "kind"),
    [("Hair_Blond", "hair"), ("hair.003", "hair"), ("M_EyeBrows", "brow"), ("LeftEye", "eye"), ("mat_skin", "skin"),
     ("Chair", ""), ("Material.001", ""), ("", "")],
)  # fmt: skip
def test_kinds_by_names(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_eyes_show_on_a_face_that_has_none(tmp_path: Path) -> None:
    """The map leads to the skin, on which eyes and hair lie; the target is of one piece."""
    source, ball = head(("Skin", "Hair", "Eyes"), lock=False), shapes.sphere(56, 28)
    target = replace(ball, uvs=split(len(ball.faces)).astype(np.float32))
    skin = np.flatnonzero(source.materials == SKIN)
    nearest = closest_points(ball.vertices.astype(np.float64), source.vertices.astype(np.float64), source.faces[skin])
    to_source = SurfaceMap.at_points(
        skin[nearest.face], nearest.barycentric, np.ones(len(ball.vertices)), source.vertices, source.faces
    )
    to_target = outermost(source, target).to_target
    shown = baked(source, target, Match(to_source, to_target, source.faces, target.faces), tmp_path)
    middle = ball.vertices[ball.faces].mean(axis=1)
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    eyes = np.array([(x, -0.85, 0.25) for x in (-0.5, 0.5)])
    away = np.linalg.norm(middle[:, None] - eyes / np.linalg.norm(eyes[0]), axis=2).min(axis=1)
    for slot, chosen in ((EYES, away < 0.08), (SKIN, (away > 0.2) & (middle[:, 2] < 0.3))):
        assert chosen.sum() >= 4
        assert np.abs(shown[chosen] - COLORS[slot]).max() <= 0.01


def banded(names: tuple[str, str], bands: tuple[tuple[float, float], ...]) -> Snapshot:
    """An upright body, of whose material bands are another one."""
    ball = shapes.sphere(24, 48)
    height = ball.vertices[ball.faces][:, :, 2].mean(axis=1)
    inside = np.any([(height > low) & (height < high) for low, high in bands], axis=0)
    shape = Snapshot.from_arrays((ball.vertices * (0.3, 0.3, 1)).astype(np.float32), ball.faces)
    parts = connected_parts(len(shape.vertices), shape.faces)
    return replace(shape, materials=inside.astype(np.int32), material_names=names, parts=parts)


@pytest.mark.parametrize("low", [-0.4, -0.2])
def test_a_piece_shows_all_that_makes_it_up(low: float) -> None:
    """A mannequin's parts between its joints, on a body that is dressed in coat and boots: the coat shows no joints but
    where the map says so."""
    source = banded(("Main", "Joint"), ((low - 0.08, low), (0.7, 0.78)))
    target = banded(("Coat", "Boots"), ((-1.0, 0.4),))
    match = outermost(source, target)
    sent = [source.materials[each.to_source.face] for each in (match, piece_map(source, target, match).match)]
    assert sent[0].mean() < 0.08
    assert sent[1].mean() < 0.1
