"""Registry entries of the federated data sets that the user supplies. Data only, no code."""

from lib.data.entries import DataSet

TFF = "https://www.tensorflow.org/federated/api_docs/python/tff/simulation/datasets"

EMNIST = DataSet(
    name="emnist",
    title="Federated EMNIST by writer, 671,585 + 77,483 images of 62 characters from 3,400 writers",
    licence="NIST Special Database 19: public domain",
    page=f"{TFF}/emnist",
    by_hand="fed_emnist_train.h5 and fed_emnist_test.h5 come from TensorFlow Federated "
    "(storage.googleapis.com/tff-datasets-public/fed_emnist.tar.bz2); pass them as load('emnist', train=PATH, "
    "test=PATH)",
)

STACK_OVERFLOW = DataSet(
    name="stackoverflow",
    title="Stack Overflow questions and answers by user, 342,477 users in the training file",
    licence="CC BY-SA 3.0",
    page=f"{TFF}/stackoverflow",
    by_hand="stackoverflow_train.h5 and stackoverflow_test.h5 come from TensorFlow Federated "
    "(storage.googleapis.com/tff-datasets-public/stackoverflow.tar.bz2); pass them as load('stackoverflow', "
    "train=PATH, test=PATH, users=NAMES)",
)

SHAKESPEARE = DataSet(
    name="shakespeare",
    title="Shakespeare by role, 715 roles in the files of TensorFlow Federated",
    licence="public domain; LEAF: BSD-2",
    page="https://github.com/TalwalkarLab/leaf/tree/master/data/shakespeare",
    by_hand="make LEAF's files with its shakespeare/preprocess.sh, or take shakespeare_train.h5 and "
    "shakespeare_test.h5 of TensorFlow Federated; pass them as load('shakespeare', train=PATH, test=PATH)",
)

REDDIT = DataSet(
    name="reddit",
    title="Reddit comments by user in LEAF's form",
    licence="Reddit's terms (comments of December 2017); LEAF: BSD-2",
    page="https://github.com/TalwalkarLab/leaf/tree/master/data/reddit",
    by_hand="LEAF's reddit folder says where its preprocessed JSON files are; pass them as load('reddit', train=PATH, "
    "test=PATH)",
)

BY_CLIENT = (EMNIST, STACK_OVERFLOW, SHAKESPEARE, REDDIT)
