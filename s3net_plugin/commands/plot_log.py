"""Draw the losses and scores of one or more training runs from BasicSR's logs.

    python scripts/plot_log.py experiments/quickstart experiments/another

A run is a log file or an experiment's folder, whose logs (several, if it was resumed) are joined.
"""

from __future__ import annotations

from pathlib import Path

from s3net_plugin.commands.arguments import command, new_parser, output_file


@command()
def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument('runs', type=Path, nargs='+', metavar='RUN', help='a log file or an experiment folder')
    parser.add_argument('--output', type=output_file, default=Path('curves.png'), help='default: %(default)s')
    arguments = parser.parse_args()
    names = [path.resolve().name.removesuffix('.log') for path in arguments.runs]
    labels = names if len(set(names)) == len(names) else [str(path) for path in arguments.runs]
    # imported here since it takes seconds, which --help should not
    from s3net_plugin.report.curves import write_curves
    from s3net_plugin.report.training_log import read_run

    write_curves(dict(zip(labels, map(read_run, arguments.runs), strict=True)), arguments.output)
    print(arguments.output)
