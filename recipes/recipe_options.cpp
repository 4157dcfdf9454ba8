#include "recipes/recipe_options.h"

namespace oneshot::recipes {
namespace {

std::vector<Option> model_options() {
  return {
      {.name = "dtype",
       .fallback = "auto",
       .words = {"auto", "float16", "bfloat16", "float32"},
       .description = "Every floating-point tensor is cast to it before quantizing, copied ones "
                      "too, and the config's dtype follows. auto: each stays as it is."},
      {.name = "tokenizer",
       .type = OptionType::Path,
       .example = "tokenizer: ../llama-tokenizer",
       .description = "Folder of the tokenizer, where it is not the model's."},
      {.name = "vision_tower",
       .type = OptionType::Path,
       .example = "vision_tower: ../clip-vit-large-patch14-336",
       .description = "Folder of the vision tower, where it is a checkpoint of its own."},
  };
}

std::vector<Option> dataset_options() {
  return {
      {.name = "path",
       .type = OptionType::Path,
       .required = true,
       .example = "path: pile-10k.jsonl",
       .description = "JSON lines (.jsonl, .ndjson): a row a line. JSON (.json): a list of "
                      "rows, or an object with one list. Text (.txt, .md): the whole file is "
                      "one row. A folder: each .txt and .md file directly in it is a row."},
      {.name = "samples",
       .type = OptionType::Int,
       .minimum = 1,
       .example = "samples: 128",
       .description = "How many of the samples come from this file. Unset: an equal share of "
                      "what the others leave."},
      {.name = "field",
       .example = "field: text",
       .description = "The field of a row that holds the text, the messages or the token ids. "
                      "Unset: the first of input_ids, messages, conversations, text that is "
                      "there; a row may also be a bare text."},
      {.name = "format",
       .fallback = "auto",
       .words = {"auto", "json", "jsonl", "text"},
       .description = "How the file is written. auto: by the end of its name; a .json may hold "
                      "JSON lines."},
  };
}

std::vector<Option> calibration_options() {
  return {
      {.name = "dataset",
       .type = OptionType::PathOrMappings,
       .required = true,
       .fields = dataset_options(),
       .example = "dataset: pile-10k.jsonl",
       .description = "What the model is calibrated on: a file, a folder of texts, or a list of "
                      "several, which are joined and shuffled."},
      {.name = "samples",
       .type = OptionType::Int,
       .fallback = "512",
       .minimum = 1,
       .description = "How many samples to take."},
      {.name = "sequence_length",
       .type = OptionType::Int,
       .fallback = "512",
       .minimum = 1,
       .description = "Tokens of a sample; longer rows are cut."},
      {.name = "seed",
       .type = OptionType::Int,
       .fallback = "42",
       .minimum = 0,
       .description = "Of everything random in the run."},
      {.name = "shuffle",
       .type = OptionType::Bool,
       .fallback = "true",
       .description = "Take the rows in numpy's random order of the seed; false: in the order "
                      "of the file. A row whose last token fills more than half of it is left "
                      "out."},
      {.name = "short",
       .words = {"drop", "pad", "pack"},
       .example = "short: pad",
       .description = "What becomes of rows with fewer tokens: drop them; pad them (masked); or "
                      "pack: the tokens of all rows, the tokenizer's eos_token between them, "
                      "are cut into samples. Unset: drop text, pad rows with an image."},
      {.name = "special_tokens",
       .type = OptionType::Bool,
       .fallback = "false",
       .description = "Let the tokenizer add its special tokens to a text. Conversations have "
                      "those of their template; where the model reads images also those that "
                      "its processor adds."},
      {.name = "chat_template",
       .type = OptionType::Path,
       .fallback = "auto",
       .words = {"auto", "none"},
       .example = "chat_template: chat_template.jinja",
       .description = "How conversations become text: auto, the model's own template, or for "
                      "a family that reads images the one built in; none, the messages joined "
                      "by line breaks; or a template file."},
      {.name = "extra_data_dir",
       .type = OptionType::ImageFolder,
       .example = "extra_data_dir: images",
       .description = "Folder that the image paths in the dataset start from; one that is not "
                      "there is looked for by its bare file name, then beside the dataset. Also "
                      "image=DIR,video=DIR,audio=DIR, of which only image is used."},
      {.name = "template",
       .type = OptionType::Path,
       .example = "template: template.json",
       .description = "JSON file with a form for each role, as auto-round reads it: "
                      "format_user, format_assistant, format_system, format_function, "
                      "format_observation with {{content}} in them, default_system, "
                      "replace_tokens [old, new, …], extra_encode (false: only replace_tokens "
                      "counts), model_type; format_separator, default_dataset and processor "
                      "change nothing."},
      {.name = "allow_fewer",
       .type = OptionType::Bool,
       .fallback = "false",
       .description = "Go on when the dataset has fewer samples than asked for, and leave out "
                      "rows whose images are missing or broken."},
  };
}

std::vector<Option> output_options(std::span<const std::string> known_formats) {
  return {
      {.name = "formats",
       .type = OptionType::TextList,
       .minimum = 1,
       .words = {known_formats.begin(), known_formats.end()},
       .spelling = Spelling::Hyphens,
       .example = "formats: [auto_round, auto_gptq]",
       .description =
           "One: straight into the output folder; several: a sub-folder each. Unset: the "
           "modifier's default."},
      {.name = "shard_size",
       .type = OptionType::Size,
       .fallback = "5GB",
       .minimum = 1,
       .description = "Largest size of one weight file; a larger tensor has a file to itself."},
  };
}

std::vector<Option> evaluation_options() {
  return {
      {.name = "text",
       .type = OptionType::Path,
       .example = "text: heldout.txt",
       .description = "Text file to measure the perplexity on."},
      {.name = "choices",
       .type = OptionType::Path,
       .example = "choices: vqa.jsonl",
       .description = "Questions with choices or short answers to measure the accuracy on."},
      {.name = "generate",
       .example = "generate: Once upon a time",
       .description = "Prompt of a sample generation."},
      {.name = "samples",
       .type = OptionType::Int,
       .minimum = 1,
       .example = "samples: 64",
       .description = "Evenly spaced windows of the text, and questions. Unset: all of them."},
      {.name = "sequence_length",
       .type = OptionType::Int,
       .fallback = "512",
       .minimum = 2,
       .description = "Tokens of a window."},
      {.name = "max_perplexity_ratio",
       .type = OptionType::Float,
       .minimum = 0,
       .above_minimum = true,
       .example = "max_perplexity_ratio: 1.05",
       .description = "The run fails when the perplexity after, divided by that before, is above."},
  };
}

std::vector<Option> modifier_tables(std::span<const ModifierSyntax> modifiers) {
  std::vector<Option> tables;
  for (const ModifierSyntax& modifier : modifiers) {
    tables.push_back({.name = modifier.name,
                      .type = OptionType::Mapping,
                      .fields = modifier.options,
                      .description = modifier.summary});
  }
  return tables;
}

}  // namespace

Option recipe_table(std::span<const ModifierSyntax> modifiers,
                    std::span<const std::string> known_formats) {
  Option table{.name = "recipe", .type = OptionType::Mapping};
  table.description = "What to do with a checkpoint: oneshot run RECIPE --model DIR --output DIR";
  table.fields = {
      {.name = "version",
       .type = OptionType::Int,
       .required = true,
       .minimum = 1,
       .maximum = 1,
       .example = "version: 1",
       .description = "Version of the recipe language."},
      {.name = "extends",
       .type = OptionType::Path,
       .example = "extends: base.yaml",
       .description = "A recipe that this one builds on: mappings merge key by key, everything "
                      "else in this file wins, `null` takes a key of the base out."},
      {.name = "model",
       .type = OptionType::Mapping,
       .fallback = "{}",
       .fields = model_options(),
       .example = "model: {dtype: bfloat16}",
       .description = "How the checkpoint is read."},
      {.name = "calibration",
       .type = OptionType::Mapping,
       .fields = calibration_options(),
       .example = "calibration: {dataset: pile-10k.jsonl}",
       .description = "The data that activations are measured on. Absent: data-free."},
      {.name = "modifiers",
       .type = OptionType::Modifiers,
       .required = true,
       .fields = modifier_tables(modifiers),
       .example = "modifiers: [quantize: {scheme: W4A16}]",
       .description = "The algorithms, in the order in which they run."},
      {.name = "output",
       .type = OptionType::Mapping,
       .fallback = "{}",
       .fields = output_options(known_formats),
       .example = "output: {formats: [auto_round]}",
       .description = "What is written."},
      {.name = "evaluation",
       .type = OptionType::Mapping,
       .fields = evaluation_options(),
       .example = "evaluation: {text: heldout.txt}",
       .description = "What is measured before and after. Absent: nothing."},
  };
  return table;
}

}  // namespace oneshot::recipes
