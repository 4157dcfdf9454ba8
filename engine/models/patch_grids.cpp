#include "engine/models/patch_grids.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "engine/error.h"

namespace oneshot {
namespace {

/// Adds the grids that `key` names.
void add_grids(const ImageInput& images,
               const char* key,
               int64_t merge,
               std::vector<PatchGrid>& grids) {
  const auto found = images.find(key);
  if (found == images.end()) {
    return;
  }
  const at::Tensor sizes = found->second.to(at::kLong).reshape({-1, 3}).contiguous();
  for (int64_t i = 0; i < sizes.size(0); ++i) {
    const int64_t* size = sizes.const_data_ptr<int64_t>() + 3 * i;
    if (std::any_of(size, size + 3, [](int64_t n) { return n <= 0; }) || size[1] % merge != 0 ||
        size[2] % merge != 0) {
      throw Error(ErrorCode::Checkpoint,
                  std::string(key) + ": a grid of " + std::to_string(size[0]) + " x " +
                      std::to_string(size[1]) + " x " + std::to_string(size[2]) +
                      " patches is not made of cells of " + std::to_string(merge) + " x " +
                      std::to_string(merge) +
                      "; do preprocessor_config.json and config.json belong together?");
    }
    grids.push_back({size[0], size[1] / merge, size[2] / merge});
  }
}

/// Positions that a text gets token by token.
class PositionRows {
 public:
  void add_text() {
    for (std::vector<int64_t>& row : rows_) {
      row.push_back(next_);
    }
    ++next_;
  }

  void add_grid(const PatchGrid& grid) {
    for (int64_t frame = 0; frame < grid.frames; ++frame) {
      for (int64_t row = 0; row < grid.rows; ++row) {
        for (int64_t column = 0; column < grid.columns; ++column) {
          rows_[0].push_back(next_ + frame * grid.frame_step);
          rows_[1].push_back(next_ + row);
          rows_[2].push_back(next_ + column);
        }
      }
    }
    next_ += std::max({(grid.frames - 1) * grid.frame_step + 1, grid.rows, grid.columns});
  }

  at::Tensor tensor() const {
    return at::stack({at::tensor(rows_[0]), at::tensor(rows_[1]), at::tensor(rows_[2])});
  }

 private:
  std::array<std::vector<int64_t>, 3> rows_;
  int64_t next_ = 0;
};

[[noreturn]] void fail_places(const PatchGrid& grid, int64_t found) {
  throw Error(ErrorCode::Checkpoint,
              std::string(grid.is_video ? "a video" : "an image") + " gives " +
                  std::to_string(grid.cells()) + " rows, the text has " + std::to_string(found) +
                  " places for it; do the images belong to the text?");
}

}  // namespace

std::vector<PatchGrid> read_grids(const ImageInput& images, const PatchGridConfig& config) {
  std::vector<PatchGrid> grids;
  add_grids(images, "image_grid_thw", config.merge, grids);
  const size_t stills = grids.size();
  add_grids(images, "video_grid_thw", config.merge, grids);
  const auto seconds = images.find("second_per_grid_ts");
  for (size_t i = stills; i < grids.size(); ++i) {
    grids[i].is_video = true;
    if (config.tokens_per_second > 0) {
      const auto video = static_cast<int64_t>(i - stills);
      grids[i].frame_step =
          config.tokens_per_second *
          (seconds == images.end() ? 1 : seconds->second[video].to(at::kLong).item<int64_t>());
    }
  }
  return grids;
}

int64_t cells_of(const std::vector<PatchGrid>& grids) {
  int64_t cells = 0;
  for (const PatchGrid& grid : grids) {
    cells += grid.cells();
  }
  return cells;
}

at::Tensor patch_places(const std::vector<PatchGrid>& grids, int64_t merge) {
  std::vector<at::Tensor> places;
  for (const PatchGrid& grid : grids) {
    const int64_t rows = grid.rows * merge, columns = grid.columns * merge;
    const at::Tensor row = at::arange(rows, at::kLong).unsqueeze(1).expand({rows, columns});
    const at::Tensor column = at::arange(columns, at::kLong).expand({rows, columns});
    places.push_back(at::stack({row, column})
                         .view({2, grid.rows, merge, grid.columns, merge})
                         .transpose(2, 3)
                         .reshape({2, rows * columns})
                         .repeat({1, grid.frames}));
  }
  return places.empty() ? at::zeros({2, 0}, at::kLong) : at::cat(places, 1);
}

CellWindows cell_windows(const std::vector<PatchGrid>& grids, int64_t size) {
  std::vector<int64_t> order;
  CellWindows windows;
  const auto add_window = [&](int64_t first, int64_t rows, int64_t columns, int64_t stride) {
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t column = 0; column < columns; ++column) {
        order.push_back(first + row * stride + column);
      }
    }
    windows.cells.push_back(rows * columns);
  };
  int64_t frame_begin = 0;
  for (const PatchGrid& grid : grids) {
    for (int64_t frame = 0; frame < grid.frames; ++frame) {
      for (int64_t row = 0; row < grid.rows; row += size) {
        for (int64_t column = 0; column < grid.columns; column += size) {
          add_window(frame_begin + row * grid.columns + column,
                     std::min(size, grid.rows - row),
                     std::min(size, grid.columns - column),
                     grid.columns);
        }
      }
      frame_begin += grid.rows * grid.columns;
    }
  }
  windows.order = at::tensor(order, at::kLong);
  return windows;
}

at::Tensor grid_positions(const at::Tensor& ids,
                          const std::vector<PatchGrid>& grids,
                          const GridTokens& tokens) {
  const at::Tensor row = ids.contiguous();
  const int64_t* token = row.const_data_ptr<int64_t>();
  const int64_t* const end = token + row.numel();
  const auto videos =
      std::find_if(grids.begin(), grids.end(), [](const PatchGrid& grid) { return grid.is_video; });
  auto image = grids.begin(), video = videos;
  PositionRows positions;
  while (token != end) {
    const bool is_image = *token == tokens.image && image != videos;
    const bool is_video = *token == tokens.video && video != grids.end();
    if (!is_image && !is_video) {
      positions.add_text();
      ++token;
      continue;
    }
    const PatchGrid& grid = is_image ? *image++ : *video++;
    const int64_t* const places_end =
        std::find_if(token, end, [first = *token](int64_t id) { return id != first; });
    if (places_end - token < grid.cells()) {
      fail_places(grid, places_end - token);
    }
    positions.add_grid(grid);
    token += grid.cells();
  }
  if (image != videos || video != grids.end()) {
    fail_places(image != videos ? *image : *video, 0);
  }
  return positions.tensor();
}

}  // namespace oneshot
