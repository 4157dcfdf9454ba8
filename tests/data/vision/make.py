"""Makes what the tests of images read: small images, and what Pillow and Transformers make of them.

python make.py TINY_LLAVA_FOLDER, with Pillow 12.3, numpy, torch 2.11, safetensors and Transformers 5.17, in this folder.
TINY_LLAVA_FOLDER holds expected.safetensors with the pixel values of images/trained.png and trained.jpg.

images/        every kind that is decoded, drawn from one seed; and some that are refused
decoded.json   per file: size, SHA-256 of convert("RGB"), of the alpha of convert("RGBA") where it is not 255 throughout,
               of the image over white
resized.json   SHA-256 of Image.resize(). Pillow 13 resizes some images down first and across second, with other last bits
processed.json per case: the JSON files of the checkpoint, the images, places in the text, and of every tensor shape and
               SHA-256 (float32 or int64, little-endian)
sizes.json     sizes that the processors choose, on random images
phi3_v.f32     the small whole views of Phi-3-vision, whose last bits depend on the processor
Llava, Mllama and Qwen2-VL are the classes of Transformers for Pillow; the others have none, so their steps are below.
"""
import hashlib
import io
import json
import math
import struct
import sys
import zlib

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.mllama.image_processing_pil_mllama import (
    MllamaImageProcessorPil, get_all_supported_aspect_ratios, get_image_size_fit_to_canvas, get_optimal_tiled_canvas)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil, smart_resize

MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
random = np.random.default_rng(7)


