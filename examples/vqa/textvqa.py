#!/usr/bin/env python3
"""TextVQA: questions on text in images, with the answers of ten people. From TextVQA_0.5.1_val.json."""
import os

import rows


def ocr_words(file):
    """Image → words, of TextVQA_Rosetta_OCR_v0.2_val.json."""
    items = rows.read_json(file)["data"] if file else []
    return {item["image_id"]: [word["word"] for word in item["ocr_info"]] for item in items}


def convert(arguments):
    words = ocr_words(arguments.ocr)
    for item in rows.read_json(arguments.file)["data"]:
        image = item["image_id"]
        ocr = ["Reference OCR token: " + ", ".join(words.get(image, []))] if words else []
        yield {
            "context": rows.context(arguments, [item["question"]] + ocr + [rows.SHORT_ANSWER], True),
            "answers": item["answers"],
            "image": rows.relative(arguments, os.path.join(arguments.images, image + ".jpg")),
        }


if __name__ == "__main__":
    options = rows.parser(__doc__)
    options.add_argument("file", metavar="TextVQA_0.5.1_val.json")
    options.add_argument("--images", required=True, metavar="DIR", help="folder of the images (train_images)")
    options.add_argument("--ocr", metavar="FILE", help="TextVQA_Rosetta_OCR_v0.2_val.json: names the words that a "
                                                       "reader of the image found, as LLaVA's figures do")
    given = options.parse_args()
    rows.write(given, convert(given))
