"""The parts that every message about an option is made of."""

import inspect
import pickle
import re

import pytest
from basicsr.models.srgan_model import SRGANModel
from basicsr.utils.registry import DATASET_REGISTRY, MODEL_REGISTRY

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


def test_a_swap_of_neighbours_counts_once():
    pairs = ('scale', 'scale'), ('trian', 'train'), ('gt_sise', 'gt_size'), ('', 'ab'), ('lr_flow', 'fix_flow')
    assert [edit_distance(*pair) for pair in pairs] == [0, 1, 1, 2, 3]
    assert [edit_distance(*reversed(pair)) for pair in pairs] == [0, 1, 1, 2, 3]


def test_one_slip_from_a_known_key_is_refused_unless_published_files_have_it():
    known = {'optim_g', 'dataroot_lq', 'fix_flow', 'use_hflip'}
    assert admit(['optim_d', 'dataroot_flow', 'lr_flow', 'use_flip', 'optim_g'], known, 'x') == [
        *('x:dataroot_flow', 'x:lr_flow', 'x:optim_d', 'x:use_flip')
    ]
    for name in ('optm_g', 'otpim_g', 'fix_flwo', 'dataroot_l'):
        with pytest.raises(OptionError, match=f"x: unknown option '{name}'; did you mean '"):
            admit([name], known, 'x')


def test_the_tables_hold_what_the_source_of_basicsr_reads():
    read = keys_of(OF_TRAIN, SRGANModel)  # and what its bases read
    assert {'total_iter', 'pixel_opt', 'optim_d', 'ldl_opt'} <= read and 'tsa_iter' not in read
    for name in {*OF_MODELS, *OF_TRAIN} - {'BaseModel'}:
        assert registered(MODEL_REGISTRY, name, '').__name__ == name
    for name in OF_DATASETS:
        cls = registered(DATASET_REGISTRY, name, '')
        source = ''.join(inspect.getsource(base) for base in cls.__mro__ if base.__module__.startswith('basicsr.'))
        read = set(re.findall(r"(?<!backend_)opt(?:\.get\(|\[)'(\w+)'", source))
        assert read - {'phase', 'scale', 'type'} <= keys_of(OF_DATASETS, cls) | DATASET, name
