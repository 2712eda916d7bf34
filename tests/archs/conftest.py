import json

import pytest

from tests.conftest import ROOT
from tests.formula_weights import fill_state_dict


@pytest.fixture(scope='session')
def released_checkpoint():
    """The authors' checkpoint, as saved by a network inside DataParallel, filled by formula."""
    shapes = json.loads((ROOT / 'tests/assets/s3net_released_state_dict.json').read_text())
    return {'state_dict': {f'module.{name}': tensor for name, tensor in fill_state_dict(shapes).items()}}
