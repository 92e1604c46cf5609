"""Motion from video: a skinned character is posed so that it shows, frame by frame, what a masked video shows."""
