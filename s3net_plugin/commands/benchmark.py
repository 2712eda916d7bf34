"""Measure inference, training step, losses and relighting against a plain float32 version of each, in the same run.

    python scripts/benchmark.py --json benchmark.json

Plain is eager float32 in NCHW, SSIM with dense 11 x 11 windows and one call for each band, VGG19 frozen and the target
detached. Plain and fast take turns, so a busy machine slows down both; still, best let it rest. It takes about ten
minutes on two cores.
"""

from __future__ import annotations

import argparse
import logging
import sys

from s3net_plugin.commands.arguments import command, new_parser, output_file, write_json


@command()
def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument('--device', choices=['cpu', 'cuda'], help='default: cuda if PyTorch sees a GPU, otherwise cpu')
    parser.add_argument(
        '--compile', action=argparse.BooleanOptionalAction, help='compile all that is fast; default: on cuda only'
    )
    dtypes = ('float32', 'bfloat16')
    parser.add_argument(
        '--dtype',
        choices=dtypes,
        help='of what is fast; default: bfloat16 on cuda, float32 on cpu; photos there as with --precision auto',
    )
    parser.add_argument('--rounds', type=int, help='how often each is timed, 2 or more; default: 15 on cuda, 9 on cpu')
    parser.add_argument(
        '--only', nargs='+', default=(), metavar='WORK', help='measure these alone, such as inference_b1'
    )
    parser.add_argument('--quick', action='store_true', help='tiny: shows that it runs, the figures mean nothing')
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the figures there, too')
    args = parser.parse_args()
    if args.rounds is not None and args.rounds < 2:
        parser.error('--rounds: at least 2 are needed')
    # imported here since it takes seconds, which --help should not
    import torch

    from s3net_plugin import benchmark

    if args.device == 'cuda' and not torch.cuda.is_available():
        sys.exit('error: --device cuda: PyTorch sees no GPU here; take --device cpu')
    logging.getLogger('basicsr').setLevel(logging.ERROR)  # it warns of VGG19's random weights, which are meant here

    device = torch.device(args.device or ('cuda' if torch.cuda.is_available() else 'cpu'))
    dtype = getattr(torch, args.dtype) if args.dtype else None
    settings = benchmark.choose_settings(
        device, dtype=dtype, compile=args.compile, rounds=args.rounds, quick=args.quick
    )
    result = benchmark.run_benchmark(settings, announce=lambda text: print(text, file=sys.stderr), only=args.only)
    print(benchmark.describe(result))
    write_json(args.json, result)
    failed = [row['name'] for row in result['rows'] if 'failure' in row]
    if failed:
        sys.exit(f'error: not measured: {", ".join(failed)}; the table says why')
