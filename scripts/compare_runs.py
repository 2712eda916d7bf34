from s3net_plugin.commands.compare_runs import main

if __name__ == '__main__':
    main()
