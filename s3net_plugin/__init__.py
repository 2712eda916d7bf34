"""S3Net, depth-guided image relighting, for BasicSR: importing this package registers everything it holds."""

from s3net_plugin import compat

compat.make_importable()

# BasicSR can be imported from here on.
from s3net_plugin import archs, data, losses, metrics, models  # noqa: E402

compat.mend_models()

__version__ = '0.1.0'
__all__ = ['archs', 'data', 'losses', 'metrics', 'models']
