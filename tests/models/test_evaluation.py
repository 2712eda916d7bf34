"""Validation on the folded copy: the scores of the plain network, and a training run that does not notice."""

import logging
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from basicsr.metrics import calculate_metric
from basicsr.utils import tensor2img
from torch import nn

from s3net_plugin.archs.deploy import fast_precision
from s3net_plugin.models.evaluation import ChannelsLast, ValOptions
from s3net_plugin.utils.checkpoint import load_weights_only
from s3net_plugin.utils.errors import OptionError
from tests.models.runs import equal
from tests.models.steps import S3NET, SLOW, TINY, batch, curve, tensors
from tests.models.test_validation import Mixed, scores

METRICS = {'psnr': {'type': 'calculate_psnr', 'crop_border': 0}, 'ssim': {'type': 'calculate_ssim', 'crop_border': 0}}


class One(Mixed):
    """One sample of ``Mixed``."""

    def __init__(self, index):
        super().__init__(1)
        self.index = index

    def __len__(self):
        return 1

    def __getitem__(self, _):
        return super().__getitem__(self.index)


def test_every_image_scores_as_with_the_plain_network(build):
    model = build({**SLOW, 'val:metrics': METRICS}, network=S3NET)
    curve(model, 3)  # gives BatchNorm something to fold
    plain = []
    for i in range(5):
        sample = Mixed(1)[i]
        model.feed_data({'lq': sample['lq'][None]})
        model.test()
        images = {'img': tensor2img([model.output[0]]), 'img2': tensor2img([sample['gt']])}
        plain.append([calculate_metric(images, options) for options in METRICS.values()])
        found = scores(model, One(i))
        assert list(found.values()) == pytest.approx(plain[-1], abs=1e-3)
        assert found['ssim'] == pytest.approx(plain[-1][1], abs=1e-5)
    means = scores(model, Mixed(5))
    assert [f'{mean:.4f}' for mean in means.values()] == [f'{mean:.4f}' for mean in np.mean(plain, axis=0)]
    evaluated = model.evaluation.network(model.net_g_ema)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in evaluated.modules())


@pytest.mark.parametrize('decay', [0, 0.9])
@pytest.mark.parametrize('precision', [None, 'bfloat16'])
def test_a_training_run_does_not_notice_that_it_was_validated(build, tmp_path, decay, precision):
    options = {**SLOW, 'train:ema_decay': decay, 'val:precision': precision}
    validated, other = (build(options, network=S3NET) for _ in range(2))
    assert torch.equal(curve(validated, 2), curve(other, 2))
    before = [tensors(net) for net in (validated.net_g, validated.net_g_ema) if net is not None]
    states = torch.get_rng_state(), random.getstate(), str(np.random.get_state())  # noqa: NPY002
    validated.validation(SimpleNamespace(dataset=Mixed(2, name='val')), 2, None)
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1:] == (random.getstate(), str(np.random.get_state()))  # noqa: NPY002
    assert equal(before, [tensors(net) for net in (validated.net_g, validated.net_g_ema) if net is not None])
    best = load_weights_only(tmp_path / 'models/net_g_best.pth')
    assert equal(before, [best[key] for key in ('params', 'params_ema') if key in best])
    assert validated.net_g.training
    assert torch.equal(curve(validated, 2), curve(other, 2))


def test_the_precision_is_as_asked_for_and_said_once(build, monkeypatch):
    fast = str(fast_precision(torch.device('cpu'))).removeprefix('torch.')
    outputs = {}
    for precision, said in ((None, 'float32'), ('bfloat16', 'bfloat16'), ('auto', fast)):
        model = build({'val:precision': precision}, network=S3NET)
        messages = []
        monkeypatch.setattr(logging.getLogger('basicsr'), 'info', messages.append)
        nets = [model.evaluation.network(model.net_g) for _ in range(2)]
        assert messages.count(f'Validation and tests compute in {said}, with BatchNorm folded.') == 1
        outputs[said] = nets[1](batch(1)['lq'])
    assert 0 < (outputs['float32'] - outputs['bfloat16']).abs().max() < 2e-2


def test_what_was_compiled_once_has_the_weights_of_every_later_validation(build, compiler_backend):
    compiler_backend('eager')
    model = build({**SLOW, 'val:compile': True}, network=S3NET)
    first = model.evaluation.network(model.net_g)
    lq = batch(1)['lq']
    before = first(lq)
    curve(model, 2)
    again = model.evaluation.network(model.net_g)
    assert again is first
    torch._dynamo.utils.counters.clear()
    model.net_g.eval()
    with torch.no_grad():
        torch.testing.assert_close(again(lq), model.net_g.forward(lq), rtol=0, atol=1e-5)
    assert not torch.equal(again(lq), before)
    assert not torch._dynamo.utils.counters['frames']


@pytest.mark.parametrize(
    ('val', 'network', 'message'),
    [
        ({'precision': 'float16'}, S3NET, "precision: 'float16' is unknown"),
        ({'compile': 1}, S3NET, 'compile: 1 is not true or false'),
        ({'compile': True}, TINY, 'compile: works with S3Net and ShadingGuidedS3Net only, not with TinyNet'),
        ({'precision': 'bfloat16'}, TINY, 'precision: bfloat16 works with S3Net and ShadingGuidedS3Net only, not with'),
    ],
)
def test_a_wrong_option_is_named(val, network, message):
    with pytest.raises(OptionError) as error:
        ValOptions.of({'val': val, 'network_g': network})
    assert message in str(error.value)
    ValOptions.of({'val': {'precision': 'auto', 'compile': None}, 'network_g': TINY})


class Foreign(nn.Module):
    """An arch that notes the layout of what it is given, and draws random numbers."""

    def __init__(self, after=lambda x, y: y):
        super().__init__()
        self.conv, self.after, self.seen = nn.Conv2d(3, 3, 3, padding=1), after, []

    def forward(self, x):
        self.seen.append(x.is_contiguous(memory_format=torch.channels_last))
        return self.after(x, self.conv(x) + torch.rand(1))


def layout_sensitive(x, y):
    return y + x.stride(1)


def refuses_channels_last(x, y):
    return y + x.view(-1)[0]


def pair(x, y):
    return y, y


@pytest.mark.parametrize('after', [layout_sensitive, refuses_channels_last, pair])
def test_another_arch_that_can_tell_the_layout_runs_as_it_is(after):
    network = ChannelsLast(Foreign(after).eval())
    for _ in range(2):
        network(torch.rand(2, 3, 80, 70))
        assert not network.network.seen[-1]


def test_another_arch_runs_on_channels_last_input_where_its_output_stays_equal():
    network, x = Foreign(), torch.rand(2, 3, 80, 70)
    network.eval()
    torch.manual_seed(7)
    expected = [network(x) for _ in range(2)]
    network.seen.clear()
    torch.manual_seed(7)
    evaluated = ChannelsLast(network)
    found = [evaluated(x) for _ in range(2)]
    assert network.seen == [False, True, True, True]  # two on a corner, to see
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
    assert not evaluated.training


def test_validation_of_another_arch_leaves_its_weights_and_mode_alone(build):
    model = build({})
    before = tensors(model.net_g), model.net_g.training
    scores(model, Mixed(2))
    assert model.evaluation.network(model.net_g).network is model.net_g
    assert equal(before, (tensors(model.net_g), model.net_g.training))
