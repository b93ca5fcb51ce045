// ENVELOPE and BODYSTRUCTURE of a stranger's message must be well-formed whatever it holds.
#include <cstdlib>
#include <string>

#include "libmail/imap/body_structure.h"
#include "libmail/imap/envelope.h"
#include "libmail/imap/section.h"

using namespace posthorn;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

// Behind a quoted string or literal that begins at `at`.
std::size_t behind_string(const std::string& text, std::size_t at) {
  if (text[at] == '{') {
    std::size_t size = 0;
    for (++at; at < text.size() && text[at] != '}'; ++at) {
      require(text[at] >= '0' && text[at] <= '9');
      size = size * 10 + static_cast<std::size_t>(text[at] - '0');
    }
    require(text.substr(at, 3) == "}\r\n" && at + 3 + size <= text.size());
    require(text.substr(at + 3, size).find('\0') == std::string::npos);
    return at + 3 + size;
  }
  for (++at; text.at(at) != '"'; ++at) {
    if (text[at] == '\\') ++at;
    require(text.at(at) != '\r' && text[at] != '\n' && text[at] != '\0');
  }
  return at + 1;
}

// One balanced list, and nothing else.
void check_list(const std::string& text) {
  std::size_t depth = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"' || c == '{') {
      at = behind_string(text, at);
      continue;
    }
    require(c == '(' || c == ')' || c == ' ' || (c >= '0' && c <= '9') || c == 'N' || c == 'I' ||
            c == 'L');
    if (c == '(') ++depth;
    if (c == ')') require(depth-- > 0);
    ++at;
    require(depth > 0 || at == text.size());
  }
  require(depth == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const message::MessageView view(text);
  check_list(imap::envelope(view.header(0)));
  check_list(imap::body_structure(view, imap::BodyForm::body));
  check_list(imap::body_structure(view, imap::BodyForm::body_structure));
  using Text = imap::Section::Text;
  for (std::uint32_t i = 0; i < 3; ++i) {
    for (std::uint32_t j = 0; j < 3; ++j) {
      for (const Text part : {Text::all, Text::header, Text::text, Text::mime}) {
        imap::Section section;
        if (i != 0) section.part.push_back(i);
        if (i != 0 && j != 0) section.part.push_back(j);
        section.text = part;
        const auto range = imap::find_section(view.tree(), section);
        if (range) require(range->begin <= range->end && range->end <= size);
      }
    }
  }
  return 0;
}
