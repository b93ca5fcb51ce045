#include "libmail/queue/outcome.h"

#include <charconv>

#include "libmail/base/crc32c.h"
#include "libmail/base/percent.h"
#include "libmail/base/text.h"
#include "libmail/queue/bytes.h"
#include "libmail/queue/layout.h"

namespace posthorn::queue {
namespace {

constexpr std::size_t crc_digits = 8;
constexpr std::size_t longest_text = 1000;  // of a remote host's words
constexpr std::string_view hex_digits = "0123456789abcdef";

bool must_escape(char c) {
  return static_cast<unsigned char>(c) <= ' ' || c == '%' || c == 0x7f;
}

void put_text(std::string& out, std::string_view text) {
  out += ' ';
  if (text.empty()) out += '-';
  if (text == "-") {
    out += "%2d";
    return;
  }
  for (const char c : text) {
    if (!must_escape(c)) {
      out += c;
      continue;
    }
    const auto octet = static_cast<unsigned char>(c);
    out += '%';
    out += hex_digits[octet >> 4];
    out += hex_digits[octet & 15];
  }
}

void put_decimal(std::string& out, std::uint64_t value) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  (out += ' ').append(digits, end);
}

void put_time(std::string& out, WallTime time) {
  put_decimal(
      out, static_cast<std::uint64_t>(std::max<std::int64_t>(0, time.time_since_epoch().count())));
}

void put_status(std::string& out, WallTime when, const smtp::Status& status) {
  put_time(out, when);
  put_text(out, status.enhanced.none() ? std::string() : status.enhanced.text());
  put_text(out, status.remote_mta);
  put_text(out, std::string_view(status.text).substr(0, longest_text));
}

// Takes words off the front of a line. A word that is missing or wrong makes the cursor bad for
// good.
class Words {
 public:
  explicit Words(std::string_view line) : left_(line) {}
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool finished() const { return good_ && at_end_; }

  std::string_view word() {
    if (at_end_) good_ = false;
    if (!good_) return {};
    const std::size_t space = left_.find(' ');
    const std::string_view taken = left_.substr(0, space);
    at_end_ = space == std::string_view::npos;
    left_.remove_prefix(at_end_ ? left_.size() : space + 1);
    if (taken.empty()) good_ = false;
    return taken;
  }
  std::string text() {
    const std::string_view coded = word();
    if (coded == "-") return {};
    auto octets = percent_decode(coded);
    if (!octets) good_ = false;
    return std::move(octets).value_or("");
  }
  template <class T>
  T number() {
    const std::optional<T> value = parse_number<T>(word());
    if (!value) good_ = false;
    return value.value_or(0);
  }
  WallTime time() { return WallTime(std::chrono::microseconds(number<std::int64_t>())); }
  Phase phase() {
    const std::string_view letter = word();
    if (letter.size() != 1 ||
        std::string_view("pusobrx").find(letter[0]) == std::string_view::npos) {
      good_ = false;
      return Phase::pending;
    }
    return static_cast<Phase>(letter[0]);
  }
  smtp::Status status() {
    const std::string code = text();
    smtp::Status status;
    std::string remote = text();
    std::string words = text();
    if (code.empty()) return status;
    std::string_view rest = code;
    const std::optional<smtp::EnhancedStatus> enhanced = smtp::take_enhanced_status(rest);
    if (!enhanced || !rest.empty()) {
      good_ = false;
      return status;
    }
    return smtp::Status(*enhanced, std::move(words), std::move(remote));
  }
  void expect(bool condition) { good_ = good_ && condition; }

 private:
  std::string_view left_;
  bool good_ = true;
  bool at_end_ = false;
};

// A mailbox as two texts, so that no quoting of addresses comes in: "local@domain" would need it.
void put_mailbox(std::string& out, const smtp::Mailbox& mailbox) {
  put_text(out, mailbox.local_part);
  put_text(out, mailbox.domain);
}

// Writes the words behind ID.
struct Formatter {
  std::string& out;

