// A server's responses as values (RFC 9051 section 7 and the extensions).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "libmail/imap/capability.h"
#include "libmail/imap/client/message.h"
#include "libmail/imap/list.h"
#include "libmail/imap/response_code.h"
#include "libmail/imap/sort.h"

namespace posthorn::imap::client {

struct Exists {
  std::uint32_t count = 0;
};
struct Recent {
  std::uint32_t count = 0;
};
struct Expunged {
  std::uint32_t number = 0;
};
struct Vanished {  // RFC 7162 3.2.10
  bool earlier = false;
  NumberSet uids;
};
struct FlagsList {  // * FLAGS (...)
  Flags flags;
};
struct ListData {
  bool lsub = false;
  ListEntry entry;
};
struct StatusAnswer {
  std::string mailbox;
  StatusData data;
};
struct SearchNumbers {  // SEARCH; SORT, where the order counts
  bool sorted = false;
  std::vector<std::uint32_t> numbers;
  std::uint64_t modseq = 0;
};
struct ThreadData {
  std::vector<ThreadEntry> threads;
};
struct ESearch {
  std::string tag;
  bool uid = false;
  std::optional<std::uint32_t> min, max, count;
  std::optional<NumberSet> all;        // of SEARCH
  std::vector<NumberRange> all_order;  // of SORT: ranges in order
  std::optional<std::uint64_t> modseq;
  std::optional<PartialRange> partial_range;
  std::vector<NumberRange> partial;
  std::string mailbox;  // MULTISEARCH
  std::uint32_t uid_validity = 0;
  std::vector<std::pair<std::uint32_t, std::vector<NumberRange>>> added,
      removed;  // ADDTO, REMOVEFROM: position, numbers
};
struct CapabilityData {
  Capabilities capabilities;
};
struct Enabled {
  std::vector<std::string> capabilities;  // upper case
};
struct IdData {
  std::vector<std::pair<std::string, std::string>> fields;
};
struct NamespaceEntry {
  std::string prefix;
  char separator = '\0';
};
struct NamespaceData {
  std::vector<NamespaceEntry> personal, others, shared;
};
struct QuotaResource {
  std::string name;  // upper case
  std::uint64_t usage = 0;
  std::uint64_t limit = 0;
};
struct QuotaData {
  std::string root;
  std::vector<QuotaResource> resources;
};
struct QuotaRoots {
  std::string mailbox;
  std::vector<std::string> roots;
};
struct AclData {
  std::string mailbox;
  std::vector<std::pair<std::string, std::string>> rights;  // identifier, rights
};
struct MyRightsData {
  std::string mailbox;
  std::string rights;
};
struct ListRightsData {
  std::string mailbox;
  std::string identifier;
  std::vector<std::string> rights;
};
struct MetadataData {
  std::string mailbox;
  std::vector<std::pair<std::string, std::optional<std::string>>> entries;
};
struct UnknownData {
  std::string keyword;  // upper case
};

using Response = std::variant<StatusText, Fetched, Exists, Recent, Expunged, Vanished, FlagsList,
                              ListData, StatusAnswer, SearchNumbers, ThreadData, ESearch,
                              CapabilityData, Enabled, IdData, NamespaceData, QuotaData, QuotaRoots,
                              AclData, MyRightsData, ListRightsData, MetadataData, UnknownData>;

// "* ..." and "a1 OK ..." and "+ ...".
struct ResponseLine {
  std::string tag;  // "*", "+", or a command's
  Response body;    // tagged: StatusText; "+": StatusText with only a text
};
[[nodiscard]] Result<ResponseLine, SyntaxError> parse_response(const Line& line, bool utf8);

}  // namespace posthorn::imap::client
