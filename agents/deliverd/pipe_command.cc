#include "agents/deliverd/pipe_command.h"

#include <algorithm>
#include <array>

#include "libmail/base/text.h"

namespace posthorn::deliverd {

namespace {

constexpr std::array recipient_names{
    "recipient", "original_recipient", "user", "extension", "mailbox", "domain"};
constexpr std::array message_names{
    "sender",         "nexthop",     "queue_id",        "size",        "envid",
    "client_address", "client_helo", "client_hostname", "client_port", "client_protocol",
    "sasl_method",    "sasl_sender", "sasl_username"};

template <class Names>
bool is_one_of(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// One piece of a word: a text, or the name of a macro.
struct Piece {
  bool is_macro = false;
  std::string_view text;
};

// Takes the next piece off `word`: "${name}", "$(name)", "$name", "$$", or text up to the next dollar. Nothing if a
// bracket is not closed or no name follows.
std::optional<Piece> take_piece(std::string_view& word) {
  Piece piece;
  if (word.front() != '$') {
    piece.text = word.substr(0, word.find('$'));
    word.remove_prefix(piece.text.size());
    return piece;
  }
  if (word.starts_with("$$")) {
    piece.text = word.substr(0, 1);
    word.remove_prefix(2);
    return piece;
  }
  piece.is_macro = true;
  word.remove_prefix(1);
  if (word.starts_with('{') || word.starts_with('(')) {
    const std::size_t end = word.find(word.front() == '{' ? '}' : ')');
    if (end == std::string_view::npos) return std::nullopt;
    piece.text = word.substr(1, end - 1);
    word.remove_prefix(end + 1);
  } else {
    std::size_t end = 0;
    while (end < word.size() && (is_alnum(word[end]) || word[end] == '_')) ++end;
    piece.text = word.substr(0, end);
    word.remove_prefix(end);
  }
  if (piece.text.empty()) return std::nullopt;
  return piece;
}

// What is wrong with the macros of a word, "" if nothing is.
std::string macro_problem(std::string_view word) {
  std::string_view rest = word;
  while (!rest.empty()) {
    const auto piece = take_piece(rest);
    if (!piece) return "a macro in \"" + printable(word) + "\" has no name or no end; $$ gives a $";
    if (!piece->is_macro || is_one_of(recipient_names, piece->text) ||
        is_one_of(message_names, piece->text)) {
      continue;
    }
    std::vector<std::string> known(recipient_names.begin(), recipient_names.end());
    known.insert(known.end(), message_names.begin(), message_names.end());
    const auto meant = nearest(piece->text, known);
    return "${" + printable(piece->text) + "} is no macro" +
           (meant ? "; is it ${" + *meant + "}?" : "");
  }
  return {};
}

bool has_recipient_macro(std::string_view word) {
  while (!word.empty()) {
    const auto piece = take_piece(word);
    if (piece && piece->is_macro && is_one_of(recipient_names, piece->text)) return true;
  }
  return false;
}

std::string expand_word(std::string_view word, const MacroValues& message,
                        const MacroValues& recipient) {
  std::string out;
  bool from_stranger = false;
  for (bool first = true; !word.empty(); first = false) {
    const auto piece = take_piece(word);
    if (!piece->is_macro) {
      out += piece->text;
      continue;
    }
    if (first) from_stranger = true;
    const auto of_recipient = recipient.find(piece->text);
    if (of_recipient != recipient.end()) {
      out += of_recipient->second;
    } else if (const auto of_message = message.find(piece->text); of_message != message.end()) {
      out += of_message->second;
    }
  }
  if (from_stranger && out.starts_with('-')) out.front() = '_';
  return out;
}

std::string address_text(const smtp::Mailbox& mailbox, const PipeFlags& flags) {
  if (flags.quote) return smtp::format_mailbox(mailbox);
  return mailbox.domain.empty() ? mailbox.local_part : mailbox.local_part + "@" + mailbox.domain;
}

smtp::Mailbox folded(smtp::Mailbox mailbox, const PipeFlags& flags) {
  if (flags.fold_domain) mailbox.domain = lower(mailbox.domain);
  if (flags.fold_user) mailbox.local_part = lower(mailbox.local_part);
  return mailbox;
}

}  // namespace

Result<std::vector<std::string>, std::string> parse_pipe_argv(std::string_view command) {
  std::vector<std::string> argv;
  while (true) {
    command = trim(command);
    if (command.empty()) break;
    std::string word;
    if (command.starts_with("{ ") || command.starts_with("{\t")) {
      const std::size_t end = std::min(command.find(" }"), command.find("\t}"));
      if (end == std::string_view::npos)
        return fail(std::string("a word that begins with { has no end"));
      word = trim(command.substr(1, end - 1));
      command.remove_prefix(end + 2);
    } else {
      word = command.substr(0, command.find_first_of(" \t\r\n"));
      command.remove_prefix(word.size());
    }
    if (std::string problem = macro_problem(word); !problem.empty())
      return fail(std::move(problem));
    argv.push_back(std::move(word));
  }
  if (argv.empty()) return fail(std::string("there is no program in it"));
  if (argv.front().find('$') != std::string::npos) {
    return fail(std::string("the program itself can't be a macro"));
  }
  return argv;
}

Result<PipeFlags, std::string> parse_pipe_flags(std::string_view letters) {
  PipeFlags flags;
  for (const char letter : letters) {
    switch (letter) {
      case 'B':
        flags.blank_line = true;
        break;
      case 'D':
        flags.delivered_to = true;
        break;
      case 'F':
        flags.from_line = true;
        break;
      case 'O':
        flags.original_to = true;
        break;
      case 'R':
        flags.return_path = true;
        break;
      case 'X':
        flags.final_delivery = true;
        break;
      case 'h':
        flags.fold_domain = true;
        break;
      case 'u':
        flags.fold_user = true;
        break;
      case 'q':
        flags.quote = true;
        break;
      case '.':
        flags.stuff_dots = true;
        break;
      case '>':
        flags.escape_from = true;
        break;
      default:
        return fail("\"" + printable(std::string_view(&letter, 1)) +
                    "\" is none of the flags B D F O R X h u q . >");
    }
  }
  return flags;
}

Result<std::string, std::string> parse_pipe_eol(std::string_view text) {
  static constexpr std::string_view names = "abfnrtv\\";
  static constexpr std::string_view octets = "\a\b\f\n\r\t\v\\";
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out.push_back(text[i]);
      continue;
    }
    const std::size_t known =
        i + 1 < text.size() ? names.find(text[i + 1]) : std::string_view::npos;
    if (known != std::string_view::npos) {
      out.push_back(octets[known]);
      ++i;
      continue;
    }
    const auto octal = parse_number<unsigned>(text.substr(i + 1, 3), 8);
    if (text.size() - i < 4 || !octal || *octal > 255) {
      return fail("\"" + printable(text) +
                  "\": behind a backslash stands one of a b f n r t v, "
                  "a backslash, or three octal digits");
    }
    out.push_back(static_cast<char>(*octal));
    i += 3;
  }
  if (out.empty()) return fail(std::string("a line end can't be empty"));
  return out;
}

