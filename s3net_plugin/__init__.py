"""S3Net, depth-guided image relighting, for BasicSR: importing this package registers everything it holds."""

from s3net_plugin import compat

compat.make_importable()

__version__ = '0.1.0'
