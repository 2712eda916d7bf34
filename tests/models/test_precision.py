import pytest
import torch
from basicsr.archs import build_network
from torch import nn

from s3net_plugin.models.precision import Precision, StepStatus, prepare_network

CPU = torch.device('cpu')


@pytest.mark.parametrize(
    ('amp', 'dtype'), [(None, torch.float32), ('bfloat16', torch.bfloat16), ('float16', torch.float16)]
)
def test_convolutions_compute_in_the_type_asked_for(amp, dtype):
    precision = Precision(amp, CPU)
    with precision.autocast():
        assert nn.Conv2d(3, 3, 3)(torch.rand(1, 3, 8, 8)).dtype == dtype
    assert bool(precision.state_dict()) is (amp == 'float16')


@pytest.mark.parametrize(('fast', 'dtype'), [(torch.bfloat16, torch.bfloat16), (torch.float32, None)])
def test_auto_is_bfloat16_where_the_device_has_it_in_hardware(monkeypatch, fast, dtype):
    monkeypatch.setattr('s3net_plugin.models.precision.fast_precision', lambda device: fast)
    precision = Precision('auto', CPU)
    assert precision.dtype == dtype
    assert not precision.state_dict()


def test_a_state_without_a_scaler_and_one_that_is_not_needed_are_ignored():
    scaled, plain = Precision('float16', CPU), Precision('bfloat16', CPU)
    scaled.load_state_dict(plain.state_dict())
    plain.load_state_dict(scaled.state_dict())
    assert scaled.scale() == 2**16
    assert plain.scale() is None


@pytest.mark.parametrize('stop', [False, True])
@pytest.mark.parametrize(('total', 'failed'), [(1.0, False), (float('nan'), True), (float('-inf'), True)])
def test_a_status_is_read_as_it_was_given(total, failed, stop):
    status = StepStatus(torch.tensor(total), stop, distributed=False)
    assert status.read() == (failed, stop)


def test_compiling_leaves_the_names_of_a_network_alone():
    net = nn.Sequential(nn.Conv2d(8, 3, 3), nn.BatchNorm2d(3))
    names = list(net.state_dict())
    prepared = prepare_network(net, {'compile': True, 'channels_last': True}, False, CPU)
    assert list(prepared.state_dict()) == names
    assert prepared[0].weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('distributed', [False, True])
def test_synchronised_batch_norm_is_refused_on_the_cpu(distributed):
    with pytest.raises(ValueError, match='train:sync_bn needs GPUs and a launcher'):
        prepare_network(nn.BatchNorm2d(3), {'sync_bn': True}, distributed, CPU)


@pytest.mark.parametrize('encoder', ['resnet10t', 'resnetv2_50', 'densenet121'])
def test_synchronised_batch_norm_is_the_same_network(encoder):
    torch.manual_seed(0)
    net = build_network({'type': 'S3Net', 'encoder': encoder}).eval()
    image = torch.rand(1, 8, 64, 64)
    with torch.no_grad():
        expected, names = net(image), list(net.state_dict())
        net = prepare_network(net, {'sync_bn': True}, True, torch.device('cuda'))  # which moves nothing there
        assert any(isinstance(module, nn.SyncBatchNorm) for module in net.modules())
        assert not any(type(module) is nn.BatchNorm2d for module in net.modules())
        torch.testing.assert_close(net(image), expected)
    assert list(net.state_dict()) == names
