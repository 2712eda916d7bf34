"""What the commands share. It imports nothing that takes long, so that --help and Ctrl-C are answered at once."""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from s3net_plugin.utils.files import write_text
from s3net_plugin.utils.runtime import tune_runtime

if TYPE_CHECKING:
    from torch import nn

    from s3net_plugin.relight.relighter import Relighter

# Values of modules that take seconds to import; a test compares them.
LAYOUTS = ('scenes', 'pairs', 'one_to_one')
IMAGE_CODECS = ('png', 'raw')
DEPTH_CODECS = ('float32', 'uint16')
VARIANTS = ('scalar', 'llvm', 'auto')
DIRECTIONS = ('N', 'NE', 'E', 'SE', 'S', 'SW', 'W', 'NW')
DEFAULT_TEMPERATURE = 4500
DEPTH_MODEL = 'depth-anything/Depth-Anything-V2-Small-hf'
FAR_OVER_NEAR = 3.0

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def command(stopped: str = 'stopped') -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Make a function the ``main`` of a command.

    What cannot be done ends it with one line and exit status 1, Ctrl-C with the line ``stopped`` and 130.
    """

    def decorate(main: Callable[[], None]) -> Callable[[], None]:
        @functools.wraps(main)
        def run() -> None:
            tune_runtime()
            try:
                main()
            except (ImportError, OSError, ValueError) as error:
                sys.exit(f'error: {error}')
            except KeyboardInterrupt:
                print(stopped, file=sys.stderr)
                sys.exit(EXIT_INTERRUPTED)

        return run

    return decorate


def new_parser(doc: str | None, *, prog: str | None = None, usage: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of a command: its description is the command's docstring, whose lines stay as they are."""
    keep_lines = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(prog=prog, usage=usage, description=doc, formatter_class=keep_lines)


def shard(text: str) -> tuple[int, int]:
    """The ``type`` of an argument ``I/N``: the task I, counted from 0, of an array of N; returns (I, N)."""
    index, _, shards = text.partition('/')
    if not (index.isdecimal() and shards.isdecimal() and int(index) < int(shards)):
        raise argparse.ArgumentTypeError(f'{text!r} is not I/N with I from 0 to N - 1, such as 0/8 to 7/8')
    return int(index), int(shards)


def write_json(path: Path | None, content: object) -> None:
    """Write the file that ``--json`` asks for, if it does."""
    if path is not None:
        write_text(path, json.dumps(content, indent=1) + '\n')


def check_free(path: Path, force: bool) -> None:
    """Raise FileExistsError if there is something at ``path`` that ``--force`` has not given up."""
    if path.exists() and not force:
        raise FileExistsError(f'{path}: already there; pass --force to overwrite it')


def output_file(text: str) -> Path:
    """The ``type`` of an argument for a file to write: makes its folder, so that no work is lost for want of one."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f'{path}: is a folder; name a file')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(f'{error.filename}: cannot be made a folder: {error.strerror}') from error
    return path


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which network relights, how much of a photo it sees, and how exactly it computes."""
    parser.add_argument(
        '--checkpoint', type=Path, help='of training (.pth), or packed (.safetensors); default: those in the package'
    )
    parser.add_argument(
        '--work-size',
        type=int,
        default=1024,
        metavar='PIXELS',
        help='longer side of what the network sees, pixels (%(default)s)',
    )
    parser.add_argument(
        '--precision',
        choices=('auto', 'float32', 'bfloat16'),
        default='auto',
        help='what the network computes in; auto: bfloat16 where the GPU or CPU is made for it, which is faster and '
        'moves few values by more than a level of 255 (%(default)s)',
    )


def make_relighter(args: argparse.Namespace, network: nn.Module | None = None) -> Relighter:
    """Make what relights, of the arguments that are added here: with ``network``, or that of ``--checkpoint``."""
    from s3net_plugin.archs.load import load_network
    from s3net_plugin.archs.pretrained import pretrained_path
    from s3net_plugin.relight.relighter import Relighter

    if network is None:
        network = load_network(args.checkpoint or pretrained_path(), args.device)
    options = {'work_size': args.work_size, 'far_over_near': args.far_over_near, 'precision': args.precision}
    return Relighter(network, args.device, **options)


def say_precision(precision: object, device: object) -> None:
    """Say what the network computes in, and where."""
    print(f'note: the network computes in {str(precision).removeprefix("torch.")} on {device}', file=sys.stderr)


def add_depth_arguments(parser: argparse.ArgumentParser) -> None:
    """Add how depth is estimated where there is none, and on what device everything runs."""
    parser.add_argument(
        '--depth-model', default=DEPTH_MODEL, metavar='NAME|DIR', help='estimates depth of photos (%(default)s)'
    )
    parser.add_argument(
        '--far-over-near',
        type=float,
        metavar='RATIO',
        help='how many times farther the farthest point is than the nearest, which a depth map leaves open; default: '
        f'{FAR_OVER_NEAR:g} where disparity becomes depth, and for shadows what the network was trained with',
    )
    parser.add_argument('--device', help='default: cuda or mps if PyTorch sees such a GPU, otherwise cpu')


def default_device() -> str:
    """Return ``cuda`` or ``mps`` (Apple's) if PyTorch sees such a GPU, otherwise ``cpu``."""
    import torch

    if torch.cuda.is_available():
        return 'cuda'
    return 'mps' if torch.backends.mps.is_available() else 'cpu'
