"""The converters of examples/vqa on hand-made excerpts: their whole output, and what they refuse."""
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
DATA = os.path.join(ROOT, "tests", "data", "vqa")


class Converters(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def convert(self, name, *arguments):
        script = os.path.join(ROOT, "examples", "vqa", name + ".py")
        return subprocess.run([sys.executable, "-B", script, *arguments], capture_output=True, text=True,
                              encoding="utf-8")

    def expect(self, name, *arguments, output="rows.jsonl"):
        result = self.convert(name, *arguments, "--output", self.path(output))
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        with open(self.path(output), encoding="utf-8") as rows, \
                open(os.path.join(DATA, name + ".expected.jsonl"), encoding="utf-8") as expected:
            self.assertEqual(rows.read(), expected.read())

    def test_pope(self):
        self.expect("pope", os.path.join(DATA, "coco_pope_random.json"), "--images", self.path("coco"))

    def test_scienceqa(self):
        self.expect("scienceqa", os.path.join(DATA, "scienceqa"), "--images", self.path("sqa"))

    def test_scienceqa_with_images_only(self):
        output = self.path("rows.jsonl")
        self.convert("scienceqa", os.path.join(DATA, "scienceqa"), "--images", self.path("sqa"), "--images-only",
                     "--output", output)
        with open(output, encoding="utf-8") as rows, \
                open(os.path.join(DATA, "scienceqa.expected.jsonl"), encoding="utf-8") as expected:
            self.assertEqual(rows.readlines(), expected.readlines()[1:])

    def test_mmbench(self):
        self.expect("mmbench", os.path.join(DATA, "mmbench.tsv"), "--images", self.path("mmb"))
        with open(self.path("mmb/0.jpg"), "rb") as image:
            self.assertEqual(image.read(), b"\xff\xd8 not quite a picture, but bytes")

    def test_mmbench_without_answers(self):
        table = self.path("test.tsv")
        with open(table, "w", encoding="utf-8") as out:
            out.write("index\tquestion\thint\tA\tB\timage\tcategory\n3\tWhat?\t\tx\ty\t0\tc\n")
        result = self.convert("mmbench", table, "--images", self.path("mmb"), "--output", self.path("rows.jsonl"))
        self.assertEqual((result.returncode, result.stderr), (1, table + ": row 3: the answer '' is no option\n"))

    def test_textvqa(self):
        os.mkdir(self.path("rows"))
        self.expect("textvqa", os.path.join(DATA, "textvqa.json"), "--images", self.path("train_images"), "--ocr",
                    os.path.join(DATA, "textvqa_ocr.json"), "--prompt", "{}", output="rows/rows.jsonl")

    def test_help(self):
        for name in ("pope", "scienceqa", "mmbench", "textvqa"):
            result = self.convert(name, "--help")
            self.assertEqual(result.returncode, 0)
            self.assertIn("--images", result.stdout)


if __name__ == "__main__":
    unittest.main()
