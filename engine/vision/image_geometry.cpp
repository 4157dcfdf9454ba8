#include "engine/vision/image_geometry.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "engine/error.h"

namespace oneshot {
namespace {

/// Always the same number of places.
class FixedGeometry : public ImageGeometry {
 public:
  explicit FixedGeometry(int64_t tokens) : tokens_(tokens) {}
  int64_t tokens(int64_t, int64_t) const override { return tokens_; }

 private:
  int64_t tokens_;
};

class Qwen2VlGeometry : public ImageGeometry {
 public:
  explicit Qwen2VlGeometry(const Qwen2VlSizes& sizes) : sizes_(sizes) {}

  int64_t tokens(int64_t width, int64_t height) const override {
    const ImageSize size = smart_resize({width, height}, sizes_);
    const int64_t cell = sizes_.patch * sizes_.merge;
    return (size.width / cell) * (size.height / cell);
  }

 private:
  Qwen2VlSizes sizes_;
};

class Phi3VGeometry : public ImageGeometry {
 public:
  explicit Phi3VGeometry(const Phi3VSizes& sizes) : sizes_(sizes) {}

  /// The crops and the whole, a separator after each of their rows, and one between them.
  int64_t tokens(int64_t width, int64_t height) const override {
    const ImageSize size = hd_size({width, height}, sizes_).size();
    const int64_t high = size.height / sizes_.crop;
    const int64_t wide = size.width / sizes_.crop;
    const int64_t edge = sizes_.crop / sizes_.patch / 2;
    return (high * wide + 1) * edge * edge + 1 + (high + 1) * edge;
  }

