"""Meshes of the open file: read as snapshots, written as attributes."""
