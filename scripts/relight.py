from s3net_plugin.commands.relight import main

if __name__ == '__main__':
    main()
