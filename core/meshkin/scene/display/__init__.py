"""What is shown in the viewport and in image editors."""
