"""The one error that the data room raises."""


class DataError(ValueError):
    """A data file is missing, corrupt or not in its official format; the message names the way out."""
