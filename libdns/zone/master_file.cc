#include "libdns/zone/master_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "libdns/zone/generate.h"
#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

std::string hint_for(EditFault fault) {
  switch (fault) {
    case EditFault::outside_zone:
      return "is a dot missing or too many at the end of the name, or is $ORIGIN wrong?";
    case EditFault::misplaced_soa:
      return "write the zone's name or \"@\" before it";
    case EditFault::no_soa:
      return "begin with \"@ SOA PRIMARY MAILBOX SERIAL REFRESH RETRY EXPIRE MINIMUM\"";
    case EditFault::several_soas:
      return "leave the one with the higher serial";
    default:
      return "";
  }
}

std::string hint_for(const TextError& error, bool has_ttl) {
  if (!has_ttl && error.what.starts_with("no TTL")) return "write $TTL 3600 above";
  if (error.what.ends_with("is over 255 octets")) {
    return "cut it into several strings: \"...\" \"...\"";
  }
  return "";
}

class MasterFileReader {
 public:
  MasterFileReader(const Name& origin, const MasterFileOptions& options)
      : options_(options), editor_(origin) {}

  void read(std::string_view text, const std::string& file, const Name& origin);
  MasterFile finish(const std::string& file);

 private:
  // One file being read. What $ORIGIN and the last owner were counts again behind an $INCLUDE (RFC
  // 1035 5.1), the TTL that $TTL set stays.
  struct File {
    const std::string& name;
    Name origin;
    std::optional<Name> owner;
  };
  using Severity = Problem::Severity;

  void note(Severity severity, const File& file, TextPosition at, std::string what,
            std::string hint = {});
  void take(File& file, const Entry& entry);
  void take_directive(File& file, const Entry& entry);
  void set_origin(File& file, const Entry& entry);
  void set_ttl(File& file, const Entry& entry);
  void include(File& file, const Entry& entry);
  void generate(File& file, const Entry& entry);
  void take_record(File& file, const Entry& entry);
  std::optional<Record> soa_without_ttl(File& file, const Entry& entry);
  bool add(const File& file, TextPosition at, const Record& record);
  [[nodiscard]] RecordDefaults defaults(const File& file) const;

  const MasterFileOptions& options_;
  ZoneEditor editor_;
  std::vector<Problem> problems_;
  bool has_failed_ = false;
  bool is_over_ = false;  // a limit: reading on leads nowhere
  std::size_t octets_ = 0;
  std::vector<std::string> open_;  // paths of files that are being included
  std::optional<std::uint32_t> ttl_;
  bool ttl_is_set_ = false;  // by $TTL, else it is the last one seen
};

void MasterFileReader::note(Severity severity, const File& file, TextPosition at, std::string what,
                            std::string hint) {
  if (severity == Severity::error) has_failed_ = true;
  if (problems_.size() >= options_.limits.problems) return;
  problems_.emplace_back(severity, fmt::format("{}:{}:{}", file.name, at.line, at.column),
                         std::move(what), std::move(hint));
}

void MasterFileReader::read(std::string_view text, const std::string& name, const Name& origin) {
  File file{name, origin, std::nullopt};
  octets_ += text.size();
  if (octets_ > options_.limits.octets) {
    is_over_ = true;
    note(Severity::error, file, {}, fmt::format("over {} octets of text", options_.limits.octets));
    return;
  }
  EntryReader reader(text);
  Entry entry;
  while (!is_over_) {
    const auto found = reader.next(entry);
    if (!found) {
      note(Severity::error, file, found.error().at, found.error().what);
    } else if (*found) {
      take(file, entry);
    } else {
      return;
    }
  }
}

void MasterFileReader::take(File& file, const Entry& entry) {
  const Token& first = entry.tokens.front();
  const bool is_directive = !entry.begins_blank && !first.quoted && first.text.starts_with('$');
  is_directive ? take_directive(file, entry) : take_record(file, entry);
}

