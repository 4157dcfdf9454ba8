// JPEG by libjpeg-turbo with the settings of Pillow, which are the library's own: slow and exact
// inverse transform, smooth upsampling of the colours.
#include <csetjmp>
#include <cstddef>
#include <cstdio>
// after cstdio, which it needs
#include <jpeglib.h>
// after jpeglib.h
#include <jerror.h>

#include <algorithm>
#include <array>

#include "engine/vision/image_decoders.h"

namespace oneshot {
namespace {

/// A progressive file shows the whole image again in every scan. Real ones have about ten.
constexpr int kMostScans = 200;

/// The library's state. It reports errors by a jump, so the functions that call it keep no objects.
struct JpegReader {
  jpeg_decompress_struct info = {};
  jpeg_error_mgr errors = {};
  jpeg_progress_mgr progress = {};
  std::jmp_buf escape = {};
  std::array<char, JMSG_LENGTH_MAX> message = {};

  JpegReader() = default;
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader() { jpeg_destroy_decompress(&info); }
};

JpegReader& reader_of(j_common_ptr info) {
  return *static_cast<JpegReader*>(info->client_data);
}

[[noreturn]] void leave(j_common_ptr info) {
  JpegReader& reader = reader_of(info);
  info->err->format_message(info, reader.message.data());
  std::longjmp(reader.escape, 1);
}

/// Warnings about pixels that are lost end the decoding; the others are habits of cameras.
void end_at_damage(j_common_ptr info, int level) {
  constexpr std::array<int, 6> kDamage{JWRN_JPEG_EOF,
                                       JWRN_HIT_MARKER,
                                       JWRN_HUFF_BAD_CODE,
                                       JWRN_ARITH_BAD_CODE,
                                       JWRN_MUST_RESYNC,
                                       JWRN_BOGUS_PROGRESSION};
  if (level < 0 &&
      std::find(kDamage.begin(), kDamage.end(), info->err->msg_code) != kDamage.end()) {
    leave(info);
  }
}

void end_at_many_scans(j_common_ptr info) {
  JpegReader& reader = reader_of(info);
  if (info->is_decompressor != 0 && reader.info.input_scan_number > kMostScans) {
    std::snprintf(reader.message.data(), reader.message.size(), "more than %d scans", kMostScans);
    std::longjmp(reader.escape, 1);
  }
}

void be_silent(j_common_ptr) {}

bool read_header(JpegReader& reader, const unsigned char* bytes, size_t size) {
  reader.info.err = jpeg_std_error(&reader.errors);
  reader.info.client_data = &reader;
  reader.errors.error_exit = leave;
  reader.errors.emit_message = end_at_damage;
  reader.errors.output_message = be_silent;
  reader.progress.progress_monitor = end_at_many_scans;
  if (setjmp(reader.escape) != 0) {
    return false;
  }
  jpeg_create_decompress(&reader.info);
  reader.info.progress = &reader.progress;
  jpeg_mem_src(&reader.info, bytes, size);
  return jpeg_read_header(&reader.info, TRUE) == JPEG_HEADER_OK;
}

bool start(JpegReader& reader) {
  if (setjmp(reader.escape) != 0) {
    return false;
  }
  return jpeg_start_decompress(&reader.info) != FALSE;
}

bool read_row(JpegReader& reader, unsigned char* row) {
  if (setjmp(reader.escape) != 0) {
    return false;
  }
  return jpeg_read_scanlines(&reader.info, &row, 1) == 1;
}

bool finish(JpegReader& reader) {
  if (setjmp(reader.escape) != 0) {
    return false;
  }
  return jpeg_finish_decompress(&reader.info) != FALSE;
}

J_COLOR_SPACE output_colours(const ImageBytes& file, int components) {
  switch (components) {
    case 1:
      return JCS_GRAYSCALE;
    case 3:
      return JCS_RGB;
    case 4:
      return JCS_CMYK;
    default:
      refuse(file,
             ErrorCode::Unsupported,
             "a JPEG of " + std::to_string(components) +
                 " components is not supported, expected 1, 3 or 4");
  }
}

/// a · b / 255, rounded.
int scaled(int a, int b) {
  const int product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

/// One row of greys, or of cyan, magenta, yellow and black stored as Adobe does: 255 for no ink.
void to_colours(const unsigned char* row, int components, int64_t width, uint8_t* out) {
  for (int64_t x = 0; x < width; ++x) {
    const unsigned char* in = row + x * components;
    for (int channel = 0; channel < 3; ++channel) {
      const int value =
          components == 1 ? in[0] : std::max(0, in[3] - scaled(255 - in[channel], in[3]));
      *out++ = static_cast<uint8_t>(value);
    }
  }
}

}  // namespace

Image decode_jpeg(const ImageBytes& file) {
  JpegReader reader;
  const auto check = [&](bool done) {
    if (!done) {
      throw_damaged(file, "JPEG", reader.message.data());
    }
  };
  check(read_header(
      reader, reinterpret_cast<const unsigned char*>(file.bytes.data()), file.bytes.size()));
  const int components = reader.info.num_components;
  reader.info.out_color_space = output_colours(file, components);
  Image image{reader.info.image_width, reader.info.image_height, {}, {}};
  check_size(file, image.width, image.height);
  image.pixels.resize(image.width * image.height * 3);
  check(start(reader));
  std::vector<unsigned char> row(components == 3 ? 0 : image.width * components);
  for (int64_t y = 0; y < image.height; ++y) {
    uint8_t* out = image.pixels.data() + y * image.width * 3;
    check(read_row(reader, components == 3 ? out : row.data()));
    if (components != 3) {
      to_colours(row.data(), components, image.width, out);
    }
  }
  check(finish(reader));
  return image;
}

}  // namespace oneshot
