"""What must hold of an option file before BasicSR touches a directory, a module for each section of the file."""

from s3net_plugin.config.check import check_options

__all__ = ['check_options']
