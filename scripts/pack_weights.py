from s3net_plugin.commands.pack_weights import main

if __name__ == '__main__':
    main()
