"""The sidebar's tab, its settings, and the buttons that pick two objects."""
