"""The network that validation and tests run: S3Net's folded copy, in the precision that ``val`` asks for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, Literal

import torch
from basicsr.utils import get_root_logger
from pydantic import Field
from torch import nn

from s3net_plugin.archs import optimize_for_inference
from s3net_plugin.archs.deploy import DeployedS3Net, fast_precision
from s3net_plugin.models.train_options import is_s3net
from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.schema import Section


class ValOptions(Section):
    """The options of ``val`` that S3NetModel reads beside ``SRModel``; ``~`` counts as left out."""

    precision: Literal['float32', 'bfloat16', 'auto'] | None = None
    compile: bool | None = Field(None, description='true or false')

    @classmethod
    def of(cls, opt: dict[str, Any]) -> ValOptions:
        """Return those of an option file.

        Raises:
            OptionError: one of them is wrong, or made for S3Net only.
        """
        val = opt.get('val') or {}
        options = cls.parse({name: val[name] for name in cls.model_fields if name in val})
        arch = (opt.get('network_g') or {}).get('type')
        for name, what, value in (
            ('precision', 'bfloat16 ', options.precision == 'bfloat16'),
            ('compile', '', options.compile),
        ):
            if value and not is_s3net(arch):
                raise OptionError(name, f'{what}works with S3Net and ShadingGuidedS3Net only, not with {arch}')
        return options


class Evaluation:
    """Gives the network to evaluate: a copy of S3Net (or of a subclass) made faster, and any other arch as it is.

    Args:
        opt: BasicSR's options.
        device: where the network is.
    """

    def __init__(self, opt: dict[str, Any], device: torch.device) -> None:
        options = ValOptions.of(opt)
        self._deploys = is_s3net(opt['network_g']['type'])
        self._dtype = {'bfloat16': torch.bfloat16, 'auto': fast_precision(device)}.get(
            options.precision or '', torch.float32
        )
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
            return net
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
