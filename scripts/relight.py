"""Relight photos: by the name of a light, or as a guide photo is lit."""

from s3net_plugin.commands.relight import main

if __name__ == '__main__':
    main()
