"""Make depth maps as relighting takes them: 16-bit PNG, 0 the nearest point, 65535 the farthest.

    python scripts/prepare_depth.py photos/ depth/                      estimated from photos (the extra `depth`)
    python scripts/prepare_depth.py maps/ depth/ --from disparity       from maps in which large is near
    python scripts/prepare_depth.py scan.npy scan.png --from depth      from metric depth in any unit

Maps are .npy, PNG, TIFF, PFM or OpenEXR with one channel. A file that cannot be used is reported and skipped; the exit
status is 0 only if there was none.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from s3net_plugin.commands.arguments import add_depth_arguments, command, default_device, new_parser

# What the functions import takes seconds, which --help should not.
if TYPE_CHECKING:
    import numpy as np


def parse_arguments() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument('input', type=Path, metavar='INPUT', help='a photo or map, or a folder of them')
    parser.add_argument('output', type=Path, metavar='OUTPUT', help='a .png to write, or a folder')
    parser.add_argument(
        '--from', dest='kind', choices=('photo', 'disparity', 'depth'), default='photo', help='(%(default)s)'
    )
    add_depth_arguments(parser)
    parser.add_argument(
        '--size', type=int, default=1024, help='longer side of the map of a photo, at most (%(default)s pixels)'
    )
    parser.add_argument('--force', action='store_true', help='overwrite what is there')
    return parser.parse_args()


def stages(args: argparse.Namespace) -> tuple[Callable[[Path], np.ndarray], Callable[[np.ndarray], np.ndarray]]:
    """Return what reads a file, and what makes normalised depth of that."""
    from s3net_plugin.relight import depth
    from s3net_plugin.relight.photo import read_photo
    from s3net_plugin.relight.relighter import downscale

    if args.kind == 'photo':
        estimate = depth.DepthEstimator(args.depth_model, device=args.device, far_over_near=args.far_over_near)
        return lambda path: downscale(read_photo(path).pixels, longer=args.size), estimate

    is_metric = args.kind == 'depth'
    describe = depth.describe_markers if is_metric else depth.describe_unmatched

    def read(path: Path) -> np.ndarray:
        values = depth.read_map(path)
        if remark := describe(values):
            tqdm.write(f'note: {path}: {remark}', file=sys.stderr)
        return values

    if is_metric:
        return read, depth.depth_from_metric
    return read, lambda values: depth.depth_from_disparity(values, args.far_over_near)


@logging_redirect_tqdm()
def prepare(args: argparse.Namespace) -> int:
    """Make a map of every file; return how many could not be made."""
    from s3net_plugin.relight.depth import MAP_SUFFIXES, write_depth
    from s3net_plugin.relight.jobs import Job, check_folder, files_in, left_out, one_line, report, without_clashes
    from s3net_plugin.relight.overlap import overlapped
    from s3net_plugin.relight.photo import SUFFIXES

    suffixes = SUFFIXES if args.kind == 'photo' else MAP_SUFFIXES
    sources = files_in(args.input, suffixes)
    single = not args.input.is_dir() and not args.output.is_dir() and args.output.suffix.lower() == '.png'
    if not single:
        check_folder(args.output, 'OUTPUT is a .png for one map, otherwise a folder')
    read, make_depth = stages(args)
    outputs = [args.output if single else args.output / f'{source.stem}.png' for source in sources]
    pairs, problems = without_clashes(sources, outputs)
    problems += left_out(args.input, suffixes)
    for problem in problems:
        report(problem)

    def check_and_read(job: Job) -> np.ndarray:
        job.check_output(force=args.force)
        return read(job.photo)

    def write(job: Job, _: np.ndarray, depth: np.ndarray) -> None:
        job.output.parent.mkdir(parents=True, exist_ok=True)
        write_depth(job.output, depth)

    failed = len(problems)
    done = overlapped([Job(*pair) for pair in pairs], check_and_read, make_depth, write)
    for job, written in tqdm(done, desc='depth', unit='map', total=len(pairs), disable=len(pairs) < 2):
        if error := written.exception():  # whatever it is, the other maps can be made
            line = one_line(error, job.photo)
            report(line if str(job.photo) in line else f'{job.photo}: {line}')
            failed += 1
    return failed


@command()
def main() -> None:
    args = parse_arguments()
    args.device = args.device or default_device()
    failed = prepare(args)
    if failed:
        sys.exit(f'{failed} could not be made')
