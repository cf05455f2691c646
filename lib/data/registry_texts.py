"""Registry entries of text data sets beyond SST-2. Data only, no code."""

from lib.data.entries import DataFile, DataSet

AG_NEWS = DataSet(
    name="ag-news",
    title="AG News topics: 5,000 rows of the training file, and the test file of 7,600",
    licence="AG's corpus: research and other non-commercial use",
    page="http://groups.di.unipi.it/~gulli/AG_corpus_of_news_articles.html",
    by_hand="ag_news_csv/train.csv is a part of the official file, and ag_news_csv/test.csv the whole one (Zhang, Zhao "
    "and LeCun 2015, ag_news_csv.tar.gz): put them there, or pass the official files as load('ag-news', train=PATH, "
    "test=PATH)",
    files=(
        DataFile(
            "ag_news_csv/train.csv", 1_215_893, "8182fd3b2dcecf7bde49c59afb3f4939c36d6e38537f2718fa0b017f3829a846"
        ),
        DataFile("ag_news_csv/test.csv", 1_857_427, "521465c2428ed7f02f8d6db6ffdd4b5447c1c701962353eb2c40d548c3c85699"),
    ),
)

MULTIRC = DataSet(
    name="multirc",
    title="MultiRC in SuperGLUE's form: 27,243 training and 4,848 development answers to questions on a text",
    licence="research use, its authors' terms (Khashabi et al. 2018)",
    page="https://super.gluebenchmark.com/tasks",
    archive="https://dl.fbaipublicfiles.com/glue/superglue/data/v2/MultiRC.zip",
    files=(
        DataFile(
            "superglue/MultiRC/train.jsonl",
            3_094_341,
            "bb73d0838618f8269190a2533fead3140607558975ea0df6511fa534e8d3535c",
            member="MultiRC/train.jsonl",
        ),
        DataFile(
            "superglue/MultiRC/val.jsonl",
            550_086,
            "d2b480195b15574ac00d52c4479f630bc161a7ab2de77e970fd00652846953ee",
            member="MultiRC/val.jsonl",
        ),
    ),
)

TINY_SHAKESPEARE = DataSet(
    name="tinyshakespeare",
    title="Tiny Shakespeare: 1,115,394 characters of plays, each speech under its speaker's name",
    licence="public domain",
    page="https://github.com/karpathy/char-rnn",
    files=(
        DataFile(
            "tinyshakespeare/input.txt",
            1_115_394,
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            url="https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        ),
    ),
)

TEXTS = (AG_NEWS, MULTIRC, TINY_SHAKESPEARE)
