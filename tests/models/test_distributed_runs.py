"""Jobs of several processes: the same as one process with the whole batch, agreed in all, and never stuck."""

import csv
import os
import signal
import time

import pytest

from s3net_plugin.utils.checkpoint import load_weights_only
from s3net_plugin.utils.preemption import EXIT_STOPPED
from tests.models.commands import Command, free_port, launch, succeed, until
from tests.models.runs import damaged, equal, result, states, steps

# Plain gradient descent shows the gradient; Adam would blow up rounding where it is near zero. No dropout, since the
# processes draw their own masks.
PLAIN = {
    'network_g:dropout': 0,
    'train:optim_g': {'type': 'SGD', 'lr': 0.1},
    'train:total_iter': 6,
    'datasets:train:batch_size_per_gpu': 5,
}


def run_pair(folder, path, *flags, **environment):
    succeed(launch(folder, 2, 'train', '-opt', path, *flags, **environment))


def samples(folder, ranks):
    """Return the samples of every iteration over all processes."""
    found = {}
    for rank in range(ranks):
        for iteration, _, *names in steps(folder, rank):
            found.setdefault(iteration, []).extend(names)
    return {iteration: sorted(names) for iteration, names in found.items()}


def weights(folder, key='params'):
    return load_weights_only(folder / 'experiments/tiny/models/net_g_latest.pth')[key]


def furthest(a, b):
    return max((a[name] - b[name]).abs().max().item() for name in a if a[name].is_floating_point())


@pytest.fixture(scope='module')
def pair(prepare, tmp_path_factory):
    folder = tmp_path_factory.mktemp('pair')
    run_pair(folder, prepare(folder, PLAIN))
    return folder


def test_two_processes_hold_the_same_parameters_as_one_with_twice_the_batch(prepare, tmp_path):
    """Equal: samples, and gradients and weights up to the order of sums. BatchNorm is left out, see the next test."""
    both = {**PLAIN, 'network_g:batch_norm': False}
    run_pair(tmp_path / 'two', prepare(tmp_path / 'two', both))
    first, second = steps(tmp_path / 'two', 0), steps(tmp_path / 'two', 1)
    assert [step[:2] for step in first] == [step[:2] for step in second]
    assert not {step[2:] for step in first} & {step[2:] for step in second}
    whole = prepare(tmp_path / 'one', {**both, 'datasets:train:batch_size_per_gpu': 10})
    Command(tmp_path / 'one', 'train', '-opt', whole).succeed()
    assert samples(tmp_path / 'two', 2) == samples(tmp_path / 'one', 1)
    for key in ('params', 'params_ema'):
        assert furthest(weights(tmp_path / 'two', key), weights(tmp_path / 'one', key)) < 1e-6


def test_batch_norm_in_training_sees_its_own_process_only(prepare, pair, tmp_path):
    """Not equal without SyncBatchNorm, which is for GPUs: each process normalises by its own half of the batch."""
    whole = prepare(tmp_path, {**PLAIN, 'datasets:train:batch_size_per_gpu': 10})
    Command(tmp_path, 'train', '-opt', whole).succeed()
    assert samples(pair, 2) == samples(tmp_path, 1)
    assert furthest(weights(pair), weights(tmp_path)) > 1e-4


def for_test(pair, tiny_options, images):
    """Changes for a test of what ``pair`` has trained, on a few images."""
    trained = {'pretrain_network_g': str(pair / 'experiments/tiny/models/net_g_latest.pth')}
    data = {**tiny_options['datasets']['val'], 'num_samples': images, 'batch_size_per_gpu': 2}
    val = {**tiny_options['val'], 'save_img': True, 'suffix': None}
    return {'datasets': {'test': data}, 'path': trained, 'val': val}


def test_no_process_writes_before_the_first_has_moved_old_results_away(prepare, pair, tiny_options, tmp_path):
    path = prepare(tmp_path, for_test(pair, tiny_options, 2))
    succeed(launch(tmp_path, 2, 'test', '-opt', path, SECONDS_TO_START=0.5))
    assert len(list(tmp_path.glob('results/tiny/visualization/val/*_panel.png'))) == 2
    assert len(list(tmp_path.glob('results/*'))) == 1


