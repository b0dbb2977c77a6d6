"""Errors that concern one case only."""


class MeasurementError(RuntimeError):
    """A case could not be measured; the message says why."""
