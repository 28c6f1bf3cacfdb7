#!/usr/bin/env python3
"""Trains the default subject model: GPT-2's architecture, small. Needs python3-torch; only to
retrain.

    train_subject.py --train train.jsonl --held-out held_out.jsonl --out DIR [--steps N]

DIR has vocab.json and merges.txt (train_tokenizer.py) already; config.json, model.safetensors
(float16) and train.log are written there. Beside the usual loss there is a small price on activity
of the MLP neurons (--activity): with it fewer neurons answer to many unrelated things at once,
which is what this model is for.
"""
import argparse
import json
import math
import os
import struct
import time

import numpy
import torch
from torch.nn import functional

from train_tokenizer import Tokenizer, read_texts

EPSILON = 1e-5


class Block(torch.nn.Module):
    def __init__(self, width, heads, layers):
        super().__init__()
        self.heads = heads
        self.ln_1 = torch.nn.LayerNorm(width, eps=EPSILON)
        self.c_attn = torch.nn.Linear(width, 3 * width)
        self.attn_c_proj = torch.nn.Linear(width, width)
        self.ln_2 = torch.nn.LayerNorm(width, eps=EPSILON)
        self.c_fc = torch.nn.Linear(width, 4 * width)
        self.mlp_c_proj = torch.nn.Linear(4 * width, width)
        for linear in (self.c_attn, self.c_fc, self.attn_c_proj, self.mlp_c_proj):
            torch.nn.init.normal_(linear.weight, std=0.04)
            torch.nn.init.zeros_(linear.bias)
        for linear in (self.attn_c_proj, self.mlp_c_proj):
            torch.nn.init.normal_(linear.weight, std=0.04 / math.sqrt(2 * layers))

    def forward(self, x, mask):                                         # x [batch][length][width]
        batch, length, width = x.shape
        q, k, v = (part.view(batch, length, self.heads, -1).transpose(1, 2)
                   # [batch][heads][length][width / heads]
                   for part in self.c_attn(self.ln_1(x)).split(width, dim=2))
        weights = q @ k.transpose(-2, -1) / math.sqrt(width // self.heads) + mask
        mixed = (weights.softmax(dim=-1) @ v).transpose(1, 2).reshape(batch, length, width)
        x = x + self.attn_c_proj(mixed)
        neurons = functional.gelu(self.c_fc(self.ln_2(x)), approximate='tanh')  # gelu_new
        return x + self.mlp_c_proj(neurons), neurons.abs().mean()


class Model(torch.nn.Module):
    def __init__(self, vocabulary, width, heads, layers, context):
        super().__init__()
        self.wte = torch.nn.Embedding(vocabulary, width)
        self.wpe = torch.nn.Embedding(context, width)
        self.h = torch.nn.ModuleList(Block(width, heads, layers) for _ in range(layers))
        self.ln_f = torch.nn.LayerNorm(width, eps=EPSILON)
        torch.nn.init.normal_(self.wte.weight, std=0.04)
        torch.nn.init.normal_(self.wpe.weight, std=0.02)
        self.register_buffer('mask', torch.full((context, context), -1e9).triu(1))

    def forward(self, tokens):                                          # [batch][length]
        length = tokens.shape[1]
        x = self.wte(tokens) + self.wpe.weight[:length]
        activity = 0
        for block in self.h:
            x, active = block(x, self.mask[:length, :length])
            activity = activity + active / len(self.h)
        # [batch][length][vocabulary]
        return self.ln_f(x) @ self.wte.weight.T, activity


def tensors(model):
    """Name in GPT-2's files -> array; weights of linear layers lie there as [in][out]."""
    out = {'wte.weight': model.wte.weight, 'wpe.weight': model.wpe.weight,
           'ln_f.weight': model.ln_f.weight, 'ln_f.bias': model.ln_f.bias}
    for number, block in enumerate(model.h):
        for name, module in (('ln_1', block.ln_1), ('attn.c_attn', block.c_attn),
                             ('attn.c_proj', block.attn_c_proj),
                             ('ln_2', block.ln_2), ('mlp.c_fc', block.c_fc),
                             ('mlp.c_proj', block.mlp_c_proj)):
            linear = isinstance(module, torch.nn.Linear)
            out[f'h.{number}.{name}.weight'] = module.weight.T if linear else module.weight
            out[f'h.{number}.{name}.bias'] = module.bias
    return {name: tensor.detach().numpy().astype(numpy.float16) for name, tensor in out.items()}


def write_safetensors(arrays, path):
    """Length of the header (8 bytes, little-endian), a JSON header padded with spaces, the
    arrays."""
    header, at = {'__metadata__': {'format': 'pt'}}, 0
    for name, array in arrays.items():
        header[name] = {'dtype': 'F16', 'shape': list(array.shape),
                        'data_offsets': [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text)
        for array in arrays.values():
            file.write(numpy.ascontiguousarray(array).tobytes())


def write_config(options, tokenizer, path):
    size = len(tokenizer.vocabulary)
    config = {'model_type': 'gpt2', 'architectures': ['GPT2LMHeadModel'],
              'activation_function': 'gelu_new',
              'vocab_size': size, 'n_positions': options.context, 'n_ctx': options.context,
              'n_embd': options.width,
              'n_layer': options.layers, 'n_head': options.heads, 'n_inner': None,
              'layer_norm_epsilon': EPSILON,
              'bos_token_id': tokenizer.end_of_text, 'eos_token_id': tokenizer.end_of_text,
              'tie_word_embeddings': True, 'torch_dtype': 'float16'}
    with open(path, 'w', encoding='utf-8') as file:
        file.write(json.dumps(config, indent=2) + '\n')


def stream_of(tokenizer, path):
    """All documents, each with <|endoftext|> behind it."""
    out = []
    for text in read_texts(path):
        out += tokenizer.encode(text) + [tokenizer.end_of_text]
    return torch.tensor(out)


def unigram_loss(train, held_out, size):
    """Nats per token of a model that knows only how frequent each token is in the training text
    (plus one)."""
    counts = torch.bincount(train, minlength=size).double() + 1
    return float(-(counts / counts.sum()).log()[held_out].mean())


def held_out_loss(model, held_out, context):
    count = (len(held_out) - 1) // context
    x, y = (held_out[shift:shift + count * context].view(count, context) for shift in (0, 1))
    with torch.no_grad():
        losses = [functional.cross_entropy(model(x[at:at + 64])[0].flatten(0, 1),
                                           y[at:at + 64].flatten(), reduction='sum')
                  for at in range(0, count, 64)]
    return float(sum(losses)) / (count * context)


def learning_rate(options, step):
    warm = 100
    if step < warm:
        return options.rate * (step + 1) / warm
    return options.rate * (
        0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, options.steps - warm))))


