"""Geometry of triangle meshes that every other room uses.

Meshes come in the state in which users have them: many parts, faces without area, loose vertices, split seams.
Vertices are float (V, 3) in any unit and frame, faces int (F, 3). No function fails on a zero-area, repeated or missing
face; coordinates must be finite. `arrays`, `mesh`, `gradients`, `welding`, `rays` and `sampling` need
only NumPy.
"""