@pytest.mark.parametrize('images', [1, 2, 5])
def test_scores_do_not_depend_on_the_number_of_processes(prepare, pair, tiny_options, tmp_path, images):
    rows = {}
    for processes in (1, 2, 3):
        folder = tmp_path / str(processes)
        path = prepare(folder, for_test(pair, tiny_options, images))
        succeed(launch(folder, processes, 'test', '-opt', path))
        with (folder / 'results/tiny/metrics.csv').open() as file:
            rows[processes] = [(row['image'], row['method'], row['psnr']) for row in csv.DictReader(file)]
        for kind in ('tiny', 'panel'):
            assert len(list(folder.glob(f'results/tiny/visualization/val/*_{kind}.png'))) == images
    assert len(rows[1]) == 4 * images
    assert rows[1] == rows[2] == rows[3]


def test_validation_in_training_gives_every_process_the_same_result(prepare, tmp_path):
    validated = {'val:val_freq': 2, 'datasets:val:num_samples': 3, 'logger:save_checkpoint_freq': 1}
    run_pair(tmp_path, prepare(tmp_path, {**PLAIN, **validated}))
    best = result(tmp_path)[1]['validation']['val']['psnr']
    assert best['iter'] in (2, 4)  # the state of iteration 6 was written before its validation
    assert (tmp_path / 'experiments/tiny/models/net_g_best.pth').exists()


def test_a_step_that_fails_in_one_process_is_skipped_in_all(prepare, tmp_path):
    failing = {'train:bad_opt': {'type': 'FailingLoss', 'calls': [3], 'rank': 1}, 'network_g:batch_norm': False}
    path = prepare(tmp_path, {**PLAIN, **failing})
    first, _ = succeed(launch(tmp_path, 2, 'train', '-opt', path))
    steps_0, steps_1 = steps(tmp_path, 0), steps(tmp_path, 1)
    assert [step[:2] for step in steps_0] == [step[:2] for step in steps_1]
    assert steps_0[2][1] == steps_0[1][1] != steps_0[3][1]  # the third step changed nothing
    line = next(line for line in first.output.splitlines() if 'step skipped' in line)
    assert all(name in line for name in steps_1[2][2:])
    assert not any(name in line for name in steps_0[2][2:])


def test_too_many_failing_steps_end_all_processes_with_one_line(prepare, pair, tmp_path):
    failing = {'train:bad_opt': {'type': 'FailingLoss', 'calls': [2, 3], 'rank': 1}, 'train:max_nonfinite': 2}
    commands = launch(tmp_path, 2, 'train', '-opt', prepare(tmp_path, {**PLAIN, **failing}))
    assert [command.wait() for command in commands] == [1, 1]
    errors = [line for command in commands for line in command.output.splitlines() if 'error' in line]
    assert len(errors) == 1
    assert errors[0].startswith('basicsr: error: iteration 3: loss or gradient was not finite 2 times in a row')
    assert all(name in errors[0] for name in steps(pair, 1)[2][2:])
    assert not any(name in errors[0] for name in steps(pair, 0)[2][2:])


def test_all_processes_stop_when_one_is_asked_to_and_go_on_together(prepare, pair, tmp_path):
    path = prepare(tmp_path, {**PLAIN, 'logger:save_checkpoint_freq': 100})
    commands = launch(tmp_path, 2, 'train', '-opt', path, SECONDS=0.1, SECONDS_TO_SAVE=0.5)
    until(lambda: len(steps(tmp_path, 1)) >= 2)
    commands[1].kill(signal.SIGTERM)
    assert commands[1].wait() == EXIT_STOPPED
    assert len(states(tmp_path)) == 1  # whoever leaves earlier has the launcher end the one that saves
    assert commands[0].wait() == EXIT_STOPPED
    run_pair(tmp_path, prepare(tmp_path, PLAIN), '--auto_resume')
    assert steps(tmp_path, 0) == steps(pair, 0)
    # BatchNorm's running averages are those of the first process, for all, once training goes on.
    assert samples(tmp_path, 2) == samples(pair, 2)
    assert equal(result(tmp_path), result(pair))


