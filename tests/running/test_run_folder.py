import multiprocessing

import pytest

from s3net_plugin.running import run_folder as run_folder_module
from s3net_plugin.running.run_folder import check_overwrite, lock_folder, run_folder
from s3net_plugin.utils.errors import OptionError


@pytest.mark.parametrize(
    ('opt', 'how', 'expected'),
    [
        ({'name': 'a'}, {'is_train': True}, 'experiments/a'),
        ({'name': 'a'}, {'is_train': True, 'debug': True}, 'experiments/debug_a'),
        ({'name': 'a'}, {'is_train': False}, 'results/a'),
        ({'name': 'a', 'path': {'experiments_root': 'x/y', 'results_root': 'z'}}, {'is_train': True}, 'x/y'),
        ({'name': 'a', 'path': {'experiments_root': 'x/y', 'results_root': 'z'}}, {'is_train': False}, 'z'),
    ],
)
def test_the_folder_is_the_one_that_basicsr_will_make(opt, how, expected):
    assert str(run_folder(opt, **how)) == expected


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'experiments/a/models').mkdir(parents=True)
    (tmp_path / 'experiments/a/models/net.pth').touch()
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data/image.png').touch()
    (tmp_path / 'empty').mkdir()
    return tmp_path


def test_an_earlier_run_an_empty_folder_and_none_make_room(work):
    for folder in ('experiments/a', 'empty', 'new'):
        check_overwrite(work / folder, {'name': 'a', 'datasets': {'train': {'dataroot': 'data'}}}, 'a.yml')


@pytest.mark.parametrize('folder', ['.', 'data', 'data/image.png', 'experiments'])
def test_nothing_else_is_moved_away(work, folder):
    with pytest.raises(OptionError, match='is there and is not of a run; it would be renamed'):
        check_overwrite(work / folder, {}, 'a.yml')


@pytest.mark.parametrize(
    ('opt', 'option_file', 'message'),
    [
        ({'path': {'pretrain_network_g': 'experiments/a/models/net.pth'}}, 'a.yml', '^path:pretrain_network_g: exp'),
        ({'datasets': {'train': {'dataroot': 'experiments/../experiments/a'}}}, 'a.yml', '^datasets:train:dataroot: '),
        ({}, 'experiments/a/models/net.pth', '^option file: .*give the run another name'),
    ],
)
def test_what_a_run_needs_is_not_moved_away_before_it_starts(work, opt, option_file, message):
    with pytest.raises(OptionError, match=message):
        check_overwrite(work / 'experiments/a', opt, option_file)


def _hold_in_another_process(folder, queue):
    try:
        lock_folder(folder)
        queue.put('held')
    except Exception as error:
        queue.put(f'{error}')


def in_another_process(folder):
    context = multiprocessing.get_context('fork')
    queue = context.Queue()
    process = context.Process(target=_hold_in_another_process, args=(folder, queue))
    process.start()
    process.join()
    return queue.get()


@pytest.mark.parametrize('system', ['POSIX', 'Windows'])
def test_a_folder_is_held_by_one_process_at_a_time(tmp_path, monkeypatch, system):
    if system == 'Windows':
        monkeypatch.setattr(run_folder_module, 'fcntl', None)
    folder = tmp_path / 'run'
    folder.mkdir()
    assert in_another_process(folder) == 'held'  # and let go of as it ended
    lock_folder(folder)
    lock_folder(folder)  # its own
    assert in_another_process(folder).startswith(f'{folder}: another run is writing to it')
