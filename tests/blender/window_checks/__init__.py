"""The checks of ``window.py``, by what they look at."""
