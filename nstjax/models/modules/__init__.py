"""The networks as Flax modules, which only tracing needs.

Importing Flax takes 0.2 to 0.4 s, which a second run, of 1.5 s at most, has not to spare.
"""
