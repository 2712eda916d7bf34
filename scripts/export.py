"""Export a checkpoint to files that run without this package: any height and width from 64 up in steps of 32."""

from s3net_plugin.commands.export import main

if __name__ == '__main__':
    main()
