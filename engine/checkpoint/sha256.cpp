#include "engine/checkpoint/sha256.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/checkpoint/input_file.h"
#include "engine/error.h"

namespace oneshot {
namespace {

constexpr uint64_t kPieceBytes = uint64_t{1} << 20;

void check(int result) {
  if (result != 1) {
    throw Error(ErrorCode::Failed, "SHA-256 is not available in this OpenSSL");
  }
}

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    check(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr));
  }

  void add(const void* bytes, size_t count) {
    check(EVP_DigestUpdate(context_.get(), bytes, count));
  }

  std::string hex() {
    std::array<unsigned char, 32> digest{};
    check(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr));
    std::string text;
    for (unsigned char byte : digest) {
      text += "0123456789abcdef"[byte >> 4];
      text += "0123456789abcdef"[byte & 15];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes.data(), bytes.size());
  return hash.hex();
}

std::string sha256_file_hex(const std::filesystem::path& file) {
  InputFile input(file, InputFile::Access::Read);
  Sha256 hash;
  std::vector<std::byte> buffer;
  for (uint64_t offset = 0; offset < input.size();) {
    uint64_t count = std::min(kPieceBytes, input.size() - offset);
    input.read(offset, count, buffer);
    hash.add(buffer.data(), count);
    offset += count;
  }
  return hash.hex();
}

}  // namespace oneshot
