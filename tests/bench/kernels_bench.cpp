// How fast each CPU kernel reads, on one thread: a bfloat16 weight of 64 MiB in slices of 2 MiB,
// as the engine takes it. `bytes_per_second` counts the bytes of the weight; its ratio to
// `memcpy`'s is what survives another machine.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "engine/kernels/kernel_table.h"

namespace oneshot::kernels {
namespace {

constexpr int64_t kColumns = 4096, kRows = 8192, kSliceRows = 256;

const at::Tensor& weight() {
  static const at::Tensor kWeight = at::randn({kRows, kColumns}).to(at::kBFloat16);
  return kWeight;
}

// One slice, with what the kernels need beside it.
struct Slice {
  at::Tensor weight;  // [kSliceRows, kColumns]
  at::Tensor scale;   // [kSliceRows, groups]
  at::Tensor zero_point;
  at::Tensor codes;
};

void run(benchmark::State& state,
         const std::function<Slice(const at::Tensor&)>& prepare,
         const std::function<void(const Slice&)>& kernel) {
  std::vector<Slice> slices;
  for (const at::Tensor& rows : weight().split(kSliceRows)) {
    slices.push_back(prepare(rows));
  }
  for (auto _ : state) {
    for (const Slice& slice : slices) {
      kernel(slice);
    }
  }
  const auto bytes = static_cast<int64_t>(weight().nbytes());
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * bytes);
}

using Prepare = std::function<Slice(const at::Tensor&)>;

// Scales that spread the values over ±`largest`.
Prepare with_scale(int64_t group_size, double largest, at::ScalarType dtype, bool asymmetric) {
  return [=](const at::Tensor& rows) {
    const at::Tensor scale = (group_absmax(rows, group_size) / largest).to(dtype);
    at::Tensor zero_point;
    if (asymmetric) {
      zero_point = at::randint(-8, 8, scale.sizes(), scale.options().dtype(at::kChar));
    }
    return Slice{rows, scale, zero_point, {}};
  };
}

Prepare with_codes(int bits, at::ScalarType dtype) {
  return [=](const at::Tensor& rows) {
    const int64_t half = int64_t{1} << (bits - 1);
    const int64_t offset = dtype == at::kByte ? half : 0;
    const auto options = rows.options().dtype(dtype);
    return Slice{rows, {}, {}, at::randint(offset - half, offset + half, rows.sizes(), options)};
  };
}

Slice plain(const at::Tensor& rows) {
  return {rows, {}, {}, {}};
}

void add(const std::string& name,
         const Prepare& prepare,
         const std::function<void(const Slice&)>& kernel) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    run(state, prepare, kernel);
  })->Unit(benchmark::kMillisecond);
}

void add_statistics() {
  add("memcpy", plain, [](const Slice& s) {
    const at::Tensor copy = at::empty_like(s.weight);
    std::memcpy(copy.mutable_data_ptr(), s.weight.const_data_ptr(), s.weight.nbytes());
    benchmark::DoNotOptimize(copy.const_data_ptr());
  });
  for (const int64_t group : {int64_t{16}, int64_t{32}, int64_t{128}, kColumns}) {
    const std::string suffix = "/group:" + std::to_string(group);
    add("group_absmax" + suffix, plain, [=](const Slice& s) { group_absmax(s.weight, group); });
    add("group_range" + suffix, plain, [=](const Slice& s) { group_range(s.weight, group); });
  }
}

void add_encoders() {
  for (const auto& [name, dtype] :
       {std::pair{"bfloat16", at::kBFloat16}, {"float32", at::kFloat}}) {
    for (const int64_t group : {int64_t{16}, int64_t{32}, int64_t{128}, kColumns}) {
      const std::string suffix = "/group:" + std::to_string(group) + "/scale:" + name;
      add("encode_int4" + suffix, with_scale(group, 7.5, dtype, false), [=](const Slice& s) {
        encode_int(s.weight, s.scale, s.zero_point, group, 4);
      });
      add("encode_int4_asym" + suffix, with_scale(group, 7.5, dtype, true), [=](const Slice& s) {
        encode_int(s.weight, s.scale, s.zero_point, group, 4);
      });
      add("encode_fp8" + suffix, with_scale(group, 448, dtype, false), [=](const Slice& s) {
        encode_fp8(s.weight, s.scale, group);
      });
      add("encode_fp4" + suffix, with_scale(group, 6, dtype, false), [=](const Slice& s) {
        encode_fp4(s.weight, s.scale, group);
      });
    }
  }
}

