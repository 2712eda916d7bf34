"""Real runs of the real commands."""

import csv
import shutil

import cv2
import torch

from s3net_plugin.utils.checkpoint import load_weights_only


def test_training_leaves_what_basicsr_leaves_in_the_working_directory(trained):
    result, folder = trained.result, trained.folder
    assert {path.name for path in (folder / 'models').iterdir()} == {
        *('net_g_1.pth', 'net_g_2.pth', 'net_g_latest.pth', 'net_g_best.pth')
    }
    assert {path.name for path in (folder / 'training_states').iterdir()} == {'1.state', '2.state'}
    assert 'l_pix:' in result.stderr
    assert 'l_wssim:' in result.stderr
    assert 'iter:       2' in result.stderr
    assert '# psnr:' in result.stderr
    assert list((trained.root / 'tb_logger/tiny').glob('events*'))
    log = next(folder.glob('train_tiny_*.log')).read_text()
    assert 'l_wssim:' in log


def test_checkpoints_say_which_network_they_hold(trained):
    content = load_weights_only(trained.folder / 'models/net_g_latest.pth')
    assert content['network_g'] == {'type': 'S3Net', 'encoder': 'resnet10t', 'residual': True}
    assert content['params'].keys() == content['params_ema'].keys()


def test_the_averaged_network_has_the_statistics_of_the_trained_one(trained):
    content = load_weights_only(trained.folder / 'models/net_g_latest.pth')
    statistics = [name for name in content['params'] if name.endswith(('running_mean', 'num_batches_tracked'))]
    assert statistics
    for name in statistics:
        assert torch.equal(content['params'][name], content['params_ema'][name])
    weights = [name for name, value in content['params'].items() if value.ndim == 4]
    assert any(not torch.equal(content['params'][name], content['params_ema'][name]) for name in weights)


def test_results_and_panels_stand_side_by_side(trained):
    folder = trained.folder / 'visualization'
    images = sorted(folder.glob('*/*_2.png'))
    assert len(images) == 2
    for path in images:
        assert cv2.imread(str(path)).shape == (32, 32, 3)
        assert cv2.imread(str(path.with_name(f'{path.stem}_panel.png'))).shape[1] > 5 * 32


def test_testing_writes_scores_of_the_network_and_of_the_baselines(trained, basicsr, options, write_options, tmp_path):
    weights = trained.folder / 'models/net_g_latest.pth'
    test = {key: options[key] for key in ('model_type', 'scale', 'num_gpu', 'manual_seed', 'network_g')}
    test |= {'name': 'tiny_test', 'path': {'pretrain_network_g': str(weights), 'param_key_g': 'params_ema'}}
    test |= {'datasets': {'test': {**options['datasets']['val'], 'name': 'set', 'batch_size_per_gpu': 2}}}
    test |= {'val': {**options['val'], 'suffix': None}}
    result = basicsr('test', '-opt', write_options(test, 'test.yml'))
    assert result.returncode == 0, result.stderr
    folder = tmp_path / 'results/tiny_test'
    with (folder / 'metrics.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['method'] for row in rows] == ['model', 'copy_input', 'colour_transfer', 'shading_transfer'] * 2
    assert {row['dataset'] for row in rows} == {'set'}
    mean = sum(float(row['psnr']) for row in rows if row['method'] == 'model') / 2
    assert f'# psnr: {mean:.4f}' in result.stderr
    assert len(list((folder / 'visualization/set').glob('*_tiny_test.png'))) == 2


def test_a_resumed_run_goes_on_where_it_stopped(trained, basicsr, options, write_options, tmp_path):
    shutil.copytree(trained.root, tmp_path, dirs_exist_ok=True)
    options['train']['total_iter'] = 3
    # What training once started from does not matter any more.
    options['network_g']['encoder_weights'] = 'imagenet'
    options['path']['pretrain_network_g'] = 'gone.pth'
    result = basicsr('train.py', '-opt', write_options(options), '--auto_resume')
    assert result.returncode == 0, result.stderr
    assert 'iter: 2.' in result.stderr  # Resuming training from
    assert 'iter:       3' in result.stderr
    assert 'iter:       2,' not in result.stderr
    assert (tmp_path / 'experiments/tiny/models/net_g_3.pth').exists()


def test_a_run_goes_on_and_is_tested_with_the_network_that_was_trained_only(
    trained, basicsr, options, write_options, tmp_path
):
    shutil.copytree(trained.root, tmp_path, dirs_exist_ok=True)
    before = sorted(tmp_path.rglob('*'))
    options['network_g']['residual'] = False
    difference = 'was trained with another network_g: residual is true there and false here; make them equal\n'
    result = basicsr('train.py', '-opt', write_options(options), '--auto_resume')
    assert result.returncode == 2
    checkpoint = tmp_path / 'experiments/tiny/models/net_g_2.pth'
    assert result.stderr == f'basicsr: error: {checkpoint} (from which the run goes on) {difference}'
    options['path']['pretrain_network_g'] = str(checkpoint)
    options['datasets'] = {'test': options['datasets']['val']}
    options['val']['suffix'] = None
    result = basicsr('test.py', '-opt', write_options(options))
    assert result.returncode == 2
    assert result.stderr.endswith(f'path:pretrain_network_g: {checkpoint} {difference}')
    assert sorted(tmp_path.rglob('*')) == before


def test_auto_resume_passes_over_torn_files_and_finds_the_experiments_root(basicsr, options, write_options, tmp_path):
    options['path']['experiments_root'] = str(tmp_path / 'elsewhere/run')
    options['val'] = {**options['val'], 'metrics': None, 'save_img': False}
    path = write_options(options)
    assert basicsr('train.py', '-opt', path).returncode == 0
    assert not (tmp_path / 'experiments').exists()
    torn = tmp_path / 'elsewhere/run/models/net_g_2.pth'
    torn.write_bytes(torn.read_bytes()[:1000])
    result = basicsr('train.py', '-opt', path, '--auto_resume')
    assert result.returncode == 0, result.stderr
    assert 'passing over 2.state' in result.stdout
    assert 'iter: 1.' in result.stderr
    assert load_weights_only(torn)['params']


def test_a_run_ends_at_total_iter_whatever_the_last_batch(basicsr, options, write_options, tmp_path):
    # 120 samples in batches of 50: two iterations an epoch, where BasicSR counts three.
    options['datasets']['train'] |= {'batch_size_per_gpu': 50, 'resize': 32}
    options['train'] = {**options['train'], 'total_iter': 5, 'wssim_opt': None}
    options['datasets'].pop('val')
    options['logger'] |= {'use_tb_logger': False, 'save_checkpoint_freq': 100}
    result = basicsr('train.py', '-opt', write_options(options))
    assert result.returncode == 0, result.stderr
    assert 'iter:       5' in result.stderr
    assert 'iter:       6' not in result.stderr


def test_wandb_runs_offline_under_an_id_that_stays_with_the_experiment(basicsr, options, write_options, tmp_path):
    options['datasets'].pop('val')
    options['logger']['wandb'] = {'project': 'relighting', 'offline': True}
    result = basicsr('train.py', '-opt', write_options(options))
    assert result.returncode == 0, result.stderr
    identity = (tmp_path / 'experiments/tiny/wandb_id').read_text()
    (run,) = (tmp_path / 'wandb').glob('offline-run-*')
    assert run.name.endswith(identity)
