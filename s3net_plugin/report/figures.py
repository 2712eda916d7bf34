"""What all figures share."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from s3net_plugin.utils.files import atomic_write


def legend_below(figure: Figure) -> None:
    """Put one legend below all axes, with every label once, in as many columns as the figure is wide enough for."""
    handles = {}
    for axes in figure.axes:
        handles.update({label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)})
    inches = 0.08 * max(map(len, handles)) + 0.6
    columns = max(1, int(figure.get_figwidth() / inches))
    figure.legend(list(handles.values()), list(handles), loc='outside lower center', ncols=columns, fontsize=9)


def save_figure(figure: Figure, path: Path) -> None:
    """Write ``figure`` to ``path``, whole or not at all.

    Raises:
        OSError: it cannot be written.
        ValueError: the suffix of ``path`` is no picture format.
    """
    with atomic_write(path) as aside:
        figure.savefig(aside, dpi=120)
