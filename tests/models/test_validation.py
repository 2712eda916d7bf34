"""Validation of images of several sizes, and what cannot be written."""

from types import SimpleNamespace

import pytest
import torch

from s3net_plugin.models.validation import validate
from tests.models.steps import batch


class Mixed(torch.utils.data.Dataset):
    """Samples of two sizes, the first of which comes twice in a row and once more at the end."""

    def __init__(self, batch_size, names=('a', 'b', 'c', 'd', 'e'), name='mixed'):
        self.opt = {'name': name, 'phase': 'val', 'batch_size_per_gpu': batch_size}
        self.names = names

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        one = batch(1, 32 if index in (0, 1, 4) else 64, seed=index)
        return {'lq': one['lq'][0], 'gt': one['gt'][0], 'lq_path': f'{self.names[index]}.png'}


def scores(model, dataset, **options):
    return validate(model, SimpleNamespace(dataset=dataset), 1, None, **{'save_img': False, **options})


@pytest.mark.parametrize('batch_size', [2, 3, 5])
def test_images_of_several_sizes_score_as_one_by_one(build, batch_size):
    model = build()
    one_by_one = scores(model, Mixed(1))
    assert one_by_one['psnr'] > 0
    assert scores(model, Mixed(batch_size)) == pytest.approx(one_by_one, abs=1e-4)


def test_an_image_that_cannot_be_written_is_named(build, tmp_path):
    model = build()
    model.opt['path']['visualization'] = str(tmp_path / 'pictures')
    name = 'n' * 254
    with pytest.raises(OSError, match=rf'{name}_1\.png: cannot be written: .*; shorten the names') as caught:
        scores(model, Mixed(1, names=[name]), save_img=True)
    assert '\n' not in str(caught.value)
