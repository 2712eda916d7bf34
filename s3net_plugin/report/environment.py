"""What a number was measured with: versions, source, hardware, memory."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import torch


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
