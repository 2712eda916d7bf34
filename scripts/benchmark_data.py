"""Time training samples from files and from databases, next to reading the files in the plainest way."""

from s3net_plugin.commands.benchmark_data import main

if __name__ == '__main__':
    main()
