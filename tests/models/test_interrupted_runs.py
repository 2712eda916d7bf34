"""Nothing is lost: however a run is interrupted, what comes of it is, bit by bit, what an undisturbed run makes."""

import os
import random
import signal
import time

import pytest

from s3net_plugin.utils.checkpoint import load_weights_only
from s3net_plugin.utils.preemption import EXIT_STOPPED
from tests.models.commands import Command, until
from tests.models.runs import equal, result, states, steps

ITERATIONS = 20


@pytest.fixture(scope='module')
def undisturbed(prepare, tmp_path_factory):
    folder = tmp_path_factory.mktemp('undisturbed')
    Command(folder, 'train', '-opt', prepare(folder)).succeed()
    assert [step[0] for step in steps(folder)] == list(range(1, ITERATIONS + 1))
    return folder


def assert_same(folder, undisturbed):
    assert equal(result(folder), result(undisturbed))
    assert set(steps(folder)) == set(steps(undisturbed))


def half_written(folder):
    return list(folder.glob('experiments/*/*/.*'))


@pytest.mark.parametrize('workers', [0, 2])
def test_a_run_killed_at_random_moments_ends_like_one_that_was_not(prepare, undisturbed, tmp_path, workers):
    path = prepare(tmp_path, {'datasets:train:num_worker_per_gpu': workers, 'logger:save_checkpoint_freq': 1})
    chance = random.Random(workers)
    reached = [0]
    torn = 0
    while reached[-1] < 14:
        command = Command(tmp_path, 'train', '-opt', path, '--auto_resume', SECONDS=0.04)
        until(lambda: len(states(tmp_path)) > reached[-1])
        if len(reached) % 2:
            until(lambda: half_written(tmp_path), pause=0)
        else:
            time.sleep(chance.uniform(0, 0.1))
        command.kill(signal.SIGKILL)
        torn += len(half_written(tmp_path))
        reached.append(states(tmp_path)[-1])
    assert len(reached) > 4
    assert torn > 0
    Command(tmp_path, 'train', '-opt', path, '--auto_resume').succeed()
    assert_same(tmp_path, undisturbed)
    assert not half_written(tmp_path)


@pytest.mark.parametrize(
    ('number', 'to_group', 'workers'),
    [(signal.SIGTERM, True, 2), (signal.SIGUSR1, False, 0), (signal.SIGINT, True, 2)],
    ids=['SIGTERM_to_all_processes', 'SIGUSR1', 'Ctrl_C'],
)
def test_a_run_asked_to_stop_saves_and_goes_on_without_repeating_a_step(
    prepare, undisturbed, tmp_path, number, to_group, workers
):
    loader = {'datasets:train:num_worker_per_gpu': workers, 'datasets:train:persistent_workers': workers > 0}
    path = prepare(tmp_path, {**loader, 'logger:save_checkpoint_freq': 100})
    command = Command(tmp_path, 'train', '-opt', path, SECONDS=0.04)
    until(lambda: len(steps(tmp_path)) >= 5)
    if to_group:
        os.killpg(command.pid, number)
    else:
        command.kill(number)
    assert command.wait() == EXIT_STOPPED == 75, command.output
    last = steps(tmp_path)[-1][0]
    assert 5 <= last < ITERATIONS
    assert states(tmp_path) == [last]
    assert f'Asked to stop: saved iteration {last}; go on with --auto_resume.' in command.output
    Command(tmp_path, 'train', '-opt', prepare(tmp_path, loader), '--auto_resume').succeed()
    assert steps(tmp_path) == steps(undisturbed)
    assert_same(tmp_path, undisturbed)


def test_validation_is_left_when_asked_to_stop_and_made_up_for_later(prepare, undisturbed, tmp_path):
    signalling = {'logger:save_checkpoint_freq': 100, 'val:metrics': {'x': {'type': 'calculate_sigterm', 'at': 2}}}
    command = Command(tmp_path, 'train', '-opt', prepare(tmp_path, signalling))
    assert command.wait() == EXIT_STOPPED, command.output
    assert states(tmp_path) == [4]
    assert 'Validation val' not in command.output
    output = Command(tmp_path, 'train', '-opt', prepare(tmp_path), '--auto_resume').succeed().output
    assert output.index('Validation val') < output.index('iter:       5')
    assert output.count('Validation val') == 6  # iterations 4 to 20, and the end
    assert steps(tmp_path) == steps(undisturbed)
    assert_same(tmp_path, undisturbed)


