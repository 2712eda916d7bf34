"""A package that adds an arch to BasicSR: the entry point is all it takes."""

from setuptools import setup

setup(
    name='my-relighting',
    version='1.0',
    py_modules=['my_relighting'],
    entry_points={'basicsr.plugins': ['my_relighting = my_relighting']},
)
