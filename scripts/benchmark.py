"""Measure inference, the training step and each loss against a plain float32 version of the same, in the same run."""

from s3net_plugin.commands.benchmark import main

if __name__ == '__main__':
    main()
