from s3net_plugin.commands.check_dataset import main

if __name__ == '__main__':
    main()
