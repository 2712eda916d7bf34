"""Make depth maps as relighting takes them: 16-bit PNG, 0 the nearest point, 65535 the farthest."""

from s3net_plugin.commands.prepare_depth import main

if __name__ == '__main__':
    main()
