"""The extractors, one module or folder each."""