def test_processes_draw_one_seed_where_none_is_given(prepare, tmp_path):
    run_pair(tmp_path, prepare(tmp_path, {**PLAIN, 'manual_seed': None, 'train:total_iter': 8}))
    inputs = [name.split('__to__')[0] for names in samples(tmp_path, 2).values() for name in names]
    assert len(inputs) == len(set(inputs)) == 80


def test_a_process_that_dies_ends_the_others(prepare, tmp_path):
    commands = launch(tmp_path, 2, 'train', '-opt', prepare(tmp_path, PLAIN), SECONDS=0.1)
    until(lambda: len(steps(tmp_path, 1)) >= 2)
    commands[1].kill(signal.SIGKILL)
    started = time.monotonic()
    assert commands[0].wait(timeout=30) != 0
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ('starter', 'environment'), [('torchrun', {'WORLD_SIZE': 2}), ('srun', {'SLURM_STEP_NUM_TASKS': 2})]
)
def test_several_processes_without_a_launcher_are_refused(prepare, tmp_path, starter, environment):
    command = Command(tmp_path, 'train', '-opt', prepare(tmp_path), **environment)
    assert command.wait() == 2
    launcher = {'torchrun': 'pytorch', 'srun': 'slurm'}[starter]
    assert command.output.splitlines()[-1] == (
        f'basicsr: error: {starter} has started 2 processes; add --launcher {launcher}, or start one'
    )
    assert not (tmp_path / 'experiments').exists()


def test_an_error_that_one_process_may_be_alone_with_says_which(prepare, rendered, tmp_path):
    path = prepare(tmp_path, {**PLAIN, 'datasets:train:dataroot': str(damaged(rendered, tmp_path / 'set'))})
    for rank, command in enumerate(launch(tmp_path, 2, 'train', '-opt', path)):
        assert command.wait() == 1
        line = command.output.splitlines()[-1]
        assert line.startswith(f"basicsr: error: process {rank}: train dataset 'train': ")


def test_a_job_started_by_slurm_reads_its_variables(prepare, tmp_path):
    scontrol = tmp_path / 'bin/scontrol'
    scontrol.parent.mkdir()
    scontrol.write_text('#!/bin/sh\n[ "$*" = "show hostnames node[1-2]" ] && printf "127.0.0.1\\nnode2\\n"\n')
    scontrol.chmod(0o755)
    path = prepare(tmp_path, {**PLAIN, 'train:total_iter': 2, 'dist_params': {'backend': 'nccl', 'port': None}})
    job = {'SLURM_NODELIST': 'node[1-2]', 'SLURM_NTASKS': 2, 'MASTER_PORT': free_port()}
    job['PATH'] = f'{scontrol.parent}{os.pathsep}{os.environ["PATH"]}'
    commands = [
        Command(tmp_path, 'train', '-opt', path, '--launcher', 'slurm', SLURM_PROCID=rank, SLURM_LOCALID=0, **job)
        for rank in range(2)
    ]
    succeed(commands)
    assert 'World size (gpu number): 2' in commands[0].output


@pytest.mark.parametrize('flag', [['--local-rank=0'], ['--local_rank', '0'], ['--local_rank=0'], ['--local-rank', '0']])
def test_both_spellings_of_the_local_rank_are_taken(prepare, tmp_path, flag):
    path = prepare(tmp_path, {**PLAIN, 'train:total_iter': 1})
    Command(tmp_path, 'train', '-opt', path, *flag).succeed()


def test_a_missing_launcher_is_one_line(prepare, tmp_path):
    for launcher, variable in (('pytorch', 'RANK'), ('slurm', 'SLURM_NODELIST')):
        command = Command(tmp_path, 'train', '-opt', prepare(tmp_path), '--launcher', launcher)
        assert command.wait() == 2
        line = command.output.splitlines()[-1]
        assert line.startswith(f"basicsr: error: --launcher {launcher}: the environment variable '{variable}' is not")
