"""What the converters share: their options, the prompt around a question, rows as JSON lines."""
import argparse
import json
import os

SHORT_ANSWER = "Answer the question using a single word or phrase."
LETTER = "Answer with the option's letter from the given choices directly."


def parser(description):
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--output", required=True, metavar="FILE.jsonl", help="rows to write")
    made.add_argument("--prompt", default="USER: {} ASSISTANT:",
                      help="text around the question, {} where it goes; default: %(default)s")
    return made


def context(arguments, lines, has_image):
    """The question's lines in the prompt, the image first."""
    return arguments.prompt.replace("{}", "\n".join(["<image>"] * has_image + lines))


def relative(arguments, image):
    """As eval looks for an image: from the folder of the rows."""
    return os.path.relpath(image, os.path.dirname(arguments.output) or ".")


def read_json(file):
    with open(file, encoding="utf-8") as stream:
        return json.load(stream)


def lettered(options):
    """Lines "A. …", and the letters as choices: a space in front, as they follow the prompt."""
    letters = "ABCDEFGHIJ"[:len(options)]
    lines = [f"{letter}. {option}" for letter, option in zip(letters, options)]
    return lines, [" " + letter for letter in letters]


def write(arguments, rows):
    with open(arguments.output, "w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
