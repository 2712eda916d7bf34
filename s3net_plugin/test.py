"""`python -m s3net_plugin.test -opt ...`, the same as `basicsr test.py -opt ...`; for `torchrun -m`."""

import sys

from s3net_plugin.running.cli import main

if __name__ == '__main__':
    sys.exit(main(['test', *sys.argv[1:]]))
