"""The networks as Flax modules, which only tracing needs.

Importing Flax takes a tenth of a second or more, which runs by kept programs save.
"""
