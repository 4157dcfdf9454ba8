#include "engine/checkpoint/zip_directory.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/little_endian.h"
#include "engine/checkpoint/message_text.h"
#include "engine/error.h"

namespace oneshot {
namespace {

constexpr std::string_view kEntrySignature{"PK\x01\x02", 4};
constexpr std::string_view kLocalSignature{"PK\x03\x04", 4};
constexpr std::string_view kEndSignature{"PK\x05\x06", 4};
constexpr std::string_view kEnd64Signature{"PK\x06\x06", 4};
constexpr std::string_view kLocatorSignature{"PK\x06\x07", 4};
constexpr uint64_t kEntryBytes = 46, kLocalBytes = 30, kEndBytes = 22, kEnd64Bytes = 56,
                   kLocatorBytes = 20;  // of the records, less names and comments
constexpr uint64_t kLongestComment = 0xFFFF;
constexpr uint64_t kLongestDirectory = 100'000'000;  // bytes, as for a safetensors header
constexpr uint64_t kIn64 = 0xFFFFFFFF;               // a size that stands in the zip64 record
constexpr uint64_t kEncrypted = 1;                   // flag

/// The last record: where the directory is.
struct End {
  uint64_t at;  // of the record itself; the directory ends before it
  uint64_t entries, bytes, offset;
};

class Reader {
 public:
  explicit Reader(const InputFile& file) : file_(file) {}

  ZipDirectory run() {
    End end = find_end();
    if (end.bytes > kLongestDirectory || end.offset > end.at || end.bytes > end.at - end.offset) {
      damaged("its directory of " + std::to_string(end.bytes) + " bytes at byte " +
              std::to_string(end.offset) + " does not fit");
    }
    directory_begin_ = end.offset;
    directory_.bytes = std::string(fetch(end.offset, end.bytes));
    read_entries(end.entries);
    return std::move(directory_);
  }

 private:
  [[noreturn]] void damaged(const std::string& what) const {
    throw Error(
        ErrorCode::Checkpoint,
        one_line(file_.path().string()) + ": " + what + "; the file is damaged, get it again");
  }

  /// Valid until the next call.
  std::string_view fetch(uint64_t offset, uint64_t bytes) {
    const std::byte* data = file_.fetch(offset, bytes, scratch_);
    return {reinterpret_cast<const char*>(data), bytes};
  }

  End find_end();
  End find_end64(const End& end);
  void read_entries(uint64_t count);
  void read_entry(std::string_view record, std::string_view name, std::string_view extra);
  uint64_t contents_begin(uint64_t local, const std::string& name);

