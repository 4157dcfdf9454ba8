"""Makes the families' folders and expected.json with Transformers' own processors.

python make.py CONVERSATIONS.json, with transformers 5.17 and Pillow, from the root of the repository. CONVERSATIONS.json:
questions on drawn images in LLaVA's form (ours); the rows whose images are in files/ are taken, and two written here.

<family>/        tokenizer.json (of tests/data/text/tokenizer, with the family's special tokens), its config,
                 config.json, chat_template.jinja (of tests/data/text/chat)
rows.json        the conversations
expected.json    for each family: prompts [{text, images, special_tokens, ids}], where images counts the tokens of each;
                 rows: the ids of each conversation; tokens of each image in files/, and the sizes of those
"""
import copy
import json
import pathlib
import re
import shutil
import sys

from PIL import Image
from tokenizers import Tokenizer
from transformers import LlavaProcessor, MllamaProcessor, PreTrainedTokenizerFast, Qwen2VLProcessor
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.mllama.image_processing_pil_mllama import MllamaImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

HERE = pathlib.Path(__file__).parent
TEXT = HERE.parent.parent / "text"
IMAGES = sorted(path.name for path in (HERE / "files").iterdir())
CLIP = dict(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
# family: tokenizer, more special tokens (those with * swallow white space behind), bos, eos, has BOS by itself, template, config
FAMILIES = {
    "llava": ("llama2", ["<image>", "<pad>"], "<s>", "</s>", True, "llava_1.5", dict(model_type="llava")),
    "llava_original": ("llama2", [], "<s>", "</s>", True, None,
                       dict(model_type="llava", architectures=["LlavaLlamaForCausalLM"], mm_use_im_start_end=False)),
    "qwen2_vl": ("qwen2", ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
                           "<|video_pad|>"], None, "<|im_end|>", False, "qwen2_vl", dict(model_type="qwen2_vl")),
    "mllama": ("llama3", ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|image|>", "<|python_tag|>"],
               "<|begin_of_text|>", "<|eot_id|>", False, "llama_3.2_vision", dict(model_type="mllama")),
    "phi3_v": ("llama2", ["<|user|>*", "<|assistant|>*", "<|system|>*", "<|end|>*"], "<s>", "</s>", True,
               "phi_3.5_vision", dict(model_type="phi3_v")),
    "cogvlm2": ("llama3", ["<|end_of_text|>"], "<|begin_of_text|>", "<|end_of_text|>", True, "llama_3",
                dict(architectures=["CogVLMForCausalLM"])),
}
IMAGE_KEYS = {"llava": ("image_token_index", "<image>"), "qwen2_vl": ("image_token_id", "<|image_pad|>"),
              "mllama": ("image_token_index", "<|image|>")}
MORE_ROWS = [
    {"id": "two", "image": IMAGES[:2], "conversations": [
        {"from": "human", "value": "<image>\n<image>\nWhat do both have?"}, {"from": "gpt", "value": "A star."},
        {"from": "human", "value": "Which is  larger?"}, {"from": "gpt", "value": "The first."}]},
    {"id": "text", "conversations": [{"from": "human", "value": "Who wrote Emma?"},
                                     {"from": "gpt", "value": "Jane Austen."}]},
    {"id": "behind", "image": IMAGES[2], "conversations": [
        {"from": "human", "value": "What is this?\n<image>"}, {"from": "gpt", "value": "A drawing."}]},
]


class WithoutVideo(Qwen2VLProcessor):
    """Needs no torchvision."""

    def check_argument_for_proper_class(self, argument_name, argument):
        return type(argument)


