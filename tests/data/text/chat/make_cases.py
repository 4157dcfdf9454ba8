"""Renders the stored templates and expressions with transformers and writes what came out.

python make_cases.py FOLDER   (transformers 5.17.0, jinja2 3.1.6; FOLDER is this folder)
templates/*.jinja x conversations.json -> conversation_cases.json
expressions.txt -> expression_cases.json
"""
import datetime
import json
import pathlib
import sys

import jinja2
from transformers.utils import chat_template_utils


class FixedTime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 9, 5, 14, 3, 7)


chat_template_utils.datetime = FixedTime


def outcome(render):
    try:
        return {"text": render()}
    except (jinja2.exceptions.UndefinedError, jinja2.exceptions.SecurityError) as error:
        return {"raises": error.message}
    except jinja2.exceptions.TemplateSyntaxError:
        return {"fails": "syntax"}
    except jinja2.exceptions.TemplateError as error:
        return {"raises": str(error)}
    except Exception:
        return {"fails": "running"}


def conversation_cases(folder):
    stored = json.loads((folder / "conversations.json").read_text())
    cases = []
    for template in sorted((folder / "templates").glob("*.jinja")):
        source = template.read_text()
        for name, messages in stored["conversations"].items():
            for settings, context in stored["contexts"].items():
                arguments = dict(context)
                tools = arguments.pop("tools", None)
                got = outcome(
                    lambda: chat_template_utils.render_jinja_template(
                        [messages], tools=tools, chat_template=source, **arguments
                    )[0][0]
                )
                cases.append({"template": template.name, "conversation": name, "context": settings, **got})
    return cases


def expression_cases(folder):
    stored = json.loads((folder / "conversations.json").read_text())
    cases = []
    for block in (folder / "expressions.txt").read_text().split("\n"):
        if not block or block.startswith("##"):
            continue
        source = block.replace("␤", "\n").replace("␍", "\r").replace("␉", "\t")
        got = outcome(
            lambda: chat_template_utils._compile_jinja_template(source).render(**stored["variables"])
        )
        cases.append({"source": source, **got})
    return cases


def write(path, cases):
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    path.write_text("[\n" + lines + "\n]\n")


if __name__ == "__main__":
    here = pathlib.Path(sys.argv[1])
    write(here / "conversation_cases.json", conversation_cases(here))
    write(here / "expression_cases.json", expression_cases(here))
