"""Real runs of the real commands."""

import csv
import shutil

import cv2

from s3net_plugin.utils.checkpoint import load_weights_only
from tests.models.commands import Command


def test_training_leaves_what_basicsr_leaves_in_the_working_directory(trained):
    result, folder = trained.result, trained.folder
    assert {path.name for path in (folder / 'models').iterdir()} == {
        *('net_g_1.pth', 'net_g_2.pth', 'net_g_latest.pth', 'net_g_best.pth')
    }
    assert {path.name for path in (folder / 'training_states').iterdir()} == {'1.state', '2.state'}
    assert all(text in result.stderr for text in ('l_pix:', 'l_wssim:', 'iter:       2', '# psnr:'))
    assert list((trained.root / 'tb_logger/tiny').glob('events*'))
    assert 'l_wssim:' in next(folder.glob('train_tiny_*.log')).read_text()


def test_results_and_panels_stand_side_by_side(trained):
    folder = trained.folder / 'visualization'
    images = sorted(folder.glob('*/*_2.png'))
    assert len(images) == 2
    for path in images:
        assert cv2.imread(str(path)).shape == (32, 32, 3)
        assert cv2.imread(str(path.with_name(f'{path.stem}_panel.png'))).shape[1] > 5 * 32


def test_testing_writes_scores_of_the_network_and_of_the_baselines(trained, options, write_options, tmp_path):
    weights = trained.folder / 'models/net_g_latest.pth'
    test = {key: options[key] for key in ('model_type', 'scale', 'num_gpu', 'manual_seed', 'network_g')}
    test |= {'name': 'tiny_test', 'path': {'pretrain_network_g': str(weights), 'param_key_g': 'params_ema'}}
    test |= {'datasets': {'test': {**options['datasets']['val'], 'name': 'set', 'batch_size_per_gpu': 2}}}
    test |= {'val': {**options['val'], 'suffix': None}}
    command = Command(tmp_path, 'test', '-opt', write_options(test)).succeed()
    folder = tmp_path / 'results/tiny_test'
    with (folder / 'metrics.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['method'] for row in rows] == ['model', 'copy_input', 'colour_transfer', 'shading_transfer'] * 2
    assert {row['dataset'] for row in rows} == {'set'}
    mean = sum(float(row['psnr']) for row in rows if row['method'] == 'model') / 2
    assert f'# psnr: {mean:.4f}' in command.output
    assert len(list((folder / 'visualization/set').glob('*_tiny_test.png'))) == 2


def test_a_run_goes_on_from_the_newest_whole_pair_wherever_its_folder_is(trained, options, write_options, tmp_path):
    folder = shutil.copytree(trained.folder, tmp_path / 'elsewhere/run')
    torn = folder / 'models/net_g_2.pth'
    torn.write_bytes(torn.read_bytes()[:1000])
    options['train']['total_iter'] = 3
    # What training once started from does not matter any more.
    options['network_g']['encoder_weights'] = 'imagenet'
    options['path'] |= {'pretrain_network_g': 'gone.pth', 'experiments_root': str(folder)}
    command = Command(tmp_path, 'train.py', '-opt', write_options(options), '--auto_resume').succeed()
    assert 'passing over 2.state' in command.output
    assert 'iter: 1.' in command.output  # Resuming training from
    assert 'iter:       1,' not in command.output
    for iteration in (2, 3):
        assert f'iter:       {iteration},' in command.output
        assert load_weights_only(folder / f'models/net_g_{iteration}.pth')['params']
    assert not (tmp_path / 'experiments').exists()


def test_a_run_goes_on_and_is_tested_with_the_network_that_was_trained_only(trained, options, write_options, tmp_path):
    experiment = shutil.copytree(trained.folder, tmp_path / 'experiments/tiny')
    before = sorted(experiment.rglob('*'))
    options['network_g']['residual'] = False
    difference = 'was trained with another network_g: residual is true there and false here; make them equal\n'
    command = Command(tmp_path, 'train.py', '-opt', write_options(options), '--auto_resume')
    assert command.wait() == 2
    checkpoint = experiment / 'models/net_g_2.pth'
    assert command.output == f'basicsr: error: {checkpoint} (from which the run goes on) {difference}'
    options['path']['pretrain_network_g'] = str(checkpoint)
    options['datasets'] = {'test': options['datasets']['val']}
    options['val']['suffix'] = None
    command = Command(tmp_path, 'test.py', '-opt', write_options(options))
    assert command.wait() == 2
    assert command.output.endswith(f'path:pretrain_network_g: {checkpoint} {difference}')
    assert sorted(experiment.rglob('*')) == before
    assert not (tmp_path / 'results').exists()


def test_a_run_ends_at_total_iter_and_wandb_has_it_under_an_id_that_stays(options, write_options, tmp_path):
    # 120 samples in batches of 50: two iterations an epoch, where BasicSR counts three.
    options['datasets']['train']['batch_size_per_gpu'] = 50
    options['train'] |= {'total_iter': 5, 'wssim_opt': None}
    options['datasets'].pop('val')
    options['logger'] |= {'save_checkpoint_freq': 100, 'wandb': {'project': 'relighting', 'offline': True}}
    command = Command(tmp_path, 'train.py', '-opt', write_options(options)).succeed()
    assert 'iter:       5' in command.output
    assert 'iter:       6' not in command.output
    identity = (tmp_path / 'experiments/tiny/wandb_id').read_text()
    (run,) = (tmp_path / 'wandb').glob('offline-run-*')
    assert run.name.endswith(identity)