  void operator()(const Seen& line) {
    out += " seen";
    put_decimal(out, line.offset);
    put_decimal(out, line.size);
  }
  void operator()(const To& line) {
    out += " to";
    put_decimal(out, line.index);
    put_decimal(out, line.state.original);
    put_phase(line.state.phase);
    const smtp::Recipient& recipient = line.state.recipient;
    put_mailbox(out, recipient.mailbox);
    put_decimal(out, recipient.notify.bits);
    put_text(out, recipient.orcpt ? recipient.orcpt->type : std::string());
    put_text(out, recipient.orcpt ? recipient.orcpt->address : std::string());
    put_text(out, line.state.sender ? smtp::format_path(*line.state.sender) : std::string());
    put_status(out, line.state.when, line.state.last);
  }
  void operator()(const State& line) {
    out += " state";
    put_decimal(out, line.attempts);
    put_time(out, line.next);
    std::string flags;
    if (line.held) flags += 'h';
    if (line.warned) flags += 'w';
    if (line.expanded) flags += 'e';
    if (line.spooled) flags += 's';
    put_text(out, flags);
    put_text(out, line.reason);
    put_decimal(out, line.count);
  }
  void operator()(const RecipientChange& line) {
    out += " rcpt";
    put_decimal(out, line.index);
    put_phase(line.phase);
    put_status(out, line.when, line.status);
  }
  void operator()(const Warned& /*line*/) { out += " warned"; }
  void operator()(const Reported& /*line*/) { out += " reported"; }
  void operator()(const Copied& /*line*/) { out += " copied"; }
  void operator()(const Moved& line) {
    out += " moved ";
    out += generation_name(line.generation);
  }
  void operator()(const Dropped& /*line*/) { out += " dropped"; }
  void operator()(const Done& line) {
    out += " done";
    put_decimal(out, line.offset);
  }
  void operator()(const Scanned& line) {
    out += " scanned";
    put_decimal(out, line.offset);
  }

  void put_phase(Phase phase) {
    out += ' ';
    out += static_cast<char>(phase);
  }
};

std::uint32_t line_crc(std::string_view line, std::uint64_t generation) {
  std::string seed;
  put_u64(seed, generation);
  return crc32c(crc32c(0, seed), line);
}

// Puts the check sum in front of the line that begins at `begin`.
void end_line(std::string& into, std::size_t begin, std::uint64_t generation) {
  std::uint32_t crc = line_crc(std::string_view(into).substr(begin + crc_digits + 1), generation);
  for (std::size_t i = crc_digits; i-- > 0; crc >>= 4) into[begin + i] = hex_digits[crc & 15];
  into += '\n';
}

To read_to(Words& in) {
  To line;
  line.index = in.number<std::uint32_t>();
  line.state.original = in.number<std::uint32_t>();
  line.state.phase = in.phase();
  smtp::Recipient& recipient = line.state.recipient;
  recipient.mailbox.local_part = in.text();
  recipient.mailbox.domain = in.text();
  recipient.notify.bits = in.number<std::uint8_t>();
  std::string type = in.text();
  std::string address = in.text();
  if (!type.empty()) recipient.orcpt.emplace(std::move(type), std::move(address));
  const std::string sender = in.text();
  if (!sender.empty()) {
    std::string_view rest = sender;
    auto path = smtp::take_reverse_path(rest, smtp::Utf8::allowed);
    in.expect(path.has_value() && rest.empty());
    if (path) line.state.sender = std::move(*path);
  }
  line.state.when = in.time();
  line.state.last = in.status();
  in.expect(!recipient.mailbox.local_part.empty());
  return line;
}

State read_state(Words& in) {
  State line;
  line.attempts = in.number<std::uint32_t>();
  line.next = in.time();
  for (const char flag : in.text()) {
    line.held = line.held || flag == 'h';
    line.warned = line.warned || flag == 'w';
    line.expanded = line.expanded || flag == 'e';
    line.spooled = line.spooled || flag == 's';
    in.expect(flag == 'h' || flag == 'w' || flag == 'e' || flag == 's');
  }
  line.reason = in.text();
  line.count = in.number<std::uint32_t>();
  return line;
}

RecipientChange read_change(Words& in) {
  RecipientChange line;
  line.index = in.number<std::uint32_t>();
  line.phase = in.phase();
  line.when = in.time();
  line.status = in.status();
  return line;
}

Seen read_seen(Words& in) {
  Seen line;
  line.offset = in.number<std::uint64_t>();
  line.size = in.number<std::uint64_t>();
  return line;
}

Moved read_moved(Words& in) {
  const std::optional<std::uint64_t> generation = parse_generation_name(in.word());
  in.expect(generation.has_value());
  Moved line;
  line.generation = generation.value_or(0);
  return line;
}

std::optional<Outcome> read_outcome(std::string_view verb, Words& in) {
  std::optional<Outcome> line;
  if (verb == "done") {
    Done done;
    done.offset = in.number<std::uint64_t>();
    line = done;
  }
  if (verb == "seen") line = read_seen(in);
  if (verb == "to") line = read_to(in);
  if (verb == "state") line = read_state(in);
  if (verb == "rcpt") line = read_change(in);
  if (verb == "warned") line = Warned();
  if (verb == "reported") line = Reported();
  if (verb == "copied") line = Copied();
  if (verb == "moved") line = read_moved(in);
  if (verb == "dropped") line = Dropped();
  if (verb == "scanned") {
    Scanned scanned;
    scanned.offset = in.number<std::uint64_t>();
    line = scanned;
  }
  if (!in.finished()) return std::nullopt;
  return line;
}

// Builds the histories from lines in their order.
class HistoryBuilder {
 public:
  explicit HistoryBuilder(OutcomeFileContents& into) : into_(into) {}