def train(options, model, stream, held_out, log):
    generator = torch.Generator().manual_seed(options.seed)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.05)
    begun, mean = time.time(), None
    for step in range(options.steps):
        for group in optimizer.param_groups:
            group['lr'] = learning_rate(options, step)
        at = torch.randint(len(stream) - options.context - 1, (options.batch, 1),
                           generator=generator)
        window = stream[at + torch.arange(options.context + 1)]         # [batch][context + 1]
        logits, activity = model(window[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), window[:, 1:].flatten())
        optimizer.zero_grad()
        (loss + options.activity * activity).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        mean = loss.item() if mean is None else 0.9 * mean + 0.1 * loss.item()
        if (step + 1) % 50 == 0 or step + 1 == options.steps:
            line = f'step {step + 1:5d}  loss {mean:.4f}  activity {activity.item():.4f}'
            if (step + 1) % 250 == 0 or step + 1 == options.steps:
                line += f'  held-out {held_out_loss(model, held_out, options.context):.4f}'
            log(line)
            print(f'        {time.time() - begun:.0f} s', flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--train', required=True)
    parser.add_argument('--held-out', required=True)
    parser.add_argument('--out', required=True)
    parser.add_argument('--steps', type=int, default=3000)
    parser.add_argument('--batch', type=int, default=32)
    parser.add_argument('--rate', type=float, default=3e-3)
    parser.add_argument('--activity', type=float, default=0.5)
    parser.add_argument('--layers', type=int, default=3)
    parser.add_argument('--width', type=int, default=128)
    parser.add_argument('--heads', type=int, default=4)
    parser.add_argument('--context', type=int, default=128)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--threads', type=int, default=1,
                        help='of PyTorch; more are slower at this size')
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    tokenizer = Tokenizer(options.out)
    stream, held_out = stream_of(tokenizer, options.train), stream_of(tokenizer, options.held_out)
    model = Model(len(tokenizer.vocabulary), options.width, options.heads, options.layers,
                  options.context)
    with open(os.path.join(options.out, 'train.log'), 'w', encoding='utf-8') as file:
        def log(line):
            file.write(line + '\n')
            file.flush()
            print(line, flush=True)
        log(f'{sum(p.numel() for p in model.parameters())} parameters; {len(stream)} tokens to '
            f'train on, {len(held_out)} held out; {options.steps} steps of {options.batch} x '
            f'{options.context} tokens')
        log(f'unigram baseline: held-out '
            f'{unigram_loss(stream, held_out, len(tokenizer.vocabulary)):.4f}')
        train(options, model, stream, held_out, log)
    write_safetensors(tensors(model), os.path.join(options.out, 'model.safetensors'))
    write_config(options, tokenizer, os.path.join(options.out, 'config.json'))


if __name__ == '__main__':
    main()
