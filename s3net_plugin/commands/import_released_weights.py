"""Turn the S3Net authors' released checkpoint into a BasicSR checkpoint for options/s3net_released.yml.

    python scripts/import_released_weights.py SRC DST

DST holds ``params``, with the first convolution in this package's channel order, and ``network_g``, the options that
build the network.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from s3net_plugin.commands.arguments import command, output_file


def import_released(src: Path, dst: Path, *, force: bool) -> None:
    """Read the authors' checkpoint ``src`` and write ``dst``.

    Raises:
        FileExistsError: ``dst`` is there and ``force`` is not set.
        FileNotFoundError: There is no ``src``.
        ValueError: ``src`` is not the released network.
    """
    if dst.exists() and not force:
        raise FileExistsError(f'{dst}: already there; pass --force to overwrite it')
    # imported here since it takes seconds, which --help should not
    import torch

    from s3net_plugin.archs.released_weights import RELEASED_OPTIONS, convert_released
    from s3net_plugin.utils.checkpoint import read_state_dict
    from s3net_plugin.utils.files import atomic_write

    state_dict = read_state_dict(src)
    try:
        params = convert_released(state_dict)
    except ValueError as error:
        raise ValueError(f'{src}: {error}') from error
    with atomic_write(dst) as aside:
        torch.save({'params': params, 'network_g': RELEASED_OPTIONS}, aside)


@command()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('src', type=Path, metavar='SRC', help="the authors' checkpoint")
    parser.add_argument('dst', type=output_file, metavar='DST', help='the BasicSR checkpoint to write, ending in .pth')
    parser.add_argument('--force', action='store_true', help='overwrite DST')
    args = parser.parse_args()
    try:
        import_released(args.src, args.dst, force=args.force)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(f'{args.dst}: written; use it as path: pretrain_network_g')
