"""Features, maps and painted pictures kept on disk."""
