import copy
import inspect

import pytest
import torch
from basicsr.archs import build_network

from s3net_plugin.archs import ShadingGuidedS3Net, optimize_for_inference
from s3net_plugin.archs.closed_form import AMBIENT, relight_closed_form
from s3net_plugin.archs.padding import pad_channels
from s3net_plugin.archs.shading import CueSettings


def sample(height=64, width=64, batch=1):
    return torch.rand(batch, 8, height, width, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope='module')
def network():
    """As after some training: the last layer is not zero any more."""
    torch.manual_seed(0)
    options = {'encoder': 'res2net50_26w_4s', 'light_colours': 'black_body'}
    network = build_network({'type': 'ShadingGuidedS3Net', **options})
    torch.nn.init.normal_(network.conv_last.weight, std=0.1)
    return network.eval()


@pytest.mark.parametrize('light_colours', ['measured', 'black_body'])
def test_an_untrained_network_gives_the_closed_form(light_colours):
    options = {'ambient': 0.2, 'light_colours': light_colours}
    network = ShadingGuidedS3Net(encoder='resnet10t', cue_size=48, pitch=50, **options).eval()
    relit = relight_closed_form(sample(), CueSettings(size=48, pitch=50), **options)
    with torch.no_grad():
        assert torch.equal(network(sample()), relit.image)


def test_defaults_are_those_of_the_closed_form():
    parameters = inspect.signature(ShadingGuidedS3Net).parameters
    defaults = CueSettings()._asdict()
    defaults['cue_size'] = defaults.pop('size')
    assert {name: parameters[name].default for name in defaults} == defaults
    assert parameters['ambient'].default == AMBIENT


@pytest.mark.parametrize('size', [(32, 32), (33, 47), (63, 64), (40, 100)])
def test_every_size_comes_back(network, size):
    with torch.no_grad():
        assert network(sample(*size)).shape == (1, 3, *size)


def test_it_compiles_into_one_graph(network):
    compiled = torch.compile(network, backend='eager', fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(sample(33, 64)), network(sample(33, 64)), rtol=0, atol=1e-5)


def test_every_parameter_gets_a_gradient_after_the_first_step():
    network = ShadingGuidedS3Net(encoder='resnet10t').train()
    torch.nn.init.normal_(network.conv_last.weight, std=0.1)
    network(sample(32, 64, batch=2)).square().mean().backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


def test_padded_channels_change_nothing(network):
    padded = copy.deepcopy(network)
    pad_channels(padded, 8)
    with torch.no_grad():
        torch.testing.assert_close(padded(sample()), network(sample()), rtol=0, atol=1e-5)


@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_deployed_network_gives_the_same(network, dtype, tolerance):
    deployed = optimize_for_inference(network, dtype=dtype, channels_last=True)
    with torch.no_grad():
        torch.testing.assert_close(deployed(sample(33, 47)), network(sample(33, 47)), rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'cue_size': 8}, 'cue_size: 8; at least 16'),
        ({'far_over_near': 1.0}, 'far_over_near: 1.0 must be more than 1'),
        ({'field_of_view': 0}, 'field_of_view: 0 must be from'),
        ({'pitch': 120}, 'pitch: 120 must be from'),
        ({'elevation': 90}, 'elevation: 90 must be from'),
        ({'ambient': 0}, 'ambient: 0 must be more than 0'),
        ({'light_colours': 'any'}, "light_colours: 'any' is none of measured, black_body"),
        ({'upsampling': ['pixel_shuffle']}, 'upsampling: four names'),
    ],
)
def test_unfit_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ShadingGuidedS3Net(encoder='resnet10t', **options)
