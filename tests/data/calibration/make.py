"""Makes texts.jsonl and expected.json of this folder with numpy and the library tokenizers.

python make.py CALIBRATION.jsonl, from the root of the repository. CALIBRATION.jsonl: English documents,
{"text": ...} a line (The Rust Programming Language, MIT or Apache-2.0; Emma, public domain).
"""
import hashlib
import json
import pathlib
import sys

import numpy
from tokenizers import Tokenizer

HERE = pathlib.Path(__file__).parent
TOKENIZER = Tokenizer.from_file("examples/models/tiny-llama/tokenizer.json")


def make_texts(source):
    documents = [json.loads(line)["text"] for line in open(source, encoding="utf-8")]
    texts = documents[:68] + documents[-6:]
    texts += ["no " * 400, "a short one", ""]
    with open(HERE / "texts.jsonl", "w", encoding="utf-8") as file:
        for text in texts:
            file.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
    return texts


def choose(texts, seed, length, samples):
    """auto-round's rule for its default dataset, without special tokens."""
    chosen, rows = [], []
    for index in numpy.random.default_rng(seed).permutation(len(texts)):
        ids = TOKENIZER.encode(texts[index], add_special_tokens=False).ids[:length]
        if len(ids) < length or (length > 2 and ids.count(ids[-1]) > length // 2):
            continue
        chosen.append(int(index))
        rows.append(ids)
    return chosen[:samples], rows[:samples]


def sha256(rows):
    bytes_ = b"".join(
        len(row).to_bytes(8, "little") + b"".join(i.to_bytes(4, "little") for i in row) for row in rows)
    return hashlib.sha256(bytes_).hexdigest()


def main():
    texts = make_texts(sys.argv[1])
    cases = []
    for seed, length, samples in [(42, 256, 64), (42, 512, 24), (7, 1000, 10), (2**63 - 1, 100, 30)]:
        chosen, rows = choose(texts, seed, length, samples)
        assert len(chosen) == samples, len(chosen)
        cases.append(dict(seed=seed, sequence_length=length, samples=samples, rows=chosen, sha256=sha256(rows)))
    permutations = []
    for seed, count in [(42, 10), (0, 7), (1, 1), (5, 0), (2**40 + 5, 33), (2**63 - 1, 20), (42, 10000)]:
        order = numpy.random.default_rng(seed).permutation(count).tolist()
        permutations.append(dict(seed=seed, count=count, begin=order[:40],
                                 sha256=hashlib.sha256(",".join(map(str, order)).encode()).hexdigest()))
    text = json.dumps(dict(samples=cases, permutations=permutations))
    (HERE / "expected.json").write_text(text + "\n")


main()
