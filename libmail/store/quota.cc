#include "libmail/store/quota.h"

#include <algorithm>
#include <optional>

#include "libmail/base/text.h"
#include "libmail/store/dotlock.h"
#include "libmail/store/keywords.h"
#include "libmail/store/maildir.h"
#include "libmail/store/maildir_name.h"

namespace posthorn::store {

namespace {

constexpr const char* file_name = "maildirsize";
constexpr const char* limits_name =
    "posthorn-quota";  // SETQUOTA's limits, written as in maildirsize
constexpr std::size_t longest_limits = 64;
constexpr std::size_t longest_file = 5120;  // the Maildir++ text's
constexpr auto trust_full = std::chrono::minutes(15);

// "1073741824S,10000C"
std::optional<QuotaLimits> parse_limits(std::string_view text) {
  QuotaLimits limits;
  for (const std::string_view part : split(text, ',')) {
    if (part.empty()) continue;
    const auto number = parse_number<std::uint64_t>(part.substr(0, part.size() - 1));
    if (!number) return std::nullopt;
    if (part.back() == 'S')
      limits.octets = *number;
    else if (part.back() == 'C')
      limits.messages = *number;
    else
      return std::nullopt;
  }
  return limits;
}

std::string format_limits(const QuotaLimits& limits) {
  std::string out;
  if (limits.octets != 0) out += std::to_string(limits.octets) + "S";
  if (limits.messages != 0) {
    if (!out.empty()) out.push_back(',');
    out += std::to_string(limits.messages) + "C";
  }
  return out;
}

// Storage of Dovecot's rule: KiB without a letter, else B, k, M, G, T.
std::optional<std::uint64_t> parse_storage(std::string_view text) {
  std::uint64_t unit = 1024;
  if (!text.empty() && !is_digit(text.back())) {
    constexpr std::string_view letters = "bkmgt";
    const std::size_t at = letters.find(to_lower(text.back()));
    if (at == std::string_view::npos) return std::nullopt;
    unit = 1ULL << (10 * at);
    text.remove_suffix(1);
  }
  const auto number = parse_number<std::uint64_t>(text);
  if (!number || *number > (1ULL << 62) / unit) return std::nullopt;
  return *number * unit;
}

}  // namespace

Result<QuotaLimits, std::string> parse_quota(std::string_view text) {
  if (text.empty()) return QuotaLimits();
  if (!text.starts_with("*:")) {
    const auto limits = parse_limits(text);
    if (limits && limits->any()) return *limits;
    return fail("a quota is *:storage=1G:messages=1000 or 1073741824S,1000C, not \"" +
                printable(text, 80) + "\"");
  }
  QuotaLimits limits;
  for (const std::string_view part : split(text.substr(2), ':')) {
    const std::size_t equals = part.find('=');
    const std::string_view key = part.substr(0, equals);
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1);
    std::optional<std::uint64_t> number;
    if (key == "storage" || key == "bytes") {
      number = key == "bytes" ? parse_number<std::uint64_t>(value) : parse_storage(value);
      limits.octets = number.value_or(0);
    } else if (key == "messages") {
      number = parse_number<std::uint64_t>(value);
      limits.messages = number.value_or(0);
    } else if (key == "ignore") {
      return QuotaLimits();
    }
    if (!number)
      return fail("a quota has storage=SIZE, bytes=N and messages=N, not \"" + printable(part, 80) +
                  "\"");
  }
  return limits;
}

bool QuotaUsage::fits(std::uint64_t more_octets, std::uint64_t more_messages) const {
  const auto within = [](std::int64_t used, std::uint64_t more, std::uint64_t limit) {
    if (limit == 0) return true;
    const std::uint64_t now = used > 0 ? static_cast<std::uint64_t>(used) : 0;
    return now <= limit && more <= limit - now;
  };
  return within(octets, more_octets, limits.octets) &&
         within(messages, more_messages, limits.messages);
}

std::optional<QuotaUsage> parse_maildirsize(std::string_view text, const QuotaLimits& limits) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const auto written_for = parse_limits(text.substr(0, end));
  if (!written_for || (limits.any() && *written_for != limits)) return std::nullopt;
  QuotaUsage usage;
  usage.limits = *written_for;
  text.remove_prefix(end + 1);
  for (const std::string_view line : split(text, '\n')) {
    if (line.empty()) continue;
    const std::vector<std::string_view> parts = words(line);
    if (parts.size() != 2) return std::nullopt;
    const auto number = [](std::string_view part) -> std::optional<std::int64_t> {
      const bool negative = part.starts_with('-');
      if (negative) part.remove_prefix(1);
      const auto value = parse_number<std::int64_t>(part);
      if (!value || *value > INT64_MAX / 65536) return std::nullopt;
      return negative ? -*value : *value;
    };
    const auto octets = number(parts[0]);
    const auto messages = number(parts[1]);
    if (!octets || !messages) return std::nullopt;
    usage.octets += *octets;
    usage.messages += *messages;
  }
  return usage;
}

