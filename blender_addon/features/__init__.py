"""Features: computed, and shown as colors and pictures."""
