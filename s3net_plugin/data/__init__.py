"""The RGB-D relighting dataset and the sampler that makes its draws reproducible."""

from s3net_plugin.data.rgbd_relight_dataset import RGBDRelightPairedDataset
from s3net_plugin.data.sampling import SampleIndex, StatefulDistributedSampler

__all__ = ['RGBDRelightPairedDataset', 'SampleIndex', 'StatefulDistributedSampler']
