"""List the option files that come with this package, or copy some of them to change them.

s3net options
s3net options s3net.yml test_s3net.yml --output options/
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from s3net_plugin.commands.arguments import command, new_parser
from s3net_plugin.config.shipped import shipped_files
from s3net_plugin.utils.names import did_you_mean


def what_for(file: Path) -> str:
    """Return the first sentence of the comment at the top of an option file."""
    lines = file.read_text(encoding='utf-8').splitlines()
    head = ' '.join(line.removeprefix('#').strip() for line in lines[:3] if line.startswith('#'))
    return head.partition('. ')[0].removesuffix('.')


@command()
def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument('names', nargs='*', metavar='NAME', help='which to copy; without any, all are listed')
    parser.add_argument('--output', type=Path, default=Path(), metavar='DIR', help='where to (here)')
    arguments = parser.parse_args()
    files = shipped_files()
    if not arguments.names:
        for name, file in files.items():
            print(f'{name:<{max(map(len, files))}}  {what_for(file)}')
        return
    for name in arguments.names:
        if name not in files:
            sys.exit(f'error: no option file {name!r}{did_you_mean(name, files)}')
        if (arguments.output / name).exists():
            sys.exit(f'error: {arguments.output / name}: already there; move it away, or name another --output')
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in arguments.names:
        print(shutil.copyfile(files[name], arguments.output / name))