  const InputFile& file_;
  std::vector<std::byte> scratch_;
  uint64_t directory_begin_ = 0;
  ZipDirectory directory_;
};

/// The end record is the last thing in the file but for a comment.
End Reader::find_end() {
  uint64_t tail_bytes = std::min(file_.size(), kEndBytes + kLongestComment);
  std::string tail(fetch(file_.size() - tail_bytes, tail_bytes));
  for (size_t at = tail.rfind(kEndSignature); at != std::string::npos;
       at = at == 0 ? std::string::npos : tail.rfind(kEndSignature, at - 1)) {
    if (tail.size() - at < kEndBytes) {
      continue;
    }
    std::string_view record = std::string_view(tail).substr(at);
    if (record.size() != kEndBytes + little_endian(record.substr(20, 2))) {
      continue;
    }
    End end{file_.size() - record.size(),
            little_endian(record.substr(10, 2)),
            little_endian(record.substr(12, 4)),
            little_endian(record.substr(16, 4))};
    return find_end64(end);
  }
  damaged("the directory that ends a zip file is not there");
}

/// The zip64 record where there is one, else `end`.
End Reader::find_end64(const End& end) {
  if (end.at < kLocatorBytes) {
    return end;
  }
  std::string_view locator = fetch(end.at - kLocatorBytes, kLocatorBytes);
  if (!locator.starts_with(kLocatorSignature)) {
    return end;
  }
  uint64_t at = little_endian(locator.substr(8, 8));
  uint64_t latest = end.at - kLocatorBytes;
  if (at > latest || latest - at < kEnd64Bytes) {
    damaged("its zip64 record at byte " + std::to_string(at) + " does not fit");
  }
  std::string_view record = fetch(at, kEnd64Bytes);
  if (!record.starts_with(kEnd64Signature)) {
    damaged("no zip64 record at byte " + std::to_string(at));
  }
  return {at,
          little_endian(record.substr(32, 8)),
          little_endian(record.substr(40, 8)),
          little_endian(record.substr(48, 8))};
}

void Reader::read_entries(uint64_t count) {
  std::string_view rest = directory_.bytes;
  std::unordered_set<std::string_view> names;
  for (uint64_t i = 0; i < count; ++i) {
    if (rest.size() < kEntryBytes || !rest.starts_with(kEntrySignature)) {
      damaged("entry " + std::to_string(i) + " of its directory is none");
    }
    uint64_t name_bytes = little_endian(rest.substr(28, 2));
    uint64_t extra_bytes = little_endian(rest.substr(30, 2));
    uint64_t all = kEntryBytes + name_bytes + extra_bytes + little_endian(rest.substr(32, 2));
    if (all > rest.size()) {
      damaged("entry " + std::to_string(i) + " of its directory is cut off");
    }
    std::string_view name = rest.substr(kEntryBytes, name_bytes);
    if (!names.insert(name).second) {
      damaged("its directory lists " + in_quotes(name) + " twice");
    }
    read_entry(rest, name, rest.substr(kEntryBytes + name_bytes, extra_bytes));
    rest.remove_prefix(all);
  }
  if (!rest.empty()) {
    damaged(std::to_string(rest.size()) + " bytes of its directory belong to no entry");
  }
}

/// The fields of the zip64 extra, in order, stand for those that are all ones.
void read_extra64(std::string_view extra, std::initializer_list<uint64_t*> fields) {
  while (extra.size() >= 4) {
    uint64_t id = little_endian(extra.substr(0, 2));
    std::string_view data = extra.substr(4, little_endian(extra.substr(2, 2)));
    extra.remove_prefix(4 + data.size());
    if (id != 1) {
      continue;
    }
    for (uint64_t* field : fields) {
      if (*field == kIn64 && data.size() >= 8) {
        *field = little_endian(data.substr(0, 8));
        data.remove_prefix(8);
      }
    }
    return;
  }
}

void Reader::read_entry(std::string_view record, std::string_view name, std::string_view extra) {
  ZipEntry entry{std::string(name), 0, little_endian(record.substr(24, 4))};
  uint64_t stored_bytes = little_endian(record.substr(20, 4));
  uint64_t local = little_endian(record.substr(42, 4));
  read_extra64(extra, {&entry.bytes, &stored_bytes, &local});
  bool encrypted = (little_endian(record.substr(8, 2)) & kEncrypted) != 0;
  bool compressed = little_endian(record.substr(10, 2)) != 0;
  if (encrypted || compressed) {
    throw Error(ErrorCode::Checkpoint,
                one_line(file_.path().string()) + ": its entry " + in_quotes(name) + " is " +
                    (encrypted ? "encrypted" : "compressed") +
                    ", torch.save stores plain bytes; save it again with torch");
  }
  if (stored_bytes != entry.bytes) {
    damaged("its entry " + in_quotes(name) + " has two sizes, " + std::to_string(stored_bytes) +
            " and " + std::to_string(entry.bytes));
  }
  entry.offset = contents_begin(local, entry.name);
  if (entry.offset > directory_begin_ || entry.bytes > directory_begin_ - entry.offset) {
    damaged("its entry " + in_quotes(name) + " of " + std::to_string(entry.bytes) +
            " bytes at byte " + std::to_string(entry.offset) + " does not fit");
  }
  directory_.entries.push_back(std::move(entry));
}

uint64_t Reader::contents_begin(uint64_t local, const std::string& name) {
  if (local > directory_begin_ || directory_begin_ - local < kLocalBytes + name.size()) {
    damaged("its entry " + in_quotes(name) + " at byte " + std::to_string(local) + " does not fit");
  }
  std::string_view header = fetch(local, kLocalBytes + name.size());
  if (!header.starts_with(kLocalSignature) || header.substr(kLocalBytes) != name ||
      little_endian(header.substr(26, 2)) != name.size()) {
    damaged("its entry " + in_quotes(name) + " is not at byte " + std::to_string(local));
  }
  uint64_t begin = local + header.size() + little_endian(header.substr(28, 2));
  file_.release(local, header.size());
  return begin;
}

}  // namespace

ZipDirectory read_zip_directory(const InputFile& file) {
  return Reader(file).run();
}

}  // namespace oneshot
