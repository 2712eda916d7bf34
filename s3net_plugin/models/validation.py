"""Validation: batched, shared among processes, the same numbers for any number of them."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from basicsr.metrics import calculate_metric
from basicsr.utils import tensor2img
from basicsr.utils.registry import METRIC_REGISTRY
from torch.utils.data import DataLoader, Subset, default_collate
from tqdm import tqdm

from s3net_plugin.archs.closed_form import relight_closed_form
from s3net_plugin.metrics.baselines import colour_transfer
from s3net_plugin.report.pictures import relight_panel, write_picture
from s3net_plugin.report.summary import Row
from s3net_plugin.utils import preemption
from s3net_plugin.utils.distributed import all_gather_object
from s3net_plugin.utils.parallel import in_order

TENSORBOARD_PANELS = 4
KEPT_BYTES = 2**28  # of results, for the few that the report of a test shows
THREADS = 4


def validate(
    model: Any, dataloader: Any, current_iter: int | str, tb_logger: Any, save_img: bool
) -> dict[str, float] | None:
    """Run the network over a data set, save what is asked for, and return the mean of every metric over its images.

    Every process takes every n-th image; the rows of all are gathered and averaged in the order of the data set, so
    that the means do not depend on the number of processes. Without metrics or without targets the result is empty;
    it is None, in all processes, if one has been asked to stop in the middle of training.

    While the network runs, threads read the next batch, and score and save the images before.
    """
    opt = model.opt
    name = dataloader.dataset.opt['name']
    loader, indices = _share(dataloader, opt['rank'], opt['world_size'])
    progress = tqdm(total=len(indices), unit='image', disable=not opt['val'].get('pbar', False) or opt['rank'] != 0)
    rows: list[Row] = []
    outputs: dict[int, np.ndarray] = {}
    stopped = False

    def finish(numbered: tuple[int, _Sample]) -> tuple[int, dict[str, np.ndarray], list[Row]]:
        index, sample = numbered
        views = {key: tensor2img([view]) for key, view in sample.views.items()}
        found = _scores(opt, index, sample, views)
        if save_img:
            _save(opt, name, current_iter, sample.name, views)
        return index, views, found

    read = iter(loader)

    def prepare(_: int) -> list[dict[str, Any]]:
        return [_with_baseline(batch, model) for batch in next(read)]

    with (
        progress,
        ThreadPoolExecutor(1, initializer=_take_gpu(model.device, own_stream=True)) as reader,
        _threads(opt, model.device) as pool,
    ):
        coming = in_order(reader, prepare, range(len(loader)), ahead=1)
        samples = (sample for batches in coming for batch in batches for sample in _run(model, batch))
        for index, views, found in in_order(pool, finish, zip(indices, samples, strict=True), ahead=THREADS):
            stopped = model.is_train and preemption.requested()
            if stopped:
                break
            rows += found
            if not model.is_train and views['output'].nbytes * (len(outputs) + 1) <= KEPT_BYTES:
                outputs[index] = views['output']
            if tb_logger and index < TENSORBOARD_PANELS:
                panel = relight_panel(views)[..., ::-1]
                tb_logger.add_image(f'{name}/{index}', np.ascontiguousarray(panel), current_iter, dataformats='HWC')
            progress.update()
    parts = all_gather_object((rows, stopped))
    if any(one_stopped for _, one_stopped in parts):
        return None
    rows = sorted((row for part, _ in parts for row in part), key=lambda row: row.position)
    if not model.is_train and opt['rank'] == 0:
        model.report.add(dataloader.dataset, rows, partial(_view, model, dataloader.dataset, outputs))
    scores = [row.scores for row in rows if row.method == 'model']
    return {metric: float(np.mean([score[metric] for score in scores])) for metric in (scores[0] if scores else ())}


def _threads(opt: dict[str, Any], device: torch.device) -> ThreadPoolExecutor:
    """Return the threads that score and save: one where a metric is of a plugin, which may not bear more."""
    metrics = [METRIC_REGISTRY.get(options['type']) for options in metric_options(opt).values()]
    own = all(metric.__module__.split('.')[0] in ('basicsr', 's3net_plugin') for metric in metrics)
    return ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1) if own else 1, initializer=_take_gpu(device))


def _take_gpu(device: torch.device, *, own_stream: bool = False) -> Callable[[], None] | None:
    """Return what a thread begins with where there is a GPU: which one is in use is its own matter."""
    if device.type != 'cuda':
        return None
    gpu = torch.cuda.current_device()

    def take() -> None:
        torch.cuda.set_device(gpu)
        if own_stream:
            torch.cuda.set_stream(torch.cuda.Stream())

    return take


def metric_options(opt: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the options of every metric by its name, none where nothing is measured."""
    return (opt.get('val') or {}).get('metrics') or {}


def log_results(
    model: Any, dataset_name: str, means: dict[str, float], current_iter: int | str, tb_logger: Any
) -> None:
    """Compare with the best results so far, and write both to the log in the first process."""
    model.metric_results = means
    model._initialize_best_metric_results(dataset_name)
    for metric, value in means.items():
        model._update_best_metric_result(dataset_name, metric, value, current_iter)
    if model.opt['rank'] == 0:
        model._log_validation_metric_values(current_iter, dataset_name, tb_logger)


