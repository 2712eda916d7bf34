import random
import traceback
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from basicsr.data import build_dataloader, build_dataset
from torch.utils.data import DataLoader, default_collate

from s3net_plugin.config.datasets import build_dataset as build_checked
from s3net_plugin.data import SampleIndex, StatefulDistributedSampler
from s3net_plugin.utils.errors import OptionError
from tests.data.sets import dataset, make, options

LIGHTS = [f'{t}_{d}' for t in (2500, 6500) for d in ('N', 'E', 'W')]
HEIGHT, WIDTH = 24, 40
RNG = np.random.default_rng(0)


def write_image(path, size=(HEIGHT, WIDTH)):
    """An RGBA image of noise, as VIDIT's are RGBA; returns its RGB."""
    rgba = RNG.integers(0, 256, (*size, 4), dtype=np.uint8)
    cv2.imwrite(str(path), rgba)
    return rgba[..., 2::-1]


def write_depth(path, size=(HEIGHT, WIDTH)):
    depth = RNG.random(size).astype(np.float32)
    np.save(path, {'normalized_depth': depth, 'ref_center_dis': 3.0}, allow_pickle=True)
    return depth


@pytest.fixture(scope='module')
def vidit(tmp_path_factory):
    """Four scenes under six lights, laid out as VIDIT; their pixels by name."""
    root = tmp_path_factory.mktemp('vidit')
    pixels = {}
    for scene in ('Image001', 'Image002', 'Image003', 'Image004'):
        pixels[f'{scene}.npy'] = write_depth(root / f'{scene}.npy')
        for light in LIGHTS:
            pixels[f'{scene}_{light}.png'] = write_image(root / f'{scene}_{light}.png')
    return root, pixels


@pytest.fixture
def pairs(tmp_path):
    for folder in ('input', 'guide', 'target'):
        (tmp_path / folder).mkdir()
        for name in ('Pair001', 'Pair002'):
            write_image(tmp_path / folder / f'{name}.png')
            if folder != 'target':
                write_depth(tmp_path / folder / f'{name}.npy')
    return tmp_path


def planes(sample, pixels):
    """The full-frame sample that the names in its paths stand for, from the pixels themselves."""
    input_name, guide_name = Path(sample['lq_path']).stem.split('__to__')
    depths = [pixels[name.split('_')[0] + '.npy'][None] for name in (input_name, guide_name)]
    rgb = [pixels[f'{name}.png'].transpose(2, 0, 1) / np.float32(255) for name in (input_name, guide_name)]
    gt = pixels[Path(sample['gt_path']).name].transpose(2, 0, 1) / np.float32(255)
    return np.concatenate([rgb[0], depths[0], rgb[1], depths[1]]), gt


def test_channels_are_input_rgb_and_depth_then_guide_rgb_and_depth(vidit):
    root, pixels = vidit
    data = dataset(root)
    assert len(data) == 4 * len(LIGHTS)
    for index in range(len(data)):
        sample = data[index]
        lq, gt = planes(sample, pixels)
        assert sample['lq'].dtype == sample['gt'].dtype == torch.float32
        np.testing.assert_array_equal(sample['lq'], lq)
        np.testing.assert_array_equal(sample['gt'], gt)
        assert Path(sample['guide_path']).is_file() and Path(sample['gt_path']).is_file()
        assert Path(sample['lq_path']).parent == root
    with pytest.raises(IndexError):
        data[len(data)]


def test_a_crop_and_a_flip_are_the_same_in_all_images(vidit):
    root, pixels = vidit
    data, places, flips = dataset(root, gt_size=16, use_hflip=True), set(), 0
    for number in range(150):
        sample = data[SampleIndex(5, seed=0, epoch=0, number=number)]
        lq, gt = planes(sample, pixels)
        found = [
            (top, left, step)
            for top in range(HEIGHT - 15)
            for left in range(WIDTH - 15)
            for step in (1, -1)
            if np.array_equal(lq[:, top : top + 16, left : left + 16][..., ::step], sample['lq'])
        ]
        assert len(found) == 1
        top, left, step = found[0]
        np.testing.assert_array_equal(sample['gt'], gt[:, top : top + 16, left : left + 16][..., ::step])
        places.add((top, left))
        flips += step == -1
    assert 40 < flips < 110
    rows, columns = map(set, zip(*places, strict=True))
    assert rows == set(range(HEIGHT - 15)) and {0, WIDTH - 16} <= columns


def test_resize_makes_squares_by_area(vidit):
    root, pixels = vidit
    sample = dataset(root, resize=8)[0]
    lq, gt = planes(sample, pixels)
    mean = lq.reshape(8, 8, 3, 8, 5).mean(axis=(2, 4))
    assert sample['lq'].shape == (8, 8, 8) and sample['gt'].shape == (3, 8, 8)
    np.testing.assert_allclose(sample['lq'][[3, 7]], mean[[3, 7]], atol=1e-6)
    np.testing.assert_allclose(sample['lq'], mean, atol=0.5 / 255 + 1e-6)  # colours are rounded to 8 bit
    np.testing.assert_allclose(sample['gt'], gt.reshape(3, 8, 3, 8, 5).mean(axis=(2, 4)), atol=0.5 / 255 + 1e-6)


