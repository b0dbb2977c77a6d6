"""What can go wrong with one case, and leaves the others alone."""


class MeasurementError(RuntimeError):
    """A case could not be measured; the message says why."""
