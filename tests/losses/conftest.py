import pytest
import torch
from torchvision.models import vgg19

from tests.formula_weights import fill_state_dict


@pytest.fixture(scope='session')
def vgg_state():
    """The state dict of VGG19's features up to relu3_1, filled by formula."""
    with torch.device('meta'):
        features = vgg19(init_weights=False).features[:12]
    return fill_state_dict({f'features.{name}': tuple(value.shape) for name, value in features.state_dict().items()})


@pytest.fixture(scope='session')
def vgg_file(tmp_path_factory, vgg_state):
    path = tmp_path_factory.mktemp('vgg') / 'vgg19.pth'
    torch.save(vgg_state, path)
    return str(path)
