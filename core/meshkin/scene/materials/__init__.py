"""Materials of the open file: read as channels, written as new ones."""
