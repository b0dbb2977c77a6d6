"""One module per picture.

Each has ``WIDTH`` and ``HEIGHT`` in units and ``paint(scale, rng)``, which
returns the picture as a uint8 array of ``scale`` pixels per unit.
"""
