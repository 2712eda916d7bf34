from s3net_plugin.commands.import_released_weights import main

if __name__ == '__main__':
    main()
