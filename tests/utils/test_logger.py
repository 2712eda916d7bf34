from basicsr.utils import get_root_logger, logger

from s3net_plugin.utils.logger import no_log_file_yet


def test_what_asks_for_the_logger_too_early_does_not_cost_the_log_file(monkeypatch, tmp_path):
    monkeypatch.setattr(logger, 'initialized_logger', {})
    monkeypatch.setattr(get_root_logger(), 'handlers', [])
    logger.initialized_logger.clear()
    with no_log_file_yet():
        get_root_logger()
    log = get_root_logger(log_file=str(tmp_path / 'train.log'))
    assert [type(handler).__name__ for handler in log.handlers] == ['StreamHandler', 'FileHandler']
    log.handlers[1].close()
