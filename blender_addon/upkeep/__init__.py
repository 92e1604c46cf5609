"""Worker, models, memory, cache, and the preferences."""
