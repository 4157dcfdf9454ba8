# Makes the torch files of this folder: python make_torch_files.py FOLDER (torch 2.11).
import json, os, pickle, sys, zipfile
from collections import OrderedDict
import torch

os.chdir(sys.argv[1])


def state_dict():
    block = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 8
    tied = torch.nn.Parameter(torch.arange(6, dtype=torch.bfloat16).reshape(2, 3))
    state = OrderedDict([
        ("embed.weight", tied), ("half", torch.tensor([1.5, -2.0], dtype=torch.float16)),
        ("double", torch.tensor([[0.1]], dtype=torch.float64)),
        ("position_ids", torch.arange(5).expand(1, -1)), ("int", torch.tensor([-7], dtype=torch.int32)),
        ("short", torch.tensor([300, -2], dtype=torch.int16)), ("char", torch.tensor([-1, 2], dtype=torch.int8)),
        ("byte", torch.tensor([255], dtype=torch.uint8)), ("bool", torch.tensor([True, False, True])),
        ("scalar", torch.tensor(2.5)), ("empty", torch.zeros(0, 3)), ("rows", block[1:3]), ("row", block[3]),
        ("lm_head.weight", tied)])
    state._metadata = OrderedDict([("", {"version": 1})])  # as Module.state_dict() has it
    return state


class Harm:
    def __reduce__(self):
        return os.system, ("echo harm > harmed",)


def zip_of(data, name, **more):  # data.pkl as given, in a zip file like torch's
    with zipfile.ZipFile(name, "w", **more) as out:
        out.writestr("x/data.pkl", data)
        out.writestr("x/data/0", b"\0" * 8)


torch.save(state_dict(), "state_dict.bin")
torch.save(state_dict(), "protocol_4.bin", pickle_protocol=4)
torch.save(state_dict(), "before_1_6.bin", _use_new_zipfile_serialization=False)
torch.save({"t": torch.arange(6.0).reshape(2, 3).t()}, "transposed.bin")
torch.save({"f8": torch.zeros(2, dtype=torch.float8_e4m3fn)}, "float8.bin")
torch.save({"model": {"w": torch.zeros(2)}, "epoch": 3}, "training.bin")
torch.save([torch.zeros(2)], "list.bin")
torch.save({"w": torch._neg_view(torch.ones(2))}, "negated.bin")
zip_of(pickle.dumps({"w": Harm()}, 2), "harm.bin")
zip_of(pickle.dumps({"w": Harm()}, 4), "harm_4.bin")
zip_of(pickle.dumps({}, 2), "compressed.bin", compression=zipfile.ZIP_DEFLATED)


def model():  # one block of Llama, in two shards and as the same in one safetensors file
    from safetensors.torch import save_file
    generator = torch.Generator().manual_seed(3)
    draw = lambda *shape: torch.randn(*shape, generator=generator).bfloat16()
    attention, mlp = "model.layers.0.self_attn.", "model.layers.0.mlp."
    first = {"model.embed_tokens.weight": draw(64, 32)}
    first.update({attention + name + "_proj.weight": draw(32, 32) for name in "qkvo"})
    first[attention + "rotary_emb.inv_freq"] = torch.tensor([1.0, 0.5, 0.25, 0.125])
    second = {mlp + "gate_proj.weight": draw(64, 32), mlp + "up_proj.weight": draw(64, 32),
              mlp + "down_proj.weight": draw(32, 64), "model.norm.weight": draw(32), "lm_head.weight": draw(64, 32),
              "model.layers.0.input_layernorm.weight": draw(32), "model.layers.0.post_attention_layernorm.weight": draw(32)}
    shards = {"pytorch_model-00001-of-00002.bin": first, "pytorch_model-00002-of-00002.bin": second}
    os.makedirs("model", exist_ok=True)
    for name, tensors in shards.items():
        torch.save(tensors, "model/" + name)
    index = {tensor: name for name, tensors in shards.items() for tensor in tensors}
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32, "intermediate_size": 64,
              "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 4, "vocab_size": 64,
              "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "max_position_embeddings": 64, "hidden_act": "silu",
              "tie_word_embeddings": False, "torch_dtype": "bfloat16"}
    for name, content in (("pytorch_model.bin.index.json", {"metadata": {}, "weight_map": index}), ("config.json", config)):
        json.dump(content, open("model/" + name, "w"), indent=1)
    save_file({**first, **second}, "model.safetensors", {"format": "pt"})


model()
