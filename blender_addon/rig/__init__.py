"""Armatures, motions and poses."""
