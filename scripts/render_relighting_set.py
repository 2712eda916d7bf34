from s3net_plugin.commands.render_relighting_set import main

if __name__ == '__main__':
    main()
