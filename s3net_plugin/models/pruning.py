"""Keeping the newest training states and dropping older ones."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from s3net_plugin.running.resume import training_states


def prune(models: Path, states: Path, networks: Iterable[str], keep: int, newest: int) -> list[int]:
    """Delete all but ``keep`` training states up to ``newest`` and the checkpoints that belong to them.

    ``best`` and ``latest`` stay, and so does what is later than ``newest``: a run that went back to an earlier
    iteration must not lose its own states to those it has left behind.

    Args:
        models, states: the folders ``models`` and ``training_states`` of an experiment.
        networks: labels of the checkpoints, such as ``net_g``.
        keep: how many iterations to keep, at least 1.
        newest: the iteration that has just been saved.

    Returns:
        The iterations that were deleted.
    """
    iterations = [int(path.stem) for path in training_states(states)]
    old = [iteration for iteration in iterations if iteration <= newest][:-keep]
    for iteration in old:
        # The state first: without it a checkpoint is merely large, without the checkpoint a state is broken.
        (states / f'{iteration}.state').unlink(missing_ok=True)
        for network in networks:
            (models / f'{network}_{iteration}.pth').unlink(missing_ok=True)
    return old
