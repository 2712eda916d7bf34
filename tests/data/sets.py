"""Datasets and databases as the tests make them."""

import numpy as np
import torch

from s3net_plugin.data import RGBDRelightPairedDataset, SampleIndex
from s3net_plugin.data.lmdb.folders import CODECS
from s3net_plugin.data.lmdb.prepare import prepare
from s3net_plugin.data.lmdb.reader import open_database
from s3net_plugin.data.lmdb.writer import LmdbWriter


def options(root, layout='scenes', backend='disk', phase='train', **more):
    section = {'name': 'Tiny', 'type': 'RGBDRelightPairedDataset', 'phase': phase, 'layout': layout}
    return {**section, 'dataroot': str(root), 'io_backend': {'type': backend}, **more}


def dataset(*args, **more):
    return RGBDRelightPairedDataset(options(*args, **more))


def make(source, target, **settings):
    return prepare(source, target, show_progress=False, **settings)


def write_database(path, records, finish=True, **settings):
    """Write records by their keys into a database, of raw pixels unless the settings say another codec."""
    with LmdbWriter(path, expected_bytes=0, settings={'codec': 'raw', **settings}) as writer:
        for key, record in records.items():
            writer.put(key, record)
        if finish:
            writer.finish()
    return path


def records_of(path):
    database = open_database(str(path), CODECS[path.name])
    return {key: bytes(database.get(key)) for key in database.iter_keys()}


def records(root):
    """Everything in the databases of ``root``."""
    return {name: records_of(root / name) for name in CODECS}


def assert_same_samples(first, second, depth_step=0.0):
    """Compare samples, and their paths below the data roots, over two passes with crops and flips."""
    assert len(first) == len(second)
    for number in range(2 * len(first)):
        index = SampleIndex(number % len(first), seed=1, epoch=2, number=number)
        a, b = first[index], second[index]
        assert a.keys() == b.keys()
        for key in a.keys() - {'lq', 'gt'}:
            below = [str(path).removeprefix(str(d.opt['dataroot'])) for path, d in ((a[key], first), (b[key], second))]
            assert below[0].removeprefix('/rgb.lmdb') == below[1].removeprefix('/rgb.lmdb')
        colours = [0, 1, 2, 4, 5, 6][: len(a['lq']) - len(a['lq']) // 4]
        assert torch.equal(a['gt'], b['gt']) and torch.equal(a['lq'][colours], b['lq'][colours])
        assert a['lq'].dtype == b['lq'].dtype
        np.testing.assert_allclose(b['lq'][3::4], a['lq'][3::4], rtol=0, atol=depth_step)
