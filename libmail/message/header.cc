#include "libmail/message/header.h"

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::message {

bool is_field_name(std::string_view name) {
  return !name.empty() &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_graph(c) && c != ':'; });
}

std::string unfold(std::string_view raw_value) {
  const std::string_view rest = trim(raw_value);
  if (rest.find('\n') == std::string_view::npos) return std::string(rest);
  std::string out;
  out.reserve(rest.size());
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const bool crlf = rest[i] == '\r' && i + 1 < rest.size() && rest[i + 1] == '\n';
    if (!crlf && rest[i] != '\n') out += rest[i];
    if (crlf) ++i;
  }
  return out;
}

// One pass, line by line.
class HeaderReader {
 public:
  HeaderReader(Header& into, const HeaderLimits& limits) : header_(into), limits_(limits) {}

  void read() {
    const std::string_view bytes = header_.bytes_;
    std::size_t at = 0;
    while (at < bytes.size()) {
      const std::size_t newline = bytes.substr(0, limits_.header_bytes).find('\n', at);
      if (newline == std::string_view::npos && bytes.size() > limits_.header_bytes) {
        fault(HeaderFault::Kind::too_large, at);
        break;
      }
      const std::size_t next = newline == std::string_view::npos ? bytes.size() : newline + 1;
      std::size_t text_end = newline == std::string_view::npos ? bytes.size() : newline;
      if (newline != std::string_view::npos && text_end > at && bytes[text_end - 1] == '\r')
        --text_end;
      if (text_end == at && newline != std::string_view::npos) {
        end_at(at, next);
        return;
      }
      ++header_.lines_;
      if (!take_line(at, text_end, next)) break;
      at = next;
    }
    end_at(at, at);
  }

 private:
  void end_at(std::size_t header_end, std::size_t body) {
    header_.header_end_ = header_end;
    header_.body_ = body;
  }

  // [begin, text_end) without its line end, which reaches to `next`. False if reading has to stop.
  bool take_line(std::size_t begin, std::size_t text_end, std::size_t next) {
    const std::string_view line = header_.bytes_.substr(begin, text_end - begin);
    if (!line.empty() && is_space(line.front())) {
      if (!in_field_) {
        fault(HeaderFault::Kind::not_a_field, begin);
        return true;
      }
      header_.fields_.back().value_end = narrow(text_end);
      header_.fields_.back().end = narrow(next);
      return true;
    }
    const std::size_t colon = line.find(':');
    std::string_view name = line.substr(0, colon == std::string_view::npos ? 0 : colon);
    while (!name.empty() && is_space(name.back())) name.remove_suffix(1);
    in_field_ = is_field_name(name);
    if (!in_field_) {
      fault(HeaderFault::Kind::not_a_field, begin);
      return true;
    }
    if (header_.fields_.size() >= limits_.fields) {
      fault(HeaderFault::Kind::too_many_fields, begin);
      return false;
    }
    header_.fields_.push_back({narrow(begin), narrow(name.size()), narrow(begin + colon + 1),
                               narrow(text_end), narrow(next), header_.lines_});
    return true;
  }

  void fault(HeaderFault::Kind kind, std::size_t offset) {
    const std::uint32_t line =
        kind == HeaderFault::Kind::too_large ? header_.lines_ + 1 : header_.lines_;
    if (!header_.fault_) header_.fault_ = HeaderFault{kind, line, narrow(offset)};
  }

  static std::uint32_t narrow(std::size_t value) { return static_cast<std::uint32_t>(value); }

  Header& header_;
  const HeaderLimits& limits_;
  bool in_field_ = false;
};

Header Header::parse(std::string_view message, const HeaderLimits& limits) {
  Header header;
  header.bytes_ = message;
  HeaderReader(header, limits).read();
  return header;
}

std::string_view Header::name(const Field& field) const {
  return bytes_.substr(field.begin, field.name_size);
}

std::string_view Header::raw_value(const Field& field) const {
  return bytes_.substr(field.value, field.value_end - field.value);
}

std::string Header::value(const Field& field) const {
  return unfold(raw_value(field));
}

std::string_view Header::whole(const Field& field) const {
  return bytes_.substr(field.begin, field.end - field.begin);
}

const Field* Header::find(std::string_view wanted) const {
  for (const Field& field : fields_) {
    if (iequals(name(field), wanted)) return &field;
  }
  return nullptr;
}

std::vector<const Field*> Header::find_all(std::string_view wanted) const {
  std::vector<const Field*> found;
  for (const Field& field : fields_) {
    if (iequals(name(field), wanted)) found.push_back(&field);
  }
  return found;
}

std::size_t Header::count(std::string_view wanted) const {
  return static_cast<std::size_t>(
      std::count_if(fields_.begin(), fields_.end(),
                    [&](const Field& field) { return iequals(name(field), wanted); }));
}

}  // namespace posthorn::message