  // `at` and `end`: where the line lies in the file.
  void add(const OutcomeLine& line, std::uint64_t at, std::uint64_t end) {
    if (const auto* scanned = std::get_if<Scanned>(&line.outcome)) {
      into_.scanned = scanned->offset;
      return;
    }
    MessageHistory& history = into_.messages[line.id];
    if (const auto* seen = std::get_if<Seen>(&line.outcome)) {
      Block& block = open_[line.id];
      block = Block();
      block.at = at;
      block.state.offset = seen->offset;
      block.state.size = seen->size;
      if (history.state.offset == 0) history.state.offset = seen->offset;
      return;
    }
    if (const auto* to = std::get_if<To>(&line.outcome)) {
      const auto block = open_.find(line.id);
      if (block == open_.end() || to->index != block->second.state.recipients.size()) return;
      block->second.state.recipients.push_back(to->state);
      return;
    }
    if (const auto* state = std::get_if<State>(&line.outcome)) {
      end_block(line.id, *state, history, end);
      return;
    }
    change(history, line.outcome);
  }

 private:
  struct Block {
    std::uint64_t at = 0;
    MessageState state;
  };

  void end_block(const MessageId& id, const State& end_line, MessageHistory& history,
                 std::uint64_t end) {
    const auto block = open_.find(id);
    if (block == open_.end()) return;
    MessageState& state = block->second.state;
    if (state.recipients.size() == end_line.count) {
      state.attempts = end_line.attempts;
      state.next = end_line.next;
      state.held = end_line.held;
      state.warned = end_line.warned;
      state.expanded = end_line.expanded;
      state.spooled = end_line.spooled;
      state.hold_reason = end_line.reason;
      history.state = std::move(state);
      history.has_block = true;
      history.block_is_current = true;
      history.block_offset = block->second.at;
      history.block_size = end - block->second.at;
    }
    open_.erase(block);
  }

  static void change(MessageHistory& history, const Outcome& outcome) {
    MessageState& state = history.state;
    if (const auto* done = std::get_if<Done>(&outcome)) {
      history.place = MessageHistory::Place::done;
      state.offset = done->offset;
      return;
    }
    if (std::holds_alternative<Moved>(outcome)) history.place = MessageHistory::Place::moved;
    if (std::holds_alternative<Dropped>(outcome)) history.place = MessageHistory::Place::dropped;
    if (std::holds_alternative<Copied>(outcome)) {
      history.copied = true;
      return;
    }
    history.block_is_current = false;
    if (const auto* rcpt = std::get_if<RecipientChange>(&outcome)) {
      if (rcpt->index >= state.recipients.size()) return;
      RecipientState& recipient = state.recipients[rcpt->index];
      recipient.phase = rcpt->phase;
      recipient.when = rcpt->when;
      recipient.last = rcpt->status;
    }
    if (std::holds_alternative<Warned>(outcome)) state.warned = true;
    if (std::holds_alternative<Reported>(outcome)) {
      for (RecipientState& recipient : state.recipients) {
        if (recipient.phase == Phase::bounced) recipient.phase = Phase::reported;
        if (recipient.phase == Phase::sent_owed) recipient.phase = Phase::sent;
      }
    }
  }

