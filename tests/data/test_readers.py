import pickle

import cv2
import numpy as np
import pytest

from s3net_plugin.data.readers import DiskReader

RGB = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)


@pytest.fixture
def root(tmp_path):
    (tmp_path / 'input').mkdir()
    cv2.imwrite(str(tmp_path / 'input' / 'b.png'), RGB[..., ::-1])
    np.save(tmp_path / 'input' / 'a.npy', np.full((6, 7), 0.25, np.float32))
    (tmp_path / 'input' / '._b.png').write_bytes(b'left by macOS')
    (tmp_path / 'input' / 'folder.png').mkdir()
    return tmp_path


def test_files_are_listed_sorted_without_folders_and_hidden_ones(root):
    reader = DiskReader(str(root))
    assert reader.list('input') == ['a.npy', 'b.png']
    assert reader.list('') == reader.list('target') == []


def test_a_pickled_reader_reads_the_same(root):
    for reader in (DiskReader(str(root)), pickle.loads(pickle.dumps(DiskReader(str(root))))):
        np.testing.assert_array_equal(reader.image('input/b.png'), RGB)
        np.testing.assert_array_equal(reader.depth('input/a.npy'), np.full((6, 7), 0.25, np.float32))
        assert reader.path('input/b.png') == str(root / 'input' / 'b.png')


def test_errors_name_the_path(root):
    reader = DiskReader(str(root))
    with pytest.raises(FileNotFoundError, match=r'input/c\.png'):
        reader.image('input/c.png')
    (root / 'input' / 'a.npy').write_bytes(b'')
    with pytest.raises(ValueError, match=f'^{root}/input/a.npy: '):
        reader.depth('input/a.npy')


def test_targets_can_be_elsewhere(root, tmp_path):
    (tmp_path / 'elsewhere').mkdir()
    cv2.imwrite(str(tmp_path / 'elsewhere' / 'b.png'), RGB)
    reader = DiskReader(str(root), target=tmp_path / 'elsewhere')
    assert reader.list('target') == ['b.png']
    np.testing.assert_array_equal(reader.image('target/b.png'), RGB[..., ::-1])
    np.testing.assert_array_equal(reader.image('input/b.png'), RGB)
    assert reader.path('target') == str(root / 'target')  # a file of that name in the root
