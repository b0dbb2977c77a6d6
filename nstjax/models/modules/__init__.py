"""The networks as Flax modules, which are needed for tracing only.

Importing Flax takes a tenth of a second or more, which cached programs save.
"""
