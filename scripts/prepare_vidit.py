from s3net_plugin.commands.prepare_vidit import main

if __name__ == '__main__':
    main()
