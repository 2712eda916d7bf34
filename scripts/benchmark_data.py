from s3net_plugin.commands.benchmark_data import main

if __name__ == '__main__':
    main()