 private:
  Phi3VSizes sizes_;
};

std::string text_of(ImageSize size) {
  return "an image of " + std::to_string(size.width) + " x " + std::to_string(size.height) +
         " pixels";
}

/// A double from a count of pixels.
double real(int64_t value) {
  return static_cast<double>(value);
}

/// Whole cells in `edge` pixels, in pixels; a half is rounded to the even number.
int64_t nearest_cells(int64_t edge, int64_t cell) {
  return static_cast<int64_t>(std::nearbyint(real(edge) / real(cell))) * cell;
}

/// By how much a tile arrangement scales the image to fill it.
double scale_to(ImageSize image, int64_t high, int64_t wide, int64_t tile) {
  return std::min(real(high * tile) / real(image.height), real(wide * tile) / real(image.width));
}

/// Closer to the image's own size: enlarging before shrinking, then the nearer, then the smaller.
bool is_better(double scale, int64_t tiles, double best, int64_t best_tiles) {
  if ((scale >= 1) != (best >= 1)) {
    return scale >= 1;
  }
  if (scale != best) {
    return scale >= 1 ? scale < best : scale > best;
  }
  return tiles < best_tiles;
}

ImageSize fit_to_canvas(ImageSize image, const MllamaTiling& tiling, int64_t tile) {
  const int64_t width = std::clamp(image.width, tile, tiling.tiles_wide * tile);
  const int64_t height = std::clamp(image.height, tile, tiling.tiles_high * tile);
  const double across = real(width) / real(image.width);
  const double down = real(height) / real(image.height);
  const auto scaled = [](int64_t edge, double scale, int64_t most) {
    const auto whole = static_cast<int64_t>(std::floor(real(edge) * scale));
    return std::min(std::max<int64_t>(whole, 1), most);
  };
  if (across < down) {
    return {width, scaled(image.height, across, height)};
  }
  return {scaled(image.width, down, width), height};
}

}  // namespace

ImageSize clip_resize(ImageSize image, const ClipSizes& sizes) {
  if (sizes.exact) {
    return *sizes.exact;
  }
  if (sizes.shortest_edge == 0) {
    return image;
  }
  const auto [shorter, longer] = std::minmax(image.width, image.height);
  const auto other = static_cast<int64_t>(real(sizes.shortest_edge * longer) / real(shorter));
  return image.width <= image.height ? ImageSize{sizes.shortest_edge, other}
                                     : ImageSize{other, sizes.shortest_edge};
}

ImageSize smart_resize(ImageSize image, const Qwen2VlSizes& sizes) {
  const auto [shorter, longer] = std::minmax(image.width, image.height);
  if (real(longer) / real(shorter) > 200) {
    throw Error(ErrorCode::Checkpoint,
                text_of(image) + ": one edge may be 200 times the other at most; leave it out");
  }
  const int64_t cell = sizes.patch * sizes.merge;
  ImageSize size{nearest_cells(image.width, cell), nearest_cells(image.height, cell)};
  const double pixels = real(image.width * image.height);
  if (size.width * size.height > sizes.max_pixels) {
    const double shrink = std::sqrt(pixels / real(sizes.max_pixels));
    const auto fewer = [&](int64_t edge) {
      return std::max(cell,
                      static_cast<int64_t>(std::floor(real(edge) / shrink / real(cell))) * cell);
    };
    size = {fewer(image.width), fewer(image.height)};
  } else if (size.width * size.height < sizes.min_pixels) {
    const double grow = std::sqrt(real(sizes.min_pixels) / pixels);
    const auto more = [&](int64_t edge) {
      return static_cast<int64_t>(std::ceil(real(edge) * grow / real(cell))) * cell;
    };
    size = {more(image.width), more(image.height)};
  }
  return size;
}

MllamaTiling mllama_tiling(ImageSize image, const MllamaSizes& sizes) {
  MllamaTiling best;
  double best_scale = scale_to(image, 1, 1, sizes.tile);
  int64_t id = 0;
  for (int64_t high = 1; high <= sizes.most_tiles; ++high) {
    for (int64_t wide = 1; high * wide <= sizes.most_tiles; ++wide) {
      ++id;
      const double scale = scale_to(image, high, wide, sizes.tile);
      if (is_better(scale, high * wide, best_scale, best.tiles_high * best.tiles_wide)) {
        best = {high, wide, id, {}};
        best_scale = scale;
      }
    }
  }
  best.resized = fit_to_canvas(image, best, sizes.tile);
  return best;
}

HdSize hd_size(ImageSize image, const Phi3VSizes& sizes) {
  HdSize hd;
  hd.upright = image.width < image.height;
  const auto [shorter, longer] = std::minmax(image.width, image.height);
  const double ratio = real(longer) / real(shorter);
  const auto crops = [&](int64_t wide) { return real(wide) * std::ceil(real(wide) / ratio); };
  int64_t wide = 1;
  while (crops(wide + 1) <= real(sizes.most_crops)) {
    ++wide;
  }
  hd.resized.width = wide * sizes.crop;
  hd.resized.height = static_cast<int64_t>(real(hd.resized.width) / ratio);
  if (hd.resized.height == 0) {
    throw Error(ErrorCode::Checkpoint,
                text_of(image) + " is so thin that nothing of it would be left; leave it out");
  }
  const int64_t high = (hd.resized.height + sizes.crop - 1) / sizes.crop;
  hd.padded = {hd.resized.width, high * sizes.crop};
  return hd;
}

std::unique_ptr<ImageGeometry> make_image_geometry(const std::filesystem::path& folder,
                                                   const nlohmann::json& config) {
  const ImageConfig read = read_image_config(folder, config);
  switch (read.family) {
    case ImageFamily::Mllama:
      read_mllama_sizes(read);
      return std::make_unique<FixedGeometry>(1);
    case ImageFamily::Qwen2Vl:
      return std::make_unique<Qwen2VlGeometry>(read_qwen2_vl_sizes(read));
    case ImageFamily::Phi3V:
      return std::make_unique<Phi3VGeometry>(read_phi3_v_sizes(read));
    case ImageFamily::CogVlm2: {
      const CogVlm2Sizes sizes = read_cogvlm2_sizes(read);
      const int64_t edge = sizes.edge / sizes.patch / 2;
      return std::make_unique<FixedGeometry>(edge * edge + 2);  // begin and end of the image
    }
    default:
      return std::make_unique<FixedGeometry>(read_clip_sizes(read).tokens);
  }
}

}  // namespace oneshot
