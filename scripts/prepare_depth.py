from s3net_plugin.commands.prepare_depth import main

if __name__ == '__main__':
    main()
