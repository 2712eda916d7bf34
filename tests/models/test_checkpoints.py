import pytest

from s3net_plugin.models.checkpoints import prune


@pytest.fixture
def experiment(tmp_path):
    """Folders of an experiment with states of four iterations, of which 500 is a leftover from before going back."""
    models, states = tmp_path / 'models', tmp_path / 'training_states'
    for folder in (models, states):
        folder.mkdir()
    for iteration in (9, 10, 100, 500):
        (states / f'{iteration}.state').touch()
        (models / f'net_g_{iteration}.pth').touch()
    for name in ('best', 'latest'):
        (models / f'net_g_{name}.pth').touch()
    (states / 'mine.state').touch()
    return {'models': models, 'training_states': states}


def names(folder):
    return {path.stem.removeprefix('net_g_') for path in folder.iterdir()}


@pytest.mark.parametrize(('keep', 'left'), [(1, {'100'}), (2, {'10', '100'}), (3, {'9', '10', '100'}), (9, None)])
def test_the_newest_stay_and_so_do_the_best_the_latest_and_what_lies_ahead(experiment, keep, left):
    left = left or {'9', '10', '100'}
    prune(experiment, keep, newest=100)
    assert names(experiment['models']) == left | {'500', 'best', 'latest'}
    assert names(experiment['training_states']) == left | {'500', 'mine'}


def test_the_latest_network_which_has_no_state_prunes_nothing(experiment):
    prune(experiment, 1, newest=-1)
    assert len(names(experiment['training_states'])) == 5
