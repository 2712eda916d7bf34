"""The parts that every message about an option is made of."""

import inspect
import pickle
import re

import pytest
from basicsr.models.srgan_model import SRGANModel
from basicsr.utils.registry import DATASET_REGISTRY, MODEL_REGISTRY

from s3net_plugin.config.check import numbers_read_as_text
from s3net_plugin.config.stock_keys import DATASET, OF_DATASETS, OF_MODELS, OF_TRAIN, keys_of
from s3net_plugin.config.values import admit, registered
from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.names import edit_distance


def test_an_error_is_one_line_of_its_parts_and_travels_between_processes():
    error = OptionError('lr', '-1 is no rate', 'write 0.1').within('train:optim_g').within('', where='a.yml')
    assert str(error) == 'a.yml: train:optim_g:lr: -1 is no rate; write 0.1'
    copied = pickle.loads(pickle.dumps(error))
    assert (str(copied), copied.place) == (str(error), 'train:optim_g:lr')
    assert str(OptionError('no such file').within('path')) == 'path: no such file'


@pytest.mark.parametrize(
    ('first', 'second', 'distance'),
    [
        *[('scale', 'scale', 0), ('scael', 'scale', 1), ('trian', 'train', 1), ('gt_sise', 'gt_size', 1)],
        *[('', 'ab', 2), ('dataroot_flow', 'dataroot_lq', 3), ('lr_flow', 'fix_flow', 3)],
    ],
)
def test_a_swap_of_neighbours_counts_once(first, second, distance):
    assert edit_distance(first, second) == edit_distance(second, first) == distance


def test_one_slip_from_a_known_key_is_refused_unless_published_files_have_it():
    known = {'optim_g', 'dataroot_lq', 'fix_flow', 'use_hflip'}
    assert admit(['optim_d', 'dataroot_flow', 'lr_flow', 'use_flip', 'optim_g'], known, 'x') == [
        *('x:dataroot_flow', 'x:lr_flow', 'x:optim_d', 'x:use_flip')
    ]
    for name in ('optm_g', 'otpim_g', 'fix_flwo', 'dataroot_l'):
        with pytest.raises(OptionError, match=f"x: unknown option '{name}'; did you mean '"):
            admit([name], known, 'x')


def test_a_class_reads_what_its_bases_read():
    read = keys_of(OF_TRAIN, SRGANModel)
    assert {'total_iter', 'pixel_opt', 'optim_d', 'ldl_opt'} <= read
    assert 'tsa_iter' not in read


def test_the_tables_hold_what_the_source_of_basicsr_reads():
    for name in {*OF_MODELS, *OF_TRAIN} - {'BaseModel'}:
        assert registered(MODEL_REGISTRY, name, '').__name__ == name
    for name in OF_DATASETS:
        cls = registered(DATASET_REGISTRY, name, '')
        source = ''.join(inspect.getsource(base) for base in cls.__mro__ if base.__module__.startswith('basicsr.'))
        read = set(re.findall(r"(?<!backend_)opt(?:\.get\(|\[)'(\w+)'", source))
        assert read - {'phase', 'scale', 'type'} <= keys_of(OF_DATASETS, cls) | DATASET, name


def test_numbers_that_yaml_reads_as_text_are_found_with_their_place():
    opt = {'name': '1e-3', 'a': {'lr': '1e-3', 'w': ['1/32', 0.5], 'ok': 1.0e-3, 'word': 'res2net101d'}}
    assert list(numbers_read_as_text(opt)) == [('a:lr', '1e-3'), ('a:w:0', '1/32')]
