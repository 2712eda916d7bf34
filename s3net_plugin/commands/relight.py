"""Relight photos: by the name of a light, or as a guide photo is lit.

    python scripts/relight.py --input photo.jpg --light NE --temperature 3500 --output relit.jpg
    python scripts/relight.py --input photo.jpg --guide evening.jpg --output relit.jpg
    python scripts/relight.py --input photos/ --guide guides/ --output relit/
    python scripts/relight.py --input photo.jpg --sweep lights --output sweep/

Photos are JPEG, PNG, WebP, TIFF, BMP, AVIF or HEIC (the extra `heif`). Depth is estimated where none is given (the
extra `depth`). A photo that cannot be relit is reported and skipped; the exit status is 0 only if there was none.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from s3net_plugin.commands.arguments import (
    DEFAULT_TEMPERATURE,
    DIRECTIONS,
    add_depth_arguments,
    add_network_arguments,
    check_free,
    command,
    default_device,
    make_relighter,
    new_parser,
    say_precision,
)

# What the functions import takes seconds, which --help should not.
if TYPE_CHECKING:
    from s3net_plugin.relight.relighter import Estimate, Relighter

ALL_LIGHTS = Path('lights')  # as --sweep
USAGE = """%(prog)s --input PHOTO|DIR --output PHOTO|DIR
                  [--light DIRECTION] [--temperature K] | [--guide PHOTO|DIR] | [--sweep DIR|lights] [options]"""


def parse_arguments() -> argparse.Namespace:
    parser = new_parser(__doc__, usage=USAGE)
    parser.add_argument('--input', type=Path, required=True, metavar='PHOTO|DIR', help='what to relight')
    parser.add_argument(
        '--output',
        type=Path,
        required=True,
        metavar='PHOTO|DIR',
        help='a photo to write (.jpg, .png, .webp, .tif) or a folder; a sweep writes sheet.png and sweep.gif into it',
    )
    light = parser.add_mutually_exclusive_group()
    light.add_argument(
        '--light',
        type=str.upper,
        choices=DIRECTIONS,
        metavar='DIRECTION',
        help=f'where the sun is to stand: {", ".join(DIRECTIONS)}; N is the top of the picture, E its right',
    )
    light.add_argument(
        '--guide', type=Path, metavar='PHOTO|DIR', help='whose light to take; a folder holds one named like each photo'
    )
    light.add_argument(
        '--sweep',
        type=Path,
        metavar='DIR|lights',
        help='relight one photo under every guide in DIR or, by the word lights, under the sun from all directions',
    )
    parser.add_argument(
        '--temperature',
        type=float,
        metavar='K',
        help=f'colour of the light, 2000 (warm) to 8000 kelvin (cool); with --light and --sweep lights '
        f'{DEFAULT_TEMPERATURE} by default; alone, the direction of the light stays',
    )
    add_network_arguments(parser)
    parser.add_argument(
        '--method',
        choices=('network', 'shading'),
        default='network',
        help='shading moves shadows by arithmetic on the depth map, without any weights (%(default)s)',
    )
    parser.add_argument('--input-depth', type=Path, metavar='FILE|DIR', help='VIDIT .npy, PNG or OpenEXR; far is large')
    parser.add_argument('--guide-depth', type=Path, metavar='FILE|DIR', help='the same for the guide')
    parser.add_argument(
        '--depth',
        choices=('estimate', 'none'),
        default='estimate',
        help='where no depth map is given; none changes the colour only (%(default)s)',
    )
    add_depth_arguments(parser)
    parser.add_argument('--animation', choices=('gif', 'mp4'), default='gif', help='of a sweep (%(default)s)')
    parser.add_argument('--force', action='store_true', help='overwrite what is there')
    return parser.parse_args()


def sweeps_lights(args: argparse.Namespace) -> bool:
    """Whether --sweep means the lights of this package, and no folder of that name."""
    return args.sweep == ALL_LIGHTS and not ALL_LIGHTS.is_dir()


def check_together(args: argparse.Namespace) -> None:
    """Raise ValueError if there are options that do not go together."""
    from s3net_plugin.relight.lights import check_temperature

    if args.temperature is not None:
        check_temperature(args.temperature)
        if args.guide or (args.sweep and not sweeps_lights(args)):
            raise ValueError('--temperature goes with --light or --sweep lights; a guide photo brings its own colour')
    if args.guide_depth and (sweeps_lights(args) or not (args.guide or args.sweep)):
        raise ValueError('--guide-depth: there is no guide photo; give it with --guide')
    if args.depth == 'none' and args.input_depth:
        raise ValueError('--depth none, but --input-depth gives depth; leave one of them out')
    if args.method == 'shading' and args.checkpoint:
        raise ValueError('--method shading has no weights; leave --checkpoint out')


def open_relighter(args: argparse.Namespace, *, guided: bool) -> Relighter:
    from s3net_plugin.archs.closed_form import ClosedForm

    relighter = make_relighter(args, ClosedForm() if args.method == 'shading' else None)
    if relighter.needs_guide and not guided:
        raise ValueError(f'which light? Give --light ({", ".join(DIRECTIONS)}), --temperature, --guide or --sweep')
    relighter.check_guide(guided)
    if args.method == 'network':
        say_precision(relighter.precision, args.device)
    return relighter


def open_estimate(args: argparse.Namespace) -> Estimate:
    from s3net_plugin.relight.depth import DepthEstimator
    from s3net_plugin.relight.relighter import flat_depth

    if args.depth == 'none':
        print('note: without depth only the colour of the light changes; shadows stay where they are', file=sys.stderr)
        return flat_depth
    try:
        return DepthEstimator(args.depth_model, device=args.device, far_over_near=args.far_over_near)
    except (ImportError, FileNotFoundError) as error:
        raise ValueError(f'{error} (--input-depth), or change the colour only (--depth none)') from error


def relight(args: argparse.Namespace) -> int:
    """Relight one photo or a folder; return how many could not be."""
    from s3net_plugin.relight.jobs import plan_jobs, relight_all, report
    from s3net_plugin.relight.lights import Light
    from s3net_plugin.relight.relighter import InputReader

    light = Light(args.light, args.temperature or DEFAULT_TEMPERATURE) if args.light or args.temperature else None
    relighter = open_relighter(args, guided=bool(args.guide or light))
    jobs, problems = plan_jobs(
        args.input, args.output, guide=args.guide, photo_depth=args.input_depth, guide_depth=args.guide_depth
    )
    for problem in problems:
        report(problem)
    all_have_depth = all(job.photo_depth and (job.guide_depth or not job.guide) for job in jobs)
    reader = InputReader(relighter, None if all_have_depth else open_estimate(args))
    return len(problems) + relight_all(jobs, relighter, reader, light=light, force=args.force)


def sweep(args: argparse.Namespace) -> int:
    """Relight one photo under many guides; return how many of them could not be used."""
    from s3net_plugin.relight.jobs import check_folder, depth_map, left_out, report
    from s3net_plugin.relight.photo import Photo
    from s3net_plugin.relight.photo_writing import write_photo
    from s3net_plugin.relight.profiles import to_srgb
    from s3net_plugin.relight.relighter import InputReader, to_bytes
    from s3net_plugin.relight.sweep import (
        contact_sheet,
        frames,
        guides_around,
        guides_in,
        relight_under,
        write_animation,
    )

    if args.input.is_dir():
        raise ValueError(f'{args.input}: is a folder; --sweep relights one photo, so name one with --input')
    check_folder(args.output, 'a sweep needs a folder as --output')
    sheet_path, animation_path = args.output / 'sheet.png', args.output / f'sweep.{args.animation}'
    for path in (sheet_path, animation_path):
        check_free(path, args.force)
    of_folder = not sweeps_lights(args)
    if of_folder and args.sweep == ALL_LIGHTS:
        print('note: --sweep lights: the folder of that name is taken, not the lights of this package', file=sys.stderr)
    relighter = open_relighter(args, guided=True)
    all_have_depth = bool(args.input_depth and (args.guide_depth or not of_folder))
    reader = InputReader(relighter, None if all_have_depth else open_estimate(args))
    depth = args.input_depth and depth_map(args.input_depth, args.input)
    original, seen = reader.input(args.input, depth)
    problems = left_out(args.sweep) if of_folder else []
    for problem in problems:
        report(problem)
    if of_folder:
        guides = guides_in(args.sweep, args.guide_depth, reader)
    else:
        guides = guides_around(seen, args.temperature or DEFAULT_TEMPERATURE)
    relit = relight_under(seen, guides, relighter)
    if not relit:
        raise ValueError(f'{args.sweep}: none of its guides could be used')
    args.output.mkdir(parents=True, exist_ok=True)
    photo = to_srgb(to_bytes(seen.rgb), original.icc_profile)
    relit = [one._replace(result=to_srgb(one.result, original.icc_profile)) for one in relit]
    write_photo(sheet_path, Photo(contact_sheet(photo, relit)))
    write_animation(animation_path, frames(photo, relit))
    return len(guides) - len(relit) + len(problems)


@command()
def main() -> None:
    args = parse_arguments()
    args.device = args.device or default_device()
    check_together(args)
    failed = sweep(args) if args.sweep else relight(args)
    if failed:
        sys.exit(f'{failed} could not be relit')
    print(args.output)
