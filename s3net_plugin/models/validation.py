"""Validation: batched, shared among processes, the same numbers for any number of them."""

from __future__ import annotations

import errno
import itertools
import time
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from basicsr.metrics import calculate_metric
from basicsr.utils import tensor2img
from torch.utils.data import DataLoader, Subset, default_collate
from tqdm import tqdm

from s3net_plugin.archs.closed_form import relight_closed_form
from s3net_plugin.metrics.baselines import colour_transfer, copy_input
from s3net_plugin.report.pictures import relight_panel
from s3net_plugin.report.summary import Row
from s3net_plugin.utils import preemption
from s3net_plugin.utils.distributed import all_gather_object

TENSORBOARD_PANELS = 4


def validate(
    model: Any, dataloader: Any, current_iter: int | str, tb_logger: Any, save_img: bool
) -> dict[str, float] | None:
    """Run the network over a data set, save what is asked for, and return the mean of every metric over its images.

    Every process takes every n-th image; the rows of all are gathered and averaged in the order of the data set, so
    that the means do not depend on the number of processes. Without metrics or without targets the result is empty;
    it is None, in all processes, if one has been asked to stop in the middle of training.
    """
    opt = model.opt
    name = dataloader.dataset.opt['name']
    loader, indices = _share(dataloader, opt['rank'], opt['world_size'])
    progress = tqdm(total=len(indices), unit='image', disable=not opt['val'].get('pbar', False) or opt['rank'] != 0)
    rows: list[Row] = []
    stopped = False
    samples = (sample for batches in loader for batch in batches for sample in _run(model, batch))
    with progress:
        for index, sample in zip(indices, samples, strict=True):
            stopped = model.is_train and preemption.requested()
            if stopped:
                break
            rows += _scores(opt, index, sample)
            if save_img:
                _save(opt, name, current_iter, sample)
            if tb_logger and index < TENSORBOARD_PANELS:
                panel = relight_panel(sample.views)[..., ::-1]
                tb_logger.add_image(f'{name}/{index}', np.ascontiguousarray(panel), current_iter, dataformats='HWC')
            progress.update()
    parts = all_gather_object((rows, stopped))
    if any(one_stopped for _, one_stopped in parts):
        return None
    rows = sorted((row for part, _ in parts for row in part), key=lambda row: row.position)
    if not model.is_train and opt['rank'] == 0:
        dataset = dataloader.dataset
        model.report.add(dataset, rows, lambda index: _run(model, default_collate([dataset[index]]), False)[0].views)
    scores = [row.scores for row in rows if row.method == 'model']
    return {metric: float(np.mean([score[metric] for score in scores])) for metric in (scores[0] if scores else ())}


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
    """Images are (H, W, 3), uint8, BGR, as BasicSR shows them; ``baselines`` are those of a test."""

    name: str
    views: dict[str, np.ndarray]
    baselines: dict[str, np.ndarray]
    seconds: float


def _run(model: Any, batch: dict[str, Any], with_baselines: bool = True) -> list[_Sample]:
    """Run the network on a batch."""
    model.feed_data(batch)
    started = time.perf_counter()
    model.test()
    if model.device.type == 'cuda':
        torch.cuda.synchronize()
    seconds = (time.perf_counter() - started) / len(batch['lq'])
    is_guided = batch['lq'].shape[1] == 8
    # baselines are scored only, so without targets or metrics nobody would see them
    is_scored = with_baselines and not model.is_train and 'gt' in batch and model.opt['val'].get('metrics')
    shaded = relight_closed_form(model.lq).image.cpu() if is_guided and is_scored else None
    samples = []
    for i, path in enumerate(batch['lq_path']):
        views = {'input': batch['lq'][i, :3], 'output': model.output[i]}
        if is_guided:
            views['guide'] = batch['lq'][i, 4:7]
        if 'gt' in batch:
            views['target'] = batch['gt'][i]
        images = {key: tensor2img([view.float()]) for key, view in views.items()}
        samples.append(_Sample(Path(path).stem, images, _baselines(images, shaded, i) if is_scored else {}, seconds))
    del model.lq, model.gt, model.output
    return samples


def _baselines(views: dict[str, np.ndarray], shaded: torch.Tensor | None, i: int) -> dict[str, np.ndarray]:
    baselines = {'copy_input': copy_input(views['input'])}
    if shaded is not None:
        baselines['colour_transfer'] = colour_transfer(views['input'], views['guide'])
        baselines['shading_transfer'] = tensor2img([shaded[i]])
    return baselines


def _scores(opt: dict[str, Any], index: int, sample: _Sample) -> list[Row]:
    metrics = opt['val'].get('metrics')
    if not metrics or 'target' not in sample.views:
        return []
    views = sample.views
    outputs = {'model': views['output'], **sample.baselines}
    size = (views['output'].shape[0], views['output'].shape[1])
    rows = []
    for method, image in outputs.items():
        scores = {
            metric: float(calculate_metric({'img': image, 'img2': views['target']}, options))
            for metric, options in metrics.items()
        }
        seconds = sample.seconds if method == 'model' else float('nan')
        rows.append(Row(index, sample.name, size, method, scores, seconds))
    return rows


def _save(opt: dict[str, Any], dataset_name: str, current_iter: int | str, sample: _Sample) -> None:
    """Save the result where BasicSR saves it, under BasicSR's name, and its panel beside it."""
    folder = Path(opt['path']['visualization'])
    if opt['is_train']:
        path = folder / sample.name / f'{sample.name}_{current_iter}.png'
    else:
        path = folder / dataset_name / f'{sample.name}_{opt["val"]["suffix"] or opt["name"]}.png'
    _write(path, sample.views['output'])
    _write(path.with_name(f'{path.stem}_panel.png'), relight_panel(sample.views))


def _write(path: Path, image: np.ndarray) -> None:
    """Write an image, (H, W, 3), uint8, BGR; BasicSR's own function does not say which file it could not write, or why.

    Raises:
        OSError: It cannot be written; the message names it.
    """
    content = cv2.imencode('.png', image)[1]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.tobytes())
    except OSError as error:
        hint = '; shorten the names of the data, or set save_img: false' if error.errno == errno.ENAMETOOLONG else ''
        raise OSError(f'{path}: cannot be written: {error.strerror}{hint}') from error
