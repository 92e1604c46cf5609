"""Views of a mesh rendered as passes."""
