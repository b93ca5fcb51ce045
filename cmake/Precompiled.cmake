# Half of a file's compile time is the standard library, so the headers that nearly everyone includes are compiled once:
# with libmail/base for all code, with its test (which has Catch and no optimiser) for all tests.
#
# A file still includes what it uses: scripts/lib/includes.py finds what is missing.
option(POSTHORN_PCH "precompile the standard headers" ON)

set(POSTHORN_STANDARD_HEADERS
    <algorithm> <chrono> <coroutine> <filesystem> <functional> <map> <memory> <optional> <set> <string> <string_view>
    <unordered_map> <vector> <fmt/format.h> <tl/expected.hpp>)

# ccache: the headers are the same, whenever they were written.
if(POSTHORN_PCH AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
endif()

# posthorn_precompile(TARGET OWNER HEADER...): OWNER compiles the headers, every other TARGET borrows them from it.
function(posthorn_precompile target owner)
  if(NOT POSTHORN_PCH)
    return()
  endif()
  if(target STREQUAL owner)
    target_precompile_headers(${target} PRIVATE ${ARGN})
  else()
    target_precompile_headers(${target} REUSE_FROM ${owner})
  endif()
endfunction()