def epoch(data, number, **loading):
    sampler = StatefulDistributedSampler(data, 1, 0, 2)
    sampler.load_state_dict({'seed': 7, 'epoch': number})
    batches = list(DataLoader(data, batch_size=4, sampler=sampler, drop_last=True, **loading))
    return torch.cat([batch['lq'] for batch in batches]), [path for batch in batches for path in batch['lq_path']]


@pytest.mark.parametrize(
    ('backend', 'workers', 'start'), [('disk', 2, 'fork'), ('lmdb', 2, 'fork'), ('lmdb', 1, 'spawn')]
)
def test_an_epoch_is_the_same_whatever_the_workers_and_unlike_the_next(vidit, tmp_path, backend, workers, start):
    if backend == 'lmdb':
        make(vidit[0], tmp_path / 'set', codec='raw')
    data = dataset(tmp_path / 'set' if backend == 'lmdb' else vidit[0], backend=backend, gt_size=16, use_hflip=True)
    alone, names = epoch(data, 3)  # opens the databases before the workers start
    pixels, paths = epoch(data, 3, num_workers=workers, multiprocessing_context=start)
    assert paths == names and torch.equal(pixels, alone)
    assert torch.equal(epoch(data, 3)[0], alone)
    first, second = (
        {path for path in names if path.count(name)} for name in ('Image001_2500_N__', 'Image001_2500_E__')
    )
    assert len(first) == len(second) == 2  # drawn afresh in each pass of an epoch
    assert epoch(data, 4)[1] != names


def test_a_plain_index_draws_from_pythons_random_in_training(vidit):
    data = dataset(vidit[0])
    random.seed(3)
    first, second = ([data[0]['lq_path'] for _ in range(6)] for _ in range(2))
    random.seed(3)
    assert [data[0]['lq_path'] for _ in range(6)] == first != second


@pytest.mark.parametrize('phase', ['val', 'test'])
def test_validation_is_always_the_same_and_its_names_are_unique(vidit, phase):
    random.seed(0)
    first = list(map(dataset(vidit[0], phase=phase, gt_size=16).__getitem__, range(24)))
    random.seed(1)
    again = dataset(vidit[0], phase=phase, gt_size=16)
    for index, sample in reversed(list(enumerate(first))):
        assert sample['lq_path'] == again[SampleIndex(index, seed=9, epoch=9, number=9)]['lq_path']
        assert torch.equal(sample['lq'], again[index]['lq'])
    assert len({Path(sample['lq_path']).stem for sample in first}) == 24  # what SRModel names images by


def test_num_samples_bounds_a_validation_set(vidit):
    some = dataset(vidit[0], phase='val', num_samples=5)
    assert len({Path(some[i]['lq_path']).name.split('_')[0] for i in range(len(some))}) == 4  # all scenes
    assert [len(dataset(vidit[0], phase='val', num_samples=number)) for number in (5, 500)] == [5, 24]


def test_held_out_light_pairs_are_for_validation_alone(vidit):
    def light_pairs(phase):
        data = dataset(vidit[0], phase=phase, holdout_pairs=0.4, gt_size=4)
        samples = [data[SampleIndex(i, seed=0, epoch=0, number=n)] for i in range(len(data)) for n in range(6)]
        names = [Path(sample['lq_path']).stem.split('__to__') for sample in samples]
        return {tuple(name.split('_', 1)[1] for name in pair) for pair in names}

    train, val = light_pairs('train'), light_pairs('val')
    assert train and val and not train & val


def test_pairs_come_with_targets_or_without(pairs):
    sample = dataset(pairs, 'pairs', phase='val')[1]
    assert sample['lq'].shape == (8, HEIGHT, WIDTH) and sample['gt'].shape == (3, HEIGHT, WIDTH)
    assert sample['lq_path'] == str(pairs / 'input' / 'Pair002.png')
    assert sample['guide_path'] == str(pairs / 'guide' / 'Pair002.png')
    for path in (pairs / 'target').iterdir():
        path.unlink()
    sample = dataset(pairs, 'pairs', phase='test')[0]
    assert set(sample) == {'lq', 'lq_path', 'guide_path'}
    assert set(default_collate([sample, sample])) == set(sample)


