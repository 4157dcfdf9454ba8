#include "formats/fake/fake_format.h"

#include <ATen/ATen.h>

#include "engine/error.h"
#include "engine/tensor_bytes.h"

namespace oneshot {
namespace {

class Fake : public Format {
 public:
  std::string name() const override { return "fake"; }

  std::optional<std::string> unsupported(const PlannedModule&) const override {
    return std::nullopt;
  }

  std::vector<TensorSpec> tensors(const PlannedModule& module) const override {
    return {{module.name + ".weight", module.dtype, {module.rows, module.columns}}};
  }

  int64_t row_alignment(const Scheme&) const override { return 1; }

  void encode(const PlannedModule& module,
              const QuantizedWeight& rows,
              int64_t first_row,
              OutputTensors& output) const override {
    output.put(module.name + ".weight",
               dequantize(rows).to(scalar_type(module.dtype)).contiguous(),
               first_row,
               0);
  }

  /// A plain checkpoint: nothing of it is read through this format.
  std::vector<std::string> quantized_modules(const std::vector<std::string>&) const override {
    return {};
  }
  PlannedModule module(const TensorSource&, const std::string&, const Scheme&) const override {
    refuse();
  }
  QuantizedWeight decode(const TensorSource&, const std::string&, const Scheme&) const override {
    refuse();
  }
  InputScales decode_inputs(const TensorSource&, const std::string&, const Scheme&) const override {
    refuse();
  }
  bool recognizes(const nlohmann::json&) const override { return false; }
  Scheme scheme(const nlohmann::json&, const std::string&) const override { refuse(); }

  std::vector<SmallFile> files(const Plan&, const nlohmann::json& source_config) const override {
    return {{"config.json", source_config.dump(2, ' ', true)}};
  }

 private:
  [[noreturn]] static void refuse() {
    throw Error(ErrorCode::Failed, "fake: nothing of it is quantized, so nothing is decoded");
  }
};

}  // namespace

std::unique_ptr<Format> make_fake() {
  return std::make_unique<Fake>();
}

}  // namespace oneshot
