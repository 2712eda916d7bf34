import pytest
import yaml

from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.yaml_file import read_option_file


def write(tmp_path, text):
    path = tmp_path / 'options.yml'
    path.write_text(text)
    return path


def test_plain_values_come_back_as_they_are(tmp_path):
    path = write(tmp_path, 'name: a\ntrain: {lr: 0.001, betas: [0.9, 0.99], ema: ~}\n')
    assert read_option_file(path) == {'name': 'a', 'train': {'lr': 0.001, 'betas': [0.9, 0.99], 'ema': None}}


@pytest.mark.skipif(not hasattr(yaml, 'CSafeLoader'), reason='PyYAML without libyaml, which BasicSR takes if it can')
def test_tabs_between_values_and_before_comments_are_read_as_basicsr_reads_them(tmp_path):
    path = write(tmp_path, 'name:\ta\t# comment\ntrain:\t\n  betas: [1,\t2]\t\n')
    assert read_option_file(path) == {'name': 'a', 'train': {'betas': [1, 2]}}


@pytest.mark.parametrize('tag', ['!!python/object/apply:os.system', '!!python/name:os.system', '!!python/module:os'])
def test_a_tag_that_builds_python_objects_is_refused_and_not_run(tmp_path, tag):
    marker = tmp_path / 'ran'
    value = f"['touch {marker}']" if 'apply' in tag else "''"
    path = write(tmp_path, f'name: a\nevil: {tag} {value}\n')
    with pytest.raises(OptionError, match=r'line 2.*tag.*refused'):
        read_option_file(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('a: [1, 2\n', 'line 2'),
        ('- a\n- b\n', 'mapping'),
        ('one: &one {a: *one}\n', 'a section holds itself, by an alias'),
        (None, 'no such option file'),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_its_place(tmp_path, text, message):
    path = write(tmp_path, text) if text else tmp_path / 'nowhere.yml'
    with pytest.raises(OptionError, match=message) as caught:
        read_option_file(path)
    assert str(path) in str(caught.value)
    assert '\n' not in str(caught.value)


def test_of_a_key_that_is_given_twice_the_last_value_counts_and_that_is_said(tmp_path, capsys):
    path = write(tmp_path, 'name: a\ntrain:\n  gt: ~\n  lr: 1\n  gt: b\n')
    assert read_option_file(path) == {'name': 'a', 'train': {'gt': 'b', 'lr': 1}}
    assert capsys.readouterr().out == f"{path}, line 5: 'gt' is given twice; the last one counts\n"


def test_forced_values_are_read_as_basicsr_reads_them(tmp_path):
    path = write(tmp_path, 'name: a\ntrain: {total_iter: 5, flag: false, list: [1]}\npath: {p: x}\n')
    opt = read_option_file(path, ['train:total_iter=7', 'train:flag=true', 'train:list=[2, 3]', 'path:p=~', 'name=b'])
    assert opt == {'name': 'b', 'train': {'total_iter': 7, 'flag': True, 'list': [2, 3]}, 'path': {'p': None}}


def test_a_forced_key_may_be_any_that_stands_in_the_file(tmp_path):
    path = write(tmp_path, 'val: {metrics: {psnr-y: {crop_border: 0}}}\n')
    assert read_option_file(path, ['val:metrics:psnr-y:crop_border = 4'])['val']['metrics'] == {
        'psnr-y': {'crop_border': 4}
    }


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        ('trian:total_iter=1', "no section 'trian'; did you mean 'train'"),
        ('train:total_iter', 'expected key:key=value'),
        ('train"]=__import__("os").system("true");opt["x=1', 'expected key:key=value'),
        ('train:x=[__import__("os").getcwd()]', 'not a list of plain values'),
    ],
)
def test_a_forced_entry_can_only_assign_a_plain_value(tmp_path, entry, message):
    path = write(tmp_path, 'train: {total_iter: 5}\n')
    with pytest.raises(OptionError, match=message):
        read_option_file(path, [entry])


def test_a_mapping_that_is_merged_elsewhere_may_give_merged_keys_anew(tmp_path):
    text = 'base: &base {one: 1, two: 2}\ndeep: {own: &own {<<: *base, one: 3}}\nlast: {<<: *own, two: 4}\n'
    opt = read_option_file(write(tmp_path, text))
    assert opt['deep']['own'] == {'one': 3, 'two': 2}
    assert opt['last'] == {'one': 3, 'two': 4}


def test_an_alias_is_a_section_of_its_own(tmp_path):
    opt = read_option_file(write(tmp_path, 'one: &one {a: 1}\ntwo: *one\n'))
    opt['one']['a'] = 2
    assert opt['two'] == {'a': 1}
