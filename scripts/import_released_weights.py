"""Turn the S3Net authors' released checkpoint into a BasicSR checkpoint for options/s3net_released.yml."""

from s3net_plugin.commands.import_released_weights import main

if __name__ == '__main__':
    main()
