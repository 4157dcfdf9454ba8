#!/usr/bin/env python3
"""MMBench: from a TSV with answers, such as mmbench_dev_20230712.tsv; its images become files."""
import base64
import csv
import os
import sys

import rows


def is_missing(text):
    return (text or "").strip().lower() in ("", "nan", "none")


def write_image(arguments, index, text):
    """The file of an image, which is stored in base64, or as the index of the row that has it."""
    if len(text) < 32:
        index, text = text, None
    files = [os.path.join(arguments.images, index + end) for end in (".jpg", ".png")]
    if text is None:
        existing = [file for file in files if os.path.exists(file)]
        if not existing:
            sys.exit(f"{arguments.table}: no row before has the image {index}")
        return existing[0]
    data = base64.b64decode(text)
    file = files[0] if data.startswith(b"\xff\xd8") else files[1]
    with open(file, "wb") as out:
        out.write(data)
    return file


def convert(arguments):
    csv.field_size_limit(1 << 30)
    os.makedirs(arguments.images, exist_ok=True)
    with open(arguments.table, encoding="utf-8", newline="") as stream:
        for item in csv.DictReader(stream, delimiter="\t"):
            options, choices = rows.lettered([item[key] for key in "ABCD" if not is_missing(item.get(key))])
            answer = " " + (item.get("answer") or "")
            if answer not in choices:
                sys.exit(f"{arguments.table}: row {item['index']}: the answer {answer[1:]!r} is no option")
            hint = [] if is_missing(item.get("hint")) else [item["hint"]]
            yield {
                "context": rows.context(arguments, hint + [item["question"]] + options + [rows.LETTER], True),
                "choices": choices,
                "answer": choices.index(answer),
                "category": item["category"],
                "image": rows.relative(arguments, write_image(arguments, item["index"], item["image"])),
            }


if __name__ == "__main__":
    options = rows.parser(__doc__)
    options.add_argument("table", metavar="FILE.tsv")
    options.add_argument("--images", required=True, metavar="DIR", help="folder to write the images to")
    given = options.parse_args()
    rows.write(given, convert(given))
