"""The model that BasicSR's pipelines drive."""

from s3net_plugin.models.s3net_model import S3NetModel

__all__ = ['S3NetModel']
