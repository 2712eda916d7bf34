import subprocess
from pathlib import Path

import pytest
import torch
from mmengine.analysis import ActivationAnalyzer, FlopAnalyzer
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from s3net_plugin.archs import S3Net, ShadingGuidedS3Net
from s3net_plugin.report.environment import complexity, git_hash, hardware, peak_memory, versions

CPU = torch.device('cpu')


def test_the_commit_is_that_of_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert git_hash() is None
    author = ['-c', 'user.name=n', '-c', 'user.email=e@x', '-c', 'commit.gpgsign=false']
    subprocess.run(['git', 'init', '-q'], check=True)
    assert git_hash() is None  # nothing committed yet
    subprocess.run(['git', *author, 'commit', '-q', '--allow-empty', '-m', 'm'], check=True)
    log = subprocess.run(['git', 'log', '--format=%H'], capture_output=True, text=True, check=True)
    assert git_hash() == log.stdout.strip()


@pytest.mark.skipif(not Path('/proc/self/status').exists(), reason='the kernel tells it only on Linux')
def test_peak_memory_is_what_the_kernel_says():
    lines = Path('/proc/self/status').read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith('VmHWM')) * 1024
    assert peak_memory(CPU)['bytes'] == pytest.approx(peak, rel=0.02)


def test_versions_and_hardware_are_named():
    assert versions()['torch'].split('+')[0] == torch.__version__.split('+')[0]
    assert all(versions().values())
    assert hardware(CPU)['cpu']
    assert hardware(CPU)['gpu'] is None


def test_a_convolution_is_counted_as_its_formula_says():
    found = complexity(nn.Conv2d(4, 6, 3, padding=1), (4, 10, 12), CPU, 0.1)
    assert found == {
        'complexity_input': [1, 4, 10, 12],
        'parameters': 6 * 4 * 9 + 6,
        'flops': 10 * 12 * 6 * 4 * 9,
        'activations': 10 * 12 * 6,
    }


def test_s3net_is_counted_and_left_as_it_was():
    network = S3Net(encoder='resnet10t').train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    found = complexity(network, (8, 64, 64), CPU, 0.1)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(1, 8, 64, 64))
    # PyTorch counts a multiply-add as two, and convolutions only; the rest is small.
    assert found['flops'] == pytest.approx(counter.get_total_flops() / 2, rel=0.05)
    assert found['parameters'] == sum(parameter.numel() for parameter in network.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_one_run_counts_what_mmengine_counts_in_two():
    network = ShadingGuidedS3Net(encoder='resnet10t', light_colours='black_body').eval()
    network(torch.zeros(1, 8, 64, 64))  # what depends on the size only is kept
    found = complexity(network, (8, 64, 64), CPU, 0.1)
    for name, analysis in (('flops', FlopAnalyzer), ('activations', ActivationAnalyzer)):
        assert found[name] == int(analysis(network, (torch.zeros(1, 8, 64, 64),)).total())


def test_counting_runs_in_evaluation_mode_and_keeps_the_mode():
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    complexity(network, (1, 4, 4), CPU, 0.1)
    assert network.training
    assert network[1].num_batches_tracked == 0


class Stubborn(nn.Conv2d):
    def forward(self, x):
        if torch._C._get_tracing_state():
            raise RuntimeError('not while you watch\nmore')
        return super().forward(x)


def test_what_cannot_be_counted_is_none_and_the_log_says_why(messages):
    network = Stubborn(1, 1, 1)
    found = complexity(network, (1, 4, 4), CPU, 0.1)
    assert (found['parameters'], found['flops'], found['activations']) == (2, None, None)
    assert messages == ['FLOPs and activations are not counted: the network cannot be traced (not while you watch).']
    assert not network._forward_hooks
    found = complexity(nn.Conv2d(1, 1, 1), (1, 4, 4), CPU, 100)
    assert (found['flops'], found['activations']) == (None, None)
    assert 'about 100 s' in messages[-1]
