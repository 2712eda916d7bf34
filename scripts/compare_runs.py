"""Put test runs side by side: a table in Markdown on the screen, and a bar chart."""

from s3net_plugin.commands.compare_runs import main

if __name__ == '__main__':
    main()
