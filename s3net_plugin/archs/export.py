"""Networks as files that run without this package: ``torch.export`` programs and ONNX models of any size."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from s3net_plugin.utils.files import atomic_write

STEP = 32  # heights and widths are multiples of it
MIN_SIZE, MAX_SIZE = 64, 4096  # at 32 the deepest features are one pixel wide, which torch.export takes for a constant
TOLERANCE = 1e-3  # of values in (-1, 1)
SUFFIXES = ('.pt2', '.onnx')
_REPEATS = 7
_CHECKED_SIZES = ((64, 96), (128, 64))

Run = Callable[[np.ndarray], np.ndarray]


class ExportReport(NamedTuple):
    """How an exported file compares with the network it was made of."""

    path: Path
    difference: float
    """Largest absolute difference of an output value over all checked sizes."""
    eager_seconds: float
    seconds: float


def export_program(network: nn.Module, channels: int) -> ExportedProgram:
    """Trace ``network`` for (1, ``channels``, H, W), H and W any multiple of 32 from 64 to 4096."""
    rows, columns = (Dim(name, min=MIN_SIZE // STEP, max=MAX_SIZE // STEP) for name in ('rows', 'columns'))
    example = torch.zeros(1, channels, 4 * STEP, 5 * STEP)
    return torch.export.export(network.eval(), (example,), dynamic_shapes=({2: STEP * rows, 3: STEP * columns},))


def export_file(network: nn.Module, path: Path, *, size: int = 256) -> ExportReport:
    """Write ``network`` as the suffix of ``path`` says, ``.pt2`` or ``.onnx``, once it has been checked against eager.

    Args:
        network: On the CPU; its ``input_channels`` say what it takes.
        path: The file to write.
        size: Height and width at which speed is measured, a multiple of 32.

    Raises:
        ImportError: ONNX is asked for and ``onnx``, ``onnxscript`` or ``onnxruntime`` is missing.
        ValueError: The suffix or size is neither, or the exported network computes something else; nothing is written.
    """
    if path.suffix not in SUFFIXES:
        raise ValueError(f'{path}: its name must end in {" or ".join(SUFFIXES)}')
    if size % STEP or not MIN_SIZE <= size <= MAX_SIZE:
        raise ValueError(f'size {size}: must be a multiple of {STEP} from {MIN_SIZE} to {MAX_SIZE}')
    channels = int(network.input_channels)  # type: ignore[arg-type]
    program = export_program(network, channels)
    with atomic_write(path) as aside:
        run = _save_onnx(program, aside) if path.suffix == '.onnx' else _save_program(program, aside)
        report = compare(path, network, run, channels, size)
        if not report.difference <= TOLERANCE:
            raise ValueError(f'{path}: not written: it differs from the network by {report.difference:.2g}')
    return report


def _save_program(program: ExportedProgram, path: Path) -> Run:
    torch.export.save(program, path)
    module = torch.export.load(path).module()
    return lambda x: module(torch.from_numpy(x)).numpy()


def _save_onnx(program: ExportedProgram, path: Path) -> Run:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  what torch.onnx needs
    except ImportError as error:
        raise ImportError(f"ONNX needs {error.name}: pip install 's3net_plugin[export]'") from error
    model = torch.onnx.export(program, dynamo=True, input_names=['input'], output_names=['output'], verbose=False)
    assert model is not None  # it is for the exporter before this one
    model.save(str(path))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    return lambda x: session.run(None, {'input': x})[0]


def compare(path: Path, network: nn.Module, run: Run, channels: int, size: int) -> ExportReport:
    """Run ``network`` and the exported ``run`` on the same smooth input of several sizes, the last one timed."""

    def eager(x: np.ndarray) -> np.ndarray:
        return network(torch.from_numpy(x)).numpy()

    random = np.random.default_rng(0)
    difference = 0.0
    with torch.inference_mode():
        for height, width in (*_CHECKED_SIZES, (size, size)):
            x = smooth_input(random, channels, height, width)
            difference = max(difference, float(np.abs(run(x) - eager(x)).max()))
        return ExportReport(path, difference, *median_seconds((eager, run), x))


def smooth_input(random: np.random.Generator, channels: int, height: int, width: int) -> np.ndarray:
    """(1, channels, height, width), float32 in [0, 1]: a value every 16 pixels, and what lies between them.

    Noise would be nothing but edges as a depth map, and where a shadow begins rounding errors become visible.

    Example:
        >>> smooth_input(np.random.default_rng(0), 8, 64, 96).shape
        (1, 8, 64, 96)
    """
    points = torch.from_numpy(random.random((1, channels, height // 16, width // 16), dtype=np.float32))
    return torch.nn.functional.interpolate(points, size=(height, width), mode='bilinear').numpy()


def median_seconds(runs: Sequence[Run], x: np.ndarray) -> list[float]:
    """Median times of ``run(x)``, which have run before; in turns, so that other work on the machine hits all alike."""
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(_REPEATS):
        for run, seconds in zip(runs, times, strict=True):
            start = time.perf_counter()
            run(x)
            seconds.append(time.perf_counter() - start)
    return [statistics.median(seconds) for seconds in times]
