"""ALBERT: the text encoder from which Kokoro predicts prosody. Used by `model.py`.

Sources: Lan et al. 2019 (ALBERT, arXiv:1909.11942), Devlin et al. 2018 (BERT, arXiv:1810.04805); trained on phonemes
by Li et al. 2023 (PL-BERT, arXiv:2301.08810). One layer's parameters serve all layers. Tensors are (batch, positions,
channels); parameter names are those of the published checkpoint.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the usual name

from phonoscope.server.engines.kokoro.config import AlbertShape
from phonoscope.server.engines.kokoro.layers import embedding

EPSILON = 1e-12


class Albert(nn.Module):
    """Contextual vectors of phonemes."""

    def __init__(self, shape: AlbertShape, symbols: int) -> None:
        super().__init__()
        self.layers = shape.layers
        self.embeddings = Embeddings(shape, symbols)
        self.encoder = Encoder(shape)

    def forward(self, ids: Tensor, is_real: Tensor | None) -> Tensor:
        """Returns (batch, positions, hidden) for ids (batch, positions).

        Args:
            ids: numbers of phonemes.
            is_real: whether each position is no padding, (batch, 1, 1, positions); None where all are real.
        """
        x: Tensor = self.encoder.embedding_hidden_mapping_in(self.embeddings(ids))
        for _ in range(self.layers):
            x = self.encoder.layer(x, is_real)
        return x


class Embeddings(nn.Module):
    """The sum of what a phoneme is and where it stands; all of them are of one segment."""

    def __init__(self, shape: AlbertShape, symbols: int) -> None:
        super().__init__()
        channels = shape.embedding_channels
        self.word_embeddings = embedding(symbols, channels)
        self.position_embeddings = embedding(shape.positions, channels)
        self.token_type_embeddings = embedding(2, channels)
        self.LayerNorm = nn.LayerNorm(channels, eps=EPSILON)

    def forward(self, ids: Tensor) -> Tensor:
        """Returns (batch, positions, embedding)."""
        places = torch.arange(ids.shape[1], device=ids.device)
        segment = self.token_type_embeddings.weight[0]
        normalised: Tensor = self.LayerNorm(self.word_embeddings(ids) + segment + self.position_embeddings(places))
        return normalised


class Encoder(nn.Module):
    """The projection to the hidden size, and the shared layer."""

    def __init__(self, shape: AlbertShape) -> None:
        super().__init__()
        self.embedding_hidden_mapping_in = nn.Linear(shape.embedding_channels, shape.hidden_channels)
        self.albert_layer_groups = nn.ModuleList([LayerGroup(shape)])

    @property
    def layer(self) -> "Layer":
        """The one layer."""
        group = self.albert_layer_groups[0]
        assert isinstance(group, LayerGroup)  # noqa: S101  tells the type of a ModuleList's item
        layer = group.albert_layers[0]
        assert isinstance(layer, Layer)  # noqa: S101  as above
        return layer


class LayerGroup(nn.Module):
    """Layers that share their parameters with the other groups; Kokoro has one."""

    def __init__(self, shape: AlbertShape) -> None:
        super().__init__()
        self.albert_layers = nn.ModuleList([Layer(shape)])


class Layer(nn.Module):
    """Self-attention and a feed-forward network, each with a residual and a normalisation after it."""

    def __init__(self, shape: AlbertShape) -> None:
        super().__init__()
        self.attention = Attention(shape)
        self.ffn = nn.Linear(shape.hidden_channels, shape.filter_channels)
        self.ffn_output = nn.Linear(shape.filter_channels, shape.hidden_channels)
        self.full_layer_layer_norm = nn.LayerNorm(shape.hidden_channels, eps=EPSILON)

    def forward(self, x: Tensor, is_real: Tensor | None) -> Tensor:
        """Returns x after the layer; (batch, positions, hidden) in and out."""
        x = self.attention(x, is_real)
        filtered = self.ffn_output(F.gelu(self.ffn(x), approximate="tanh"))
        normalised: Tensor = self.full_layer_layer_norm(filtered + x)
        return normalised


class Attention(nn.Module):
    """Self-attention of several heads over all positions."""

    def __init__(self, shape: AlbertShape) -> None:
        super().__init__()
        channels = shape.hidden_channels
        self.heads = shape.heads
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.dense = nn.Linear(channels, channels)
        self.LayerNorm = nn.LayerNorm(channels, eps=EPSILON)

    def forward(self, x: Tensor, is_real: Tensor | None) -> Tensor:
        """Returns x with what its positions attend to; (batch, positions, hidden) in and out."""
        query, key, value = (self._split(project(x)) for project in (self.query, self.key, self.value))
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=is_real)
        normalised: Tensor = self.LayerNorm(self.dense(attended.transpose(1, 2).flatten(2)) + x)
        return normalised

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)  # (batch, heads, positions, channels of a head)
