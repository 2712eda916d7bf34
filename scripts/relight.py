#!/usr/bin/env python3
"""Relight photos: each is shown under the light of a guide photo.

    python scripts/relight.py --checkpoint net_g_best.pth --input photo.jpg --guide evening.jpg --output relit.jpg
    python scripts/relight.py --checkpoint net_g_best.pth --input photos/ --guide guides/ --output relit/
    python scripts/relight.py --checkpoint net_g_best.pth --input photo.jpg --sweep guides/ --output sweep/

Photos are JPEG, PNG, WebP or TIFF of any size. Depth is estimated where none is given (the extra `depth`). A photo that
cannot be relit is reported and skipped; the exit status is 0 only if there was none.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from command_line import add_depth_arguments, default_device, run

# What the functions import takes seconds, which --help should not.
if TYPE_CHECKING:
    from s3net_plugin.relight.relighter import Relighter
    from s3net_plugin.relight.views import Views


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--checkpoint', type=Path, required=True, help='of training (.pth), or packed (.safetensors)')
    parser.add_argument('--input', type=Path, required=True, metavar='PHOTO|DIR', help='what to relight')
    light = parser.add_mutually_exclusive_group()
    light.add_argument(
        '--guide', type=Path, metavar='PHOTO|DIR', help='whose light to take; a folder holds one named like each photo'
    )
    light.add_argument('--sweep', type=Path, metavar='DIR', help='relight one photo under every guide in DIR')
    parser.add_argument(
        '--output',
        type=Path,
        required=True,
        help='a photo to write (.jpg, .png, .webp, .tif) or a folder; a sweep writes sheet.png and sweep.gif into it',
    )
    parser.add_argument('--input-depth', type=Path, metavar='FILE|DIR', help='VIDIT .npy, PNG or OpenEXR; far is large')
    parser.add_argument('--guide-depth', type=Path, metavar='FILE|DIR', help='the same for the guide')
    add_depth_arguments(parser)
    parser.add_argument(
        '--work-size', type=int, default=1024, help='longer side of what the network sees, pixels (%(default)s)'
    )
    parser.add_argument('--animation', choices=('gif', 'mp4'), default='gif', help='of a sweep (%(default)s)')
    parser.add_argument('--force', action='store_true', help='overwrite what is there')
    return parser.parse_args(argv)


def open_network(args: argparse.Namespace, *, guided: bool) -> Relighter:
    from s3net_plugin.relight.network import load_network
    from s3net_plugin.relight.relighter import Relighter

    relighter = Relighter(load_network(args.checkpoint, args.device), work_size=args.work_size)
    relighter.check_guide(guided)
    return relighter


def open_views(args: argparse.Namespace, relighter: Relighter, *, all_have_depth: bool) -> Views:
    from s3net_plugin.relight.depth_estimation import DepthEstimator
    from s3net_plugin.relight.views import Views

    if all_have_depth:
        return Views(relighter, None)
    return Views(relighter, DepthEstimator(args.depth_model, device=args.device, far_over_near=args.far_over_near))


def relight(args: argparse.Namespace) -> int:
    """Relight one photo or a folder; return how many could not be."""
    from s3net_plugin.relight.batch import relight_all, report
    from s3net_plugin.relight.jobs import plan_jobs

    relighter = open_network(args, guided=args.guide is not None)
    jobs, problems = plan_jobs(
        args.input, args.output, guide=args.guide, photo_depth=args.input_depth, guide_depth=args.guide_depth
    )
    for problem in problems:
        report(problem)
    all_have_depth = all(job.photo_depth and (job.guide_depth or not job.guide) for job in jobs)
    views = open_views(args, relighter, all_have_depth=all_have_depth)
    return len(problems) + relight_all(jobs, relighter, views, force=args.force)


def sweep(args: argparse.Namespace) -> int:
    """Relight one photo under many guides; return how many of them could not be used."""
    from s3net_plugin.relight.jobs import check_folder, depth_map, files_in
    from s3net_plugin.relight.sweep import contact_sheet, frames, relight_under, to_bytes, write_animation, write_sheet

    if args.input.is_dir():
        raise ValueError(f'{args.input}: is a folder; --sweep relights one photo, so name one with --input')
    check_folder(args.output, 'a sweep needs a folder as --output')
    sheet_path, animation_path = args.output / 'sheet.png', args.output / f'sweep.{args.animation}'
    for path in (sheet_path, animation_path):
        if path.exists() and not args.force:
            raise ValueError(f'{path}: already there; pass --force to overwrite it')
    relighter = open_network(args, guided=True)
    guides = files_in(args.sweep)
    views = open_views(args, relighter, all_have_depth=bool(args.input_depth and args.guide_depth))
    depth = args.input_depth and depth_map(args.input_depth, args.input)
    _, view = views.input(args.input, depth)
    relit = relight_under(view, guides, args.guide_depth, relighter, views)
    if not relit:
        raise ValueError(f'{args.sweep}: none of its guides could be used')
    args.output.mkdir(parents=True, exist_ok=True)
    photo = to_bytes(view.rgb)
    write_sheet(sheet_path, contact_sheet(photo, relit))
    write_animation(animation_path, frames(photo, relit))
    return len(guides) - len(relit)


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    args.device = args.device or default_device()
    try:
        failed = sweep(args) if args.sweep else relight(args)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    if failed:
        sys.exit(f'{failed} could not be relit')
    print(args.output)


if __name__ == '__main__':
    run(main)
