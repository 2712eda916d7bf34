"""Turn the S3Net authors' released checkpoint into a BasicSR checkpoint for options/s3net_released.yml.

    python scripts/import_released_weights.py SRC DST

DST holds ``params``, with the first convolution in this package's channel order, and ``network_g``, the options that
build the network.
"""

from __future__ import annotations

from pathlib import Path

from s3net_plugin.commands.arguments import check_free, command, new_parser, output_file


def import_released(src: Path, dst: Path, *, force: bool) -> None:
    """Read the authors' checkpoint ``src`` and write ``dst``."""
    check_free(dst, force)
    # imported here since it takes seconds, which --help should not
    from s3net_plugin.archs.released_weights import RELEASED_OPTIONS, convert_released
    from s3net_plugin.utils.checkpoint import read_state_dict, save_atomic

    state_dict = read_state_dict(src)
    try:
        params = convert_released(state_dict)
    except ValueError as error:
        raise ValueError(f'{src}: {error}') from error
    save_atomic({'params': params, 'network_g': RELEASED_OPTIONS}, dst)


@command()
def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument('src', type=Path, metavar='SRC', help="the authors' checkpoint")
    parser.add_argument('dst', type=output_file, metavar='DST', help='the BasicSR checkpoint to write, ending in .pth')
    parser.add_argument('--force', action='store_true', help='overwrite DST')
    args = parser.parse_args()
    import_released(args.src, args.dst, force=args.force)
    print(f'{args.dst}: written; use it as path: pretrain_network_g')
