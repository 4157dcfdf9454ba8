// Images and videos as grids of patches, as Qwen2-VL reads them. A cell of `merge` · `merge`
// neighbours in a frame becomes a token of the text. Source: arXiv:2409.12191.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "engine/graph/image_input.h"

namespace oneshot {

/// An image, of one frame, or a video.
struct PatchGrid {
  int64_t frames = 0, rows = 0, columns = 0;  // rows and columns of cells
  int64_t frame_step = 1;                     // how far a frame is from the next, in positions
  bool is_video = false;

  int64_t cells() const { return frames * rows * columns; }
};

struct PatchGridConfig {
  int64_t merge = 2;
  int64_t tokens_per_second = 0;  // positions of a second of a video; 0: a frame is a position
};

/// The grids of "image_grid_thw", then those of "video_grid_thw", int64 [n, 3], in patches. Whole
/// seconds between the frames of each video are in "second_per_grid_ts" [n]; absent: 1.
/// throws Checkpoint for grids that are not made of whole cells.
std::vector<PatchGrid> read_grids(const ImageInput& images, const PatchGridConfig& config);

int64_t cells_of(const std::vector<PatchGrid>& grids);

/// Row and column of every patch of an image, int64 [2, patches]: frame by frame, cells row by row,
/// in a cell row by row.
at::Tensor patch_places(const std::vector<PatchGrid>& grids, int64_t merge);

/// Cells in windows of `size` · `size`: a window after the other, row by row in each.
struct CellWindows {
  at::Tensor order;            // int64 [cells]: which cell comes next
  std::vector<int64_t> cells;  // in each window
};
CellWindows cell_windows(const std::vector<PatchGrid>& grids, int64_t size);

/// Ids of the tokens in whose place rows of images and of videos stand.
struct GridTokens {
  int64_t image = 0, video = 0;
};

/// Positions of the tokens of a text in time, down and across: ids int64 [T] → int64 [3, T]. The
/// text goes on one past the highest position of an image.
/// throws Checkpoint when the places of the text are not those of the grids.
at::Tensor grid_positions(const at::Tensor& ids,
                          const std::vector<PatchGrid>& grids,
                          const GridTokens& tokens);

}  // namespace oneshot
