"""What is wrong is said in one line, and nothing on disk is touched before that; ``tests/config`` has what can be."""

import pytest

from s3net_plugin.running.cli import main
from tests.conftest import ROOT, change

LIST = '- name\n'


@pytest.mark.parametrize(
    ('changes', 'flags', 'message'),
    [
        (LIST, (), 'options.yml: an option file is a mapping of names to values, got list'),
        ({'train:optim_g:lr': '1e-3'}, (), "options.yml: train:optim_g:lr: the text '1e-3', not a number"),
        ({}, ('--force_yml', 'train:pixel_opt:type=Nothing'), "train:pixel_opt:type: no loss named 'Nothing' is"),
        ({}, ('--force_yml', 'trian:total_iter=1'), "no section 'trian'; did you mean 'train'?"),
        (str(ROOT / 'options/s3net.yml'), (), 'https://github.com/majedelhelou/VIDIT'),
    ],
)
def test_a_file_that_has_to_be_changed_ends_in_one_line(
    options, write_options, tmp_path, monkeypatch, capsys, changes, flags, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'experiments/tiny').mkdir(parents=True)
    path = write_options(change(options, changes if isinstance(changes, dict) else {}))
    if changes == LIST:
        path.write_text(LIST)
    status = main(['train.py', '-opt', changes if str(changes).startswith('/') else str(path), *flags])
    error = capsys.readouterr().err
    assert (status, error.count('\n')) == (2, 1)
    assert error.startswith('basicsr: error: ') and message in error
    assert sorted(str(entry.relative_to(tmp_path)) for entry in tmp_path.rglob('*')) == [
        *('experiments', 'experiments/tiny', 'options.yml')
    ]


@pytest.mark.parametrize(
    ('argv', 'what'), [([], 'no command'), (['trian.py'], "'trian.py'"), (['-opt', 'a.yml'], "'-opt'")]
)
def test_an_unknown_job_is_named_and_gets_the_usage(argv, what, capsys):
    assert main(argv) == 2
    usage, error = capsys.readouterr().err.splitlines()
    assert usage.startswith('usage: basicsr train.py|test.py')
    assert what in error
