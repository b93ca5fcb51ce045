// How the index writes what it keeps: fixed little-endian fields. Nothing read from it is trusted. Sans I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/store/mail_index.h"

namespace posthorn::store {

// Any change of form is another version, and the index is made anew.
inline constexpr std::uint32_t index_version = 1;

inline constexpr std::size_t row_octets = 34;
void encode_row(const MessageRow& row, char* out);  // row_octets
// Nothing if it is not so long.
std::optional<MessageRow> decode_row(std::uint32_t uid, std::string_view value);

std::string encode_header(const IndexHeader& header);
// Nothing if it is of another version, or its check sum is wrong.
std::optional<IndexHeader> decode_header(std::string_view value);

// Ascending UIDs as runs.
std::string encode_uids(const std::vector<std::uint32_t>& uids);
std::optional<std::vector<std::uint32_t>> decode_uids(std::string_view value);

}  // namespace posthorn::store
