#!/usr/bin/env python3
"""POPE: is an object in the image? From coco_pope_random.json, …_popular.json, …_adversarial.json."""
import json
import os
import re
import sys

import rows


def convert(arguments):
    for file in arguments.files:
        category = re.sub(r"^coco_pope_|\.jsonl?$", "", os.path.basename(file))
        with open(file, encoding="utf-8") as stream:
            for line in filter(str.strip, stream):
                item = json.loads(line)
                if item["label"] not in ("yes", "no"):
                    sys.exit(f"{file}: question {item['question_id']}: label {item['label']!r} is not yes or no")
                yield {
                    "context": rows.context(arguments, [item["text"], rows.SHORT_ANSWER], True),
                    "choices": [" Yes", " No"],
                    "answer": ("yes", "no").index(item["label"]),
                    "category": category,
                    "image": rows.relative(arguments, os.path.join(arguments.images, item["image"])),
                }


if __name__ == "__main__":
    options = rows.parser(__doc__)
    options.add_argument("files", nargs="+", metavar="coco_pope_*.json")
    options.add_argument("--images", required=True, metavar="DIR", help="folder of COCO's val2014 images")
    given = options.parse_args()
    rows.write(given, convert(given))
