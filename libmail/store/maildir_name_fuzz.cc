// Any octets as the name of a file in a Maildir.
#include <cstdint>

#include "libmail/base/result.h"
#include "libmail/store/location.h"
#include "libmail/store/maildir_name.h"

using namespace posthorn;
using namespace posthorn::store;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto folder = maildir_folder_directory(text); folder && !folder->empty()) {
    check(folder->front() == '.' && folder->size() <= 255 && folder->find('/') == std::string::npos,
          "a folder is one directory");
    check(*folder != "." && *folder != "..", "a folder is below the Maildir");
  }
  const auto name = parse_maildir_name(text);
  if (!name) return 0;
  check(text.substr(0, name->base.size()) == name->base, "the base begins the name");
  const std::string made = format_maildir_name(name->base, name->flags, name->keywords);
  const auto again = parse_maildir_name(made);
  check(again && again->base == name->base && again->flags == name->flags, "flags survive");
  check(again->size == name->size && again->crlf_size == name->crlf_size, "sizes survive");
  return 0;
}
