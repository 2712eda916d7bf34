"""What a run says: BasicSR's logger, whose first caller decides on the log file, and lines that one process prints."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager


def is_first_process() -> bool:
    """Whether this process is the first of its job, as launchers say it before the processes have joined."""
    return os.environ.get('RANK', os.environ.get('SLURM_PROCID', '0')) == '0'


def announce(line: str) -> None:
    """Print a line, in the first process of a job only."""
    if is_first_process():
        print(line, flush=True)


@contextmanager
def no_log_file_yet() -> Iterator[None]:
    """Undo the set-up of the logger by whatever is called in this context.

    Whoever is the first to call ``get_root_logger`` decides for the whole run that there is no log file; BasicSR's
    data sets and builders do.
    """
    from basicsr.utils.logger import initialized_logger

    logger, before = logging.getLogger('basicsr'), dict(initialized_logger)
    handlers = list(logger.handlers)
    try:
        yield
    finally:
        initialized_logger.clear()
        initialized_logger.update(before)
        logger.handlers[:] = handlers


def log_traceback(error: BaseException) -> None:
    """Write the traceback of an error that ends the run to the log file, if there is one by now; to nothing else."""
    logger = logging.getLogger('basicsr')
    trace = (type(error), error, error.__traceback__)
    record = logger.makeRecord(logger.name, logging.CRITICAL, __file__, 0, 'the run has failed', (), trace)
    for handler in logger.handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(record)