def picture(width, height, channels=3):
    """Waves, an edge and some noise, [height, width, channels] uint8."""
    y, x = np.mgrid[0:height, 0:width]
    planes = []
    for c in range(channels):
        a, b, p = random.uniform(0.05, 0.6, 2).tolist() + [random.uniform(0, 6)]
        plane = 128 + 90 * np.sin(a * x + b * y + p) + 60 * ((x * (c + 1) + y * 2) % 37 > 18) + random.normal(0, 9, (height, width))
        planes.append(plane)
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, bits, colour, rows, extra=b"", interlaced=0):
    """A PNG of unfiltered rows of bytes, for what Pillow cannot write."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def packed(values, bits):
    """[height, width] of small numbers to rows of bytes."""
    rows = []
    for row in values:
        text = "".join(format(int(v), f"0{bits}b") for v in row)
        text += "0" * (-len(text) % 8)
        rows.append(int(text, 2).to_bytes(len(text) // 8, "big"))
    return rows


def adam7(pixels):
    rows = []
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        part = pixels[y0::dy, x0::dx]
        if part.size:
            rows += [row.tobytes() for row in part]
    return rows


def write(name, data):
    open("images/" + name, "wb").write(data)


def save(name, image, **options):
    image.save("images/" + name, **options)


def make_images(folder):
    photo = Image.fromarray(picture(61, 43))
    save("photo.jpg", photo, quality=90)
    save("photo_444.jpg", photo, quality=75, subsampling=0)
    save("photo_422.jpg", photo, quality=60, subsampling=1)
    save("progressive.jpg", photo, quality=80, progressive=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    save("orientation_6.jpg", Image.fromarray(picture(40, 24)), exif=exif, quality=85)
    save("upright.jpg", Image.fromarray(picture(37, 91)), quality=88)
    save("grey.jpg", Image.fromarray(picture(37, 91)[..., 0]), quality=85)
    save("cmyk.jpg", Image.fromarray(picture(33, 29, 4), "CMYK"), quality=90)
    save("rgb.png", Image.fromarray(picture(150, 3)))
    save("wide.png", Image.fromarray(picture(96, 20)))
    save("small.png", Image.fromarray(picture(9, 7)))
    save("rgba.png", Image.fromarray(picture(50, 34, 4)))
    save("grey_alpha.png", Image.fromarray(picture(21, 30, 2), "LA"))
    save("grey.png", Image.fromarray(picture(30, 21)[..., 0]))
    save("palette.png", Image.fromarray(picture(40, 30)).quantize(200))
    save("palette_alpha.png", Image.fromarray(picture(40, 30)).quantize(11), transparency=bytes([0, 90, 255, 200]))
    save("bits_1.png", Image.fromarray(picture(19, 11)[..., 0]).convert("1"))
    grey = picture(21, 13)[..., 0]
    write("grey_4.png", png(21, 13, 4, 0, packed(grey >> 4, 4)))
    write("grey_2_key.png", png(21, 13, 2, 0, packed(grey >> 6, 2), chunk(b"tRNS", struct.pack(">H", 0))))
    write("grey_8_key.png", png(21, 13, 8, 0, [r.tobytes() for r in grey & 0xf0], chunk(b"tRNS", struct.pack(">H", 0x90))))
    write("bits_1_key.png", png(21, 13, 1, 0, packed(grey >> 7, 1), chunk(b"tRNS", struct.pack(">H", 1))))
    wide = (grey.astype(">u2") * 3 + 1)
    write("grey_16.png", png(21, 13, 16, 0, [r.tobytes() for r in wide]))
    write("rgb_16.png", png(21, 13, 16, 2, [r.tobytes() for r in random.integers(0, 65536, (13, 63)).astype(">u2")]))
    write("rgba_16.png", png(21, 13, 16, 6, [r.tobytes() for r in random.integers(0, 65536, (13, 84)).astype(">u2")]))
    write("rgb_key.png", png(4, 1, 8, 2, [bytes([1, 2, 3, 9, 9, 9, 1, 2, 3, 7, 7, 7])], chunk(b"tRNS", struct.pack(">3H", 1, 2, 3))))
    write("interlaced.png", png(21, 13, 8, 2, adam7(picture(21, 13)), interlaced=1))
    save("lossy.webp", photo, quality=70)
    save("lossless.webp", photo, lossless=True)
    save("alpha.webp", Image.fromarray(picture(50, 34, 4)), quality=80)
    save("lossless_alpha.webp", Image.fromarray(picture(20, 34, 4)), lossless=True, exact=True)

    # refused
    save("animated.webp", photo, save_all=True, append_images=[Image.fromarray(picture(61, 43))], quality=50)
    write("bomb.png", png(20000, 20000, 8, 2, []))
    write("outside_palette.png", png(2, 1, 8, 3, [bytes([0, 3])], chunk(b"PLTE", bytes(9))))


def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


REFUSED = {"animated.webp", "bomb.png", "outside_palette.png"}
NAMES = """photo.jpg photo_444.jpg photo_422.jpg progressive.jpg orientation_6.jpg upright.jpg grey.jpg cmyk.jpg rgb.png wide.png
small.png rgba.png grey_alpha.png grey.png palette.png palette_alpha.png bits_1.png grey_4.png grey_2_key.png grey_8_key.png
bits_1_key.png grey_16.png rgb_16.png rgba_16.png rgb_key.png interlaced.png lossy.webp lossless.webp alpha.webp
lossless_alpha.webp trained.png trained.jpg""".split()


def load(name):
    return Image.open("images/" + name)


def decoded():
    files = {}
    for name in NAMES:
        rgb = np.array(load(name).convert("RGB"))
        alpha = np.array(load(name).convert("RGBA"))[..., 3]
        files[name] = {"width": rgb.shape[1], "height": rgb.shape[0], "rgb": sha(rgb)}
        if load(name).mode != "RGB" and (alpha != 255).any():
            files[name]["alpha"] = sha(alpha)
        white = MllamaImageProcessorPil().convert_to_rgb(load(name))
        files[name]["over_white"] = sha(np.array(white))
    return files


def resized():
    cases = []
    for name in ("photo.jpg", "upright.jpg", "rgb.png", "small.png"):
        image = load(name).convert("RGB")
        for size in ((28, 28), (image.width, 17), (23, image.height), image.size, (131, 97), (1, 1), (200, 2), (5, 300)):
            for number in (1, 2, 3):
                cases.append({"image": name, "width": size[0], "height": size[1], "filter": number,
                              "rgb": sha(np.array(image.resize(size, Image.Resampling(number))))})
    return cases


CLIP = {"image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": 28}, "resample": 3,
        "do_center_crop": True, "crop_size": {"height": 28, "width": 28}, "do_rescale": True,
        "rescale_factor": 0.00392156862745098, "do_normalize": True, "image_mean": MEAN, "image_std": STD}
LLAVA = {"model_type": "llava", "vision_config": {"image_size": 28, "patch_size": 14}}
ORIGINAL = {"architectures": ["LlavaLlamaForCausalLM"], "mm_vision_tower": "tower", "image_aspect_ratio": "pad"}
ALL = ["photo.jpg", "upright.jpg", "cmyk.jpg", "rgb.png", "wide.png", "small.png", "rgba.png", "palette.png", "grey.png", "alpha.webp"]


def tensors(outputs):
    kept = {}
    for name, value in outputs.items():
        if name == "num_tiles":
            continue
        value = np.asarray(value)
        kept[name] = {"shape": list(value.shape), "sha256": sha(value.astype("<i8" if value.dtype.kind == "i" else "<f4"))}
    return kept


def case(name, config, files, images, outputs, tokens):
    return {"name": name, "config": config, "files": files, "images": images, "tensors": tensors(outputs), "tokens": tokens}


def square(image):
    edge = max(image.size)
    canvas = Image.new("RGB", (edge, edge), tuple(int(x * 255) for x in MEAN))
    canvas.paste(image, ((edge - image.width) // 2, (edge - image.height) // 2))
    return canvas


def run(kind, options, images):
    options = {k: v for k, v in options.items() if not k.endswith("_type")}
    return dict(kind(**options)(images, return_tensors="np"))


def llava_cases(folder):
    pictures = [load(n).convert("RGB") for n in ALL]
    cases = []

    def add(name, options, kind=CLIPImageProcessorPil, tokens=4, config=LLAVA, files=None, images=pictures):
        files = {"preprocessor_config.json": options} if files is None else files
        cases.append(case(name, config, files, ALL, run(kind, options, images), [tokens] * len(ALL)))

    add("llava", CLIP)
    old = {"feature_extractor_type": "CLIPFeatureExtractor", "size": 28, "crop_size": 28, "resample": 2, "image_mean": MEAN, "image_std": STD}
    add("llava, older keys", old)
    full = LLAVA | {"vision_feature_select_strategy": "full"}
    add("llava, exact size", CLIP | {"size": {"height": 28, "width": 28}, "do_center_crop": False, "resample": 1}, tokens=5, config=full)
    add("llava, crop larger than the image", CLIP | {"size": {"shortest_edge": 19}})
    add("llava, no resizing", CLIP | {"do_resize": False})
    add("llava, no normalizing", CLIP | {"do_normalize": False})
    add("llava, no rescaling", CLIP | {"do_rescale": False, "rescale_factor": 3, "image_mean": 0.5, "image_std": [2.0, 3.0, 5.0]})
    padded = CLIP | {"image_processor_type": "LlavaImageProcessorFast", "do_pad": True}
    add("llava, padded", padded, LlavaImageProcessorPil)
    add("llava, nested", CLIP, files={"processor_config.json": {"image_processor": CLIP, "patch_size": 14, "vision_feature_select_strategy": "default"},
                                      "preprocessor_config.json": CLIP | {"resample": 2}})
    tower = {"vision_config": {"image_size": 28, "patch_size": 14}}
    both = {"preprocessor_config.json": CLIP, "config.json": tower}
    add("llava original, padded", CLIP, config=ORIGINAL, files=both, images=[square(p) for p in pictures])
    add("llava original, not padded", CLIP, config=ORIGINAL | {"image_aspect_ratio": None, "mm_vision_select_feature": "cls_patch"}, files=both, tokens=5)

    files = {n: json.load(open(f"{folder}/{n}")) for n in ("preprocessor_config.json", "processor_config.json")}
    config = json.load(open(folder + "/config.json"))
    expected = load_file(folder + "/expected.safetensors")
    for name in ("png", "jpg"):
        cases.append(case("llava, trained, " + name, config, files, ["trained." + name], {"pixel_values": expected["pixel_values." + name]}, [64]))
    tower = {"preprocessor_config.json": files["preprocessor_config.json"], "config.json": {"vision_config": config["vision_config"]}}
    cases.append(case("llava original, trained", ORIGINAL, tower, ["trained.png"], {"pixel_values": expected["pixel_values_pad.png"]}, [64]))
    return cases


def mllama_cases():
    options = {"image_processor_type": "MllamaImageProcessor", "size": {"height": 28, "width": 28}, "max_image_tiles": 4, "resample": 2,
               "do_resize": True, "do_pad": True, "image_mean": MEAN, "image_std": STD, "do_convert_rgb": True}
    config = {"model_type": "mllama", "vision_config": {"image_size": 28, "max_num_tiles": 4}}
    names = ALL + ["palette_alpha.png", "grey_alpha.png", "grey_8_key.png"]
    cases = []
    for name, changed, images in (("mllama", {}, names), ("mllama, one image", {}, ["upright.jpg"]),
                                  ("mllama, six tiles", {"max_image_tiles": 6, "size": {"height": 16, "width": 16}, "resample": 3}, names)):
        used = options | changed
        if changed:
            used = {k: v for k, v in used.items() if k not in ("image_mean", "image_std")}
            config = {"model_type": "mllama", "vision_config": {}}
        outputs = run(MllamaImageProcessorPil, used, [[load(n) for n in images]])
        cases.append(case(name, config, {"preprocessor_config.json": used}, images, outputs, [1] * len(images)))
    return cases


def qwen_cases():
    options = {"image_processor_type": "Qwen2VLImageProcessor", "min_pixels": 28 * 28 * 2, "max_pixels": 28 * 28 * 8, "patch_size": 14,
               "temporal_patch_size": 2, "merge_size": 2, "image_mean": MEAN, "image_std": STD, "resample": 3}
    vision = {"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2}
    newer = {"size": {"shortest_edge": 64, "longest_edge": 4096}, "patch_size": 4, "merge_size": 3, "temporal_patch_size": 1}
    cases = []
    for name, kind, used in (("qwen2_vl", "qwen2_vl", options), ("qwen2_5_vl, other sizes", "qwen2_5_vl", newer), ("qwen2_vl, defaults", "qwen2_vl", {})):
        pictures = [load(n).convert("RGB") for n in ALL]
        kwargs = dict(used)
        if "size" in kwargs:
            kwargs["size"] = dict(kwargs["size"])
        else:
            kwargs["size"] = {"shortest_edge": kwargs.pop("min_pixels", 3136), "longest_edge": kwargs.pop("max_pixels", 1003520)}
        outputs = run(Qwen2VLImageProcessorPil, kwargs, pictures)
        merge = used.get("merge_size", 2)
        tokens = [int(np.prod(g)) // merge ** 2 for g in outputs["image_grid_thw"]]
        config = {"model_type": kind, "vision_config": vision if used is options else {}}
        cases.append(case(name, config, {"preprocessor_config.json": used}, ALL, outputs, tokens))
    return cases


def to_tensor(image):
    """torchvision's ToTensor and Normalize."""
    values = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().to(torch.float32).div(255)
    return values.sub(torch.tensor(MEAN)[:, None, None]).div(torch.tensor(STD)[:, None, None])


