from s3net_plugin.commands.export import main

if __name__ == '__main__':
    main()
