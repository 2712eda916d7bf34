"""Look at every file of a data set, or every record of a prepared one, and say all that is wrong.

python scripts/check_dataset.py datasets/VIDIT/train
python scripts/check_dataset.py datasets/VIDIT_lmdb/train --json report.json

Ends with status 0 if nothing is wrong, 1 if something is, 2 if there is no data set.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from s3net_plugin.commands.arguments import LAYOUTS, command, new_parser, output_file, write_json


def parse_arguments() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument('dataroot', type=Path, help='folder of images or databases, as in option files')
    parser.add_argument('--layout', choices=('auto', *LAYOUTS), default='auto', help='default: told by the files')
    parser.add_argument('--target-images', type=Path, help='folder of the target images, if not DATAROOT/target')
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the report there as well')
    parser.add_argument('--workers', type=int, default=os.cpu_count() or 1, help='threads (default: one for each core)')
    arguments = parser.parse_args()
    if arguments.workers < 1:
        parser.error('--workers must be 1 or more')
    return arguments


@command()
def main() -> None:
    args = parse_arguments()
    # imported here since it takes seconds, which --help should not
    from s3net_plugin.data.validate_dataset import KINDS, validate_dataset

    try:
        report = validate_dataset(
            args.dataroot, layout=args.layout, target_images=args.target_images, workers=args.workers
        )
        for problem in report.problems:
            print(f'{problem.kind}: {problem.name}: {problem.detail}')
        print(f'{report.dataroot} ({report.backend}, layout {report.layout}):', end=' ')
        print(f'{report.images} images, {report.depth_maps} depth maps, {len(report.problems)} problems')
        for kind, count in report.counts().items():
            print(f'{count:8}  {kind:18} {KINDS[kind]}')
        write_json(args.json, report.as_json())
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        sys.exit(2)
    sys.exit(1 if report.problems else 0)
