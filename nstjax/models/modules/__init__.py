"""The networks as Flax modules, which only tracing needs.

Importing Flax takes 0.2 s at least, which a second run of 1.5 s has not to spare.
"""
