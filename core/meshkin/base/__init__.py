"""What all other rooms use: errors, progress, options, files and folders, JSON, PNG, left and right in names."""
