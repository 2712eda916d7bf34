"""How large a network is and how much it computes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from basicsr.utils import get_root_logger
from torch import nn

LIMIT_SECONDS = 60


def complexity(network: nn.Module, shape: Sequence[int], device: torch.device, seconds: float) -> dict[str, Any]:
    """Count the parameters of ``network`` and, with mmengine's analysis, its FLOPs and activations.

    As mmengine counts: one multiply-add is one FLOP, activations are the output elements of convolutions and matrix
    products. Both need a run of the network each, on a copy that is dropped. Where that fails, or would take longer
    than ``LIMIT_SECONDS``, they are None, and the log says why.

    Args:
        network: on ``device``.
        shape: of one input, (C, H, W).
        seconds: what one run on such an input takes.
    """
    result: dict[str, Any] = {
        'complexity_input': [1, *shape],
        'parameters': sum(parameter.numel() for parameter in network.parameters()),
        'flops': None,
        'activations': None,
    }
    if 2 * seconds > LIMIT_SECONDS:
        get_root_logger().info(f'FLOPs are not counted: it would take about {2 * seconds:.0f} s.')
        return result
    # Half a second to import, and only a test run needs it.
    from mmengine.analysis import ActivationAnalyzer, FlopAnalyzer

    inputs = (torch.zeros(1, *shape, device=device),)
    try:
        # A copy, because an analysis that fails leaves its hooks behind.
        traced = copy.deepcopy(network).eval()
        with torch.no_grad():
            for name, kind in (('flops', FlopAnalyzer), ('activations', ActivationAnalyzer)):
                analysis = kind(traced, inputs).tracer_warnings('none')
                analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
                result[name] = int(analysis.total())
    except Exception as error:  # any network of any plugin: what cannot be traced can fail in any way
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        get_root_logger().info(f'FLOPs and activations are not counted: the network cannot be traced ({reason}).')
        result |= {'flops': None, 'activations': None}
    return result
