"""Networks; importing this registers S3Net and ShadingGuidedS3Net with BasicSR."""

from s3net_plugin.archs.deploy import optimize_for_inference
from s3net_plugin.archs.s3net_arch import S3Net
from s3net_plugin.archs.shading_guided_s3net_arch import ShadingGuidedS3Net

__all__ = ['S3Net', 'ShadingGuidedS3Net', 'optimize_for_inference']
