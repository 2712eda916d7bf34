"""What `basicsr test.py` leaves behind for people and programs, and what compares runs."""

from s3net_plugin.report.report import Report

__all__ = ['Report']
