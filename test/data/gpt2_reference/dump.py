#!/usr/bin/python3
"""Dumps what PyTorch computes in float32 for the post-GELU activations of GPT-2s; test_gpt2.c reads
it.

    dump.py    makes the small random models beside this file, and their references
    dump.py MODEL OUT.safetensors [EXCERPTS LENGTH STRIDE]
               the reference of the model in directory MODEL

Needs python3-torch (Debian), only to dump again. A reference holds `tokens` I32 [excerpts][length],
`stride` I32 [1] and `activations.L` F32 [excerpts * length][ceil(neurons / stride)]: every
stride-th neuron of layer L.
"""
import json
import os
import struct
import sys

import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I32": torch.int32}


def write_safetensors(path, tensors):
    """tensors: name -> tensor of one of DTYPES, contiguous."""
    header, data = {}, b""
    for name, tensor in tensors.items():
        dtype = next(key for key, value in DTYPES.items() if value == tensor.dtype)
        same_size = tensor.view({4: torch.int32, 2: torch.int16}[tensor.element_size()])
        bytes_ = same_size.contiguous().numpy().tobytes()
        header[name] = {"dtype": dtype, "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(bytes_)]}
        data += bytes_
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def read_safetensors(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] in DTYPES:
            begin, end = entry["data_offsets"]
            tensors[name] = torch.frombuffer(data[begin:end],
                                             dtype=DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def read_model(directory):
    with open(os.path.join(directory, "config.json")) as file:
        config = json.load(file)
    index = os.path.join(directory, "model.safetensors.index.json")
    files = ["model.safetensors"]
    if os.path.exists(index):
        with open(index) as file:
            files = sorted(set(json.load(file)["weight_map"].values()))
    weights = {}
    for name in files:
        weights.update(read_safetensors(os.path.join(directory, name)))
    return config, \
        {name.replace("transformer.", "", 1): tensor.float() for name, tensor in weights.items()}


def activations(config, w, tokens):
    """The post-GELU activations [excerpts, length, neurons] of each layer."""
    excerpts, length = tokens.shape
    width, heads = config["n_embd"], config["n_head"]
    mask = torch.full((length, length), float("-inf")).triu(1)
    x = w["wte.weight"][tokens] + w["wpe.weight"][:length]
    result = []
    for layer in range(config["n_layer"]):
        p = f"h.{layer}."

        def norm(name, value):
            return F.layer_norm(value, (width,), w[p + name + ".weight"], w[p + name + ".bias"],
                                config["layer_norm_epsilon"])

        def conv(name, value):
            return value @ w[p + name + ".weight"] + w[p + name + ".bias"]

        parts = conv("attn.c_attn", norm("ln_1", x)).reshape(excerpts, length, 3, heads,
                                                             width // heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-1, -2) / (width // heads) ** 0.5
        if config.get("scale_attn_by_inverse_layer_idx"):
            scores = scores / (layer + 1)
        gathered = (scores + mask).softmax(-1) @ value
        x = x + conv("attn.c_proj", gathered.transpose(1, 2).reshape(excerpts, length, width))
        approximate = "tanh" if config["activation_function"] == "gelu_new" else "none"
        neurons = F.gelu(conv("mlp.c_fc", norm("ln_2", x)), approximate=approximate)
        result.append(neurons)
        if layer + 1 < config["n_layer"]:
            x = x + conv("mlp.c_proj", neurons)
    return result


def dump(directory, out, excerpts, length, stride):
    torch.manual_seed(1)
    torch.set_num_threads(1)
    config, weights = read_model(directory)
    tokens = torch.randint(config["vocab_size"], (excerpts, length))
    tensors = {"tokens": tokens.int(), "stride": torch.tensor([stride], dtype=torch.int32)}
    for layer, neurons in enumerate(activations(config, weights, tokens)):
        tensors[f"activations.{layer}"] = neurons.reshape(excerpts * length,
                                                          -1)[:, ::stride].contiguous()
    write_safetensors(out, tensors)


def random_weights(config):
    """Large enough that attention is peaked and that GELU is used far from 0 on both sides."""
    width, inner = config["n_embd"], config["n_inner"] or 4 * config["n_embd"]

    def normal(*shape, deviation):
        return torch.randn(*shape) * deviation

    weights = {"wte.weight": normal(config["vocab_size"], width, deviation=1),
               "wpe.weight": normal(config["n_positions"], width, deviation=0.5)}
    for layer in range(config["n_layer"]):
        p = f"h.{layer}."
        for name in ("ln_1", "ln_2"):
            weights[p + name + ".weight"] = 1 + normal(width, deviation=0.3)
            weights[p + name + ".bias"] = normal(width, deviation=0.2)
        for name, rows, columns in (("attn.c_attn", width, 3 * width),
                                    ("attn.c_proj", width, width), ("mlp.c_fc", width, inner),
                                    ("mlp.c_proj", inner, width)):
            weights[p + name + ".weight"] = normal(rows, columns, deviation=1.5 / rows**0.5)
            weights[p + name + ".bias"] = normal(columns, deviation=0.3)
    weights["ln_f.weight"], weights["ln_f.bias"] = torch.ones(width), torch.zeros(width)
    return weights


def make_model(name, gelu, dtype, prefix, shards, **more):
    torch.manual_seed(sum(name.encode()))
    directory = os.path.join(HERE, name)
    os.makedirs(directory, exist_ok=True)
    config = {"model_type": "gpt2", "n_layer": 3, "n_embd": 32, "n_head": 2, "n_positions": 24,
              "vocab_size": 61, "n_inner": None,
              "activation_function": gelu, "layer_norm_epsilon": 1e-5, **more}
    with open(os.path.join(directory, "config.json"), "w") as file:
        json.dump(config, file, indent=1)
        file.write("\n")
    weights = {prefix + key: value.to(DTYPES[dtype])
               for key, value in random_weights(config).items()}
    if shards == 1:
        write_safetensors(os.path.join(directory, "model.safetensors"), weights)
    else:
        place = {}
        for shard in range(shards):
            file_name = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
            part = dict(list(weights.items())[shard::shards])
            write_safetensors(os.path.join(directory, file_name), part)
            place.update({key: file_name for key in part})
        with open(os.path.join(directory, "model.safetensors.index.json"), "w") as file:
            json.dump({"metadata": {}, "weight_map": place}, file)
    dump(directory, os.path.join(directory, "reference.safetensors"), 2, 20, 1)


def main():
    if len(sys.argv) > 2:
        dump(sys.argv[1], sys.argv[2],
             *(map(int, sys.argv[3:6]) if len(sys.argv) > 3 else (2, 64, 1)))
        return
    make_model("new_f32", "gelu_new", "F32", "", 1)
    make_model("exact_f16", "gelu", "F16", "transformer.", 2)
    make_model("new_bf16", "gelu_new", "BF16", "transformer.", 1, n_inner=72, n_head=4,
               scale_attn_by_inverse_layer_idx=True)


if __name__ == "__main__":
    main()
