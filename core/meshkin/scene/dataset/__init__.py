"""Scenes as data sets see them: what Cycles will render, as arrays, and the rendered pictures."""
