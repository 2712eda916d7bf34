"""The report of a test run: metrics.csv, summary.json, summary.md and contact_sheet.png in its results folder."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from s3net_plugin.report.environment import peak_memory
from s3net_plugin.report.pictures import downscale, relight_panel, section, stack, write_picture
from s3net_plugin.report.summary import Row, add_dataset, metrics_csv, notable, start_summary
from s3net_plugin.report.table import dataset_markdown, summary_markdown
from s3net_plugin.utils.files import write_text


class Report:
    """Grows by one data set at a time; after each, all its files are written anew, whole, and hold what is known.

    Few pictures are kept: which images are the best, the median and the worst is known only after the last. Those of
    them that are gone are computed again.

    Args:
        opt: BasicSR's options.
        network: the network that is tested, with its weights, on ``device``.
    """

    def __init__(self, opt: Mapping[str, Any], network: nn.Module, device: torch.device) -> None:
        self._opt = opt
        self._folder = Path(opt['path']['results_root'])
        self._network = network
        self._device = device
        self._rows: dict[str, Sequence[Row]] = {}
        self._summary: dict[str, Any] = {}
        self._sections: list[np.ndarray] = []
        self._waiting = [dataset['name'] for dataset in opt['datasets'].values()]

    def add(self, dataset: Any, rows: Sequence[Row], view: Callable[[int], Mapping[str, np.ndarray]]) -> None:
        """Add a data set. Without rows the report stays as it is, and the log says why there are none.

        Args:
            dataset: what was tested.
            rows: the scores of its images, in their order.
            view: index -> the images of that sample as ``relight_panel`` takes them.
        """
        name = dataset.opt['name']
        self._waiting = [other for other in self._waiting if other != name]
        if not rows:
            reason = 'it has no targets' if self._opt['val'].get('metrics') else 'val: metrics names none'
            saved = 'images only' if self._opt['val']['save_img'] else 'and val: save_img is off, so nothing is saved'
            logging.getLogger('basicsr').info(f'{name}: no scores, {reason}; {saved}.')
            if self._summary:
                self._write_summary()
            return
        self._rows[name] = rows
        write_text(self._folder / 'metrics.csv', metrics_csv(self._rows))
        memory = peak_memory(self._device)
        if not self._summary:
            shape = dataset[0]['lq'].shape
            self._summary = start_summary(self._opt, self._network, shape, self._device, rows[0].seconds)
        before = self._summary.get('peak_memory', memory)
        self._summary['peak_memory'] = max(before, memory, key=lambda one: one['bytes'] or 0)
        best_first = add_dataset(self._summary, name, rows)
        self._write_summary()
        table = dataset_markdown(self._summary, name)
        logging.getLogger('basicsr').info(f'Scores, beside what costs nothing to beat:\n{table}\n')
        self._sections.append(self._section(name, best_first, view))
        write_picture(self._folder / 'contact_sheet.png', stack(self._sections))
        if self._device.type == 'cuda':
            # What the report itself took is not what the next data set takes.
            torch.cuda.reset_peak_memory_stats(self._device)

    def _write_summary(self) -> None:
        self._summary['not_tested'] = self._waiting
        text = json.dumps(self._summary, indent=2, ensure_ascii=False, allow_nan=False)
        write_text(self._folder / 'summary.json', text + '\n')
        write_text(self._folder / 'summary.md', summary_markdown(self._summary))

    def _section(
        self, name: str, best_first: Sequence[Row], view: Callable[[int], Mapping[str, np.ndarray]]
    ) -> np.ndarray:
        metric, options = next(iter(self._summary['settings']['metrics'].items()))
        order = f'by {metric} ({options["better"]} is better)'
        panels = []
        for kind, row in notable(best_first):
            scores = '   '.join(f'{metric} {score:.4f}' for metric, score in row.scores.items())
            views = view(row.position)
            panel = downscale(relight_panel(views), tile_height=views['output'].shape[0])
            panels.append((f'{kind}   {scores}   {row.image}', panel))
        return section(f'{name}: best, median and worst of {len(best_first)} images {order}', panels)
