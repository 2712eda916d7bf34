"""What the command reports in one line, without a traceback."""

from __future__ import annotations


class OptionError(ValueError):
    """Something in an option file or on the command line has to be changed: ``place: problem; hint`` in one line.

    Args:
        place: the option, such as ``train:optim_g:lr``; empty for the file itself.
        problem: what is wrong with it; where it is left out, ``place`` is taken for it.
        hint: what to do.

    Example:
        >>> print(OptionError('lr', '-1 is not a number above 0', 'write 0.001').within('train:optim_g'))
        train:optim_g:lr: -1 is not a number above 0; write 0.001
    """

    def __init__(self, place: str, problem: str | None = None, hint: str = '') -> None:
        super().__init__(place, problem, hint)
        self.place, self.problem, self.hint = (place, problem, hint) if problem is not None else ('', place, hint)
        self.where = ''  # begins the line: the file, or what reads the option

    def within(self, place: str, where: str = '') -> OptionError:
        """Return the same error of a section that stands at ``place`` in a file ``where``."""
        error = OptionError(':'.join(filter(None, (place, self.place))), self.problem, self.hint)
        error.where = where
        return error

    def __str__(self) -> str:
        line = ': '.join(filter(None, (self.where, self.place, self.problem)))
        return f'{line}; {self.hint}' if self.hint else line


class DataError(ValueError):
    """A file, a record or a database cannot be used; the message names it and the phase."""


class RunError(RuntimeError):
    """A run cannot go on; the message says why and what to do."""
