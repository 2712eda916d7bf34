"""What a number was measured with: versions, source, hardware, memory, and how much the network computes."""

from __future__ import annotations

import copy
import logging
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

LIMIT_SECONDS = 60


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that make the numbers."""
    import s3net_plugin

    packages = {name: version(name) for name in ('torch', 'torchvision', 'basicsr', 'mmengine')}
    return {'python': platform.python_version(), **packages, 's3net_plugin': s3net_plugin.__version__}


def git_hash() -> str | None:
    """Return the commit that the working directory is at; None outside a repository or without Git."""
    try:
        found = subprocess.run(['git', 'rev-parse', 'HEAD'], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()


def hardware(device: torch.device) -> dict[str, str | None]:
    """Return the names of the CPU and of the GPU that ``device`` is (None for the CPU)."""
    gpu = torch.cuda.get_device_name(device) if device.type == 'cuda' else None
    return {'cpu': _cpu_name(), 'gpu': gpu}


def _cpu_name() -> str:
    info = Path('/proc/cpuinfo')  # elsewhere, and on some ARM boards, the name is not there
    lines = info.read_text(encoding='utf-8', errors='replace').splitlines() if info.is_file() else []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()


def peak_memory(device: torch.device) -> dict[str, int | str | None]:
    """Return the most memory this process has held so far, in bytes, and which kind: of the GPU, else of the machine.

    None where the system does not tell.
    """
    if device.type == 'cuda':
        return {'bytes': torch.cuda.max_memory_allocated(device), 'of': 'GPU, tensors'}
    if sys.platform == 'win32':
        return {'bytes': None, 'of': 'process'}
    import resource

    unit = 1 if sys.platform == 'darwin' else 1024
    return {'bytes': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, 'of': 'process, resident'}


def complexity(network: nn.Module, shape: Sequence[int], device: torch.device, seconds: float) -> dict[str, Any]:
    """Count the parameters of ``network`` and, with mmengine's analysis, its FLOPs and activations.

    As mmengine counts: one multiply-add is one FLOP, activations are the output elements of convolutions and matrix
    products. One run of the network, of ``seconds`` on an input (C, H, W), on a copy that is dropped, tells both. Where
    that fails, or would take longer than ``LIMIT_SECONDS``, they are None, and the log says why.
    """
    result: dict[str, Any] = {
        'complexity_input': [1, *shape],
        'parameters': sum(parameter.numel() for parameter in network.parameters()),
        'flops': None,
        'activations': None,
    }
    logger = logging.getLogger('basicsr')
    if seconds > LIMIT_SECONDS:
        logger.info(f'FLOPs are not counted: it would take about {seconds:.0f} s.')
        return result
    try:
        result |= _trace(network, torch.zeros(1, *shape, device=device))
    except Exception as error:  # any network of any plugin: what cannot be traced can fail in any way
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        logger.info(f'FLOPs and activations are not counted: the network cannot be traced ({reason}).')
    return result


def _trace(network: nn.Module, x: torch.Tensor) -> dict[str, int]:
    """Count FLOPs and activations in one run: mmengine's analyses trace once each, and a run takes seconds on a CPU."""
    # Half a second to import, and only a test run needs it.
    from mmengine.analysis import ActivationAnalyzer, FlopAnalyzer

    # A copy, because an analysis that fails leaves its hooks behind.
    both = FlopAnalyzer(copy.deepcopy(network).eval(), (x,))
    analyses = {'flops': both, 'activations': ActivationAnalyzer(both._model, (x,))}
    handles = {name: dict(analysis._op_handles) for name, analysis in analyses.items()}

    def count(op: str, inputs: list[Any], outputs: list[Any]) -> Counter[str]:
        found = {name: of_op[op](inputs, outputs) for name, of_op in handles.items() if of_op.get(op)}
        return Counter({name: sum(n.values()) if isinstance(n, Counter) else n for name, n in found.items()})

    both.set_op_handle(**{op: partial(count, op) for op in handles['flops'] | handles['activations']})
    both.tracer_warnings('none').unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    with torch.no_grad():
        total = both.by_operator()
    return {name: int(total[name]) for name in handles}
