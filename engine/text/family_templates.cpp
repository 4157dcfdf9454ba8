// The built-in templates, for a checkpoint that brings none.
#include "engine/text/prompt_template.h"

namespace oneshot {
namespace {

PromptTemplate vicuna(bool says_system, const std::string& eos_token) {
  PromptTemplate form;
  form.format_user = "USER: {{content}} ";
  form.format_assistant = "ASSISTANT: {{content}}" + (eos_token.empty() ? "</s>" : eos_token);
  form.format_system = "{{content}} ";
  if (says_system) {
    form.default_system =
        "A chat between a curious user and an artificial intelligence assistant. The assistant "
        "gives helpful, detailed, and polite answers to the user's questions.";
  }
  return form;
}

PromptTemplate qwen2_vl() {
  PromptTemplate form;
  form.format_user = "<|im_start|>user\n{{content}}<|im_end|>\n";
  form.format_assistant = "<|im_start|>assistant\n{{content}}<|im_end|>\n";
  form.format_system = "<|im_start|>system\n{{content}}<|im_end|>\n";
  form.format_observation =
      "<|im_start|>user\n<tool_response>\n{{content}}\n</tool_response><|im_end|>\n";
  form.default_system = "You are a helpful assistant.";
  return form;
}

PromptTemplate mllama() {
  PromptTemplate form;
  form.format_user = "<|start_header_id|>user<|end_header_id|>\n\n{{content}}<|eot_id|>";
  form.format_assistant = "<|start_header_id|>assistant<|end_header_id|>\n\n{{content}}<|eot_id|>";
  form.format_system = "<|start_header_id|>system<|end_header_id|>\n\n{{content}}<|eot_id|>";
  form.format_observation = "<|start_header_id|>ipython<|end_header_id|>\n\n{{content}}<|eot_id|>";
  return form;
}

PromptTemplate phi3_v() {
  PromptTemplate form;
  form.format_user = "<|user|>\n{{content}}<|end|>\n";
  form.format_assistant = "<|assistant|>\n{{content}}<|end|>\n";
  form.format_system = "<|system|>\n{{content}}<|end|>\n";
  return form;
}

PromptTemplate cogvlm2() {
  PromptTemplate form;
  form.format_user = "Question: {{content}} ";
  form.format_assistant = "Answer: {{content}}\n";
  form.format_system = "{{content}}\n";
  return form;
}

PromptTemplate form_of(ImageFamily family, const std::string& eos_token) {
  switch (family) {
    case ImageFamily::Llava:
      return vicuna(false, eos_token);
    case ImageFamily::LlavaOriginal:
      return vicuna(true, eos_token);
    case ImageFamily::Qwen2Vl:
      return qwen2_vl();
    case ImageFamily::Mllama:
      return mllama();
    case ImageFamily::Phi3V:
      return phi3_v();
    case ImageFamily::CogVlm2:
      return cogvlm2();
  }
  return {};
}

}  // namespace

PromptTemplate family_template(ImageFamily family, const std::string& eos_token) {
  PromptTemplate form = form_of(family, eos_token);
  form.name = std::string("the built-in template of ") + family_name(family);
  form.model_type = family_name(family);
  form.extra_encode = true;
  return form;
}

}  // namespace oneshot
