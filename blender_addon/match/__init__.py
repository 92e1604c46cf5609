"""Matches: made, guided by point pairs, looked at."""
