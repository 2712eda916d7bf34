"""Put test runs side by side: a table in Markdown on the screen, and a bar chart.

    python scripts/compare_runs.py results/S3Net_VIDIT results/RRDBNet_VIDIT
    python scripts/compare_runs.py --no-published results/quickstart_test results/quickstart_pretrained

The scores that were published for the challenge on VIDIT stand beside them, marked as what they are: not measured here.
"""

from __future__ import annotations

from pathlib import Path

from s3net_plugin.commands.arguments import command, new_parser, output_file


@command()
def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument('results', type=Path, nargs='+', metavar='RESULT', help='a folder that `basicsr test.py` wrote')
    parser.add_argument('--output', type=output_file, default=Path('comparison.png'), help='default: %(default)s')
    parser.add_argument(
        '--no-published', action='store_true', help="leave the challenge's scores out, for data other than VIDIT"
    )
    arguments = parser.parse_args()
    # imported here since it takes seconds, which --help should not
    from s3net_plugin.report.compare import comparison_markdown, read_runs, write_chart

    runs = read_runs(arguments.results)
    print(comparison_markdown(runs, with_published=not arguments.no_published))
    write_chart(runs, arguments.output, with_published=not arguments.no_published)
    print(f'\n{arguments.output}')
