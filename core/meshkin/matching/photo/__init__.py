"""Photographs matched to surfaces."""
