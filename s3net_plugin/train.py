"""`python -m s3net_plugin.train -opt ...`, the same as `basicsr train.py -opt ...`; for `torchrun -m`."""

import sys

from s3net_plugin.running.cli import main

if __name__ == '__main__':
    sys.exit(main(['train', *sys.argv[1:]]))
