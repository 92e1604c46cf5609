"""What everything else stands on: errors, progress, files and folders, names of sides."""
