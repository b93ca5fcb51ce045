// Quota of an account: the Maildir++ file `maildirsize`, shared with Courier and Dovecot, and whoever else keeps it.
//
//   1073741824S,10000C        the limits, as they were when it was written
//   4711 12                   octets and messages; each line is added, negative ones too
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/store/error.h"
#include "libmail/store/files.h"

namespace posthorn::store {

struct QuotaLimits {
  std::uint64_t octets = 0;    // 0: no limit
  std::uint64_t messages = 0;  // 0: no limit
  [[nodiscard]] bool any() const { return octets != 0 || messages != 0; }
  bool operator==(const QuotaLimits&) const = default;
};

// Dovecot's "*:storage=1G:messages=1000" (storage in KiB without a letter), or Courier's "1073741824S,10000C". An error says
// what is wrong with it.
Result<QuotaLimits, std::string> parse_quota(std::string_view text);

struct QuotaUsage {
  QuotaLimits limits;
  std::int64_t octets = 0;
  std::int64_t messages = 0;
  // Whether so much more fits.
  [[nodiscard]] bool fits(std::uint64_t more_octets, std::uint64_t more_messages) const;
};

// The sum of a maildirsize file. Nothing if it is none, or was written for other limits and `limits` has some.
std::optional<QuotaUsage> parse_maildirsize(std::string_view text, const QuotaLimits& limits);

// Notes a change in the maildirsize of `root`, if there is one. Failure costs accuracy until the next count, nothing else.
void add_usage(Directory& root, std::int64_t octets, std::int64_t messages);

class Quota {
 public:
  // `root` is the Maildir (INBOX); outlives it. `rule`: what the userdb or the site says.
  Quota(Files& files, Directory& root, QuotaLimits rule)
      : files_(files), root_(root), rule_(rule) {}
  // The limits that count: those of set_limits() (the file `posthorn-quota`), else the rule, else those that another program wrote
  // into maildirsize.
  StoreResult<QuotaLimits> limits();
  // Without limits nothing but that. Else from the file; counted anew if there is none, if it is too long, or if it says "full" and
  // is older than 15 minutes.
  StoreResult<QuotaUsage> usage();
  // Counts all mailboxes, and writes the file.
  StoreResult<QuotaUsage> recount();
  // From now on these, for everybody who delivers here; none at all: no limit, whatever the rule says.
  StoreResult<QuotaUsage> set_limits(const QuotaLimits& limits);

 private:
  StoreResult<QuotaUsage> recount(const QuotaLimits& limits);

  Files& files_;
  Directory& root_;
  QuotaLimits rule_;
};

}  // namespace posthorn::store
