#include "agents/imapd/search_narrow.h"

#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/search/filling.h"

namespace posthorn::imapd {

using Kind = imap::SearchKey::Kind;
using search::Column;
using search::SearchError;

namespace {

// Where a text that is looked for stands. Empty: the key looks for no text.
std::vector<Column> columns_of(const PreparedKey& key) {
  switch (key.kind) {
    case Kind::subject:
      return {Column::subject};
    case Kind::from:
      return {Column::from};
    case Kind::to:
      return {Column::to};
    case Kind::cc:
      return {Column::cc};
    case Kind::bcc:
      return {Column::bcc};
    case Kind::header: {
      constexpr std::array<std::pair<std::string_view, Column>, 5> own = {
          {{"Subject", Column::subject},
           {"From", Column::from},
           {"To", Column::to},
           {"Cc", Column::cc},
           {"Bcc", Column::bcc}}};
      for (const auto& [name, column] : own)
        if (iequals(name, key.field)) return {column};
      return {Column::header};
    }
    case Kind::body:
      return {Column::body};
    case Kind::text:
      return {Column::header, Column::body};
    default:
      return {};
  }
}

search::SearchResult<void> ask(search::SearchIndex& index, const imap::NumberSet& indexed,
                               PreparedKey& key) {
  for (PreparedKey& child : key.children) {
    if (auto asked = ask(index, indexed, child); !asked) return asked;
  }
  const auto in = columns_of(key);
  if (in.empty()) return {};
  auto found = index.candidates(in, key.text);
  if (!found) return fail(std::move(found.error()));
  if (!*found) return {};
  key.without = indexed;
  key.without.remove(**found);
  return {};
}

// An index that failed once is believed nothing.
void forget(PreparedKey& key) {
  key.without.clear();
  for (PreparedKey& child : key.children) forget(child);
}

}  // namespace

bool looks_for_text(const PreparedKey& key) {
  return !columns_of(key).empty() ||
         std::any_of(key.children.begin(), key.children.end(), looks_for_text);
}

bool narrow(const store::OpenMailbox& mailbox, PreparedKey& key, std::string& remark) {
  const std::string directory = mailbox.directory();
  if (directory.empty()) return false;
  if (!search::has_index(directory)) return true;
  auto index = search::open_index(directory, search::owner_of(mailbox));
  if (index) {
    const auto known = (*index)->known();
    const auto asked =
        known ? ask(**index, known->indexed, key) : search::SearchResult<void>(fail(known.error()));
    if (asked) {
      const auto snapshot = mailbox.snapshot();
      return snapshot->size() > 0 && !known->seen.contains(snapshot->row(snapshot->size() - 1).uid);
    }
    forget(key);
    index = fail(asked.error());
  }
  if (index.error().kind == SearchError::Kind::unavailable) remark = index.error().text;
  if (index.error().kind == SearchError::Kind::damaged) {
    // The next filler makes another one.
    remark = index.error().text + "; it is thrown away";
    search::remove_index(directory);
  }
  return true;
}

}  // namespace posthorn::imapd
