"""A small studio: a canvas, brushes, and the pictures painted with them."""
