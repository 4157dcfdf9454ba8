"""Makes what the tokenizer tests read: small tokenizer.json files and what the library says of texts.

python make.py ENGLISH_TEXT, with `tokenizers` 0.23.3, in this folder. ENGLISH_TEXT is trained on.

<name>.json           a tokenizer
texts.jsonl           texts, one JSON string a line; the first EXAMPLES ones are written by hand
<name>.expected       for each of those: [ids, ids with special tokens, text of the latter, the same without them]
<name>.sums           for every text FNV-1a (32 bits, little-endian) over that list, as checksum() does it
"""
import json
import random
import struct
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
          r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
          r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
BYTES = ["<0x%02X>" % byte for byte in range(256)]
TEXTS = 10000

HAND = [
    "", " ", "  ", "   ", "\n", "\r\n", "\t", " \n ", "Hello world", " Hello world", "Hello world ", "  Hello   world  ",
    "Hello, world! It's 12345678 o'clock.", "'S 'ſ IT'S DON'T I'LL we'Re", "a'sb 'll", "1", "12", "123", "1234", "1234567",
    "3.14159 1,000,000", "٣٤٥٦ ²³¼ Ⅷ ①②", "line one\nline two\r\n\r\nline three\n\n\n", "a\u00a0b\u3000c\u0085d\u2028e\u180ef\u200bg",
    "e\u0301 \u00e9 A\u030a \u212b \ufb01 \u1e9b\u0323", "\u0344 \u0958 \U0001d15e \u1100\u1161\u11a8 \uac01",
    "İstanbul ǅ ΑΣ ß ẞ", "你好，世界！", "こんにちは世界 カタカナ", "한국어 텍스트", "Привет, мир", "مرحبا بالعالم", "हिन्दी में", "ไทย",
    "😀 😃😄 👍🏽 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪", "\u0000\u0001\u0007\u001b[0m\u007f", "\ufeffBOM", "\ufffd \uffff \U0010ffff",
    "<s>", "</s>", "<s>Hello</s>", "a<s> b", "<s><s></s>", "hi<image>hi", "<image>\nhi", " <image> hi", "<|user|>\nhi<|end|>\n  <|assistant|>",
    "<|im_start|>user\nhi<|im_end|>\n", "x<word>y <word> z", "<word>.", "<wordlonger> <word", "\u00a0<left>\u00a0", "a <left> <left>b",
    "Day day DAY yesterday", "caf\u00e9 cafe\u0301", "<norm>x<NORM>", "<0x41> <0x0A>", "\u2581", "\u2581\u2581a \u2581b", "##a a##",
    "(hello) [world] {x} foo(bar)->baz[0] = \"qux\";", "def f(x):\n    return x ** 2\n\n\tif a:\n", "https://example.com/a?b=c&d=e#f",
    "CamelCase snake_case kebab-case ALLCAPS", "!!!???...---===", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", " " * 40 + "x" + " " * 40,
    "the the the theThe THE", "\u0300\u0301\u0302", "a\u0300\u0316\u0301", "\U0001f1e9\U0001f1ea\U0001f1eb", "\u200d\u200c", "z\u0335\u0338\u0321",
]


def bpe(training, size, special=(), **settings):
    """A BPE trained on `training` (words to the pre-tokenizer), specials first."""
    tokenizer = Tokenizer(models.BPE(**settings.pop("model", {})))
    if "normalizer" in settings:
        tokenizer.normalizer = settings["normalizer"]
    if "pre_tokenizer" in settings:
        tokenizer.pre_tokenizer = settings["pre_tokenizer"]
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(special), show_progress=False,
                                  **settings.get("trainer", {}))
    tokenizer.train_from_iterator(training, trainer)
    if "post_processor" in settings:
        tokenizer.post_processor = settings["post_processor"]
    if "decoder" in settings:
        tokenizer.decoder = settings["decoder"]
    return json.loads(tokenizer.to_str())


def byte_level(training, size, split, **settings):
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    steps = [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=settings.pop("use_regex", False))]
    settings.setdefault("decoder", decoders.ByteLevel())
    return bpe(training, size, pre_tokenizer=pre_tokenizers.Sequence(steps),
               trainer={"initial_alphabet": alphabet}, **settings)


def added(tokenizer, *tokens):
    """The same tokenizer with tokens added through the library."""
    made = Tokenizer.from_str(json.dumps(tokenizer))
    for token in tokens:
        (made.add_special_tokens if token.special else made.add_tokens)([token])
    return json.loads(made.to_str())


