"""Relighting many photos: a bad one is reported and skipped."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from s3net_plugin.relight.jobs import Job
from s3net_plugin.relight.lights import Light, guide_under
from s3net_plugin.relight.photo_writing import write_photo
from s3net_plugin.relight.relighter import Relighter
from s3net_plugin.relight.views import Views


def report(message: str) -> None:
    """Print one line about something that was skipped, above a progress bar if there is one."""
    tqdm.write(f'skipped: {message}', file=sys.stderr)


def one_line(error: Exception, path: Path) -> str:
    """Return what went wrong with ``path``: our own errors name the file themselves, others get it and their kind."""
    text = ' '.join(str(error).split())
    return text if isinstance(error, (OSError, ValueError)) and text else f'{path}: {type(error).__name__}: {text}'


@logging_redirect_tqdm()
def relight_all(
    jobs: Sequence[Job], relighter: Relighter, views: Views, *, light: Light | None = None, force: bool
) -> int:
    """Do all ``jobs`` that can be done, those without a guide under ``light``; return how many could not."""
    failed = 0
    for job in tqdm(jobs, desc='relighting', unit='photo', disable=len(jobs) == 1):
        try:
            job.check_output(force=force)
            guide = views.guide(job.guide, job.guide_depth) if job.guide else None
            photo, view = views.input(job.photo, job.photo_depth)
            if light:
                guide = guide_under(light, view)
            result = relighter.relight(photo, view, guide)
            job.output.parent.mkdir(parents=True, exist_ok=True)
            write_photo(job.output, result)
        except Exception as error:  # whatever it is, the other photos can be relit
            report(one_line(error, job.photo))
            failed += 1
    return failed
