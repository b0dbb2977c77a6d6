"""The networks as Flax modules, which only tracing needs."""
