# Defines the target oneshot_torch: the CPU part of LibTorch.
# Found in CMAKE_PREFIX_PATH (any LibTorch ≥ 2.8), else in the PyPI wheel in .venv at the project's
# root. The wheel's own TorchConfig.cmake insists on a CUDA toolkit and drags in libtorch_cuda, so
# the targets are ours.
file(GLOB wheel_torch ${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
find_path(TORCH_ROOT include/ATen/ATen.h
          HINTS ${CMAKE_PREFIX_PATH} ${wheel_torch} NO_DEFAULT_PATH)
if(NOT TORCH_ROOT)
  message(FATAL_ERROR "LibTorch not found. Run `make setup`, or pass -DCMAKE_PREFIX_PATH=<libtorch>.")
endif()
foreach(header headeronly/version.h csrc/api/include/torch/version.h)  # of newer, of older releases
  if(EXISTS ${TORCH_ROOT}/include/torch/${header} AND NOT version_lines)
    file(STRINGS ${TORCH_ROOT}/include/torch/${header} version_lines REGEX "define TORCH_VERSION_(MAJOR|MINOR) [0-9]+")
  endif()
endforeach()
string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*" "\\1.\\2" TORCH_VERSION "${version_lines}")
if(TORCH_VERSION VERSION_LESS 2.8)
  message(FATAL_ERROR "LibTorch in ${TORCH_ROOT} is ${TORCH_VERSION}; 2.8 or newer is needed.")
endif()
message(STATUS "LibTorch ${TORCH_VERSION} in ${TORCH_ROOT}")

find_library(TORCH_CPU_LIBRARY torch_cpu PATHS ${TORCH_ROOT}/lib NO_DEFAULT_PATH REQUIRED)
find_library(C10_LIBRARY c10 PATHS ${TORCH_ROOT}/lib NO_DEFAULT_PATH REQUIRED)

add_library(oneshot_torch INTERFACE)
target_include_directories(oneshot_torch SYSTEM INTERFACE
  ${TORCH_ROOT}/include ${TORCH_ROOT}/include/torch/csrc/api/include)
target_link_libraries(oneshot_torch INTERFACE ${TORCH_CPU_LIBRARY} ${C10_LIBRARY})
target_compile_definitions(oneshot_torch INTERFACE _GLIBCXX_USE_CXX11_ABI=1)
# libtorch_cpu of the CUDA wheel needs two of NVIDIA's libraries, which live beside it.
file(GLOB nvidia_libs ${TORCH_ROOT}/../nvidia/cu*/lib ${TORCH_ROOT}/../nvidia/*/lib)
foreach(folder ${TORCH_ROOT}/lib ${nvidia_libs})
  list(APPEND torch_rpath ${folder})
  target_link_options(oneshot_torch INTERFACE -Wl,-rpath-link,${folder})
endforeach()
set(CMAKE_BUILD_RPATH ${torch_rpath})