def _share(dataloader: Any, rank: int, world_size: int) -> tuple[DataLoader, list[int]]:
    """Return this process's part of the data set as a loader of its own, and the indices that it will yield.

    BasicSR validates image by image and without workers; ``batch_size_per_gpu`` and ``num_worker_per_gpu`` of the data
    set are honoured here.
    """
    dataset = dataloader.dataset
    indices = list(range(rank, len(dataset), world_size))
    loader = DataLoader(
        Subset(dataset, indices),
        batch_size=dataset.opt.get('batch_size_per_gpu', 1),
        num_workers=dataset.opt.get('num_worker_per_gpu', 0),
        pin_memory=dataset.opt.get('pin_memory', False),
        collate_fn=_collate_by_size,
        # What a loader draws for its workers must not move the generator that training draws from.
        generator=torch.Generator(),
    )
    preemption.shield_workers(loader)
    return loader, indices


def _collate_by_size(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a batch for each run of samples of one size: images of different sizes cannot be stacked."""

    def size(sample: dict[str, Any]) -> list[tuple[str, torch.Size]]:
        return [(key, value.shape) for key, value in sample.items() if isinstance(value, torch.Tensor)]

    return [default_collate(list(some)) for _, some in itertools.groupby(samples, key=size)]


class _Sample(NamedTuple):
    """Views are (3, H, W), RGB in [0, 1]; one is the baseline ``shading_transfer``, if it is to be scored."""

    name: str
    views: dict[str, torch.Tensor]
    seconds: float


def _with_baseline(batch: dict[str, Any], model: Any) -> dict[str, Any]:
    """Add to a batch of a test the baseline ``shading_transfer``, where there is a guide and a score."""
    is_scored = 'gt' in batch and metric_options(model.opt)
    if batch['lq'].shape[1] == 8 and is_scored and not model.is_train:
        batch['shading_transfer'] = relight_closed_form(batch['lq'].to(model.device)).image.cpu()
    return batch


def _run(model: Any, batch: dict[str, Any]) -> Iterator[_Sample]:
    """Run the network on a batch."""
    model.feed_data(batch)
    started = time.perf_counter()
    model.test()
    if model.device.type == 'cuda':
        torch.cuda.current_stream().synchronize()  # the stream of the network, and not of baselines beside it
    seconds = (time.perf_counter() - started) / len(batch['lq'])
    output = model.output.float().cpu()
    del model.lq, model.gt, model.output
    for i, path in enumerate(batch['lq_path']):
        yield _Sample(Path(path).stem, {**_given(batch, i), 'output': output[i]}, seconds)


def _given(batch: dict[str, Any], i: int) -> dict[str, torch.Tensor]:
    """Return what a batch shows of one sample before the network has run."""
    views = {'input': batch['lq'][i, :3]}
    if batch['lq'].shape[1] == 8:
        views['guide'] = batch['lq'][i, 4:7]
    if 'gt' in batch:
        views['target'] = batch['gt'][i]
    if 'shading_transfer' in batch:
        views['shading_transfer'] = batch['shading_transfer'][i]
    return views


def _view(model: Any, dataset: Any, outputs: dict[int, np.ndarray], index: int) -> dict[str, np.ndarray]:
    """Return the images of one sample once more, with a result that was kept or is computed again."""
    batch = default_collate([dataset[index]])
    views = _given(batch, 0) if index in outputs else next(_run(model, batch)).views
    images = {key: tensor2img([view]) for key, view in views.items()}
    return {**images, 'output': outputs.get(index, images.get('output'))}


def _scores(opt: dict[str, Any], index: int, sample: _Sample, views: dict[str, np.ndarray]) -> list[Row]:
    metrics = metric_options(opt)
    if not metrics or 'target' not in views:
        return []
    outputs = {'model': views['output']}
    if not opt['is_train']:
        outputs['copy_input'] = views['input']
    if 'shading_transfer' in views:
        outputs['colour_transfer'] = colour_transfer(views['input'], views['guide'])
        outputs['shading_transfer'] = views['shading_transfer']
    size = (views['output'].shape[0], views['output'].shape[1])
    rows = []
    for method, image in outputs.items():
        scores = {
            metric: float(calculate_metric({'img': image, 'img2': views['target']}, options))
            for metric, options in metrics.items()
        }
        rows.append(
            Row(index, sample.name, size, method, scores, sample.seconds if method == 'model' else float('nan'))
        )
    return rows


def _save(
    opt: dict[str, Any], dataset: str, current_iter: int | str, sample: str, views: dict[str, np.ndarray]
) -> None:
    """Save the result where BasicSR saves it, under BasicSR's name, and its panel beside it."""
    folder = Path(opt['path']['visualization'])
    if opt['is_train']:
        path = folder / sample / f'{sample}_{current_iter}.png'
    else:
        path = folder / dataset / f'{sample}_{opt["val"]["suffix"] or opt["name"]}.png'
    write_picture(path, views['output'])
    write_picture(path.with_name(f'{path.stem}_panel.png'), relight_panel(views))
