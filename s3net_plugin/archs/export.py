"""Networks as files that run without this package: ``torch.export`` programs and ONNX models of any size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram, export
from torch.utils.benchmark import Timer

from s3net_plugin.utils.files import atomic_write

STEP = 32  # heights and widths are multiples of it
MIN_SIZE, MAX_SIZE = 64, 4096  # at 32 the deepest features are one pixel wide, which torch.export takes for a constant
TOLERANCE = 1e-3  # of values in (-1, 1)
SUFFIXES = ('.pt2', '.onnx')
_CHECKED_SIZES = ((64, 96), (128, 64))

Run = Callable[[Tensor], Tensor]


class ExportReport(NamedTuple):
    """How an exported file compares with the network it was made of.

    ``difference`` is the largest absolute one of an output value, over all checked sizes.
    """

    difference: float
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
        report = compare(network, run, channels, size)
        if not report.difference <= TOLERANCE:
            raise ValueError(f'{path}: not written: it differs from the network by {report.difference:.2g}')
    return report


def _save_program(program: ExportedProgram, path: Path) -> Run:
    torch.export.save(program, path)
    return torch.export.load(path).module()


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
    return lambda x: torch.from_numpy(session.run(None, {'input': x.numpy()})[0])


@torch.inference_mode()
def compare(network: nn.Module, run: Run, channels: int, size: int) -> ExportReport:
    """Run ``network`` and the exported ``run`` on the same smooth input of several sizes, the last one timed."""
    generator = torch.Generator().manual_seed(0)
    differences = []
    for height, width in (*_CHECKED_SIZES, (size, size)):
        x = smooth_input(generator, channels, height, width)
        differences.append((run(x) - network(x)).abs().max())
    timers = (Timer('run(x)', globals={'run': r, 'x': x}, num_threads=torch.get_num_threads()) for r in (network, run))
    seconds = (timer.blocked_autorange(min_run_time=0.5).median for timer in timers)
    return ExportReport(torch.stack(differences).max().item(), *seconds)


def smooth_input(generator: torch.Generator, channels: int, height: int, width: int) -> Tensor:
    """Smooth random input (1, channels, height, width) in [0, 1]: a value every 16 pixels, bilinear between.

    Noise would be nothing but edges as a depth map, and where a shadow begins rounding errors become visible.

    Example:
        >>> smooth_input(torch.Generator(), 8, 64, 96).shape
        torch.Size([1, 8, 64, 96])
    """
    points = torch.rand(1, channels, height // 16, width // 16, generator=generator)
    return nn.functional.interpolate(points, size=(height, width), mode='bilinear')
