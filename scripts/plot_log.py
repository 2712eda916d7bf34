"""Draw the losses and scores of one or more training runs from BasicSR's logs."""

from s3net_plugin.commands.plot_log import main

if __name__ == '__main__':
    main()
