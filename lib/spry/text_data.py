"""Labelled texts as token ids for `lib.spry.text_model`: AG News, SST-2, MultiRC.

As in the released partition code of Spry (arXiv 2405.15551), the labelled splits of a data set are joined before they
are divided among clients (of SST-2 the training part alone).
"""

import hashlib
import re
from functools import lru_cache
from typing import Literal

import numpy as np
import torch

from lib import data
from lib.spry.minilm import minilm_folder, minilm_tokenizer

Tokens = Literal["wordpiece", "words"]
CLASSES = {"ag-news": 4, "sst2": 2, "multirc": 2}
VOCABULARY = {"wordpiece": 30_522, "words": 8_192}
BEGIN, END, FIRST_WORD = 1, 2, 3  # ids of hashed words; 0 is padding
WORD = re.compile(r"\w+|[^\w\s]")


def text_examples(
    name: str, *, length: int, examples: int, seed: int = 0, tokens: Tokens | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a random sample of labelled texts.

    Args:
        name: ``"ag-news"``, ``"sst2"`` or ``"multirc"`` (passage, then question and answer).
        length: tokens a text, T; longer texts are cut (of MultiRC the passage first), shorter ones padded.
        examples: number of texts, N, drawn without replacement.
        seed: of the sample.
        tokens: ``"wordpiece"``, the pretrained encoder's vocabulary, or ``"words"``, words hashed to 8,192 ids; None
            is `default_tokens`.

    Returns:
        ``(N, 2, T)`` int64, token ids (0 is padding) and mask, and labels ``(N,)`` int64.

    Raises ValueError for an unknown name or more examples than there are; lib.data.DataError if files are missing.
    """
    if name not in CLASSES:
        raise ValueError(f"unknown text data {name!r}: choose one of {', '.join(CLASSES)}")
    texts, pairs, labels = _texts(name)
    if not 1 <= examples <= len(labels):
        raise ValueError(f"examples is {examples}: {name} has {len(labels)}")
    if length < 8 or tokens not in (None, *VOCABULARY):
        raise ValueError(f"length is {length}, at least 8; tokens is {tokens!r}, 'wordpiece', 'words' or None")
    chosen = np.random.default_rng([seed, 404]).permutation(len(labels))[:examples]
    tokens = tokens or default_tokens()
    encode = _word_pieces if tokens == "wordpiece" else _hashed_words
    x = encode([texts[i] for i in chosen], [pairs[i] for i in chosen] if pairs else None, length)
    return x, torch.from_numpy(labels[chosen])


def default_tokens() -> Tokens:
    """Return ``"wordpiece"`` where the package of the pretrained encoder is installed, else ``"words"``."""
    return "words" if minilm_folder() is None else "wordpiece"


def _texts(name: str) -> tuple[list[str], list[str], np.ndarray]:
    """Return texts, second texts (empty if there are none) and labels of all labelled rows."""
    if name == "sst2":
        train = data.load("sst2").train
        return train.sentence.tolist(), [], train.label.to_numpy(np.int64)
    loaded = data.load(name)
    if name == "ag-news":
        texts = [*loaded.train.text, *loaded.test.text]
        return texts, [], np.concatenate([loaded.train.label, loaded.test.label]).astype(np.int64)
    parts = (loaded.train, loaded.dev)
    passages = [passage for part in parts for passage in part.passage]
    pairs = [f"{row.question} {row.answer}" for part in parts for row in part.itertuples()]
    return passages, pairs, np.concatenate([part.label for part in parts]).astype(np.int64)


def _word_pieces(texts: list[str], pairs: list[str] | None, length: int) -> torch.Tensor:
    tokenizer = minilm_tokenizer()
    found = tokenizer(texts, pairs, padding="max_length", truncation="longest_first", max_length=length)
    return torch.tensor([found["input_ids"], found["attention_mask"]]).transpose(0, 1).contiguous()


def _hashed_words(texts: list[str], pairs: list[str] | None, length: int) -> torch.Tensor:
    """Return ids of lower-case words and punctuation: the text between two marks, then the second text and a mark."""
    x = torch.zeros(len(texts), 2, length, dtype=torch.int64)
    for row, text in enumerate(texts):
        second = [*_words(pairs[row]), END][-(length - 2) :] if pairs else []
        ids = [BEGIN, *_words(text)[: length - 2 - len(second)], END, *second]
        x[row, 0, : len(ids)] = torch.tensor(ids)
        x[row, 1, : len(ids)] = 1
    return x


def _words(text: str) -> list[int]:
    return [_word_id(word) for word in WORD.findall(text.lower())]


@lru_cache(maxsize=2**18)
def _word_id(word: str) -> int:
    digest = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
    return FIRST_WORD + digest % (VOCABULARY["words"] - FIRST_WORD)
