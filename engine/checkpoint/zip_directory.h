// Where the entries of a zip file lie, for files whose entries are stored as they are.
// Source: APPNOTE.TXT of PKWARE, 4.3 (records) and 4.5.3 (zip64).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace oneshot {

class InputFile;

struct ZipEntry {
  std::string name;
  uint64_t offset;  // of its contents, bytes from the start of the file
  uint64_t bytes;
};

struct ZipDirectory {
  std::vector<ZipEntry> entries;  // as the file lists them
  std::string bytes;              // of the directory as it lies in the file
};

/// Reads the central directory, zip64 too, and the local header of each entry. Checksums of the
/// contents are not computed: torch writes none that hold for sure, and safetensors have none.
/// throws Checkpoint when the file is no zip file or damaged, lists a name twice, or holds an entry
/// that is compressed or encrypted.
ZipDirectory read_zip_directory(const InputFile& file);

}  // namespace oneshot
