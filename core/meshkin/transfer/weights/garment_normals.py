"""Normals of a garment, turned so that they point away from the body also where its cloth is thick or inside out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...geometry.adjacency import connected_components
from ...geometry.arrays import Floats, unit_rows
from ...geometry.mesh import edges, face_vectors, vertex_normals
from ...geometry.welding import weld


def normals_away_from_body(
    garment: Snapshot, points: Floats, body_points: Floats, body_normals: Floats, crease: float, fold: float
) -> Floats:
    """The garment's vertex normals, (V, 3), turned over where its piece of cloth faces the other way than the body.

    Pieces end at sharp edges, such as the rim of a thick cloth. The vertices of a piece vote; nearer ones count more,
    because they are less likely to see another limb. Small pieces are folds: they follow most of their loose part.

    Args:
        garment: the garment.
        points: (V, 3), its vertices in the body's frame.
        body_points, body_normals: (V, 3) each, the place and normal of the body at each vertex of the garment.
        crease: degrees; at an edge sharper than this one piece ends and another begins.
        fold: a piece with less than this share of its loose part's faces is a fold.
    """
    normals = vertex_normals(points, garment.faces)
    gap = np.linalg.norm(points - body_points, axis=1)
    first, place = weld(garment.vertices)
    welded_faces = place[garment.faces]
    piece = _pieces(garment.vertices[first], welded_faces, crease)
    copies = np.bincount(place, minlength=len(first))
    trust = 1 / (gap**2 + (np.median(gap) or 1.0) ** 2)
    agreement = np.einsum("vd,vd->v", normals, body_normals)
    vertex_vote = np.bincount(place, trust * agreement, len(first)) / copies
    piece_vote = np.bincount(np.repeat(piece, 3), vertex_vote[welded_faces.ravel()])
    sign = np.where(piece_vote < 0, -1.0, 1.0)
    part = connected_components(edges(welded_faces), len(first))[welded_faces[:, 0]]
    part_of_piece = np.zeros(len(sign), np.int64)
    part_of_piece[piece] = part
    part_sign = np.where(np.bincount(part, sign[piece]) < 0, -1.0, 1.0)
    is_fold = np.bincount(piece) < fold * np.bincount(part)[part_of_piece]
    sign[is_fold] = part_sign[part_of_piece[is_fold]]
    vertex_sign = np.bincount(welded_faces.ravel(), np.repeat(sign[piece], 3), len(first))
    return normals * np.where(vertex_sign < 0, -1.0, 1.0)[place][:, None]


def _pieces(vertices: NDArray[np.floating], faces: NDArray[np.integer], crease: float) -> NDArray[np.int32]:
    """The number of each face's piece, (F,): faces are in one piece if they share an edge that is not sharp.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        crease: degrees from which an edge is sharp.
    """
    normals = unit_rows(face_vectors(vertices, faces))
    corners = np.concatenate((faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]))
    owner = np.tile(np.arange(len(faces)), 3)
    ordered = np.sort(corners, axis=1)
    key = ordered[:, 0].astype(np.int64) * (int(faces.max(initial=0)) + 1) + ordered[:, 1]
    order = np.argsort(key, kind="stable")
    same_edge = key[order][1:] == key[order][:-1]
    face, neighbor = owner[order][:-1][same_edge], owner[order][1:][same_edge]
    flat = np.einsum("fd,fd->f", normals[face], normals[neighbor]) > np.cos(np.radians(crease))
    return connected_components(np.stack((face[flat], neighbor[flat]), axis=1), len(faces))
