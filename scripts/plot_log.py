from s3net_plugin.commands.plot_log import main

if __name__ == '__main__':
    main()
