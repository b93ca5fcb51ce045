#include "libmail/message/boundaries.h"

#include <algorithm>

namespace posthorn::message {
namespace {

constexpr std::string_view dashes = "--";

bool differ_by_dashes(std::string_view a, std::string_view b) {
  return a.size() == b.size() + 2 && a.substr(0, b.size()) == b && a.substr(b.size()) == dashes;
}

}  // namespace

void OpenParts::push(std::uint32_t part, std::string_view boundary, bool digest) {
  OpenPart open;
  open.part = part;
  open.text = static_cast<std::uint32_t>(arena_.size());
  open.size = static_cast<std::uint32_t>(boundary.size());
  open.digest = digest;
  arena_ += boundary;
  if (!boundary.empty()) ++boundaries_;
  longest_ = std::max(longest_, boundary.size());
  open_.push_back(open);
}

void OpenParts::pop() {
  arena_.resize(open_.back().text);
  if (open_.back().size != 0) --boundaries_;
  open_.pop_back();
}

BoundaryMatch OpenParts::match(const Line& line) const {
  using Kind = BoundaryMatch::Kind;
  std::string_view text = line.text;
  if (boundaries_ == 0 || text.substr(0, 2) != dashes) return {};
  text.remove_prefix(2);
  // What a closed part or a tail makes of the line counts only if no open part has it.
  const std::size_t end = line.blank_tail ? text.find_last_not_of(" \t\r") + 1 : std::string::npos;
  const std::string_view whole = text.substr(0, end);
  BoundaryMatch best;
  std::size_t best_size = 0;
  for (std::size_t level = 0; level < open_.size(); ++level) {
    const OpenPart& open = open_[level];
    if (open.size == 0 || open.size > text.size() || text[0] != arena_[open.text]) continue;
    const std::string_view wanted = boundary(open);
    if (text.substr(0, wanted.size()) != wanted) continue;
    const bool same = line.blank_tail && whole.size() == wanted.size();
    const bool close = line.blank_tail && differ_by_dashes(whole, wanted);
    if (!same && !close) {
      if (best.kind == Kind::none) best = {Kind::with_tail, level};
    } else if (open.closed) {
      if (best_size == 0) best = {Kind::after_close, level};
    } else if (wanted.size() > best_size) {
      best = {same ? Kind::delimiter : Kind::close, level};
      best_size = wanted.size();
    }
  }
  return best;
}

bool OpenParts::confusable(std::string_view wanted) const {
  return std::any_of(open_.begin(), open_.end(), [&](const OpenPart& open) {
    const std::string_view other = boundary(open);
    return !other.empty() &&
           (other == wanted || differ_by_dashes(other, wanted) || differ_by_dashes(wanted, other));
  });
}

}  // namespace posthorn::message