def test_one_to_one_has_four_channels_and_no_guide(pairs):
    (pairs / 'depth').mkdir()
    levels = RNG.integers(0, 65536, (HEIGHT, WIDTH), dtype=np.uint16)
    for name in ('Pair001', 'Pair002'):
        cv2.imwrite(str(pairs / 'depth' / f'{name}.png'), levels)
    sample = dataset(pairs, 'one_to_one')[0]
    assert set(sample) == {'lq', 'gt', 'lq_path', 'gt_path'}
    assert sample['lq'].shape == (4, HEIGHT, WIDTH)
    np.testing.assert_allclose(sample['lq'][3], levels / 65535, atol=1e-7)


def test_a_depth_map_of_another_size_is_resized_to_its_image(pairs):
    depth = write_depth(pairs / 'input' / 'Pair001.npy', (HEIGHT * 2, WIDTH * 2))
    expected = depth.reshape(HEIGHT, 2, WIDTH, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(dataset(pairs, 'pairs')[0]['lq'][3], expected, atol=1e-6)
    write_depth(pairs / 'input' / 'Pair001.npy', (HEIGHT // 2, WIDTH // 3))
    lq = dataset(pairs, 'pairs')[0]['lq']
    assert lq.shape == (8, HEIGHT, WIDTH) and lq.min() >= 0 and lq.max() <= 1


@pytest.mark.parametrize('folder', ['guide', 'target'])
def test_images_of_different_sizes_are_an_error_that_names_both(pairs, folder):
    write_image(pairs / folder / 'Pair001.png', (HEIGHT, WIDTH + 8))
    with pytest.raises(ValueError, match=rf'{folder}/Pair001.png has 48 x 24 .*input/Pair001.png has 40 x 24.*resize'):
        dataset(pairs, 'pairs')[0]
    assert dataset(pairs, 'pairs', resize=16)[0]['gt'].shape == (3, 16, 16)


@pytest.mark.parametrize(('damage', 'workers'), [('input/Pair001.png', 1), ('guide/Pair001.npy', 0)])
def test_a_damaged_file_is_an_error_naming_it_and_the_set(pairs, damage, workers):
    path = pairs / damage
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=rf"val dataset 'Tiny': {path}: ") as caught:
        list(DataLoader(dataset(pairs, 'pairs', phase='val'), num_workers=workers))
    traceback.clear_frames(caught.tb)  # they hold the loader in a cycle, and its workers for 5 s each


def test_what_is_wrong_with_the_options_is_said_with_the_name_of_the_set(vidit, tmp_path):
    for root, change, message in (
        (vidit[0], {'gt_sise': 8}, "did you mean 'gt_size'"),
        (tmp_path, {}, 'not usable as layout scenes: it holds no image .*VIDIT'),
        (vidit[0], {'layout': 'pairs'}, 'not usable as layout pairs: it holds no PNG image in input/; VIDIT'),
        (vidit[0], {'scenes': [9, 10]}, 'selects none'),
        (vidit[0], {'gt_size': 32}, r'Image001_2500_E\.png has 40 x 24 .*`gt_size: 32`'),
    ):
        with pytest.raises(ValueError, match=f"^train dataset 'Tiny': .*{message}"):
            dataset(root, **change)[0]


def test_basicsr_builds_it_and_its_loaders_from_options(vidit):
    loading = {'num_worker_per_gpu': 0, 'batch_size_per_gpu': 2}
    opt = options(vidit[0], gt_size=16, dataset_enlarge_ratio=2, prefetch_mode='cpu', scale=1, **loading)
    data = build_dataset(opt)
    assert data.opt['name'] == 'Tiny'
    loader = build_dataloader(data, opt, num_gpu=0, sampler=StatefulDistributedSampler(data, 1, 0, 2), seed=0)
    batches = list(loader)
    assert len(batches) == len(data) and batches[0]['lq'].shape == (2, 8, 16, 16)
    val = options(vidit[0], phase='val', num_samples=3)
    assert [batch['lq'].shape for batch in build_dataloader(build_dataset(val), val)] == [(1, 8, HEIGHT, WIDTH)] * 3


@pytest.mark.parametrize('backend', ['disk', 'lmdb'])
def test_sizes_that_do_not_fit_one_batch_are_named_before_the_run(copied, tmp_path, backend):
    root = copied('one_to_one')
    odd = sorted((root / 'input').iterdir())[1].name
    for folder in ('input', 'target'):
        cv2.imwrite(str(root / folder / odd), cv2.imread(str(root / folder / odd))[:-16])
    if backend == 'lmdb':
        root = make(root, tmp_path / 'lmdb').target
    for change in ({'gt_size': 16}, {'resize': 16}):
        dataset(root, 'one_to_one', backend, **change).check_sizes()
    section = options(root, 'one_to_one', backend, batch_size_per_gpu=2, num_worker_per_gpu=0)
    section.pop('phase')
    message = rf'datasets:train: .*{odd} has \d+ x \d+ pixels, but .* has .* a batch needs one size: set'
    with pytest.raises(OptionError, match=message):
        build_checked('train', section, {'num_gpu': 0, 'scale': 1}, True, 1, [])