void MasterFileReader::take_directive(File& file, const Entry& entry) {
  const std::string_view name = entry.tokens.front().text;
  if (iequals(name, "$ORIGIN")) return set_origin(file, entry);
  if (iequals(name, "$TTL")) return set_ttl(file, entry);
  if (iequals(name, "$INCLUDE")) return include(file, entry);
  if (iequals(name, "$GENERATE")) return generate(file, entry);
  std::string hint;
  if (const auto near = nearest(upper(name), {"$ORIGIN", "$TTL", "$INCLUDE", "$GENERATE"})) {
    hint = "did you mean " + *near + "?";
  }
  note(Severity::error, file, entry.at, fmt::format("unknown directive {}", printable(name, 64)),
       std::move(hint));
}

void MasterFileReader::set_origin(File& file, const Entry& entry) {
  if (entry.tokens.size() != 2) {
    return note(Severity::error, file, entry.end, "$ORIGIN takes one name");
  }
  const Token& token = entry.tokens[1];
  auto name = parse_name(token.text, file.origin);
  if (!name) {
    return note(Severity::error, file, token.at,
                fmt::format("\"{}\": {}", printable(token.text, 64), to_string(name.error())));
  }
  file.origin = std::move(*name);
}

void MasterFileReader::set_ttl(File& file, const Entry& entry) {
  const auto seconds =
      entry.tokens.size() == 2 ? parse_ttl(entry.tokens[1].text) : std::optional<std::uint32_t>();
  if (!seconds) {
    return note(Severity::error, file, entry.tokens.size() > 1 ? entry.tokens[1].at : entry.end,
                "$TTL takes one time from 0 to 2147483647 seconds", "as in $TTL 3600, $TTL 1h30m");
  }
  ttl_ = seconds;
  ttl_is_set_ = true;
}

void MasterFileReader::include(File& file, const Entry& entry) {
  if (entry.tokens.size() != 2 && entry.tokens.size() != 3) {
    return note(Severity::error, file, entry.end, "$INCLUDE takes a file and perhaps an origin");
  }
  const Token& token = entry.tokens[1];
  const auto path = unescape(token.text);
  if (!path || path->empty() || path->find('\0') != std::string::npos) {
    return note(Severity::error, file, token.at, "this is no path of a file");
  }
  Name origin = file.origin;
  if (entry.tokens.size() == 3) {
    auto name = parse_name(entry.tokens[2].text, file.origin);
    if (!name) {
      return note(Severity::error, file, entry.tokens[2].at,
                  fmt::format("origin: {}", to_string(name.error())));
    }
    origin = std::move(*name);
  }
  if (std::find(open_.begin(), open_.end(), *path) != open_.end()) {
    return note(Severity::error, file, token.at,
                fmt::format("{} includes itself", printable(*path)), "break the circle");
  }
  if (open_.size() >= options_.limits.include_depth) {
    return note(
        Severity::error, file, token.at,
        fmt::format("more than {} files include one another", options_.limits.include_depth));
  }
  if (!options_.open) return note(Severity::error, file, token.at, "$INCLUDE isn't allowed here");
  const auto text = options_.open(*path, file.name);
  if (!text) return note(Severity::error, file, token.at, text.error());
  open_.push_back(*path);
  read(*text, *path, origin);
  open_.pop_back();
}

void MasterFileReader::generate(File& file, const Entry& entry) {
  if (entry.tokens.size() < 5) {
    return note(Severity::error, file, entry.end,
                "$GENERATE takes START-STOP[/STEP] OWNER [TTL] [CLASS] TYPE DATA");
  }
  const TextPosition at = entry.tokens[1].at;
  const auto range = parse_generate_range(entry.tokens[1].text);
  if (!range) return note(Severity::error, file, at, range.error());
  if (range->count() > options_.limits.generated) {
    return note(Severity::error, file, at,
                fmt::format("{} records; one $GENERATE makes at most {}", range->count(),
                            options_.limits.generated),
                "use several, or a wildcard");
  }
  const std::span<const Token> pattern = std::span(entry.tokens).subspan(2);
  for (std::uint64_t number = range->start; number <= range->stop; number += range->step) {
    const auto line = generated_line(pattern, static_cast<std::uint32_t>(number));
    if (!line) return note(Severity::error, file, entry.at, line.error());
    const auto record = parse_record(*line, defaults(file));
    if (!record) {
      return note(Severity::error, file, entry.at,
                  fmt::format("for {}: {}", number, record.error().what));
    }
    if (!add(file, entry.at, *record)) return;
  }
}

