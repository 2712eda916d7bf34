"""Relight photos in the browser.

    python -m s3net_plugin.app
    python -m s3net_plugin.app --checkpoint net_g_best.pth --guides guides/

Only this machine can reach the page unless --host says otherwise. Uploads are limited in size and kept for an hour.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from s3net_plugin.commands.arguments import (
    add_depth_arguments,
    add_network_arguments,
    command,
    default_device,
    make_relighter,
    new_parser,
    say_precision,
)

# What the functions import takes seconds, which --help should not, and reads the environment that ``command`` sets.
if TYPE_CHECKING:
    from s3net_plugin.app.service import RelightService


def parse_arguments() -> argparse.Namespace:
    parser = new_parser(__doc__, prog='python -m s3net_plugin.app')
    add_network_arguments(parser)
    parser.add_argument('--guides', type=Path, metavar='DIR', help='photos to choose a guide from')
    parser.add_argument('--guide-depth', type=Path, metavar='DIR', help='their depth, files named alike')
    add_depth_arguments(parser)
    parser.add_argument('--host', default='127.0.0.1', help='address to serve on; 0.0.0.0 lets others in (%(default)s)')
    parser.add_argument('--port', type=int, default=7860, help='(%(default)s)')
    parser.add_argument('--max-upload', type=int, default=50, metavar='MB', help='a file, at most (%(default)s)')
    parser.add_argument('--max-megapixels', type=float, default=50, metavar='MP', help='a photo, at most (%(default)g)')
    args = parser.parse_args()
    args.device = args.device or default_device()
    return args


def make_service(args: argparse.Namespace, folder: Path) -> RelightService:
    from s3net_plugin.app.service import RelightService
    from s3net_plugin.relight.depth import DepthEstimator
    from s3net_plugin.relight.jobs import files_in, left_out, report

    relighter = make_relighter(args)
    say_precision(relighter.precision, args.device)
    guides: list[Path] = []
    if args.guides:
        guides = files_in(args.guides)
        for problem in left_out(args.guides):
            report(problem)
    try:
        estimate = DepthEstimator(args.depth_model, device=args.device, far_over_near=args.far_over_near)
    except (ImportError, FileNotFoundError) as error:
        print(f'note: depth has to be uploaded, or only the colour changes: {error}', file=sys.stderr)
        estimate = None
    return RelightService(
        relighter,
        estimate,
        folder,
        guides=guides,
        guide_depth=args.guide_depth,
        max_pixels=int(args.max_megapixels * 1e6),
    )


def serve(args: argparse.Namespace, folder: Path) -> None:
    """Serve the page until interrupted; all that is uploaded and made stays in ``folder``."""
    os.environ['GRADIO_TEMP_DIR'] = str(folder)
    try:
        from s3net_plugin.app.interface import CSS, THEME, build_page
    except ImportError as error:
        raise ImportError(f"the app needs {error.name}: pip install 's3net_plugin[app]'") from error
    page = build_page(make_service(args, folder))
    print(f'http://{args.host}:{args.port}  (Ctrl-C ends it)', flush=True)
    page.queue(max_size=16).launch(
        server_name=args.host,
        server_port=args.port,
        share=False,
        max_file_size=args.max_upload * 2**20,
        theme=THEME,
        css=CSS,
        footer_links=[],
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        quiet=True,
    )


@command()
def main() -> None:
    args = parse_arguments()
    with tempfile.TemporaryDirectory(prefix='s3net_app_') as folder:
        serve(args, Path(folder))


if __name__ == '__main__':
    main()
