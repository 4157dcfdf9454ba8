#!/usr/bin/env python3
"""ScienceQA: questions of school, from the folder that holds problems.json and pid_splits.json."""
import os

import rows


def convert(arguments):
    problems = rows.read_json(os.path.join(arguments.data, "problems.json"))
    for number in rows.read_json(os.path.join(arguments.data, "pid_splits.json"))[arguments.split]:
        problem = problems[number]
        image = problem.get("image")
        if arguments.images_only and not image:
            continue
        options, choices = rows.lettered(problem["choices"])
        hint = [f"Context: {problem['hint']}"] if problem.get("hint") else []
        row = {
            "context": rows.context(arguments, hint + [problem["question"]] + options + [rows.LETTER], bool(image)),
            "choices": choices,
            "answer": problem["answer"],
            "category": problem["subject"],
        }
        if image:
            row["image"] = rows.relative(arguments, os.path.join(arguments.images, arguments.split, number, image))
        yield row


if __name__ == "__main__":
    options = rows.parser(__doc__)
    options.add_argument("data", metavar="DIR")
    options.add_argument("--images", required=True, metavar="DIR", help="folder that holds SPLIT/NUMBER/image.png")
    options.add_argument("--split", default="test", help="a split of pid_splits.json; default: %(default)s")
    options.add_argument("--images-only", action="store_true", help="leave out questions without an image")
    given = options.parse_args()
    rows.write(given, convert(given))