def bos(token, number):
    return processors.TemplateProcessing(single=token + " $A", pair=token + " $A " + token + " $B", special_tokens=[(token, number)])


def sentence_piece(training, size, **settings):
    model = {"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True}
    return bpe(training, size, special=["<unk>", "<s>", "</s>"] + BYTES, model=model,
               post_processor=bos("<s>", 1), trainer={"limit_alphabet": 60}, **settings)


def llama_decoder():
    return decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])


def special(content, **flags):
    return AddedToken(content, special=True, normalized=flags.pop("normalized", False), **flags)


def make_tokenizers(english):
    lines = [line for line in english.splitlines() if line]
    hand = HAND * 3
    legacy = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    words = [" ".join(line.split()[i:i + 4]) for line in lines for i in range(0, len(line.split()), 4)]
    made = {}

    # Llama-2: no pre-tokenizer, merges in the old spelling
    llama2 = sentence_piece(words + hand, 620, normalizer=legacy, decoder=llama_decoder())
    llama2["model"]["merges"] = [" ".join(pair) for pair in llama2["model"]["merges"]]
    for token in llama2["added_tokens"][3:]:
        token["special"] = False
    llama2["added_tokens"] = llama2["added_tokens"][:3]
    made["llama2"] = llama2

    # Phi-3 and LLaVA: added tokens with every flag, some of them normalized
    made["flags"] = added(llama2, special("<|end|>", rstrip=True), special("<|user|>", rstrip=True), special("<|assistant|>", rstrip=True),
                          special("<image>"), special("<left>", lstrip=True), special("<word>", single_word=True), special("<wordlonger>"),
                          AddedToken("<norm>", normalized=True), AddedToken("day", single_word=True, normalized=True),
                          AddedToken("\u4e16\u754c", normalized=False, lstrip=True, rstrip=True))

    # Mistral: Metaspace on the first piece only
    mistral = sentence_piece(words + hand, 620, pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="first", split=False), decoder=llama_decoder())
    mistral["added_tokens"] = mistral["added_tokens"][:3]
    made["metaspace_first"] = added(mistral, special("<image>"), special("<left>", lstrip=True))
    always = sentence_piece(lines + hand, 600, pre_tokenizer=pre_tokenizers.Metaspace(), decoder=decoders.Metaspace())
    always["added_tokens"] = always["added_tokens"][:3]
    del always["pre_tokenizer"]["prepend_scheme"], always["model"]["ignore_merges"]
    made["metaspace_always"] = added(always, special("<image>"))

    # Llama-3: whole words that merges do not reach
    split3 = pre_tokenizers.Split(Regex(LLAMA3), "isolated")
    llama3 = byte_level(lines + hand, 600, split3, model={"ignore_merges": True})
    for word in ("\u0120conversation", "\u0120Hello", "12", "xyzzy", "\u010a\u010a"):
        llama3["model"]["vocab"].setdefault(word, len(llama3["model"]["vocab"]))
    size = len(llama3["model"]["vocab"])
    llama3["post_processor"] = json.loads(bos("<|begin_of_text|>", size).__getstate__())
    llama3["post_processor"] = {"type": "Sequence", "processors": [
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}, llama3["post_processor"]]}
    made["llama3"] = added(llama3, special("<|begin_of_text|>"), special("<|end|>"), special("<image>"))

    # Qwen2: NFC, single digits
    splitq = pre_tokenizers.Split(Regex(QWEN2), "isolated")
    qwen2 = byte_level(lines + hand, 600, splitq, normalizer=normalizers.NFC(), post_processor=processors.ByteLevel(trim_offsets=False))
    made["qwen2"] = added(qwen2, special("<|endoftext|>"), special("<|im_start|>"), special("<|im_end|>"), AddedToken("caf\u00e9", normalized=True),
                          AddedToken("\u212b", normalized=False))
    made["tekken"] = byte_level(lines + hand, 500, pre_tokenizers.Split(Regex(TEKKEN), "isolated"))

    # SmolLM2: digits one by one, then GPT-2's words
    made["digits"] = added(byte_level(lines + hand, 500, pre_tokenizers.Digits(individual_digits=True), use_regex=True), special("<|im_start|>"))

    # The rest
    made["words"] = bpe(
        lines + hand, 400, special=["<unk>"], model={"unk_token": "<unk>", "fuse_unk": False, "end_of_word_suffix": "</w>", "continuing_subword_prefix": "##"},
        normalizer=normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Strip(),
                                         normalizers.Replace(Regex(r"\d+\s*"), "0 ")]),
        pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation()]),
        decoder=decoders.BPEDecoder(), trainer={"limit_alphabet": 50, "end_of_word_suffix": "</w>", "continuing_subword_prefix": "##"})
    made["nfkc"] = bpe(lines + hand, 400, special=["<unk>"], model={"unk_token": "<unk>", "fuse_unk": True}, normalizer=normalizers.NFKC(),
                       pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Digits(individual_digits=False)]),
                       trainer={"limit_alphabet": 50})
    made["nfd"] = byte_level(lines + hand, 400, pre_tokenizers.Split("e", "merged_with_next"), normalizer=normalizers.NFD())
    for behavior in ("removed", "merged_with_previous", "merged_with_next", "contiguous"):
        made["split_" + behavior] = byte_level(lines + hand, 330, pre_tokenizers.Split(Regex(r"\s|\p{P}"), behavior, invert=behavior == "removed"))
    made["prefix_space"] = bpe(lines + hand, 400, pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=True), decoder=decoders.ByteLevel(),
                               post_processor=bos("the", 5), trainer={"initial_alphabet": pre_tokenizers.ByteLevel.alphabet()})
    return made


