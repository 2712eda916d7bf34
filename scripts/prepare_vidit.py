"""Turn a folder of VIDIT, or of its kind, into LMDB databases; run it again to go on where it stopped."""

from s3net_plugin.commands.prepare_vidit import main

if __name__ == '__main__':
    main()
