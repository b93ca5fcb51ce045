#include "libmail/async/task.h"

#include <array>
#include <new>

namespace posthorn::async::detail {

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POSTHORN_ADDRESS_SANITIZER
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define POSTHORN_ADDRESS_SANITIZER
#endif

#ifdef POSTHORN_ADDRESS_SANITIZER
// A recycled frame would hide a use after free from the sanitizer.
void* allocate_frame(std::size_t size) {
  return ::operator new(size);
}
void free_frame(void* frame, std::size_t) noexcept {
  ::operator delete(frame);
}
#else
namespace {

constexpr std::size_t grain = 64;       // size classes are its multiples
constexpr std::size_t classes = 32;     // frames above 2 KiB go to the allocator
constexpr std::size_t most_kept = 256;  // per class

struct FreeFrame {
  FreeFrame* next;
};
struct FreeList {
  FreeFrame* first = nullptr;
  std::size_t length = 0;
};
thread_local std::array<FreeList, classes> free_lists;

}  // namespace

void* allocate_frame(std::size_t size) {
  const std::size_t index = (size - 1) / grain;
  if (index >= classes) return ::operator new(size);
  FreeList& list = free_lists[index];
  if (list.first == nullptr) return ::operator new((index + 1) * grain);
  FreeFrame* frame = list.first;
  list.first = frame->next;
  --list.length;
  return frame;
}

void free_frame(void* frame, std::size_t size) noexcept {
  const std::size_t index = (size - 1) / grain;
  if (index >= classes || free_lists[index].length == most_kept) {
    ::operator delete(frame);
    return;
  }
  FreeList& list = free_lists[index];
  list.first = new (frame) FreeFrame{list.first};
  ++list.length;
}
#endif

}  // namespace posthorn::async::detail