RecordDefaults MasterFileReader::defaults(const File& file) const {
  RecordDefaults defaults;
  defaults.origin = file.origin;
  defaults.owner = file.owner;
  defaults.ttl = ttl_;
  return defaults;
}

// RFC 1035 has no $TTL: there SOA's last field was the default. BIND still takes it so.
std::optional<Record> MasterFileReader::soa_without_ttl(File& file, const Entry& entry) {
  if (ttl_) return std::nullopt;
  RecordDefaults with_ttl = defaults(file);
  with_ttl.ttl = 0;
  auto record = parse_record(entry, with_ttl);
  const Soa* soa = record ? record->as<Soa>() : nullptr;
  if (soa == nullptr) return std::nullopt;
  record->ttl = std::min(soa->minimum, std::uint32_t{0x7fffffff});
  note(Severity::warning, file, entry.at,
       fmt::format("no TTL: the minimum of the SOA, {} seconds, is taken", record->ttl),
       "write $TTL above");
  return std::move(*record);
}

void MasterFileReader::take_record(File& file, const Entry& entry) {
  auto record = parse_record(entry, defaults(file));
  if (!record) {
    auto soa = soa_without_ttl(file, entry);
    if (!soa) {
      return note(Severity::error, file, record.error().at, record.error().what,
                  hint_for(record.error(), ttl_.has_value()));
    }
    record = std::move(*soa);
  }
  file.owner = record->owner;
  if (!ttl_is_set_) ttl_ = record->ttl;
  add(file, entry.at, *record);
}

bool MasterFileReader::add(const File& file, TextPosition at, const Record& record) {
  const Type type = record.type();
  const RrSet* set = type == Type::rrsig ? nullptr : editor_.find(record.owner, type);
  const bool differs = set != nullptr && set->ttl != record.ttl;
  const std::size_t before = editor_.record_count();
  const auto added = editor_.add(record);
  if (!added) {
    note(Severity::error, file, at,
         fmt::format("{} {}: {}", record.owner.text(), to_string(type), to_string(added.error())),
         hint_for(added.error()));
    return false;
  }
  if (editor_.record_count() == before) {
    note(Severity::warning, file, at,
         fmt::format("{} {}: the same record once more", record.owner.text(), to_string(type)));
  } else if (type == Type::soa && set != nullptr) {
    note(Severity::error, file, at, std::string(to_string(EditFault::several_soas)),
         hint_for(EditFault::several_soas));
  } else if (differs) {
    note(Severity::warning, file, at,
         fmt::format("{} {}: TTLs differ in one set (RFC 2181 5.2); the least is taken",
                     record.owner.text(), to_string(type)),
         "give all of them the same");
  }
  if (editor_.record_count() <= options_.limits.records) return true;
  is_over_ = true;
  note(Severity::error, file, at, fmt::format("more than {} records", options_.limits.records));
  return false;
}

MasterFile MasterFileReader::finish(const std::string& name) {
  MasterFile result;
  if (!has_failed_) {
    auto version = editor_.commit();
    if (version) {
      result.zone = std::move(version->zone);
    } else {
      note(Severity::error, File{name, Name(), std::nullopt}, {},
           std::string(to_string(version.error())), hint_for(version.error()));
    }
  }
  result.problems = std::move(problems_);
  return result;
}

}  // namespace

MasterFile parse_master_file(std::string_view text, const Name& origin,
                             const MasterFileOptions& options) {
  MasterFileReader reader(origin, options);
  reader.read(text, options.file, origin);
  return reader.finish(options.file);
}

std::string to_master_file(const Zone& zone) {
  std::string text;
  zone.for_each([&text](const RrSet& set) {
    for (const auto& records : {set.records(), set.signature_records()}) {
      for (const Record& record : records) {
        text += record.text();
        text += '\n';
      }
    }
  });
  return text;
}

}  // namespace posthorn::dns
