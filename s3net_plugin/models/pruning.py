"""Keeping the newest training states and dropping older ones."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def prune(models: Path, states: Path, networks: Iterable[str], keep: int) -> list[int]:
    """Delete all but the ``keep`` newest states and the checkpoints that belong to them; ``best`` and ``latest`` stay.

    Args:
        models, states: the folders ``models`` and ``training_states`` of an experiment.
        networks: labels of the checkpoints, such as ``net_g``.
        keep: how many iterations to keep, at least 1.

    Returns:
        The iterations that were deleted.
    """
    iterations = sorted(int(path.stem) for path in states.glob('*.state') if path.stem.isdigit())
    old = iterations[: max(len(iterations) - keep, 0)]
    for iteration in old:
        # The state first: without it a checkpoint is merely large, without the checkpoint a state is broken.
        (states / f'{iteration}.state').unlink(missing_ok=True)
        for network in networks:
            (models / f'{network}_{iteration}.pth').unlink(missing_ok=True)
    return old
