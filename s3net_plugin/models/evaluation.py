"""The network that validation and tests run: S3Net's folded copy, in the precision that ``val`` asks for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, Literal

import torch
from basicsr.utils import get_root_logger
from torch import nn

from s3net_plugin.archs import optimize_for_inference
from s3net_plugin.archs.deploy import DeployedS3Net
from s3net_plugin.models.precision import Precision
from s3net_plugin.models.train_options import check_s3net, is_s3net
from s3net_plugin.utils.schema import StockSection, flag

_CORNER = 64  # pixels


class ValOptions(StockSection):
    """The options of ``val`` that S3NetModel reads beside ``SRModel``; ``~`` counts as left out."""

    precision: Literal['float32', 'bfloat16', 'auto'] | None = None
    compile: bool | None = flag(None)

    @classmethod
    def of(cls, opt: dict[str, Any]) -> ValOptions:
        """Return those of an option file.

        Raises:
            OptionError: one of them is wrong, or made for S3Net only.
        """
        options = cls.parse(opt.get('val') or {})
        if options.precision == 'bfloat16':
            check_s3net(opt, 'precision', 'bfloat16 works')
        if options.compile:
            check_s3net(opt, 'compile')
        return options


class ChannelsLast(nn.Module):
    """Runs a network on NHWC input where that changes nothing: convolutions of a CPU take two thirds of the time.

    Whether it does is tried once, on a corner of the first input. The network itself is left as it is.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.training = network.training
        self._equal: bool | None = None

    def forward(self, x: torch.Tensor) -> Any:
        if self._equal is None:
            self._equal = is_equal_channels_last(self.network, x[:1, :, :_CORNER, :_CORNER])
        return self.network(x.contiguous(memory_format=torch.channels_last) if self._equal else x)


def is_equal_channels_last(network: nn.Module, x: torch.Tensor) -> bool:
    """Whether ``network`` gives the same of ``x`` (N, C, H, W) in NCHW and in NHWC, to 1e-5 of its largest value.

    A network that cannot tell, since it stops at such an input, is not equal. Random state is left as it is.
    """
    state = torch.get_rng_state()
    try:
        results = []
        for layout in (torch.contiguous_format, torch.channels_last):
            torch.set_rng_state(state)
            results.append(network(x.clone(memory_format=layout)))
        one, other = results
        return bool((one - other).abs().max() <= 1e-5 * one.abs().max())
    except Exception:  # whatever another's code raises: then it runs as it always has
        return False
    finally:
        torch.set_rng_state(state)


class Evaluation:
    """Gives the network to evaluate: a copy of S3Net (or of a subclass) made faster; any other arch as it is, except
    that a CPU computes it in NHWC where its output stays equal.

    Args:
        opt: BasicSR's options.
        device: where the network is.
    """

    def __init__(self, opt: dict[str, Any], device: torch.device) -> None:
        options = ValOptions.of(opt)
        self._device = device
        self._deploys = is_s3net(opt['network_g']['type'])
        self._dtype = Precision(options.precision, device).dtype or torch.float32
        self._compile = bool(options.compile)
        self._compiled: DeployedS3Net | None = None
        if self._deploys:
            dtype = str(self._dtype).removeprefix('torch.')
            compiled = ', compiled' if self._compile else ''
            get_root_logger().info(f'Validation and tests compute in {dtype}, with BatchNorm folded{compiled}.')

    @torch.no_grad()
    def network(self, net: Any) -> Any:
        """Return what computes as ``net`` does with the weights it has now; ``net`` itself is left as it is."""
        if not self._deploys:
            return ChannelsLast(net) if self._device.type == 'cpu' else net
        if self._compiled is None:
            deployed = optimize_for_inference(net, dtype=self._dtype, channels_last=True, compile=self._compile)
            self._compiled = deployed if self._compile else None
            return deployed
        # compiling takes minutes: later weights move in where the first ones were compiled
        fresh = optimize_for_inference(net, dtype=self._dtype, channels_last=True)
        for old, new in zip(_tensors(self._compiled), _tensors(fresh), strict=True):
            old.copy_(new)
        return self._compiled


def _tensors(net: nn.Module) -> Iterator[torch.Tensor]:
    return chain(net.parameters(), net.buffers())
