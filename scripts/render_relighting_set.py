"""Render a VIDIT-like relighting set of procedural scenes with Mitsuba 3; run it again to go on where it stopped."""

from s3net_plugin.commands.render_relighting_set import main

if __name__ == '__main__':
    main()