def make_folder(name):
    tokenizer, tokens, bos, eos, adds_bos, template, config = copy.deepcopy(FAMILIES[name])
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    data = json.loads((TEXT / "tokenizer" / (tokenizer + ".json")).read_text(encoding="utf-8"))
    next_id = max([*data["model"]["vocab"].values(), *(token["id"] for token in data["added_tokens"])]) + 1
    for token in tokens:
        content = token.rstrip("*")
        if any(known["content"] == content for known in data["added_tokens"]):
            continue
        data["added_tokens"].append(dict(id=next_id, content=content, special=True, normalized=False, single_word=False,
                                         lstrip=False, rstrip=token.endswith("*")))
        next_id += 1
    if not adds_bos and data["post_processor"] and data["post_processor"]["type"] == "Sequence":
        data["post_processor"] = data["post_processor"]["processors"][0]
    (folder / "tokenizer.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    named = dict(eos_token=eos, **({"bos_token": bos} if bos else {}))
    (folder / "tokenizer_config.json").write_text(json.dumps(named) + "\n")
    if template:
        shutil.copyfile(TEXT / "chat" / "templates" / (template + ".jinja"), folder / "chat_template.jinja")
    if name in IMAGE_KEYS:
        key, token = IMAGE_KEYS[name]
        config[key] = next(known["id"] for known in data["added_tokens"] if known["content"] == token)
    (folder / "config.json").write_text(json.dumps(config) + "\n")
    fast = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), bos_token=bos, eos_token=eos,
                                   pad_token=eos)
    return fast, (folder / "chat_template.jinja").read_text() if template else None


def processor_of(name, tokenizer, template):
    if name == "llava":
        return LlavaProcessor(CLIPImageProcessorPil(**CLIP), tokenizer, patch_size=14, num_additional_image_tokens=1,
                              vision_feature_select_strategy="default", chat_template=template)
    if name == "qwen2_vl":
        return WithoutVideo(Qwen2VLImageProcessorPil(), tokenizer, None, chat_template=template)
    return MllamaProcessor(MllamaImageProcessorPil(size={"height": 28, "width": 28}), tokenizer, chat_template=template)


def count_tokens(name, processor, image):
    if name == "llava":
        return (28 // 14) ** 2
    if name == "qwen2_vl":
        return int(processor.image_processor([image])["image_grid_thw"][0].prod()) // 4
    return 1


def plain(ids):
    ids = ids.tolist() if hasattr(ids, "tolist") else ids
    return [int(i) for i in (ids[0] if ids and isinstance(ids[0], list) else ids)]


# What the processors outside of Transformers do, in a few lines: see the sheets on LLaVA, Phi-3.5-vision and CogVLM2.
def llava_original(tokenizer, text, counts, special):
    pieces = [tokenizer(piece, add_special_tokens=special).input_ids for piece in text.split("<image>")]
    has_bos = bool(pieces[0]) and pieces[0][0] == tokenizer.bos_token_id
    ids = list(pieces[0])
    for count, piece in zip(counts, pieces[1:], strict=True):
        ids += [-200] * count + piece[1 if has_bos else 0:]
    return ids


def phi3_v(tokenizer, text, counts, special):
    ids = []
    for part in re.split(r"(<\|image_\d+\|>)", text):
        number = re.fullmatch(r"<\|image_(\d+)\|>", part)
        if number:
            ids += [-int(number[1])] * counts[int(number[1]) - 1]
        else:
            ids += tokenizer(part, add_special_tokens=special).input_ids
    return ids


def cogvlm2(tokenizer, text, counts, special):
    return [tokenizer.bos_token_id] + [-1] * sum(counts) + tokenizer(text, add_special_tokens=False).input_ids


OTHERS = {"llava_original": llava_original, "phi3_v": phi3_v, "cogvlm2": cogvlm2}
SYSTEM = ("A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, "
          "and polite answers to the user's questions.")


def conversation_text(name, row, tokenizer, template):
    """The text of a conversation for a processor outside of Transformers."""
    number = 0
    messages = []
    for turn in row["conversations"]:
        images = turn["value"].count("<image>")
        text = turn["value"].replace("<image>", "").strip() if images else turn["value"]
        marks = ""
        for _ in range(images):
            number += 1
            marks += {"llava_original": "<image>\n", "phi3_v": f"<|image_{number}|>\n", "cogvlm2": ""}[name]
        messages.append({"role": {"human": "user", "gpt": "assistant"}[turn["from"]], "content": marks + text})
    if name == "phi3_v":
        return tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False)
    pairs = [(messages[i]["content"], messages[i + 1]["content"]) for i in range(0, len(messages), 2)]
    if name == "cogvlm2":
        return "".join(f"Question: {question} Answer: {answer}\n" for question, answer in pairs)
    return SYSTEM + " " + "".join(f"USER: {question} ASSISTANT: {answer}</s>" for question, answer in pairs)


