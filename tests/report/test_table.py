from s3net_plugin.report.table import count, markdown_table, number


def test_a_table_is_aligned_and_keeps_its_columns_whatever_is_in_a_cell():
    text = markdown_table(['name', 'psnr ↑'], [['a|b', '1'], ['longer name', '20.5']])
    lines = text.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1].replace('-', '') == '|  |  |'
    assert r'a\|b' in lines[2]


def test_large_numbers_are_short_and_missing_ones_are_named():
    assert [count(n) for n in (317_593_715_712, 49_350_000, 1500, 7)] == ['317.6 G', '49.35 M', '1.5 k', '7']
    assert count(None) == 'not counted'
    assert (number(19.22), number(None)) == ('19.2200', 'not finite')