MacroValues message_macros(const PipeRules& rules, const Letter& letter) {
  const smtp::Envelope& envelope = letter.envelope;
  MacroValues values;
  values["sender"] =
      envelope.reverse_path ? address_text(*envelope.reverse_path, rules.flags) : rules.null_sender;
  std::string domain =
      envelope.recipients.empty() ? std::string() : envelope.recipients.front().mailbox.domain;
  values["nexthop"] = rules.flags.fold_domain ? lower(domain) : domain;
  values["queue_id"] = envelope.trace_id;
  values["size"] = std::to_string(envelope.size);
  values["envid"] = envelope.envid.value_or("");
  values["client_address"] = envelope.client.address;
  values["client_helo"] = envelope.client.helo;
  values["client_hostname"] = envelope.client.name;
  values["client_port"] = envelope.client.port == 0 ? "" : std::to_string(envelope.client.port);
  values["client_protocol"] = envelope.client.protocol;
  values["sasl_method"] = "";
  values["sasl_sender"] =
      envelope.auth && *envelope.auth ? smtp::format_mailbox(**envelope.auth) : "";
  values["sasl_username"] = envelope.user;
  return values;
}

MacroValues recipient_macros(const PipeRules& rules, const smtp::Recipient& recipient) {
  const smtp::Mailbox mailbox = folded(recipient.mailbox, rules.flags);
  MacroValues values;
  values["recipient"] = address_text(mailbox, rules.flags);
  values["original_recipient"] = values["recipient"];
  if (recipient.orcpt) values["original_recipient"] = recipient.orcpt->address;
  values["mailbox"] = mailbox.local_part;
  values["domain"] = mailbox.domain;
  const std::size_t at = rules.recipient_delimiter.empty()
                             ? std::string::npos
                             : mailbox.local_part.find_first_of(rules.recipient_delimiter, 1);
  values["user"] = mailbox.local_part.substr(0, at);
  values["extension"] = at == std::string::npos ? "" : mailbox.local_part.substr(at + 1);
  return values;
}

std::vector<std::string> expand_argv(const std::vector<std::string>& argv,
                                     const MacroValues& message,
                                     const std::vector<MacroValues>& recipients) {
  std::vector<std::string> out;
  for (const std::string& word : argv) {
    if (!has_recipient_macro(word)) {
      out.push_back(expand_word(word, message, {}));
      continue;
    }
    for (const MacroValues& recipient : recipients) {
      out.push_back(expand_word(word, message, recipient));
    }
  }
  return out;
}

std::map<std::string, std::string> pipe_environment(std::map<std::string, std::string> base,
                                                    const MacroValues& message,
                                                    const std::vector<MacroValues>& recipients) {
  static constexpr std::string_view harmless = "!@%-_=+:,./";
  const auto set = [&base](const char* name, const MacroValues& values, const char* macro) {
    const auto found = values.find(macro);
    if (found == values.end() || found->second.empty()) return;
    std::string value = found->second;
    for (char& c : value) {
      if (!is_alnum(c) && harmless.find(c) == std::string_view::npos) c = '_';
    }
    base[name] = std::move(value);
  };
  set("SENDER", message, "sender");
  set("ENVID", message, "envid");
  set("CLIENT_ADDRESS", message, "client_address");
  set("CLIENT_HELO", message, "client_helo");
  set("CLIENT_HOSTNAME", message, "client_hostname");
  set("CLIENT_PROTOCOL", message, "client_protocol");
  set("SASL_METHOD", message, "sasl_method");
  set("SASL_SENDER", message, "sasl_sender");
  set("SASL_USERNAME", message, "sasl_username");
  if (recipients.size() != 1) return base;
  set("RECIPIENT", recipients[0], "recipient");
  set("ORIGINAL_RECIPIENT", recipients[0], "original_recipient");
  set("LOCAL", recipients[0], "mailbox");
  set("EXTENSION", recipients[0], "extension");
  set("DOMAIN", recipients[0], "domain");
  return base;
}

}  // namespace posthorn::deliverd
