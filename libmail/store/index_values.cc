#include "libmail/store/index_values.h"

#include <cstring>
#include <type_traits>

#include "libmail/base/crc32c.h"

namespace posthorn::store {

namespace {

template <class T>
void put(std::string& out, T value) {
  auto bits = static_cast<std::make_unsigned_t<T>>(value);
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out.push_back(static_cast<char>(bits & 0xff));
    if constexpr (sizeof(T) > 1) bits = static_cast<std::make_unsigned_t<T>>(bits >> 8);
  }
}

// Takes fields from the front; a short text gives zeros and `ok` false.
struct Reader {
  std::string_view rest;
  bool ok = true;

  template <class T>
  T take() {
    if (rest.size() < sizeof(T)) {
      ok = false;
      return T{};
    }
    std::make_unsigned_t<T> bits = 0;
    for (std::size_t i = sizeof(T); i-- > 0;) {
      bits = static_cast<std::make_unsigned_t<T>>(static_cast<std::uint64_t>(bits) << 8 |
                                                  static_cast<unsigned char>(rest[i]));
    }
    rest.remove_prefix(sizeof(T));
    return static_cast<T>(bits);
  }
};

void put_stamp(std::string& out, const FileStamp& stamp) {
  put(out, stamp.inode);
  put(out, stamp.size);
  put(out, stamp.modified);
  put(out, stamp.changed);
}

FileStamp take_stamp(Reader& reader) {
  FileStamp stamp;
  stamp.inode = reader.take<std::uint64_t>();
  stamp.size = reader.take<std::uint64_t>();
  stamp.modified = reader.take<std::int64_t>();
  stamp.changed = reader.take<std::int64_t>();
  return stamp;
}

template <class T>
char* store(char* out, T value) {
  std::memcpy(out, &value, sizeof value);
  return out + sizeof value;
}

template <class T>
const char* load(const char* in, T& value) {
  std::memcpy(&value, in, sizeof value);
  return in + sizeof value;
}

}  // namespace

// The machine's octet order: an index never leaves its machine, and its header's would not be read on another.
void encode_row(const MessageRow& row, char* out) {
  out = store(out, row.modseq);
  out = store(out, row.keywords);
  out = store(out, row.size);
  out = store(out, row.date);
  out = store(out, row.saved);
  store(out, row.flags);
}

std::optional<MessageRow> decode_row(std::uint32_t uid, std::string_view value) {
  if (value.size() != row_octets || uid == 0) return std::nullopt;
  MessageRow row;
  row.uid = uid;
  const char* in = value.data();
  in = load(in, row.modseq);
  in = load(in, row.keywords);
  in = load(in, row.size);
  in = load(in, row.date);
  in = load(in, row.saved);
  load(in, row.flags);
  return row;
}

std::string encode_header(const IndexHeader& header) {
  std::string out;
  put(out, index_version);
  put(out, header.uid_validity);
  put(out, header.uid_next);
  put(out, header.recent_from);
  put(out, header.highest_modseq);
  put(out, header.vanished_from);
  put_stamp(out, header.cur);
  put_stamp(out, header.fresh);
  put_stamp(out, header.uidlist);
  put(out, header.uidlist_lines);
  put(out, header.uidlist_sum);
  put(out, header.counts.messages);
  put(out, header.counts.unseen);
  put(out, header.counts.deleted);
  put(out, header.counts.unsized);
  put(out, header.counts.size);
  put(out, static_cast<std::uint8_t>(header.guid.size()));
  out += header.guid;
  put(out, crc32c(0, out));
  return out;
}

std::optional<IndexHeader> decode_header(std::string_view value) {
  if (value.size() < 8) return std::nullopt;
  Reader sum{value.substr(value.size() - 4)};
  value.remove_suffix(4);
  if (sum.take<std::uint32_t>() != crc32c(0, value)) return std::nullopt;
  Reader reader{value};
  if (reader.take<std::uint32_t>() != index_version) return std::nullopt;
  IndexHeader header;
  header.uid_validity = reader.take<std::uint32_t>();
  header.uid_next = reader.take<std::uint32_t>();
  header.recent_from = reader.take<std::uint32_t>();
  header.highest_modseq = reader.take<std::uint64_t>();
  header.vanished_from = reader.take<std::uint64_t>();
  header.cur = take_stamp(reader);
  header.fresh = take_stamp(reader);
  header.uidlist = take_stamp(reader);
  header.uidlist_lines = reader.take<std::uint64_t>();
  header.uidlist_sum = reader.take<std::uint32_t>();
  header.counts.messages = reader.take<std::uint32_t>();
  header.counts.unseen = reader.take<std::uint32_t>();
  header.counts.deleted = reader.take<std::uint32_t>();
  header.counts.unsized = reader.take<std::uint32_t>();
  header.counts.size = reader.take<std::uint64_t>();
  const std::size_t guid = reader.take<std::uint8_t>();
  if (!reader.ok || reader.rest.size() != guid) return std::nullopt;
  header.guid = reader.rest;
  return header;
}

std::string encode_uids(const std::vector<std::uint32_t>& uids) {
  std::string out;
  for (std::size_t i = 0; i < uids.size();) {
    std::size_t end = i + 1;
    while (end < uids.size() && uids[end] == uids[end - 1] + 1) ++end;
    put(out, uids[i]);
    put(out, static_cast<std::uint32_t>(end - i));
    i = end;
  }
  return out;
}

std::optional<std::vector<std::uint32_t>> decode_uids(std::string_view value) {
  // More than one environment can hold would be nonsense, and must not fill the memory.
  constexpr std::size_t most = 16 << 20;
  std::vector<std::uint32_t> uids;
  Reader reader{value};
  while (!reader.rest.empty()) {
    const auto first = reader.take<std::uint32_t>();
    const auto count = reader.take<std::uint32_t>();
    if (!reader.ok || first == 0 || count == 0 || count - 1 > UINT32_MAX - first ||
        count > most - uids.size() || (!uids.empty() && first <= uids.back()))
      return std::nullopt;
    for (std::uint32_t i = 0; i < count; ++i) uids.push_back(first + i);
  }
  return uids;
}

}  // namespace posthorn::store
