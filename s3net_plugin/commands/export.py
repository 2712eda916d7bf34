"""Export a checkpoint to files that run without this package: any height and width from 64 up in steps of 32.

    python scripts/export.py --checkpoint net_g_best.pth --output s3net.pt2 s3net.onnx

.pt2 is for torch.export.load, .onnx for ONNX Runtime and others (the extra `export`). Both are compared with the
network before they are written; the difference and the time beside it are printed.
"""

from __future__ import annotations

from pathlib import Path

from s3net_plugin.commands.arguments import check_free, command, new_parser, output_file


@command()
def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument('--checkpoint', type=Path, required=True, help='of training (.pth), or packed (.safetensors)')
    parser.add_argument('--output', type=output_file, nargs='+', required=True, metavar='FILE', help='.pt2 or .onnx')
    parser.add_argument('--size', type=int, default=256, help='side of the input to time (%(default)s)')
    parser.add_argument('--force', action='store_true', help='overwrite what is there')
    args = parser.parse_args()
    # imported here since it takes seconds, which --help should not
    from s3net_plugin.archs.export import export_file
    from s3net_plugin.archs.load import load_network

    for path in args.output:
        check_free(path, args.force)
    network = load_network(args.checkpoint)
    for path in args.output:
        report = export_file(network, path, size=args.size)
        print(
            f'{path}: {path.stat().st_size / 1e6:.1f} MB, largest difference from eager {report.difference:.1e}; '
            f'{args.size} x {args.size} on the CPU: {report.seconds * 1e3:.0f} ms, '
            f'eager {report.eager_seconds * 1e3:.0f} ms'
        )
