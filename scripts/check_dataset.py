"""Look at every file of a data set, or every record of a prepared one, and say all that is wrong."""

from s3net_plugin.commands.check_dataset import main

if __name__ == '__main__':
    main()
