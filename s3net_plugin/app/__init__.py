"""Relighting in the browser: ``python -m s3net_plugin.app`` (the extra ``app``)."""

import os

# Read by Gradio when it is imported: the app says nothing about itself or its users to anyone.
os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