def hd_size(width, height, crops, edge=336):
    """Resized and padded size of an image that is not higher than wide."""
    ratio = width / height
    scale = 1
    while scale * np.ceil(scale / ratio) <= crops:
        scale += 1
    new_width = int((scale - 1) * edge)
    new_height = int(new_width / ratio)
    return (new_width, new_height), (new_width, int(np.ceil(new_height / edge) * edge))


def hd_places(width, height, crops, edge=336, patch=14):
    (w, h), (pw, ph) = hd_size(max(width, height), min(width, height), crops, edge)
    if width < height:
        pw, ph = ph, pw
    cells = edge // patch // 2
    return (ph // edge * (pw // edge) + 1) * cells ** 2 + 1 + (ph // edge + 1) * cells


def phi3(image, crops, edge):
    turned = image.width < image.height
    if turned:
        image = image.transpose(Image.Transpose.TRANSPOSE)
    size, padded = hd_size(image.width, image.height, crops, edge)
    canvas = Image.new("RGB", padded, (255, 255, 255))
    canvas.paste(image.resize(size, Image.Resampling.BILINEAR), (0, int((padded[1] - size[1]) / 2)))
    if turned:
        canvas = canvas.transpose(Image.Transpose.TRANSPOSE)
    values = to_tensor(canvas)
    whole = torch.nn.functional.interpolate(values[None], size=(edge, edge), mode="bicubic")[0]
    high, wide = values.shape[1] // edge, values.shape[2] // edge
    parts = values.reshape(3, high, edge, wide, edge).permute(1, 3, 0, 2, 4).reshape(-1, 3, edge, edge)
    out = torch.zeros(crops, 3, edge, edge)
    out[:len(parts)] = parts
    return whole.numpy(), out.numpy(), list(values.shape[1:])


def phi3_cases():
    cases, views = [], []
    names = ["photo.jpg", "upright.jpg", "rgba.png", "wide.png", "small.png"]
    for crops, edge in ((4, 28), (16, 28), (1, 56)):
        outputs = [phi3(load(n).convert("RGB"), crops, edge) for n in names]
        views += [o[0] for o in outputs]
        config = {"model_type": "phi3_v", "img_processor": {"image_size": edge, "patch_size": 14, "num_img_tokens": (edge // 28) ** 2}}
        files = {"preprocessor_config.json": {"image_processor_type": "Phi3VImageProcessor", "num_crops": crops, "image_mean": MEAN, "image_std": STD}}
        made = {"crops": np.stack([o[1] for o in outputs]), "image_sizes": np.array([o[2] for o in outputs])}
        tokens = [hd_places(*load(n).size, crops, edge) for n in names]
        cases.append(case(f"phi3_v, {crops} crops", config, files, names, made, tokens))
    np.concatenate([v.ravel() for v in views]).astype("<f4").tofile("phi3_v.f32")
    return cases


def cogvlm_cases():
    config = {"architectures": ["CogVLMForCausalLM"], "vision_config": {"image_size": 56, "patch_size": 14}}
    values = [to_tensor(load(n).convert("RGB").resize((56, 56), Image.Resampling.BICUBIC)).numpy() for n in ALL]
    return [case("cogvlm2", config, {}, ALL, {"pixel_values": np.stack(values)}, [6] * len(ALL))]


def sizes():
    """width, height; of Qwen2-VL on the hub; of Mllama tiles high and wide, id, size; places of Phi-3-vision with 4 and 16 crops."""
    rows = []
    for _ in range(400):
        w, h = (int(v) for v in np.exp(random.uniform(np.log(20), np.log(4000), 2)))
        if max(w, h) / min(w, h) > 60:
            continue
        qh, qw = smart_resize(h, w, 28, 3136, 12845056)
        ch, cw = (int(v) for v in get_optimal_tiled_canvas(h, w, 4, 560))
        mh, mw = (int(v) for v in get_image_size_fit_to_canvas(h, w, ch, cw, 560))
        index = get_all_supported_aspect_ratios(4).index((ch // 560, cw // 560)) + 1
        rows.append([w, h, qw, qh, ch // 560, cw // 560, index, mw, mh, int(hd_places(w, h, 4)), int(hd_places(w, h, 16))])
    return rows


def dump(name, value):
    rows = [json.dumps(v) for v in value] if isinstance(value, list) else [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in value.items()]
    ends = "[]" if isinstance(value, list) else "{}"
    open(name, "w").write(ends[0] + "\n" + ",\n".join(rows) + "\n" + ends[1] + "\n")


make_images(sys.argv[1])
dump("decoded.json", decoded())
dump("resized.json", resized())
dump("processed.json", llava_cases(sys.argv[1]) + mllama_cases() + qwen_cases() + phi3_cases() + cogvlm_cases())
dump("sizes.json", sizes())
