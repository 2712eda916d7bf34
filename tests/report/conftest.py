import logging
from contextlib import contextmanager

import pytest
from matplotlib.figure import Figure

from s3net_plugin.report.summary import Row


@pytest.fixture
def make_rows():
    """Rows of the network and of copying the input, with the given PSNR of the network."""

    def make(psnr, size=(48, 64)):
        rows = []
        for position, score in enumerate(psnr):
            name = f'Pair{position:03}'
            scores = {'psnr': score, 'lpips': 1 / (1 + position)}
            rows.append(Row(position, name, size, 'model', scores, 0.5 + position))
            rows.append(Row(position, name, size, 'copy_input', {'psnr': 10.0, 'lpips': 0.5}, float('nan')))
        return rows

    return make


@pytest.fixture
def drawn(monkeypatch):
    """The figures that would be written."""
    figures = []
    monkeypatch.setattr(Figure, 'savefig', lambda self, path, dpi: (figures.append(self), path.write_bytes(b'x')))
    return figures


@contextmanager
def listen():
    """What BasicSR's logger is given."""
    found = []
    handler = logging.Handler()
    handler.emit = lambda record: found.append(record.getMessage())
    logger = logging.getLogger('basicsr')
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield found
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture
def messages():
    with listen() as found:
        yield found
