#!/usr/bin/env python3
"""make bench: speed and memory, as ratios to plain copying in the same run.

    scripts/bench.py [--folder DIR] [--gibibytes 2] [--repeats 5] [--only PART]

DIR (default build/bench) is on the disk that is measured; /dev/shm is measured beside it where there is room.
Every repeat measures the copy and the run one after the other; medians of the times and of the ratios are printed.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / "build/release/bin"
RECIPES = {"FP8_DYNAMIC": ROOT / "examples/recipes/fp8_dynamic.yaml", "W4A16": ROOT / "examples/recipes/w4a16.yaml"}


def run(*command, **options):
    return subprocess.run([str(c) for c in command], check=True, **options)


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def sync_folder(folder):
    for file in folder.iterdir():
        with open(file, "rb") as stream:
            os.fsync(stream.fileno())


def copy_baseline(model, output, copy):
    """Reads the bytes that the run reads, and copies and syncs the bytes that it writes."""
    for file in sorted(model.glob("*.safetensors")):
        with open(file, "rb", buffering=0) as stream:
            buffer = bytearray(4 << 20)
            while stream.readinto(buffer):
                pass
    shutil.rmtree(copy, ignore_errors=True)
    run("cp", "--reflink=never", "-r", output, copy)
    sync_folder(copy)


def make_model(folder, gibibytes, wide_rows=0):
    stamp = folder / "config.json"
    if not stamp.exists():
        run(BIN / "make_checkpoint", folder, gibibytes, wide_rows)
    for file in folder.glob("*.safetensors"):  # warm
        run("cat", file, stdout=subprocess.DEVNULL)
    return folder


def oneshot(recipe, model, output, *options):
    command = [BIN / "oneshot", "run", recipe, "--model", model, "--output", output, "--overwrite",
               "--set", "modifiers.0.allow_unmatched=true", "--json", *options]
    return json.loads(run(*command, stdout=subprocess.PIPE).stdout)


def bench_runs(folder, name, gibibytes, repeats):
    model = make_model(folder / f"model-{gibibytes}", gibibytes)
    size = sum(f.stat().st_size for f in model.glob("*.safetensors"))
    for scheme, recipe in RECIPES.items():
        output = folder / "output"
        shutil.rmtree(output, ignore_errors=True)
        oneshot(recipe, model, output)
        ours, copies = [], []
        for _ in range(repeats):
            copies.append(seconds(lambda: copy_baseline(model, output, folder / "copy")))
            shutil.rmtree(folder / "copy")
            shutil.rmtree(output)
            ours.append(seconds(lambda: oneshot(recipe, model, output)))
        ratio = statistics.median(a / b for a, b in zip(ours, copies))
        print(f"{name:8} {scheme:12} {size / 2**30:.2f} GiB: run {statistics.median(ours):.2f} s, "
              f"cp + sync {statistics.median(copies):.2f} s, ratio {ratio:.2f}", flush=True)
        shutil.rmtree(output, ignore_errors=True)


def bench_memory(folder):
    for gibibytes in (1, 4):
        model = make_model(folder / f"wide-{gibibytes}", gibibytes, 57373)  # one matrix of 470 MB
        for scheme, recipe in RECIPES.items():
            output = folder / "output"
            report = oneshot(recipe, model, output)
            print(f"memory   {scheme:12} {gibibytes} GiB with a matrix of 470 MB: peak "
                  f"{report['peak_memory_bytes'] / 2**20:.0f} MiB, planned {report['planned_memory_bytes'] / 2**20:.0f} MiB",
                  flush=True)
            shutil.rmtree(output)
        shutil.rmtree(model)


def bench_startup(folder, repeats):
    model = ROOT / "examples/models/tiny-llama"
    times = []
    for _ in range(2 * repeats):
        output = folder / "startup"
        shutil.rmtree(output, ignore_errors=True)
        times.append(seconds(lambda: oneshot(RECIPES["FP8_DYNAMIC"], model, output)))
    print(f"startup  a whole run of the embedded model: {statistics.median(times):.3f} s", flush=True)


TOKENIZER_LIBRARY = """
import json, statistics, sys, time
from tokenizers import Tokenizer
tokenizer, text = Tokenizer.from_file(sys.argv[1] + "/tokenizer.json"), open(sys.argv[2]).read()
rates = []
for _ in range(5):
    start = time.perf_counter()
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    rates.append(len(text.encode()) / (time.perf_counter() - start))
print(json.dumps({"bytes_per_second": statistics.median(rates), "tokens": len(ids)}))
"""


def bench_tokenizer(python, folders):
    text = ROOT / "examples/data/heldout.txt"
    for folder in folders:
        ours = json.loads(run(BIN / "tokenizer_bench", folder, text, stdout=subprocess.PIPE).stdout)
        line = f"tokenizer {folder.name}: {ours['bytes_per_second'] / 1e6:.1f} MB/s"
        library = subprocess.run([python, "-c", TOKENIZER_LIBRARY, folder, text], stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, env={**os.environ, "RAYON_NUM_THREADS": "1"})
        if library.returncode == 0:
            theirs = json.loads(library.stdout)
            same = "same number of tokens" if theirs["tokens"] == ours["tokens"] else "OTHER TOKENS"
            line += (f", the tokenizers library {theirs['bytes_per_second'] / 1e6:.1f} MB/s, "
                     f"{ours['bytes_per_second'] / theirs['bytes_per_second']:.1f} times as fast, {same}")
        else:
            line += f" ({python} has no tokenizers library to compare with: --python)"
        print(line, flush=True)


def bench_forward():
    for threads in dict.fromkeys((1, os.cpu_count() or 1)):
        result = json.loads(run(BIN / "forward_bench", threads, stdout=subprocess.PIPE).stdout)
        for dtype in ("float32", "bfloat16"):
            if dtype in result:
                print(f"forward  {dtype:9} {threads} threads: {result[dtype]['tokens_per_second']:.0f} tokens/s, "
                      f"at::mm alone {result[dtype]['products_tokens_per_second']:.0f}, "
                      f"ratio {result[dtype]['ratio']:.2f}", flush=True)
        decoding = result["decoding"]
    print(f"decoding float32, 1 thread: {decoding['tokens_per_second']:.1f} tokens/s, "
          f"{100 * decoding['bandwidth_share']:.0f} % of what reading the weights alone would allow", flush=True)


def bench_tuning():
    for threads in dict.fromkeys((1, os.cpu_count() or 1)):
        result = json.loads(run(BIN / "tuning_bench", threads, stdout=subprocess.PIPE).stdout)
        iteration = result["iteration"]
        milliseconds = iteration["processor_milliseconds"]
        products = sum(time for name, time in milliseconds.items() if name != "own")
        print(f"tuning   {result['dtype']:9} {threads} threads: an iteration {1e3 * iteration['seconds']:.0f} ms, "
              f"ratio to at::mm {iteration['ratio']:.2f}; processor {milliseconds['own']:.0f} ms, "
              f"at::mm {products:.0f} ms, ratio {iteration['processor_ratio']:.2f}", flush=True)


def bench_evaluation(folder):
    """A model of 4 GiB without a budget, and with a budget that is smaller than it is."""
    model = make_model(folder / "model-4", 4)
    size = sum(f.stat().st_size for f in model.glob("*.safetensors"))
    for memory in (None, "2GiB"):
        command = [BIN / "oneshot", "eval", model, "--text", ROOT / "examples/data/heldout.txt", "--tokenizer",
                   ROOT / "examples/models/tiny-llama", "--samples", 2, "--sequence-length", 256, "--json"]
        result = json.loads(run(*command, *(["--memory", memory] if memory else []), stdout=subprocess.PIPE).stdout)
        print(f"eval     a model of {size / 2**30:.1f} GiB, --memory {memory}: peak "
              f"{result['peak_memory_bytes'] / 2**20:.0f} MiB, {result['seconds']:.1f} s", flush=True)


def bench_kernels():
    result = run(BIN / "kernels_bench", "--benchmark_format=json", "--benchmark_repetitions=3",
                 "--benchmark_report_aggregates_only=true", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    rates = {b["run_name"]: b["bytes_per_second"] for b in json.loads(result.stdout)["benchmarks"]
             if b["aggregate_name"] == "median"}
    memcpy = next(rate for name, rate in rates.items() if "memcpy" in name)
    for name, rate in rates.items():
        print(f"kernel   {name:40} {rate / 1e9:6.2f} GB/s read, {rate / memcpy:.2f} of memcpy", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=ROOT / "build/bench")
    parser.add_argument("--gibibytes", type=float, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=["runs", "kernels", "memory", "startup", "tokenizer", "forward", "tuning", "evaluation"])
    parser.add_argument("--python", default=sys.executable, help="one that has the tokenizers library, to compare with")
    parser.add_argument("--tokenizer", type=Path, action="append", default=[], help="folder of a further tokenizer")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    wanted = lambda part: args.only in (None, part)
    if wanted("kernels"):
        bench_kernels()
    if wanted("tokenizer"):
        bench_tokenizer(args.python, [ROOT / "examples/models/tiny-llama", *args.tokenizer])
    if wanted("forward"):
        bench_forward()
    if wanted("tuning"):
        bench_tuning()
    if wanted("evaluation"):
        bench_evaluation(args.folder)
    if wanted("startup"):
        bench_startup(args.folder, args.repeats)
    if wanted("runs"):
        bench_runs(args.folder, "disk", args.gibibytes, args.repeats)
        shm = Path("/dev/shm")
        if shm.is_dir() and shutil.disk_usage(shm).free > 4 * args.gibibytes * 2**30:
            folder = shm / f"oneshot-bench-{os.getpid()}"
            folder.mkdir()
            try:
                bench_runs(folder, "tmpfs", args.gibibytes, args.repeats)
            finally:
                shutil.rmtree(folder)
    if wanted("memory"):
        bench_memory(args.folder)


if __name__ == "__main__":
    sys.exit(main())
