"""The commands: what `s3net NAME` and scripts/NAME.py run. Each is a parser and calls of the package."""
