"""Turn a folder of VIDIT, or of its kind, into LMDB databases; run it again to go on where it stopped.

python scripts/prepare_vidit.py --source datasets/VIDIT/train --target datasets/VIDIT_lmdb/train --workers 8
python scripts/prepare_vidit.py --source datasets/VIDIT/val --target-images datasets/VIDIT/val_gt \\
    --target datasets/VIDIT_lmdb/val
sbatch --array=0-7 --wrap 'python scripts/prepare_vidit.py --source datasets/VIDIT/train \\
    --target datasets/VIDIT_lmdb/train --shard $SLURM_ARRAY_TASK_ID/8'
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from s3net_plugin.commands.arguments import DEPTH_CODECS, IMAGE_CODECS, LAYOUTS, command, new_parser, shard

MAX_SIZE = 8192  # far more than any training takes; an image of this size has 200 MB


def parse_arguments() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument('--source', type=Path, required=True, help='folder of PNG images and depth maps')
    parser.add_argument('--target', type=Path, required=True, help='folder to make, the dataroot of a dataset')
    parser.add_argument('--target-images', type=Path, help='folder of the target images, if not SOURCE/target')
    parser.add_argument('--layout', choices=('auto', *LAYOUTS), default='auto', help='default: told by the files')
    parser.add_argument('--size', type=int, help='resize to this square by area (default: keep the size)')
    parser.add_argument(
        '--codec',
        choices=IMAGE_CODECS,
        default='png',
        help='png takes about the space of the source; raw takes 3 bytes a pixel and is much faster (default: png)',
    )
    parser.add_argument(
        '--depth', choices=DEPTH_CODECS, default='float32', help='exact, or half the space (default: float32)'
    )
    parser.add_argument('--workers', type=int, default=os.cpu_count() or 1, help='threads (default: one for each core)')
    parser.add_argument(
        '--shard',
        type=shard,
        metavar='I/N',
        help='write part I of N, from 0 to N - 1, into TARGET.I-of-N, here or on other machines; as `dataroot`, TARGET '
        'means all its parts',
    )
    arguments = parser.parse_args()
    if arguments.workers < 1:
        parser.error('--workers must be 1 or more')
    if arguments.size is not None and not 1 <= arguments.size <= MAX_SIZE:
        parser.error(f'--size must be from 1 to {MAX_SIZE}')
    return arguments


@command('stopped; run the same command to go on')
def main() -> None:
    arguments = parse_arguments()
    # imported here since it takes seconds, which --help should not
    from s3net_plugin.data.lmdb.prepare import prepare

    done = prepare(**vars(arguments))
    when = ', when all parts are there' if arguments.shard else ''
    print(
        f'{done.target}: {done.images} images, {done.depth_maps} depth maps, {done.num_bytes / 1e9:.3g} GB; in the '
        f'option file{when}: `dataroot: {arguments.target}`, `layout: {done.layout}`, `io_backend: {{type: lmdb}}`'
    )
