// PNG by libpng, brought to bytes as Pillow brings it.
#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "engine/vision/image_decoders.h"

namespace oneshot {
namespace {

/// The library's state. It reports errors by a jump, so the functions that call it keep no objects.
struct PngReader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::string_view rest;  // bytes not yet read
  std::array<char, 200> message = {};

  PngReader() = default;
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
};

/// What the file says before its pixels.
struct PngHeader {
  int64_t width = 0, height = 0;
  int colour_type = 0, bits = 0;
};

[[noreturn]] void leave(png_structp png, png_const_charp message) {
  PngReader& reader = *static_cast<PngReader*>(png_get_error_ptr(png));
  std::snprintf(reader.message.data(), reader.message.size(), "%s", message);
  png_longjmp(png, 1);
}

void ignore_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep out, size_t count) {
  PngReader& reader = *static_cast<PngReader*>(png_get_io_ptr(png));
  if (count > reader.rest.size()) {
    leave(png, "the file ends early");
  }
  std::memcpy(out, reader.rest.data(), count);
  reader.rest.remove_prefix(count);
}

/// Only the header, palette, pixels and transparency are read; every checksum counts.
void set_up(PngReader& reader) {
  png_set_read_fn(reader.png, &reader, read_bytes);
  png_set_crc_action(reader.png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  png_set_user_limits(reader.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_set_keep_unknown_chunks(reader.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_set_keep_unknown_chunks(
      reader.png, PNG_HANDLE_CHUNK_AS_DEFAULT, reinterpret_cast<png_const_bytep>("tRNS"), 1);
}

bool read_header(PngReader& reader, PngHeader& header) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) {
    return false;
  }
  set_up(reader);
  png_read_info(reader.png, reader.info);
  header.width = png_get_image_width(reader.png, reader.info);
  header.height = png_get_image_height(reader.png, reader.info);
  header.colour_type = png_get_color_type(reader.png, reader.info);
  header.bits = png_get_bit_depth(reader.png, reader.info);
  return true;
}

/// How the rows come: whole bytes a value, 16 bits only where they are greys.
struct PngRows {
  size_t bytes = 0;  // of a row
  int passes = 0;
};

bool prepare(PngReader& reader, const PngHeader& header, PngRows& rows) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) {
    return false;
  }
  if (header.colour_type == PNG_COLOR_TYPE_GRAY && header.bits < 8) {
    png_set_expand_gray_1_2_4_to_8(reader.png);
  } else if (header.bits < 8) {
    png_set_packing(reader.png);
  } else if (header.bits == 16 && header.colour_type != PNG_COLOR_TYPE_GRAY) {
    png_set_strip_16(reader.png);
  }
  rows.passes = png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  rows.bytes = png_get_rowbytes(reader.png, reader.info);
  return true;
}

bool read_rows(PngReader& reader, int64_t height, PngRows rows, uint8_t* out) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) {
    return false;
  }
  for (int pass = 0; pass < rows.passes; ++pass) {
    for (int64_t y = 0; y < height; ++y) {
      png_read_row(reader.png, out + y * rows.bytes, nullptr);
    }
  }
  png_read_end(reader.png, nullptr);
  return true;
}

void set_pixel(Image& image, size_t i, uint8_t red, uint8_t green, uint8_t blue) {
  image.pixels[3 * i] = red;
  image.pixels[3 * i + 1] = green;
  image.pixels[3 * i + 2] = blue;
}