def parts(row, images):
    """The conversation as the processors of Transformers read it."""
    left = list(images)
    messages = []
    for turn in row["conversations"]:
        count = turn["value"].count("<image>")
        text = turn["value"].replace("<image>", "").strip() if count else turn["value"]
        content = [{"type": "image", "image": left.pop(0)} for _ in range(count)] + [{"type": "text", "text": text}]
        messages.append({"role": {"human": "user", "gpt": "assistant"}[turn["from"]], "content": content})
    return messages


def images_of(row):
    names = row.get("image", [])
    return [names] if isinstance(names, str) else names


PROMPTS = {  # text with M for a mark, number of images
    "llava": [("USER: M\nWhat is it? ASSISTANT:", 1), ("M\nhi", 1), ("a MM b", 2), ("no image", 0), ("M", 1)],
    "qwen2_vl": [("<|im_start|>user\n<|vision_start|>M<|vision_end|>What is it?<|im_end|>\n", 1), ("MM x M", 3), ("x", 0)],
    "mllama": [("MWhat is it?", 1), ("MM<|begin_of_text|>x", 2), ("M M x", 2), ("x", 0), ("x M", 1)],
}
PROMPTS["llava_original"] = PROMPTS["llava"]
PROMPTS["phi3_v"] = [("<|user|>\n1\nWhat is it?<|end|>\n<|assistant|>\n", 1), ("1\n2\nx", 2), ("x", 0), ("1", 1)]
PROMPTS["cogvlm2"] = [("Question: What is it? Answer: A star\n", 1), ("x", 0)]
MARKS = {"llava": "<image>", "llava_original": "<image>", "qwen2_vl": "<|image_pad|>", "mllama": "<|image|>"}


def expected_of(name, rows):
    tokenizer, template = make_folder(name)
    opened = {file: Image.open(HERE / "files" / file).convert("RGB") for file in IMAGES}
    processor = None if name in OTHERS else processor_of(name, tokenizer, template)
    tokens = {file: count_tokens(name, processor, image) if processor else 3 + at
              for at, (file, image) in enumerate(opened.items())}
    prompts, found = [], []
    for text, count in PROMPTS[name]:
        files = IMAGES[:count]
        text = re.sub(r"\b(\d)\b", r"<|image_\1|>", text) if name == "phi3_v" else text.replace("M", MARKS.get(name, "M"))
        counts = [tokens[file] for file in files]
        for special in (True, False):
            if processor:
                ids = processor(text=text, images=[opened[file] for file in files] or None, add_special_tokens=special)["input_ids"]
            else:
                ids = OTHERS[name](tokenizer, text, counts, special)
            prompts.append(dict(text=text, images=counts, special_tokens=special, ids=plain(ids)))
    for row in rows:
        files = images_of(row)
        if name == "cogvlm2" and len(files) > 1:
            found.append(None)
        elif processor:
            messages = parts(row, [opened[file] for file in files])
            made = processor.apply_chat_template(messages, tokenize=True, return_dict=True, date_string="26 Jul 2024")
            found.append(plain(made["input_ids"]))
        else:
            text = conversation_text(name, row, tokenizer, template)
            found.append(OTHERS[name](tokenizer, text, [tokens[file] for file in files], True))
    return dict(prompts=prompts, rows=found, tokens=tokens)


def main():
    rows = [row for row in json.load(open(sys.argv[1], encoding="utf-8")) if row["image"] in IMAGES] + MORE_ROWS
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (HERE / "rows.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    sizes = {file: list(Image.open(HERE / "files" / file).size) for file in IMAGES}
    families = {name: expected_of(name, rows) for name in FAMILIES}
    (HERE / "expected.json").write_text(json.dumps(dict(sizes=sizes, families=families)) + "\n")


main()
