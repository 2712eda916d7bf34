"""The rendered set in VIDIT's three layouts."""

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
