"""Attributes and what else lives on a surface."""
