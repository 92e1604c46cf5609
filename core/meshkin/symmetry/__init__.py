"""Left and right of shapes: their mirror maps, their sides, and maps between shapes that keep the sides apart."""