/// Pillow looks for the transparent grey among the bytes, whatever the depth it is written for; and
/// cuts 16 bits off at 255 where it converts them to colours.
void take_grey(PngReader& reader, const PngHeader& header, const uint8_t* rows, Image& image) {
  png_color_16p key = nullptr;
  png_get_tRNS(reader.png, reader.info, nullptr, nullptr, &key);
  int transparent = -1;
  if (key != nullptr) {
    transparent = header.bits == 1 && key->gray > 0 ? 255 : key->gray;
    image.alpha.assign(image.width * image.height, 255);
  }
  for (size_t i = 0; i < image.pixels.size() / 3; ++i) {
    uint8_t grey = 0;
    if (header.bits == 16) {
      grey = rows[2 * i] != 0 ? 255 : rows[2 * i + 1];
    } else {
      grey = rows[i];
    }
    set_pixel(image, i, grey, grey, grey);
    if (grey == transparent) {
      image.alpha[i] = 0;
    }
  }
}

void take_grey_and_alpha(const uint8_t* rows, Image& image) {
  image.alpha.resize(image.width * image.height);
  for (size_t i = 0; i < image.alpha.size(); ++i) {
    set_pixel(image, i, rows[2 * i], rows[2 * i], rows[2 * i]);
    image.alpha[i] = rows[2 * i + 1];
  }
}

void take_colours_and_alpha(const uint8_t* rows, Image& image) {
  image.alpha.resize(image.width * image.height);
  for (size_t i = 0; i < image.alpha.size(); ++i) {
    set_pixel(image, i, rows[4 * i], rows[4 * i + 1], rows[4 * i + 2]);
    image.alpha[i] = rows[4 * i + 3];
  }
}

void take_palette(PngReader& reader, const ImageBytes& file, const uint8_t* rows, Image& image) {
  png_colorp colours = nullptr;
  int colour_count = 0;
  png_get_PLTE(reader.png, reader.info, &colours, &colour_count);
  png_bytep alphas = nullptr;
  int alpha_count = 0;
  png_get_tRNS(reader.png, reader.info, &alphas, &alpha_count, nullptr);
  if (alpha_count > 0) {
    image.alpha.assign(image.width * image.height, 255);
  }
  for (size_t i = 0; i < image.pixels.size() / 3; ++i) {
    const int index = rows[i];
    if (index >= colour_count) {
      throw_damaged(file,
                    "PNG",
                    "a pixel has colour " + std::to_string(index) + " of a palette of " +
                        std::to_string(colour_count));
    }
    set_pixel(image, i, colours[index].red, colours[index].green, colours[index].blue);
    if (index < alpha_count) {
      image.alpha[i] = alphas[index];
    }
  }
}

}  // namespace

Image decode_png(const ImageBytes& file) {
  PngReader reader;
  reader.rest = file.bytes;
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, leave, ignore_warning);
  reader.info = reader.png == nullptr ? nullptr : png_create_info_struct(reader.png);
  if (reader.info == nullptr) {
    refuse(file, ErrorCode::Resource, "not enough memory to decode the PNG");
  }
  const auto check = [&](bool done) {
    if (!done) {
      throw_damaged(file, "PNG", reader.message.data());
    }
  };
  PngHeader header;
  check(read_header(reader, header));
  check_size(file, header.width, header.height);
  PngRows layout;
  check(prepare(reader, header, layout));
  std::vector<uint8_t> rows(layout.bytes * header.height);
  check(read_rows(reader, header.height, layout, rows.data()));
  Image image{header.width, header.height, {}, {}};
  if (header.colour_type == PNG_COLOR_TYPE_RGB) {
    image.pixels = std::move(rows);  // one colour may be transparent: no processor looks at it
    return image;
  }
  image.pixels.resize(header.width * header.height * 3);
  switch (header.colour_type) {
    case PNG_COLOR_TYPE_GRAY:
      take_grey(reader, header, rows.data(), image);
      break;
    case PNG_COLOR_TYPE_GRAY_ALPHA:
      take_grey_and_alpha(rows.data(), image);
      break;
    case PNG_COLOR_TYPE_RGB_ALPHA:
      take_colours_and_alpha(rows.data(), image);
      break;
    default:
      take_palette(reader, file, rows.data(), image);
  }
  return image;
}

}  // namespace oneshot
