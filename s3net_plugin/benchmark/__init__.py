"""How much faster this package is than the plain way of writing the same network, losses and training step."""

from s3net_plugin.benchmark.measure import describe, run_benchmark
from s3net_plugin.benchmark.settings import BenchmarkSettings, choose_settings

__all__ = ['BenchmarkSettings', 'choose_settings', 'describe', 'run_benchmark']
