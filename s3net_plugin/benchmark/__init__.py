"""How much faster this package is than the plain way of writing the same network, losses and training step."""

from s3net_plugin.benchmark.report import describe, machine, to_json
from s3net_plugin.benchmark.run import run
from s3net_plugin.benchmark.settings import Settings, choose_settings

__all__ = ['Settings', 'choose_settings', 'describe', 'machine', 'run', 'to_json']
