"""Networks as files that run without this package: ``torch.export`` programs and ONNX models of any size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.export import Dim, ExportedProgram, export
from torch.utils.benchmark import Timer

from s3net_plugin.utils.files import atomic_write

STEP = 32  # heights and widths are multiples of it
MIN_SIZE, MAX_SIZE = 64, 4096  # at 32 the deepest features are one pixel wide, which torch.export takes for a constant
TOLERANCE = 1e-3  # of values in (-1, 1)
SUFFIXES = ('.pt2', '.onnx')
_CHECKED_SIZES = ((64, 96), (128, 64))

Run = Callable[[np.ndarray], np.ndarray]


class ExportReport(NamedTuple):
    """How an exported file compares with the network it was made of."""

    path: Path
    difference: float
    """Largest absolute one of an output value, over all checked sizes."""
    eager_seconds: float
    seconds: float


def export_file(network: nn.Module, path: Path, *, size: int = 256) -> ExportReport:
    """Export ``network`` to ``path``, once it has been checked against eager: ``torch.export``'s .pt2, or .onnx.

    It takes (1, C, H, W), H and W multiples of 32 from 64 to 4096.

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
    rows, columns = (Dim(name, min=MIN_SIZE // STEP, max=MAX_SIZE // STEP) for name in ('rows', 'columns'))
    example = torch.zeros(1, channels, 4 * STEP, 5 * STEP)
    program = export(network.eval(), (example,), dynamic_shapes=({2: STEP * rows, 3: STEP * columns},))
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


@torch.inference_mode()
def compare(path: Path, network: nn.Module, run: Run, channels: int, size: int) -> ExportReport:
    """Run ``network`` and the exported ``run`` on the same smooth input of several sizes, the last one timed."""
    random = np.random.default_rng(0)
    difference = 0.0
    for height, width in (*_CHECKED_SIZES, (size, size)):
        x = smooth_input(random, channels, height, width)
        difference = max(difference, float(np.abs(run(x) - network(torch.from_numpy(x)).numpy()).max()))
    threads = torch.get_num_threads()
    eager, exported = (
        Timer('run(x)', globals={'run': each, 'x': sample}, num_threads=threads).blocked_autorange(min_run_time=0.5)
        for each, sample in ((network, torch.from_numpy(x)), (run, x))
    )
    return ExportReport(path, difference, eager.median, exported.median)


def smooth_input(random: np.random.Generator, channels: int, height: int, width: int) -> np.ndarray:
    """Smooth random input (1, channels, height, width), float32 in [0, 1]: a value every 16 pixels, bilinear between.

    Noise would be nothing but edges as a depth map, and where a shadow begins rounding errors become visible.

    Example:
        >>> smooth_input(np.random.default_rng(0), 8, 64, 96).shape
        (1, 8, 64, 96)
    """
    points = torch.from_numpy(random.random((1, channels, height // 16, width // 16), dtype=np.float32))
    return torch.nn.functional.interpolate(points, size=(height, width), mode='bilinear').numpy()
