"""Steps that are left out because their loss or gradient is not finite."""

from __future__ import annotations

from collections.abc import Sequence

from s3net_plugin.utils.distributed import all_gather_object
from s3net_plugin.utils.errors import RunError


class NonFiniteGuard:
    """Counts the steps left out, and ends the run after too many in a row.

    Args:
        limit: how many in a row are too many; ``train:max_nonfinite``.
    """

    def __init__(self, limit: int) -> None:
        self.count = 0
        self._limit = limit
        self._in_a_row = 0

    def reset(self) -> None:
        """A step has been taken."""
        self._in_a_row = 0

    def add(self, iteration: int, finite: bool, paths: Sequence[str]) -> str:
        """Count one more and say so in a line that names the samples; all processes leave out the same steps.

        Args:
            iteration: the one whose step is left out.
            finite: whether this process's own losses were finite.
            paths: this process's samples.

        Raises:
            RunError: it is one too many in a row.
        """
        self.count += 1
        self._in_a_row += 1
        parts = all_gather_object((finite, list(map(str, paths))))
        to_blame = [part for part in parts if not part[0]] or parts
        samples = ', '.join(path for _, paths in to_blame for path in paths)
        if self._in_a_row >= self._limit:
            raise RunError(
                f'iteration {iteration}: loss or gradient was not finite {self._limit} times in a row '
                f'(train:max_nonfinite); last samples: {samples}. Lower the learning rate, or set train:grad_clip'
            )
        return (
            f'iteration {iteration}: loss or gradient not finite, step skipped ({self.count} so far); '
            f'samples: {samples}'
        )
