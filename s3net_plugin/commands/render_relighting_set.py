"""Render a VIDIT-like relighting set of procedural scenes with Mitsuba 3; run it again to go on where it stopped.

python scripts/render_relighting_set.py --output datasets/rendered --scenes 16 --size 128
python scripts/render_relighting_set.py --layout pairs --source datasets/rendered --output datasets/pairs
sbatch --array=0-7 --wrap 'python scripts/render_relighting_set.py --output datasets/rendered --scenes 300 \\
    --shard $SLURM_ARRAY_TASK_ID/8'
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from s3net_plugin.commands.arguments import LAYOUTS, VARIANTS, command, new_parser, shard


def parse_arguments() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument('--output', type=Path, required=True, help='folder to write')
    parser.add_argument('--scenes', type=int, default=16, help='number of scenes, 40 images each (default: 16)')
    parser.add_argument('--first-scene', type=int, default=0, help='number of the first scene (default: 0)')
    parser.add_argument('--size', type=int, default=128, help='pixels on a side (default: 128)')
    parser.add_argument('--spp', type=int, default=16, help='light paths a pixel, a square number (default: 16)')
    parser.add_argument('--seed', type=int, default=0, help='the same seed gives the same scenes (default: 0)')
    parser.add_argument(
        '--style',
        choices=('classic', 'outdoor', 'indoor', 'street', 'mixed'),
        default='classic',
        help='classic is objects on open ground, seen from above; mixed is the first three in turns (%(default)s)',
    )
    parser.add_argument(
        '--variant',
        choices=VARIANTS,
        default='scalar',
        help='scalar runs anywhere; llvm needs libLLVM and pays from 256 pixels on; auto tries it (default: scalar)',
    )
    parser.add_argument(
        '--layout',
        choices=LAYOUTS,
        default='scenes',
        help='scenes renders; pairs and one_to_one copy files out of --source (default: scenes)',
    )
    parser.add_argument(
        '--shard',
        type=shard,
        metavar='I/N',
        help='render the scenes with number I modulo N, I from 0 to N - 1, beside N - 1 runs like this, here or on '
        'other machines, without any lock; together they make the set of one run without --shard',
    )
    parser.add_argument('--source', type=Path, help='folder of scenes that pairs and one_to_one are made from')
    arguments = parser.parse_args()
    if (arguments.layout == 'scenes') != (arguments.source is None):
        parser.error('--layout pairs and one_to_one need --source, a folder of scenes; --layout scenes takes none')
    if arguments.shard and arguments.source:
        parser.error('--shard is for --layout scenes; the other layouts are copied in seconds')
    return arguments


@command('stopped; run the same command to go on')
def main() -> None:
    args = parse_arguments()
    # imported here since it takes seconds, which --help should not
    from s3net_plugin.rendering.folder import Settings
    from s3net_plugin.rendering.layouts import write_one_to_one, write_pairs
    from s3net_plugin.rendering.render import render_set

    numbers = range(args.first_scene, args.first_scene + args.scenes)
    done = f'{args.scenes} scenes, layout {args.layout}'
    try:
        if args.layout == 'scenes':
            scenes = render_set(
                args.output,
                first=args.first_scene,
                count=args.scenes,
                settings=Settings(seed=args.seed, size=args.size, spp=args.spp, style=args.style),
                variant=args.variant,
                shard=args.shard,
            )
            if args.shard:
                done = f'shard {args.shard[0]}/{args.shard[1]}, {scenes} of {done}'
        elif args.layout == 'pairs':
            write_pairs(args.source, args.output, numbers=numbers, seed=args.seed)
        else:
            write_one_to_one(args.source, args.output, numbers=numbers)
    except RuntimeError as error:  # LLVM does not work here, or an image is not finite
        sys.exit(f'error: {error}')
    print(f'{args.output}: {done}')
