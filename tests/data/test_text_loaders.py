"""AG News and MultiRC on real files (where a mirror is set) and on small hand-written ones."""

import json

import numpy as np
import pytest
from test_loaders import needs

import lib.data as data
from lib.data.loaders_texts import parse_ag_news, parse_multirc


def test_ag_news_has_the_published_counts():
    needs("ag-news")
    news = data.load("ag-news")
    assert np.bincount(news.test.label).tolist() == [1900] * 4 and len(news.train) == 5000
    assert news.test.text[0].startswith("Fears for T N pension after talks Unions representing")
    assert not news.train.text.isin(news.test.text).any()


def test_multirc_has_the_published_counts():
    needs("multirc")
    multirc = data.load("multirc")
    assert (len(multirc.train), len(multirc.dev)) == (27_243, 4_848)
    assert (multirc.train.passage.nunique(), multirc.dev.passage.nunique()) == (456, 83)
    assert set(multirc.train.label) == {0, 1}


def test_ag_news_rows_are_parsed_and_line_breaks_become_spaces():
    table = parse_ag_news(b'"3","A ""quoted"" title","second\\line, with comma"\n"1","","only text"\n')
    assert table.text.tolist() == ['A "quoted" title second line, with comma', "only text"]
    assert table.label.tolist() == [2, 0]


@pytest.mark.parametrize("content", [b'"5","a","b"\n', b'"1","a"\n', b"class,title,text\n"])
def test_malformed_ag_news_is_refused(content):
    with pytest.raises(data.DataError, match="row 1"):
        parse_ag_news(content)


def test_official_ag_news_files_can_be_passed(tmp_path):
    for part in ("train", "test"):
        (tmp_path / part).write_text(f'"2","{part}","text"\n')
    news = data.load("ag-news", train=tmp_path / "train", test=tmp_path / "test")
    assert news.train.text.tolist() == ["train text"] and news.test.label.tolist() == [1]


def test_multirc_gives_one_row_an_answer():
    answers = [{"text": "yes", "label": 1}, {"text": "no", "label": 0}]
    line = json.dumps({"passage": {"text": "p", "questions": [{"question": "q", "answers": answers}]}})
    assert parse_multirc(line.encode()).values.tolist() == [["p", "q", "yes", 1], ["p", "q", "no", 0]]
    with pytest.raises(data.DataError, match="line 1"):
        parse_multirc(b'{"passage": {"text": "p"}}')
