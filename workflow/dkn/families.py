"""The families of language models that have an adapter, as a table of facts.

A *family* is a ``model_type`` of Hugging Face's transformers. What its modelling file does in a layer is described by a
``Family``: in names of its modules and of keys of its config. ``dkn.decoder.adapters`` follows the description.

``dkn.study.operations`` counts by it what a model costs. This module imports the standard library only, because it is
read before the first job.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

UNSTATED_CONTEXT = 2048  # tokens, for families whose config states no limit; BLOOM was trained with this one
BLOCKS = "blocks"  # one matrix makes all queries, then all keys, then all values
GROUPS = "groups"  # it makes, for every key-value head, the queries that share it, its key and its value
HALVES = "halves"  # coordinate i of a query or key turns with coordinate i + half
PAIRS = "pairs"  # coordinate 2i turns with coordinate 2i + 1
PAIRS_FROM_HALVES = "pairs-from-halves"  # so, but the module gives cosines and sines in the order of halves


@dataclass(frozen=True)
class Family:
    """What a family's modelling file says about its decoder.

    Names of modules are paths of attributes; a *key* is one of the model's config. None means that there is no such
    thing, and so does an optional module (marked so below) that a model lacks.

    Attributes:
        among: models of the family that people know.
        body: the model without its unembedding.
        layers, embedding: in the body, the list of layers and the token embedding.
        positions: in the body, the embedding of positions; ``first_position`` is its row for the first token.
        embedded: in the body, modules that follow the token embedding, in order (optional).
        embedding_factor: key of the factor of embeddings; embeddings that scale by themselves need none.
        final: in the body, modules that follow the last layer, in order (optional).
        logits_divisor, logits_factor: keys of what logits are divided by and multiplied by.
        logits_cap: key of c, where logits are c tanh(x / c).
        attention: in a layer, the attention.
        projections: in the attention, what makes queries, keys and values; or the one matrix that makes all.
        fused: how that one matrix is laid out: ``BLOCKS`` or ``GROUPS``.
        clip: key of the largest absolute value of queries, keys and values.
        query_key_norms: in the attention, the norms of queries and of keys.
        normed_whole: whether they take all heads together and not each by itself.
        output: in the attention, the output projection.
        scale: in the attention, the factor of products of queries and keys; None: 1 / sqrt(head size); or a number.
        scores_cap: key of c, where these products are c tanh(x / c).
        rotation: how queries and keys are turned by position: ``HALVES``, ``PAIRS``, ``PAIRS_FROM_HALVES`` or None.
        rotation_table: in the attention, a table of sines and cosines, for families without a rotary module.
        turned: which layers turn: None for all, ``windowed`` for those with a window (all where none has one), or the
            name of a flag in the attention.
        slopes: how ALiBi's slopes times the key's position enter scores: ``added`` after the scale, ``scaled`` before.
        window: which layers have a sliding window, and its size: (key of the list of layer types or None for all
            layers, the type that has one, key of the size).
        before_attention, after_attention, before_mlp, after_mlp: in a layer, the norms in front of each part, and on
            what the part adds to the stream.
        after_sums: in a layer, the two norms on the stream after attention is added and after the MLP is.
        parallel: whether attention and MLP read the same stream, the one that enters the layer.
        residual_factor: key of the factor of what attention and MLP add to the stream.
        mlp: in a layer, the MLP.
        gate: in the MLP, what enters the activation function where another projection, ``up``, multiplies its result.
        up: in the MLP, the projection beside the gate; without a gate, what enters the activation function.
        gate_and_up: in the MLP, one matrix that makes the gate and then ``up``.
        down: in the MLP, the down-projection.
        activation: in the MLP, the activation function.
        gain_offset: what is added to a norm's weight to give its gain.
        longest: key of the longest text in tokens; None for ``UNSTATED_CONTEXT``.
        tied: whether the unembedding is the embedding, where the config does not say.
        implementation: which of transformers' implementations of attention the model itself runs with.
        variants: (key, value, changed fields), for members of the family that differ; later ones come on top.
    """

    among: str
    body: str = "model"
    layers: str = "layers"
    embedding: str = "embed_tokens"
    positions: str | None = None
    first_position: int = 0
    embedded: tuple[str, ...] = ()
    embedding_factor: str | None = None
    final: tuple[str, ...] = ("norm",)
    logits_divisor: str | None = None
    logits_factor: str | None = None
    logits_cap: str | None = None
    attention: str = "self_attn"
    projections: tuple[str, ...] = ("q_proj", "k_proj", "v_proj")
    fused: str | None = None
    clip: str | None = None
    query_key_norms: tuple[str, str] | None = None
    normed_whole: bool = False
    output: str = "o_proj"
    scale: str | float | None = "scaling"
    scores_cap: str | None = None
    rotation: str | None = HALVES
    rotation_table: str | None = None
    turned: str | None = None
    slopes: str | None = None
    window: tuple[str | None, str, str] | None = None
    before_attention: str | None = "input_layernorm"
    after_attention: str | None = None
    before_mlp: str | None = "post_attention_layernorm"
    after_mlp: str | None = None
    after_sums: tuple[str, str] | None = None
    parallel: bool = False
    residual_factor: str | None = None
    mlp: str = "mlp"
    gate: str | None = "gate_proj"
    up: str | None = "up_proj"
    gate_and_up: str | None = None
    down: str = "down_proj"
    activation: str = "act_fn"
    gain_offset: int = 0
    longest: str | None = "max_position_embeddings"
    tied: bool = False
    implementation: str = "eager"
    variants: tuple[tuple[str, Any, Mapping[str, Any]], ...] = field(default=())

    @property
    def gated(self) -> bool:
        """Whether a neuron is the product of an activated gate and another projection of the stream."""
        return self.gate is not None or self.gate_and_up is not None

    def member(self, config: Any) -> Family:
        """Return the description of one model of the family.

        Args:
            config: the model's config, with keys as attributes.
        """
        described = self
        for key, value, changed in self.variants:
            if getattr(config, key, None) == value:
                described = replace(described, **changed)
        return described


_SLIDING = ("layer_types", "sliding_attention", "sliding_window")
_ALL_SLIDING = (None, "", "sliding_window")

_NORMED_HEADS = {"query_key_norms": ("q_layernorm", "k_layernorm")}  # what Phi and two others have if they are told to

_LLAMA = Family("LLaMA 1, 2 and 3, SmolLM and SmolLM2, TinyLlama")
_GPT2 = Family(
    "GPT-2 of all sizes, DistilGPT-2",
    tied=True, body="transformer", layers="h", embedding="wte", positions="wpe", final=("ln_f",),
    attention="attn", projections=("c_attn",), fused=BLOCKS, output="c_proj", rotation=None,
    before_attention="ln_1", before_mlp="ln_2",
    gate=None, up="c_fc", down="c_proj", activation="act",
)  # fmt: skip
_NEOX = Family(
    "Pythia, GPT-NeoX 20B, Dolly 2",
    body="gpt_neox", embedding="embed_in", final=("final_layer_norm",),
    attention="attention", projections=("query_key_value",), fused=GROUPS, output="dense",
    parallel=True, gate=None, up="dense_h_to_4h", down="dense_4h_to_h", activation="act",
    variants=(("use_parallel_residual", False, {"parallel": False}),),
)  # fmt: skip
_FALCON = Family(
    "Falcon 7B, 40B and RW",
    tied=True, body="transformer", layers="h", embedding="word_embeddings", final=("ln_f",),
    attention="self_attention", projections=("query_key_value",), fused=GROUPS, output="dense", scale=None,
    before_mlp="input_layernorm", parallel=True,
    gate=None, up="dense_h_to_4h", down="dense_4h_to_h", activation="act",
    variants=(
        ("parallel_attn", False, {"parallel": False, "before_mlp": "post_attention_layernorm"}),
        ("num_ln_in_parallel_attn", 2, {"before_attention": "ln_attn", "before_mlp": "ln_mlp"}),
        ("alibi", True, {"slopes": "scaled", "rotation": None}),
    ),
    implementation="sdpa",  # the eager one of transformers 5.23 adds ALiBi twice
)  # fmt: skip
_BLOOM = Family(
    "BLOOM, BLOOMZ",
    tied=True, body="transformer", layers="h", embedding="word_embeddings", embedded=("word_embeddings_layernorm",),
    final=("ln_f",), attention="self_attention", projections=("query_key_value",), fused=GROUPS, output="dense",
    scale=None, rotation=None, slopes="added",
    gate=None, up="dense_h_to_4h", down="dense_4h_to_h", activation="gelu_impl", longest=None,
)  # fmt: skip
_OPT = Family(
    "OPT of all sizes, Galactica",
    tied=True, body="model.decoder", positions="embed_positions", first_position=2, embedded=("project_in",),
    final=("final_layer_norm", "project_out"), output="out_proj", rotation=None,
    before_attention="self_attn_layer_norm", before_mlp="final_layer_norm",
    mlp="", gate=None, up="fc1", down="fc2", activation="activation_fn",
    variants=(("do_layer_norm_before", False, {
        "before_attention": None, "before_mlp": None, "after_sums": ("self_attn_layer_norm", "final_layer_norm"),
    }),),
)  # fmt: skip
_GPT_NEO = Family(
    "GPT-Neo 125M to 2.7B, TinyStories",
    tied=True, body="transformer", layers="h", embedding="wte", positions="wpe", final=("ln_f",),
    attention="attn.attention", output="out_proj", scale=1.0, rotation=None,
    window=("attention_layers", "local", "window_size"), before_attention="ln_1", before_mlp="ln_2",
    gate=None, up="c_fc", down="c_proj", activation="act",
)  # fmt: skip
_GPTJ = Family(
    "GPT-J 6B",
    body="transformer", layers="h", embedding="wte", final=("ln_f",),
    attention="attn", output="out_proj", scale=None, rotation=PAIRS, rotation_table="embed_positions",
    before_attention="ln_1", before_mlp="ln_1", parallel=True,
    gate=None, up="fc_in", down="fc_out", activation="act",
)  # fmt: skip
_PHI = Family(
    "Phi-1, Phi-1.5, Phi-2",
    final=("final_layernorm",), output="dense",
    before_mlp="input_layernorm", parallel=True,
    gate=None, up="fc1", down="fc2", activation="activation_fn",
    variants=(("qk_layernorm", True, _NORMED_HEADS),),
)  # fmt: skip
_PHI3 = Family(
    "Phi-3, Phi-3.5 and Phi-4 without experts",
    projections=("qkv_proj",), fused=BLOCKS, window=_ALL_SLIDING,
    gate=None, up=None, gate_and_up="gate_up_proj", activation="activation_fn",
)  # fmt: skip
_GEMMA2 = Family(
    "Gemma 2", tied=True,
    logits_cap="final_logit_softcapping", scores_cap="attn_logit_softcapping", window=_SLIDING,
    after_attention="post_attention_layernorm", before_mlp="pre_feedforward_layernorm",
    after_mlp="post_feedforward_layernorm", gain_offset=1,
)  # fmt: skip
_GEMMA3 = replace(_GEMMA2, among="Gemma 3, text models", query_key_norms=("q_norm", "k_norm"))
_OLMO2 = Family(
    "OLMo 2",
    query_key_norms=("q_norm", "k_norm"), normed_whole=True,
    before_attention=None, after_attention="post_attention_layernorm",
    before_mlp=None, after_mlp="post_feedforward_layernorm",
)  # fmt: skip
_COHERE = Family(
    "Command R", tied=True,
    logits_factor="logit_scale", rotation=PAIRS, before_mlp="input_layernorm", parallel=True,
    variants=(("use_qk_norm", True, {"query_key_norms": ("q_norm", "k_norm")}),),
)  # fmt: skip
_GLM = Family(
    "GLM-4 9B of 2024",
    rotation=PAIRS_FROM_HALVES, gate=None, up=None, gate_and_up="gate_up_proj", activation="activation_fn",
)  # fmt: skip
_PERSIMMON = Family(
    "Persimmon 8B",
    final=("final_layernorm",),
    projections=("query_key_value",), fused=GROUPS, output="dense",
    gate=None, up="dense_h_to_4h", down="dense_4h_to_h", activation="act",
    variants=(("qk_layernorm", True, _NORMED_HEADS),),
)  # fmt: skip
FAMILIES: dict[str, Family] = {
    "gpt2": _GPT2,
    "llama": _LLAMA,
    "mistral": replace(_LLAMA, among="Mistral 7B", window=_ALL_SLIDING),
    "qwen2": replace(_LLAMA, among="Qwen1.5, Qwen2, Qwen2.5", window=_SLIDING),
    "qwen3": replace(_LLAMA, among="Qwen3 without experts", window=_SLIDING, query_key_norms=("q_norm", "k_norm")),
    "gemma": replace(_LLAMA, among="Gemma, first generation", tied=True, gain_offset=1),
    "gemma2": _GEMMA2,
    "gemma3_text": _GEMMA3,
    "olmo": replace(_LLAMA, among="OLMo 1", clip="clip_qkv"),
    "olmo2": _OLMO2,
    "olmo3": replace(_OLMO2, among="OLMo 3", window=_SLIDING),
    "granite": replace(
        _LLAMA,
        among="Granite 3 without experts",
        embedding_factor="embedding_multiplier",
        residual_factor="residual_multiplier",
        logits_divisor="logits_scaling",
    ),
    "gpt_neox": _NEOX,
    "gptj": _GPTJ,
    "gpt_neo": _GPT_NEO,
    "opt": _OPT,
    "bloom": _BLOOM,
    "falcon": _FALCON,
    "phi": _PHI,
    "phi3": _PHI3,
    "smollm3": replace(_LLAMA, among="SmolLM3", tied=True, turned="use_rope", window=_SLIDING),
    "stablelm": replace(
        _LLAMA,
        among="StableLM 3B, StableLM 2",
        variants=(
            ("use_parallel_residual", True, {"parallel": True, "before_mlp": "input_layernorm"}),
            ("qk_layernorm", True, _NORMED_HEADS),
        ),
    ),
    "starcoder2": replace(
        _LLAMA,
        among="StarCoder2",
        tied=True,
        window=_ALL_SLIDING,
        gate=None,
        up="c_fc",
        down="c_proj",
        activation="act",
    ),
    "cohere": _COHERE,
    "cohere2": replace(_COHERE, among="Command R7B", turned="windowed", window=_SLIDING),
    "glm": _GLM,
    "glm4": replace(
        _GLM, among="GLM-4 0414", after_attention="post_self_attn_layernorm", after_mlp="post_mlp_layernorm"
    ),
    "exaone4": replace(_OLMO2, among="EXAONE 4", normed_whole=False, turned="windowed", window=_SLIDING),
    "seed_oss": replace(_LLAMA, among="Seed-OSS"),
    "arcee": replace(_LLAMA, among="Arcee AFM", gate=None),
    "nemotron": replace(_LLAMA, among="Nemotron-4, Minitron", gate=None, gain_offset=1),
    "ministral": replace(_LLAMA, among="Ministral 8B", window=_SLIDING),
    "helium": replace(_LLAMA, among="Helium-1", rotation=PAIRS_FROM_HALVES),
    "persimmon": _PERSIMMON,
}
SUPPORTED = tuple(FAMILIES)
# Models of texts and images, the family of their text part, and where its tensors are; all others are left out.
TEXT_PARTS = {"gemma3": "gemma3_text"}
TEXT_TENSORS = {r"^language_model\.model\.": "model.", r"^model\.language_model\.": "model.", r"^language_model\.": ""}
IMAGE_TENSORS = r"^(model\.)?(vision_tower|multi_modal_projector)\."
# The reasons why families that are often asked for have no adapter; messages print them in brackets (docs/models.md).
_EXPERTS = "its neurons belong to experts, and a token runs through few of them"
_ENCODER = "it is no decoder: its attention looks ahead, so that a prompt cannot be read once for all its branches"
_RECURRENT = "its layers carry a state from token to token in place of attention or beside it"
OBSTACLES = {
    "mixtral": _EXPERTS,
    "qwen2_moe": _EXPERTS,
    "qwen3_moe": _EXPERTS,
    "olmoe": _EXPERTS,
    "gpt_oss": _EXPERTS,
    "bert": _ENCODER,
    "roberta": _ENCODER,
    "t5": _ENCODER,
    "mamba": _RECURRENT,
    "rwkv": _RECURRENT,
}


def family_of(model_type: Any) -> Any:
    """Return the family of a config's ``model_type``: its own, or that of the part of the model that reads texts."""
    return TEXT_PARTS.get(model_type, model_type) if isinstance(model_type, str) else model_type
