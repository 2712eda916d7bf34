import pytest
import torch
import yaml
from basicsr.utils.registry import ARCH_REGISTRY
from safetensors.torch import save_file

from s3net_plugin.archs import S3Net, load
from s3net_plugin.archs.load import load_network
from s3net_plugin.archs.pretrained import write_pretrained


@pytest.fixture
def content(checkpoints):
    return torch.load(checkpoints / 'guided.pth', weights_only=True)


def save(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    return path


def test_averaged_weights_are_preferred(tmp_path, content):
    averaged = {name: tensor + 1 for name, tensor in content['params'].items()}
    network = load_network(save(tmp_path / 'net.pth', {**content, 'params_ema': averaged}))
    torch.testing.assert_close(network.state_dict()['conv_last.bias'], averaged['conv_last.bias'])
    assert not network.training


@pytest.mark.parametrize('place', ['models/net_g_latest.yml', 'models/other.yml', 'train.yml'])
def test_options_are_found_beside_the_checkpoint(tmp_path, content, place):
    checkpoint = save(tmp_path / 'models/net_g_latest.pth', {'params': content['params']})
    with pytest.raises(FileNotFoundError, match=r'no network options.*net_g_latest\.yml'):
        load_network(checkpoint)
    (tmp_path / place).write_text(yaml.safe_dump({'network_g': content['network_g']}))
    (tmp_path / 'models/notes.yml').write_text('just: text')
    assert load_network(checkpoint).input_channels == 8


def test_differing_option_files_are_not_guessed_from(tmp_path, content):
    checkpoint = save(tmp_path / 'net.pth', {'params': content['params']})
    for name, residual in (('a', True), ('b', False)):
        options = {**content['network_g'], 'residual': residual}
        (tmp_path / f'{name}.yml').write_text(yaml.safe_dump({'network_g': options}))
    with pytest.raises(ValueError, match=r'a\.yml.*b\.yml.*net\.yml'):
        load_network(checkpoint)


def test_no_weights_are_fetched_for_the_encoder(tmp_path, content):
    options = {**content['network_g'], 'encoder_weights': '/nowhere/encoder.pth'}
    load_network(save(tmp_path / 'net.pth', {**content, 'network_g': options}))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'params': None}, 'neither params nor params_ema'),
        ({'network_g': {'type': 'S3net'}}, "unknown type 'S3net'; did you mean 'S3Net'"),
        ({'network_g': {'type': 'S3Net', 'encoders': 'resnet10t'}}, 'encoders'),
        ({'network_g': {'type': 'S3Net', 'encoder': 'resnet18'}}, 'do not fit'),
        ({'network_g': {'type': 'MSRResNet'}}, 'MSRResNet does not say that its input_channels are 4 or 8'),
        ({'network_g': ['S3Net']}, 'unknown type'),
        ({'params': {'conv_last.bias': 0.5}}, 'do not fit the options of S3Net: conv_last.bias are no weights'),
    ],
)
def test_bad_checkpoint_is_named_in_one_line(tmp_path, content, change, message):
    path = save(tmp_path / 'net.pth', {**content, **change})
    with pytest.raises(ValueError, match=message) as caught:
        load_network(path)
    assert str(path) in str(caught.value)
    assert '\n' not in str(caught.value)


def test_missing_device_is_named(checkpoints):
    with pytest.raises(ValueError, match='device cuda:77'):
        load_network(checkpoints / 'guided.pth', 'cuda:77')


def test_safetensors_bring_their_options(tmp_path, content):
    write_pretrained(content, tmp_path / 'net.safetensors', training={}, scores={})
    network = load_network(tmp_path / 'net.safetensors')
    for name, tensor in network.state_dict().items():
        expected = content['params'][name]
        assert torch.equal(tensor, expected.half().float() if expected.is_floating_point() else expected)


def test_safetensors_without_options_need_the_option_file_beside_them(tmp_path, content):
    save_file(content['params'], tmp_path / 'net.safetensors')
    with pytest.raises(FileNotFoundError, match=r'no network options.*net\.yml'):
        load_network(tmp_path / 'net.safetensors')
    (tmp_path / 'net.yml').write_text(yaml.safe_dump({'network_g': content['network_g']}))
    assert load_network(tmp_path / 'net.safetensors').input_channels == 8


def test_safetensors_of_another_network_are_refused(tmp_path, content):
    changed = {**content, 'network_g': {**content['network_g'], 'encoder': 'resnet18'}}
    write_pretrained(changed, tmp_path / 'net.safetensors', training={}, scores={})
    with pytest.raises(ValueError, match=r'net\.safetensors: the weights do not fit the options of S3Net'):
        load_network(tmp_path / 'net.safetensors')


def test_an_arch_of_another_package_says_by_in_channels_what_it_takes(tmp_path, monkeypatch):
    class Foreign(torch.nn.Conv2d):
        def __init__(self, in_channels):
            super().__init__(in_channels, 3, 1)

    monkeypatch.setitem(ARCH_REGISTRY._obj_map, 'Foreign', Foreign)
    options = {'type': 'Foreign', 'in_channels': 8}
    network = load_network(save(tmp_path / 'net.pth', {'params': Foreign(8).state_dict(), 'network_g': options}))
    assert (network.input_channels, network.size_requirements.minimum) == (8, 32)


class WithTable(S3Net):
    """Keeps a table that no checkpoint holds."""

    def __init__(self, **options):
        super().__init__(**options)
        self.register_buffer('table', torch.arange(3.0), persistent=False)


def test_what_no_checkpoint_holds_is_computed(tmp_path, content, monkeypatch):
    monkeypatch.setitem(load._ARCHS, 'S3Net', WithTable)
    assert load_network(save(tmp_path / 'net.pth', content)).table.tolist() == [0, 1, 2]


def test_weights_in_half_precision_are_loaded_as_float32(tmp_path, content):
    halves = {
        name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in content['params'].items()
    }
    network = load_network(save(tmp_path / 'net.pth', {**content, 'params': halves}))
    for name, tensor in network.state_dict().items():
        assert tensor.dtype == content['params'][name].dtype
        assert torch.equal(tensor, halves[name].to(tensor.dtype))