def test_ctrl_c_ends_a_stock_model_in_one_line(prepare, tmp_path):
    path = prepare(tmp_path, {'model_type': 'SRModel', 'train:total_iter': 1e6})
    command = Command(tmp_path, 'train', '-opt', path)
    until(lambda: states(tmp_path))
    command.kill(signal.SIGINT)
    assert command.wait() == 130
    last = command.output.splitlines()[-1]
    assert last == 'basicsr: error: interrupted; --auto_resume goes on from the last state that was saved'
    assert 'Traceback' not in command.output


def test_a_test_that_is_interrupted_says_that_its_results_are_not_complete(prepare, tiny_options, tmp_path):
    set_ = tiny_options['datasets']['val']
    changes = {
        'datasets': {'test_1': {**set_, 'name': 'first'}, 'test_2': {**set_, 'name': 'second'}},
        # four methods on each of three images
        'val:metrics': {'x': {'type': 'calculate_sigterm', 'at': 13, 'number': int(signal.SIGINT)}},
        'val:suffix': None,
    }
    command = Command(tmp_path, 'test', '-opt', prepare(tmp_path, changes))
    assert command.wait() == 130
    assert command.output.splitlines()[-1] == 'basicsr: error: interrupted; the results are not complete'
    summary = (tmp_path / 'results/tiny/summary.md').read_text()
    assert '**Not complete**: the run has not come to second.' in summary
    assert '## first' in summary


def test_without_a_seed_the_run_keeps_the_one_that_it_drew(prepare, tmp_path):
    changes = {'manual_seed': None, 'train:total_iter': 8}
    path = prepare(tmp_path, changes)
    command = Command(tmp_path, 'train', '-opt', path, SECONDS=0.04)
    until(lambda: len(steps(tmp_path)) >= 3)
    command.kill(signal.SIGTERM)
    assert command.wait() == EXIT_STOPPED, command.output
    Command(tmp_path, 'train', '-opt', path, '--auto_resume').succeed()
    # The one epoch shows each of the 2 x 40 images once as input, whose name comes before that of the target.
    inputs = [name.split('__to__')[0] for step in steps(tmp_path) for name in step[2:]]
    assert len(inputs) == len(set(inputs)) == 80


def test_a_full_disk_ends_the_run_in_one_line_and_leaves_what_was_there(prepare, tmp_path):
    changes = {'network_g:channels': 64, 'network_g:dropout': 0, 'val:val_freq': 2}
    path = prepare(tmp_path, changes)
    command = Command(tmp_path, 'train', '-opt', path, DISK_FULL_AT=4)
    assert command.wait() == 1
    models = tmp_path / 'experiments/tiny/models'
    error = [line for line in command.output.splitlines() if line][-1]
    assert error.startswith(f'basicsr: error: {models}/net_g_4.pth: cannot be saved (')
    assert 'Traceback' not in command.output
    assert sorted(file.name for file in models.iterdir()) == ['net_g_2.pth', 'net_g_best.pth']
    assert all(load_weights_only(file)['params'] for file in models.iterdir())
    assert states(tmp_path) == [2]
    Command(tmp_path, 'train', '-opt', path, '--auto_resume').succeed()
    Command(tmp_path / 'whole', 'train', '-opt', prepare(tmp_path / 'whole', changes)).succeed()
    assert_same(tmp_path, tmp_path / 'whole')


def test_torn_files_are_passed_over_and_old_states_dropped_but_never_the_best(prepare, undisturbed, tmp_path):
    path = prepare(tmp_path, {'train:keep_last': 3, 'train:total_iter': 12})
    Command(tmp_path, 'train', '-opt', path).succeed()
    models, folder = tmp_path / 'experiments/tiny/models', tmp_path / 'experiments/tiny/training_states'
    assert states(tmp_path) == [8, 10, 12]
    kept = {'net_g_8.pth', 'net_g_10.pth', 'net_g_12.pth', 'net_g_best.pth', 'net_g_latest.pth'}
    assert {file.name for file in models.iterdir()} == kept
    for torn in (models / 'net_g_12.pth', folder / '10.state'):
        torn.write_bytes(torn.read_bytes()[:-100])
    command = Command(tmp_path, 'train', '-opt', prepare(tmp_path), '--auto_resume').succeed()
    for passed, file in ((12, 'net_g_12.pth'), (10, '10.state')):
        line = next(line for line in command.output.splitlines() if f'passing over {passed}.state' in line)
        assert f'{file}: not a whole checkpoint' in line
    assert 'Resuming training from epoch: 0, iter: 8.' in command.output
    assert_same(tmp_path, undisturbed)
