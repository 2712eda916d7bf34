import torch

from s3net_plugin.benchmark.memory import PeakMemory

MEBIBYTE = 2**20


def test_peak_and_rest_are_exact():
    def work():
        first = torch.empty(MEBIBYTE, dtype=torch.uint8)
        second = torch.empty(2 * MEBIBYTE, dtype=torch.uint8)
        del first
        third = torch.empty(4 * MEBIBYTE, dtype=torch.uint8)
        del second
        return third

    kept, held, peak = PeakMemory(torch.device('cpu')).during(work)
    assert kept.numel() == held == 4 * MEBIBYTE
    assert peak == 6 * MEBIBYTE


def test_what_was_there_before_does_not_count():
    before = [torch.empty(8 * MEBIBYTE, dtype=torch.uint8)]
    _, held, peak = PeakMemory(torch.device('cpu')).during(lambda: torch.empty(MEBIBYTE, dtype=torch.uint8).max())
    assert before
    assert held < MEBIBYTE <= peak < 2 * MEBIBYTE
