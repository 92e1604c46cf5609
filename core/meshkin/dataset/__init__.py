"""Data sets: cameras, what pictures show and where, as records; the formats that trainers read, made from them."""