// The codes of a slice are half its bytes; the rate still counts the weight's.
void add_packers() {
  for (int bits = 2; bits <= 8; ++bits) {
    add("pack_int" + std::to_string(bits), with_codes(bits, at::kChar), [=](const Slice& s) {
      pack_int(s.codes, bits);
    });
  }
  add("pack_nibbles", with_codes(4, at::kByte), [](const Slice& s) { pack_nibbles(s.codes); });
}

// What a slice goes through on its way to the file.
void add_ways() {
  add("int4_g128: absmax, encode, pack", plain, [](const Slice& s) {
    const at::Tensor scale = group_absmax(s.weight, 128) / 7.5;
    pack_int(encode_int(s.weight, scale, {}, 128, 4), 4);
  });
  add("fp8_channel: absmax, encode", plain, [](const Slice& s) {
    const at::Tensor scale = group_absmax(s.weight, kColumns) / 448.0;
    encode_fp8(s.weight, scale, kColumns);
  });
  add("fp4_g16: absmax, encode, pack", plain, [](const Slice& s) {
    const at::Tensor scale = group_absmax(s.weight, 16).to(at::kFloat) / 6.0;
    pack_nibbles(encode_fp4(s.weight, scale, 16));
  });
}

// Tuning, whose slices bring their parameters with them. The rate counts all bytes that a pass
// reads and writes, once each, so that memcpy's of twice its bytes is the same measure.
struct TunedSlice {
  TunedWeight tuned;
  RoundedWeight out;
  at::Tensor gradient;
};

void run_tuned(benchmark::State& state,
               const TunedScheme& scheme,
               int64_t bytes_per_weight,
               const std::function<void(TunedSlice&)>& kernel) {
  std::vector<TunedSlice> slices;
  for (const at::Tensor& rows : weight().narrow(0, 0, kRows / 4).split(kSliceRows)) {
    slices.push_back({untuned(scheme, rows),
                      rounded_buffers(scheme, rows, at::kBFloat16),
                      at::randn(rows.sizes()).to(at::kBFloat16)});
  }
  for (auto _ : state) {
    for (TunedSlice& slice : slices) {
      kernel(slice);
    }
  }
  const int64_t weights = kRows / 4 * kColumns;
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * weights * bytes_per_weight);
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * weights);
}

void add_tuned(const std::string& name,
               const TunedScheme& scheme,
               int64_t bytes_per_weight,
               const std::function<void(TunedSlice&)>& kernel) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    run_tuned(state, scheme, bytes_per_weight, kernel);
  })->Unit(benchmark::kMillisecond);
}

void add_tuning() {
  const TunedScheme symmetric = {TunedCodes::Symmetric, 4, 128};
  add_tuned("tuning: memcpy of values", symmetric, 4, [](TunedSlice& s) {
    std::memcpy(
        s.out.values.mutable_data_ptr(), s.tuned.weight.const_data_ptr(), s.tuned.weight.nbytes());
  });
  for (const auto& [name, scheme] :
       {std::pair{"int4/group:128", symmetric},
        {"int4/group:32", TunedScheme{TunedCodes::Symmetric, 4, 32}},
        {"int4_asym/group:128", TunedScheme{TunedCodes::Asymmetric, 4, 128}},
        {"mxfp4/group:32", TunedScheme{TunedCodes::Mx, 4, 32}}}) {
    const TunedScheme chosen = scheme;
    add_tuned(std::string("round_tuned, with codes/") + name, chosen, 9, [=](TunedSlice& s) {
      round_tuned(chosen, s.tuned, s.out);
    });
    add_tuned(std::string("round_tuned/") + name, chosen, 8, [=](TunedSlice& s) {
      RoundedWeight values_alone = {s.out.values, {}, {}, {}};
      round_tuned(chosen, s.tuned, values_alone);
    });
    add_tuned(std::string("sign_step/") + name, chosen, 12, [=](TunedSlice& s) {
      sign_step(chosen, s.tuned, s.gradient, 1e-6F, 1e-6F);
    });
  }
  for (const int64_t group : {32, 128}) {
    const TunedScheme scheme = {TunedCodes::Symmetric, 4, group};
    add_tuned("search_scales/group:" + std::to_string(group), scheme, 2, [=](TunedSlice& s) {
      search_scales(scheme, s.tuned.weight, {});
    });
  }
}

}  // namespace
}  // namespace oneshot::kernels

int main(int argc, char** argv) {
  at::set_num_threads(1);
  benchmark::AddCustomContext("instruction_set", oneshot::kernels::cpu_instruction_set());
  oneshot::kernels::add_statistics();
  oneshot::kernels::add_encoders();
  oneshot::kernels::add_packers();
  oneshot::kernels::add_ways();
  oneshot::kernels::add_tuning();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
