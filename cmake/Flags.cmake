# One set of flags for everything, so that no room compiles in a dialect of its own.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
# Under the sanitizers, too: -O1 compiles for half as long again, and the tests wait more than they compute.
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")
if(POSTHORN_FUZZ)
  set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g")  # a fuzzer computes all the time
endif()
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

add_compile_options(-Wall -Wextra -Wshadow -Wnon-virtual-dtor -Werror=unused-result -Werror=return-type
                    -Werror=switch -fno-omit-frame-pointer -fstack-protector-strong)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")  # run, not debugged: -g1 is a fifth of a test's compile time
  add_compile_options("SHELL:--param ggc-min-heapsize=1048576")  # KiB before it collects garbage: a tenth of its time
  # g++ 12 warns of its own coroutine frames: members not initialised, temporaries not on the heap.
  add_compile_options(-Wno-maybe-uninitialized -Wno-mismatched-new-delete -Wno-free-nonheap-object)
endif()
include_directories(${CMAKE_SOURCE_DIR})

# A quarter of ld's time for a program with a sanitizer in it, and there are a hundred and fifty of them.
find_program(POSTHORN_LLD ld.lld-19)
mark_as_advanced(POSTHORN_LLD)
if(POSTHORN_LLD AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(-fuse-ld=lld)
endif()

if(POSTHORN_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)  # the rooms, too: a fuzzer goes where it sees new ways
endif()

if(POSTHORN_SANITIZE)
  # -g1: enough for the sanitizers' stack traces.
  add_compile_options(-fsanitize=${POSTHORN_SANITIZE} -fno-sanitize-recover=all -g1)
  add_link_options(-fsanitize=${POSTHORN_SANITIZE})
else()
  add_link_options(-Wl,-z,relro,-z,now)
endif()
