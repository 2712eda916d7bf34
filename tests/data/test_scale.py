"""What a set costs that is far larger than VIDIT: 40,000 records stand for any number, as costs grow with it."""

import time
import tracemalloc

import numpy as np
import pytest

from s3net_plugin.data.lmdb.reader import LmdbReader
from s3net_plugin.data.lmdb.records import encode_depth, encode_image, encode_key
from s3net_plugin.data.sampling import sample_params
from s3net_plugin.data.scene_index import index_everything
from s3net_plugin.rendering.folder import LIGHTS
from tests.data.sets import write_database

SCENES = 1000  # times 40 lights
PAIRS = 8000  # times input, guide, target and two depth maps


@pytest.fixture(scope='module')
def roots(tmp_path_factory):
    root = tmp_path_factory.mktemp('scale')
    scenes = [f'Image{number:05d}' for number in range(SCENES)]
    names = [f'{scene}_{light[0]}_{light[1]}' for scene in scenes for light in LIGHTS]
    pairs = [[f'{folder}/Pair{n:06d}' for n in range(PAIRS)] for folder in ('input', 'guide', 'target')]
    for layout, images, depths in (
        ('scenes', names, scenes),
        ('pairs', [*pairs[0], *pairs[1], *pairs[2]], pairs[0] + pairs[1]),
    ):
        (root / layout).mkdir()
        image = encode_image(np.zeros((1, 1, 3), np.uint8), 'raw')
        write_database(root / layout / 'rgb.lmdb', dict.fromkeys(map(encode_key, images), image))
        depth = encode_depth(np.zeros((1, 1), np.float32), 'float32')
        write_database(root / layout / 'depth.lmdb', dict.fromkeys(map(encode_key, depths), depth), codec='float32')
    return root


@pytest.mark.parametrize(('layout', 'samples', 'records'), [('scenes', 40000, 41000), ('pairs', 8000, 40000)])
def test_opening_and_indexing_is_fast_and_small(roots, layout, samples, records):
    seconds = []
    for _ in range(3):
        start = time.process_time()
        reader = LmdbReader(str(roots / layout))
        index = index_everything(reader, layout)
        seconds.append(time.process_time() - start)
    assert len(index) == samples
    assert min(seconds) < 0.4
    del index, reader
    tracemalloc.start()
    try:
        reader = LmdbReader(str(roots / layout))
        index = index_everything(reader, layout)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    print(f'{layout}: {min(seconds):.2f} s, kept {kept / records:.0f}, at most {peak / records:.0f} bytes a record')
    assert kept / records < 100
    files = index.files(samples - 1, sample_params(0, 0, 0, 0))
    assert reader.image(files.input).shape == (1, 1, 3) and reader.depth(files.guide_depth).shape == (1, 1)
