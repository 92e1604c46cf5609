"""Features, maps and painted pictures that are kept on disk."""