void add_usage(Directory& root, std::int64_t octets, std::int64_t messages) {
  const auto file = root.open_file(file_name, OpenMode::append, 0);
  if (!file) return;  // the next usage() counts
  const std::string line = std::to_string(octets) + " " + std::to_string(messages) + "\n";
  static_cast<void>((*file)->write(line));
}

StoreResult<QuotaLimits> Quota::limits() {
  const auto first_line = [this](const char* name) -> StoreResult<std::optional<QuotaLimits>> {
    const auto file = root_.open_file(name, OpenMode::read, 0);
    if (!file && StoreError(file.error()).kind == StoreError::Kind::unavailable)
      return fail(StoreError(file.error()));
    if (!file) return std::optional<QuotaLimits>();
    const auto text = (*file)->read(0, longest_limits);
    if (!text) return fail(StoreError(text.error()));
    const std::size_t end = text->find('\n');
    if (end == std::string::npos) return std::optional<QuotaLimits>();
    return parse_limits(std::string_view(*text).substr(0, end));
  };
  const auto own = first_line(limits_name);
  if (!own) return fail(own.error());
  if (*own) return **own;
  if (rule_.any()) return rule_;
  const auto foreign = first_line(file_name);
  if (!foreign) return fail(foreign.error());
  return foreign->value_or(QuotaLimits());
}

StoreResult<QuotaUsage> Quota::usage() {
  const auto limits = this->limits();
  if (!limits) return fail(limits.error());
  if (!limits->any()) return QuotaUsage();
  const auto file = read_small_file(root_, file_name, longest_file);
  if (file) {
    const auto usage = parse_maildirsize(file->text, *limits);
    const WallTime written = WallTime(std::chrono::microseconds(file->stamp.modified));
    const bool old = files_.now() - written > trust_full;
    const bool whole = usage && usage->octets >= 0 && usage->messages >= 0;
    if (whole && (usage->fits(1, 1) || !old)) return *usage;
  } else if (file.error().kind != StoreError::Kind::not_found &&
             file.error().kind != StoreError::Kind::refused) {
    return fail(file.error());
  }
  return recount(*limits);
}

StoreResult<QuotaUsage> Quota::set_limits(const QuotaLimits& limits) {
  auto lock = DotLock::try_acquire(files_, root_, limits_name);
  if (!lock) return fail(std::move(lock.error()));
  const auto written = replace_file(root_, limits_name, format_limits(limits) + "\n", file_mode);
  if (!written) return fail(written.error());
  // What another program would still go by.
  if (!limits.any()) static_cast<void>(root_.unlink(file_name));
  return recount(limits);
}

StoreResult<QuotaUsage> Quota::recount() {
  const auto limits = this->limits();
  if (!limits) return fail(limits.error());
  return limits->any() ? recount(*limits) : QuotaUsage();
}

StoreResult<QuotaUsage> Quota::recount(const QuotaLimits& limits) {
  QuotaUsage usage;
  usage.limits = limits;
  const auto count = [&usage](Directory& mailbox) -> StoreResult<void> {
    for (const char* part : {"new", "cur"}) {
      const auto directory = mailbox.open_directory(part);
      if (!directory) continue;
      const auto names = (*directory)->list();
      if (!names) return fail(StoreError(names.error()));
      for (const std::string& name : *names) {
        const auto parsed = parse_maildir_name(name);
        if (!parsed) continue;
        ++usage.messages;
        if (parsed->size) {
          usage.octets += static_cast<std::int64_t>(*parsed->size);
        } else if (const auto status = (*directory)->status(name)) {
          usage.octets += static_cast<std::int64_t>(status->size);
        }
      }
    }
    return {};
  };
  if (auto done = count(root_); !done) return fail(std::move(done.error()));
  const auto names = root_.list();
  if (!names) return fail(StoreError(names.error()));
  for (const std::string& name : *names) {
    if (name.size() < 2 || name[0] != '.' || name[1] == '.') continue;
    const auto folder = root_.open_directory(name);
    if (!folder) continue;
    if (auto done = count(**folder); !done) return fail(std::move(done.error()));
  }
  if (limits.any()) {
    const std::string text = format_limits(limits) + "\n" + std::to_string(usage.octets) + " " +
                             std::to_string(usage.messages) + "\n";
    // Without the file the next one counts again.
    static_cast<void>(replace_file(root_, file_name, text, file_mode));
  }
  return usage;
}

}  // namespace posthorn::store
