#!/usr/bin/env python3
"""The table of recipes/library/README.md: the embedded vision-language model rounded to nearest, and tuned on text and on images.

    scripts/vqa_table.py [--seeds 42,43,44] [--program build/release/bin/oneshot] [--folder build/vqa_table]

Prints accuracy on examples/data/vqa/eval.jsonl, by category, and perplexity on examples/data/vqa/heldout.txt; tuned rows are means
over the seeds. About a quarter of an hour on two cores.
"""
import argparse
import json
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = ROOT / "examples/data/vqa"
MODEL = ROOT / "examples/models/tiny-llava"
CATEGORIES = ("pope", "color", "count", "position")
KINDS = (("none", False), ("none", True), ("text", False), ("image", False), ("image", True))

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--seeds", default="42,43,44")
parser.add_argument("--program", default=str(ROOT / "build/release/bin/oneshot"))
parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build/vqa_table")
arguments = parser.parse_args()


def recipe(scheme, group, data, vision, seed):
    """As JSON, which YAML reads."""
    tuner = {"scheme": scheme, "group_size": group, "quantize_vision": vision,
             "iterations": 0 if data == "none" else 50}
    made = {"version": 1, "modifiers": [{"sign_round": tuner}], "output": {"formats": ["auto_round"]}}
    if data != "none":
        made["calibration"] = {"samples": 64, "sequence_length": 256, "seed": seed}
    if data == "text":
        made["calibration"] |= {"dataset": str(DATA / "calibration.jsonl"), "shuffle": False}
    if data == "image":
        made["calibration"] |= {"dataset": str(DATA / "calib/conversations.json"), "extra_data_dir": str(DATA / "calib")}
    return json.dumps(made)


def measured(model):
    command = [arguments.program, "eval", str(model), "--choices", str(DATA / "eval.jsonl"), "--text", str(DATA / "heldout.txt"),
               "--sequence-length", "256", "--json"]
    result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout)
    accuracies = [result["accuracy"]] + [result["by_category"][name]["accuracy"] for name in CATEGORIES]
    return [100 * value for value in accuracies] + [result["perplexity"]]


def row(scheme, group, data, vision):
    results = []
    for seed in [0] if data == "none" else arguments.seeds.split(","):
        file, output = arguments.folder / "recipe.yaml", arguments.folder / "output"
        file.write_text(recipe(scheme, group, data, vision, int(seed)))
        shutil.rmtree(output, ignore_errors=True)
        subprocess.run([arguments.program, "run", str(file), "--model", str(MODEL), "--output", str(output), "--quiet", "--restart"],
                       check=True)
        results.append(measured(output))
    return [sum(values) / len(results) for values in zip(*results)]


def show(name, values):
    print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in values[:-1]) + f" | {values[-1]:.3f} |", flush=True)


arguments.folder.mkdir(parents=True, exist_ok=True)
print("| | overall | " + " | ".join(CATEGORIES) + " | perplexity |\n|" + "---|" * (len(CATEGORIES) + 3))
show("float32", measured(MODEL))
for scheme, group in (("W4A16", 128), ("W3A16", 128), ("W2A16", 64)):
    for data, vision in KINDS:
        how = "nearest" if data == "none" else f"tuned, {data}s" if data == "image" else "tuned, text"
        show(f"{scheme} g{group}, {how}{', tower too' if vision else ''}", row(scheme, group, data, vision))
