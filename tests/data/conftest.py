"""The rendered set in VIDIT's three layouts."""

import shutil

import pytest

from s3net_plugin.rendering.layouts import write_one_to_one, write_pairs


@pytest.fixture(scope='session')
def layouts(rendered, tmp_path_factory):
    """Folders by layout; ``no_target`` is ``pairs`` whose targets lie in ``targets``, as in VIDIT's validation set."""
    root = tmp_path_factory.mktemp('layouts')
    write_pairs(rendered, root / 'pairs', numbers=range(3), seed=0)
    write_pairs(rendered, root / 'no_target', numbers=range(3), seed=0)
    (root / 'no_target' / 'target').rename(root / 'targets')
    write_one_to_one(rendered, root / 'one_to_one', numbers=range(3))
    return {'scenes': rendered, **{path.name: path for path in root.iterdir()}}


@pytest.fixture
def copied(layouts, tmp_path):
    """Copy a layout to ``set`` in the test's own folder, for the test to damage."""
    return lambda layout: shutil.copytree(layouts[layout], tmp_path / 'set')
