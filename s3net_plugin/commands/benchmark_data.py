"""Time training samples from files and from databases, next to reading the files in the plainest way.

python scripts/benchmark_data.py --json data_speed.json

It makes its own set of 1024 x 1024 images, in a temporary folder.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from s3net_plugin.commands.arguments import command, new_parser, output_file, write_json


@command()
def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the result there as well')
    parser.add_argument('--size', type=int, default=1024, help='side of the images; crops have half (default: 1024)')
    parser.add_argument('--scenes', type=int, default=3, help='scenes of six images (default: 3)')
    parser.add_argument('--samples', type=int, default=60, help='samples to time for each line (default: 60)')
    parser.add_argument('--folder', type=Path, help='where to make the temporary set, 70 MB a scene')
    args = parser.parse_args()
    if args.size < 8 or args.scenes < 2 or args.samples < 1:
        parser.error('--size must be 8 or more, --scenes 2 or more, --samples 1 or more')
    if args.folder and not args.folder.is_dir():
        parser.error(f'--folder: {args.folder}: no such folder')
    # imported here since it takes seconds, which --help should not
    from s3net_plugin.benchmark.data import describe, run_data_benchmark

    with tempfile.TemporaryDirectory(dir=args.folder, prefix='benchmark_data_') as folder:
        result = run_data_benchmark(Path(folder), scenes=args.scenes, size=args.size, samples=args.samples)
    print(describe(result))
    write_json(args.json, result)
