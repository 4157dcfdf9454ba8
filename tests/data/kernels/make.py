#!/usr/bin/env python3
"""Writes auto_round_tuning.safetensors: python make.py FOLDER, with auto-round, torch and safetensors installed."""
import sys

import torch
from auto_round.data_type.int import quant_tensor_asym, quant_tensor_sym, search_scales
from auto_round.data_type.mxfp import quant_mx
from safetensors.torch import save_file
from torch.nn.functional import pad

ROWS = 6
tensors = {}


def some_weight(columns):
    """Usual rows, zeros, one sign only, numbers below the threshold of a scale, large ones."""
    weight = torch.randn(ROWS, columns) * 0.05
    weight[1] = 0
    weight[2] = weight[2].abs()
    weight[3] = -weight[3].abs()
    weight[4] *= 1e-5
    weight[5] *= 20
    return weight.to(torch.bfloat16)


def found_start(name, grouped, bits, columns):
    """The scale that the search finds, in float32, kept away from zero."""
    importance = torch.rand(columns)
    of_elements = importance.view(1, -1).expand(ROWS, -1).reshape(grouped.shape)
    scale = search_scales(grouped.float(), bits, of_elements)
    scale = torch.where(scale < 0, scale.clamp(max=-1e-5), scale.clamp(min=1e-5))
    tensors[name + ".importance"] = importance
    tensors[name + ".start"] = scale.view(ROWS, -1).contiguous()
    return scale


def add(name, function, columns, group_size, bits, searched=False, **options):
    weight = some_weight(columns)
    groups = -(-columns // group_size)
    missing = groups * group_size - columns
    grouped = pad(weight, (0, missing)).view(-1, group_size)
    rounding = (torch.rand(ROWS, groups * group_size) - 0.5) * 0.8
    rounding[0] = 0
    rounding[:, columns:] = 0
    min_factor, max_factor = (torch.rand(ROWS * groups) * 0.5 + 0.5 for _ in range(2))
    min_factor[:groups] = 1
    max_factor[:groups] = 1
    if searched:
        options["init_scale"] = found_start(name, grouped, bits, columns)
    leaves = [t.clone().requires_grad_() for t in (rounding.view(-1, group_size), min_factor, max_factor)]
    values, scale, zero_point = function(
        weight, bits=bits, group_size=group_size, v=leaves[0], min_scale=leaves[1], max_scale=leaves[2],
        tensor_min=grouped.amin(-1).clamp(max=0), tensor_max=grouped.amax(-1).clamp(min=0), **options)
    gradient = torch.randn(ROWS, columns).to(torch.bfloat16)
    (values.float() * gradient.float()).sum().backward()
    d_rounding, d_min, d_max = (torch.zeros_like(t) if t.grad is None else t.grad for t in leaves)
    found = {
        "weight": weight,
        "rounding": rounding[:, :columns],
        "min_factor": min_factor.view(ROWS, groups),
        "max_factor": max_factor.view(ROWS, groups),
        "gradient": gradient,
        "values": values,
        "scale": scale.view(ROWS, groups),
        "d_rounding": d_rounding.view(ROWS, -1)[:, :columns].sign().to(torch.int8),
        "d_min_factor": d_min.view(ROWS, groups),
        "d_max_factor": d_max.view(ROWS, groups),
    }
    if isinstance(zero_point, torch.Tensor):
        found["zero_point"] = zero_point.float().view(ROWS, groups)
    for key, tensor in found.items():
        tensors[f"{name}.{key}"] = tensor.detach().clone().contiguous()


torch.manual_seed(5)
for bits, group_size, columns in ((4, 32, 96), (2, 32, 80), (3, 48, 48), (8, 32, 64)):
    add(f"symmetric.{bits}.{group_size}", quant_tensor_sym, columns, group_size, bits)
    add(f"asymmetric.{bits}.{group_size}", quant_tensor_asym, columns, group_size, bits)
add("symmetric_start.4.32", quant_tensor_sym, 96, 32, 4, searched=True)
add("symmetric_start.2.32", quant_tensor_sym, 64, 32, 2, searched=True)
add("mx.4.32", quant_mx, 96, 32, 4, data_type="mx_fp4")
save_file(tensors, sys.argv[1] + "/auto_round_tuning.safetensors")