def make_texts(english):
    rng = random.Random(20)
    words = english.split()
    marks = ["<s>", "</s>", "<image>", "<|end|>", "<|user|>", "<left>", "<word>", "<norm>", "<|im_start|>", "<|begin_of_text|>", "<unk>", "<0x41>", "day"]
    ranges = [(0x20, 0x7f), (0x20, 0x7f), (0, 0x20), (0xa0, 0x250), (0x300, 0x370), (0x370, 0x530), (0x590, 0x700), (0x900, 0xd80), (0xe00, 0xf00),
              (0x1100, 0x1200), (0x1e00, 0x2000), (0x2000, 0x2070), (0x2070, 0x2500), (0x3000, 0x3100), (0x4e00, 0x9fff), (0xac00, 0xd7a4), (0xfb00, 0xfffe),
              (0x1d100, 0x1d200), (0x1f1e6, 0x1f200), (0x1f300, 0x1f650), (0x20000, 0x2a6d0)]

    def piece():
        kind = rng.random()
        if kind < 0.4:
            return rng.choice(words)
        if kind < 0.5:
            return rng.choice(HAND)[:12]
        if kind < 0.6:
            return rng.choice(marks)
        if kind < 0.7:
            return "".join(rng.choice("0123456789") for _ in range(rng.randint(1, 9)))
        if kind < 0.8:
            return "".join(rng.choice(" \t\n\r\u00a0\u3000.,;:!?'\"()-_<>|/") for _ in range(rng.randint(1, 5)))
        begin, end = rng.choice(ranges)
        return "".join(chr(rng.randrange(begin, end)) for _ in range(rng.randint(1, 4)))

    texts = list(HAND)
    while len(texts) < TEXTS:
        glue = rng.choice(["", " ", " ", "\n", "  "])
        texts.append(glue.join(piece() for _ in range(rng.randint(1, 7))))
    return texts


def answer(tokenizer, text):
    plain = tokenizer.encode(text, add_special_tokens=False).ids
    whole = tokenizer.encode(text, add_special_tokens=True).ids
    return [plain, whole, tokenizer.decode(whole, skip_special_tokens=False), tokenizer.decode(whole, skip_special_tokens=True)]


def checksum(answers):
    """FNV-1a over: each list of ids, every id as four bytes; each text as UTF-8; a byte 255 after each of the four."""
    value = 2166136261
    for part in answers:
        data = struct.pack("<%di" % len(part), *part) if isinstance(part, list) else part.encode()
        for byte in data + b"\xff":
            value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


def dump(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main():
    english = open(sys.argv[1], encoding="utf-8").read()
    texts = make_texts(english)
    with open("texts.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(text, separators=(",", ":"), ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u0085", "\\u0085") + "\n" for text in texts)
    for name, definition in make_tokenizers(english).items():
        with open(name + ".json", "w", encoding="utf-8") as file:
            file.write(dump(definition) + "\n")
        write_expected(name, Tokenizer.from_str(dump(definition)), texts)
    write_expected("tiny-llama", Tokenizer.from_file("../../../../examples/models/tiny-llama/tokenizer.json"), texts)


def write_expected(name, tokenizer, texts):
    answers = [answer(tokenizer, text) for text in texts]
    with open(name + ".expected", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(found, separators=(",", ":"), ensure_ascii=True) + "\n" for found in answers[:len(HAND)])
    with open(name + ".sums", "wb") as file:
        file.writelines(struct.pack("<I", checksum(found)) for found in answers)


if __name__ == "__main__":
    main()
