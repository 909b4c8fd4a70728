"""Tiny random models of every supported family, with everything switched on in which the family is special.

Numbers are such that nothing cancels: factors far from one, another head size than width / heads, windows shorter than
the prompts, caps where scores reach them.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from dkn.families import FAMILIES

# The prompts are longer than the windows below, and of different lengths.
PROMPTS = [[5, 17, 40, 8, 23, 31, 12, 60, 3, 44, 71], [9, 80, 2, 14, 33]]
WINDOW = 4

TOKENS = {"vocab_size": 97, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": None}
PLAIN: dict[str, Any] = {
    **TOKENS,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "initializer_range": 0.3,
    "max_position_embeddings": 64,
}
GATED: dict[str, Any] = {**PLAIN, "num_key_value_heads": 2}
GPT2: dict[str, Any] = {**TOKENS, "n_positions": 64, "n_embd": 32, "n_layer": 3, "n_head": 4, "initializer_range": 0.3}
FALCON = {**PLAIN, "ffn_hidden_size": 48, "multi_query": False, "new_decoder_architecture": False, "bias": True}
OPT = {**PLAIN, "ffn_dim": 48, "word_embed_proj_dim": 32, "init_std": 0.3}
SLIDING = {"sliding_window": WINDOW, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}
GEMMA = {**GATED, "head_dim": 16, "query_pre_attn_scalar": 5, "hidden_activation": "gelu_pytorch_tanh", **SLIDING}
COHERE = {**GATED, "logit_scale": 0.3, "head_dim": 8}


def _rope(kind: str, **settings: Any) -> dict[str, Any]:
    """A LLaMA whose rotation is scaled for longer texts."""
    return {**GATED, "rope_parameters": {"rope_type": kind, "rope_theta": 500.0, **settings}}


def _partial(factor: float) -> dict[str, Any]:
    """A rotation of a part of each head."""
    return {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": factor}}


# Name -> family and the settings in which its members differ from one another.
CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("gpt2", GPT2),
    "gpt2-scaled-by-layer": ("gpt2", {**GPT2, "scale_attn_by_inverse_layer_idx": True}),
    "llama": ("llama", GATED),
    "llama-biased": ("llama", {**GATED, "attention_bias": True, "mlp_bias": True}),
    "llama-linear": ("llama", _rope("linear", factor=4.0)),
    "llama-dynamic": ("llama", _rope("dynamic", factor=4.0)),
    "llama-3": (
        "llama",
        _rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32),
    ),
    "llama-yarn": ("llama", _rope("yarn", factor=4.0, original_max_position_embeddings=16)),
    "smollm": (
        "llama",
        {**GATED, "hidden_size": 36, "num_attention_heads": 9, "num_key_value_heads": 3, "tie_word_embeddings": True},
    ),
    "mistral": ("mistral", {**GATED, "head_dim": 8, "sliding_window": None}),
    "mistral-windowed": ("mistral", {**GATED, "head_dim": 8, "sliding_window": WINDOW}),
    "qwen2": ("qwen2", GATED),
    "qwen2-windowed": (
        "qwen2",
        {**GATED, "use_sliding_window": True, "max_window_layers": 1, "sliding_window": WINDOW},
    ),
    "qwen3": ("qwen3", {**GATED, "head_dim": 16}),
    "gemma": ("gemma", {**GATED, "head_dim": 16, "num_key_value_heads": 1, "tie_word_embeddings": True}),
    "gemma2": ("gemma2", {**GEMMA, "attn_logit_softcapping": 3.0, "final_logit_softcapping": 5.0}),
    "gemma3": (
        "gemma3_text",
        {
            **GEMMA,
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 900.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 50.0},
            },
        },
    ),
    "olmo": ("olmo", {**GATED, "clip_qkv": 0.9}),
    "olmo2": ("olmo2", GATED),
    "olmo3": ("olmo3", {**GATED, **SLIDING}),
    "granite": (
        "granite",
        {
            **GATED,
            "embedding_multiplier": 3.0,
            "attention_multiplier": 0.2,
            "residual_multiplier": 0.4,
            "logits_scaling": 2.0,
        },
    ),
    "pythia": ("gpt_neox", {**PLAIN, **_partial(0.25), "use_parallel_residual": True}),
    "gpt-neox-sequential": ("gpt_neox", {**PLAIN, **_partial(0.5), "use_parallel_residual": False}),
    "gptj": ("gptj", {**GPT2, "rotary_dim": 4, "tie_word_embeddings": False}),
    "gpt-neo": (
        "gpt_neo",
        {
            **TOKENS,
            "hidden_size": 32,
            "num_layers": 4,
            "num_heads": 4,
            "intermediate_size": 48,
            "max_position_embeddings": 64,
            "attention_types": [[["global", "local"], 2]],
            "window_size": WINDOW,
            "initializer_range": 0.3,
        },
    ),
    "opt": ("opt", OPT),
    "opt-350m": ("opt", {**OPT, "do_layer_norm_before": False, "word_embed_proj_dim": 20}),
    "bloom": ("bloom", {**TOKENS, "hidden_size": 30, "n_layer": 3, "n_head": 6, "initializer_range": 0.3}),
    "falcon-7b": ("falcon", {**FALCON, "multi_query": True, "bias": False}),
    "falcon-40b": ("falcon", {**FALCON, "new_decoder_architecture": True, "num_kv_heads": 2}),
    "falcon-rw": (
        "falcon",
        {**FALCON, "alibi": True, "parallel_attn": False, "hidden_size": 36, "num_attention_heads": 6},
    ),
    "phi": ("phi", {**GATED, **_partial(0.5), "qk_layernorm": True}),
    "phi3": ("phi3", {**GATED, "sliding_window": WINDOW}),
    "phi3-long": (
        "phi3",
        {
            **GATED,
            "rope_parameters": {
                "rope_type": "longrope",
                "rope_theta": 500.0,
                "short_factor": [1.0, 1.1, 1.2, 1.3],
                "long_factor": [2.0, 3.0, 4.0, 5.0],
                "original_max_position_embeddings": 16,
                "partial_rotary_factor": 1.0,
            },
            "original_max_position_embeddings": 16,
        },
    ),
    "smollm3": ("smollm3", {**GATED, "no_rope_layers": [1, 0, 1], "use_sliding_window": True, **SLIDING}),
    "stablelm": ("stablelm", {**GATED, **_partial(0.5), "use_qkv_bias": True, "qk_layernorm": True}),
    "stablelm-parallel": ("stablelm", {**GATED, **_partial(0.25), "use_parallel_residual": True}),
    "starcoder2": ("starcoder2", {**GATED, "sliding_window": WINDOW, "use_bias": True}),
    "cohere": ("cohere", {**COHERE, "use_qk_norm": True}),
    "cohere2": ("cohere2", {**COHERE, **SLIDING}),
    "glm": ("glm", {**GATED, "head_dim": 8, "attention_bias": True, **_partial(0.5)}),
    "glm4": ("glm4", {**GATED, "head_dim": 8, "attention_bias": True, **_partial(0.5)}),
    "exaone4": ("exaone4", {**GATED, **SLIDING}),
    "seed-oss": ("seed_oss", {**GATED, "head_dim": 16}),
    "arcee": ("arcee", {**GATED, "mlp_bias": True}),
    "nemotron": ("nemotron", {**GATED, **_partial(0.5), "head_dim": 16, "mlp_bias": True}),
    "ministral": ("ministral", {**GATED, "head_dim": 8, **SLIDING}),
    "helium": ("helium", {**GATED, "head_dim": 8, "attention_bias": True, "mlp_bias": True}),
    "persimmon": ("persimmon", {**PLAIN, **_partial(0.5), "qk_layernorm": True}),
}


def random_model(name: str, dtype: torch.dtype = torch.float32) -> Any:
    """A model with random weights; biases and gains are random too, so that none can be forgotten."""
    torch.manual_seed(0)
    family, settings = CONFIGS[name]
    config = CONFIG_MAPPING[family](**settings)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=FAMILIES[family].implementation)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter += 0.2 * torch.randn_like(parameter)
    return model.to(dtype).eval()
