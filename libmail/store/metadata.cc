#include "libmail/store/metadata.h"

#include "libmail/base/tab_escape.h"
#include "libmail/base/text.h"

namespace posthorn::store {

namespace {

bool is_shared(std::string_view entry) {
  return entry.starts_with("/shared/");
}

}  // namespace

Metadata Metadata::parse(std::string_view text) {
  Metadata all;
  for (const std::string_view line : split(text, '\n')) {
    const auto fields = split(line, '\t');
    if (fields.size() != 3) continue;
    auto entry = tab_unescape(fields[0]);
    auto user = tab_unescape(fields[1]);
    auto value = tab_unescape(fields[2]);
    if (!entry || !user || !value) continue;
    if (is_shared(*entry) != user->empty()) continue;
    if (!is_shared(*entry) && !entry->starts_with("/private/")) continue;
    all.values_[{std::move(*user), std::move(*entry)}] = std::move(*value);
  }
  return all;
}

std::string Metadata::text() const {
  std::string out;
  for (const auto& [key, value] : values_) {
    out.append(tab_escape(key.second)).append("\t").append(tab_escape(key.first));
    out.append("\t").append(tab_escape(value)).append("\n");
  }
  return out;
}

Annotations Metadata::seen_by(const std::string& user) const {
  Annotations seen;
  for (const auto& [key, value] : values_)
    if (key.first.empty() || key.first == user) seen.emplace(key.second, value);
  return seen;
}

MetadataRefusal Metadata::change(const std::string& user, const AnnotationChanges& changes) {
  auto next = values_;
  for (const auto& [entry, value] : changes) {
    std::pair<std::string, std::string> key(is_shared(entry) ? "" : user, entry);
    if (!value) {
      next.erase(key);
      continue;
    }
    if (value->size() > metadata_limits.value) return MetadataRefusal::too_large;
    if (entry.size() > metadata_limits.name) return MetadataRefusal::too_many;
    next[std::move(key)] = *value;
  }
  std::size_t octets = 0;
  for (const auto& [key, value] : next) octets += value.size();
  // What goes away is never too much.
  const bool grows = next.size() > values_.size() || octets > metadata_limits.all;
  if (grows && (next.size() > metadata_limits.entries || octets > metadata_limits.all))
    return MetadataRefusal::too_many;
  values_ = std::move(next);
  return MetadataRefusal::none;
}

}  // namespace posthorn::store
