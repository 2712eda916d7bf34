"""Networks; importing this registers S3Net with BasicSR."""

from s3net_plugin.archs.inference import optimize_for_inference
from s3net_plugin.archs.s3net_arch import S3Net

__all__ = ['S3Net', 'optimize_for_inference']
