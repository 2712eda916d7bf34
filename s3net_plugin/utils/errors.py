"""What the command reports in one line, without a traceback."""


class OptionError(ValueError):
    """Something in an option file or on the command line has to be changed."""


class DataError(ValueError):
    """A file, a record or a database cannot be used; the message names it and the phase."""


class RunError(RuntimeError):
    """A run cannot go on; the message says why and what to do."""
