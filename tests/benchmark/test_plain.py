from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from s3net_plugin.archs import S3Net
from s3net_plugin.archs.shading import CueSettings, shading_cues
from s3net_plugin.benchmark import choose_settings
from s3net_plugin.benchmark.cases import LOSS_WEIGHTS, all_cases, fast_loss, plain_criteria, plain_loss, train_options
from s3net_plugin.benchmark.photos import fast_work, photo_files, plain_work
from s3net_plugin.benchmark.plain import plain_shading_cues, plain_step
from s3net_plugin.models import S3NetModel
from tests.losses.reference import image_pair

CPU = torch.device('cpu')


@pytest.mark.parametrize('name', LOSS_WEIGHTS)
@pytest.mark.parametrize('shape', [(2, 3, 32, 48), (1, 3, 37, 51)])
def test_plain_loss_is_the_same_loss(name, shape):
    pred, target = image_pair(0, shape)
    plain, fast = (build(name, CPU)(pred, target) for build in (plain_loss, fast_loss))
    torch.testing.assert_close(plain, fast, rtol=1e-5, atol=1e-6)
    expected, found = (torch.autograd.grad(loss, pred)[0] for loss in (plain, fast))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-6 + 1e-3 * expected.abs().max().item())


def test_plain_step_is_the_same_step():
    """After three steps of Adam, plain and fast, the losses of both runs agree."""
    settings = choose_settings(CPU, quick=True)
    batch, side = settings.train_shapes['train_step']
    generator = torch.Generator().manual_seed(3)
    lq, gt = (torch.rand(batch, channels, side, side, generator=generator) for channels in (8, 3))

    model = S3NetModel(train_options(settings, batch))
    network = S3Net(encoder=settings.encoder)
    network.load_state_dict(model.net_g.state_dict())
    step = plain_step(network, plain_criteria(CPU), lq, gt, lr=1e-4)
    plain, fast = [], []
    for _ in range(3):
        plain.append(step())
        model.feed_data({'lq': lq, 'gt': gt})
        model.optimize_parameters(1)
        fast.append(sum(model.get_current_log().values()))
    assert plain[0] != plain[2]
    torch.testing.assert_close(torch.stack(plain), torch.tensor(fast), rtol=1e-3, atol=0)


def test_plain_and_fast_inference_agree():
    for case in all_cases(choose_settings(CPU, quick=True))[:2]:
        expected = case.plain()()
        assert expected.shape[0] == case.shape[0]
        (fast,) = case.fast.values()
        torch.testing.assert_close(fast.build()(), expected, rtol=0, atol=1e-3)


def test_plain_and_fast_relighting_agree_within_a_grey_level():
    for cold in (True, False):
        files = photo_files('resnet10t', (48, 64), 2)
        results = []
        for work in (plain_work, partial(fast_work, precision='float32')):
            work(files, CPU, cold=cold)()
            results.append([np.asarray(Image.open(job.output)).astype(int) for job in files.jobs[: 2 - cold]])
            for job in files.jobs[: 2 - cold]:
                job.output.unlink()
        assert np.abs(np.subtract(*results)).max() <= 2  # one of each, and what JPEG makes of it


def test_plain_marching_finds_the_same_shadows():
    """A box on level ground: marching in space and shifting in epipolar coordinates agree but for edges."""
    v, u = torch.meshgrid(torch.linspace(-1, 1, 96), torch.linspace(-1, 1, 96), indexing='ij')
    ground = 0.6 / (0.35 * v + 0.7)
    box = (u.abs() < 0.15) & (v > -0.4) & (v < 0.3)
    distance = torch.where(box, ground[67], ground)
    depth = ((distance - distance.min()) / (distance.max() - distance.min()))[None, None]
    plain, fast = plain_shading_cues(depth, CueSettings()), shading_cues(depth)
    assert plain.std() > 0.1
    assert (plain - fast).abs().mean() < 0.02
    assert torch.corrcoef(torch.stack((plain.flatten(), fast.flatten())))[0, 1] > 0.95
