from s3net_plugin.commands.benchmark import main

if __name__ == '__main__':
    main()
