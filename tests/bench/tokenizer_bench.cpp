// How fast a text becomes token ids, on one thread. Prints one JSON object.
//
//   tokenizer_bench FOLDER_OF_THE_TOKENIZER TEXT_FILE
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/checkpoint/text_file.h"
#include "engine/error.h"
#include "engine/text/tokenizer.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "tokenizer_bench FOLDER_OF_THE_TOKENIZER TEXT_FILE\n");
    return 2;
  }
  try {
    const oneshot::Tokenizer tokenizer = oneshot::Tokenizer::from_folder(argv[1]);
    const std::string text = oneshot::read_text_file(argv[2], "text");
    std::vector<double> rates;
    size_t tokens = 0;
    for (int i = 0; i < 9; ++i) {
      const auto start = std::chrono::steady_clock::now();
      tokens = tokenizer.encode(text, false).size();
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
      rates.push_back(static_cast<double>(text.size()) / seconds.count());
    }
    std::sort(rates.begin(), rates.end());
    const nlohmann::json result{{"bytes_per_second", rates[rates.size() / 2]}, {"tokens", tokens}};
    std::printf("%s\n", result.dump().c_str());
  } catch (const oneshot::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return error.exit_code();
  }
  return 0;
}