  OutcomeFileContents& into_;
  std::unordered_map<MessageId, Block, MessageIdHash> open_;
};

}  // namespace

void append_line(std::string& into, std::uint64_t generation, const MessageId& id,
                 const Outcome& outcome) {
  const std::size_t begin = into.size();
  into.append(crc_digits + 1, ' ');
  into += id.text();
  std::visit(Formatter{into}, outcome);
  end_line(into, begin, generation);
}

void append_checked(std::string& into, std::uint64_t generation, std::string_view line) {
  const std::size_t begin = into.size();
  into.append(crc_digits + 1, ' ').append(line);
  end_line(into, begin, generation);
}

void append_block(std::string& into, std::uint64_t generation, const MessageId& id,
                  const MessageState& state) {
  Seen seen;
  seen.offset = state.offset;
  seen.size = state.size;
  append_line(into, generation, id, seen);
  for (std::size_t i = 0; i < state.recipients.size(); ++i) {
    To to;
    to.index = static_cast<std::uint32_t>(i);
    to.state = state.recipients[i];
    append_line(into, generation, id, to);
  }
  State end;
  end.attempts = state.attempts;
  end.next = state.next;
  end.held = state.held;
  end.warned = state.warned;
  end.expanded = state.expanded;
  end.spooled = state.spooled;
  end.reason = state.hold_reason;
  end.count = static_cast<std::uint32_t>(state.recipients.size());
  append_line(into, generation, id, end);
}

std::optional<OutcomeLine> parse_line(std::string_view line, std::uint64_t generation) {
  if (line.size() < crc_digits + 1 || line[crc_digits] != ' ') return std::nullopt;
  const std::string_view digits = line.substr(0, crc_digits);
  if (digits.find_first_not_of(hex_digits) != std::string_view::npos) return std::nullopt;
  const auto crc = parse_number<std::uint32_t>(digits, 16);
  const std::string_view rest = line.substr(crc_digits + 1);
  if (!crc || *crc != line_crc(rest, generation)) return std::nullopt;
  Words in(rest);
  const std::optional<MessageId> id = MessageId::parse(in.word());
  const std::string_view verb = in.word();
  if (!id || !in.good()) return std::nullopt;
  std::optional<Outcome> outcome = read_outcome(verb, in);
  if (!outcome) return std::nullopt;
  OutcomeLine parsed;
  parsed.id = *id;
  parsed.outcome = std::move(*outcome);
  return parsed;
}

OutcomeFileContents read_outcomes(std::string_view octets, std::uint64_t generation) {
  OutcomeFileContents contents;
  HistoryBuilder builder(contents);
  std::size_t at = 0;
  while (at < octets.size()) {
    const std::size_t line_feed = octets.find('\n', at);
    if (line_feed == std::string_view::npos) break;
    const std::optional<OutcomeLine> line =
        parse_line(octets.substr(at, line_feed - at), generation);
    if (line) {
      builder.add(*line, at, line_feed + 1);
    } else {
      ++contents.damaged_lines;
    }
    at = line_feed + 1;
  }
  contents.whole = at;
  if (contents.damaged_lines != 0) contents.scanned = 0;
  return contents;
}

std::optional<MessageState> read_block(std::string_view octets, std::uint64_t generation,
                                       const MessageId& id) {
  OutcomeFileContents contents = read_outcomes(octets, generation);
  const auto found = contents.messages.find(id);
  const bool is_whole = contents.damaged_lines == 0 && contents.messages.size() == 1 &&
                        found != contents.messages.end() && found->second.has_block;
  if (!is_whole) return std::nullopt;
  return std::move(found->second.state);
}

}  // namespace posthorn::queue
