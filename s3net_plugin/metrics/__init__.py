"""Metrics of the relighting challenges, by the names they have in BasicSR's option files."""

from s3net_plugin.metrics.lpips import calculate_lpips, lpips_network
from s3net_plugin.metrics.mps import calculate_mps
from s3net_plugin.metrics.ssim import calculate_relight_ssim

__all__ = ['calculate_lpips', 'calculate_mps', 'calculate_relight_ssim', 'lpips_network']
