#include "agents/sendmail/arguments.h"

#include <fmt/format.h>

#include "libmail/base/text.h"
#include "libmail/smtp/xtext.h"

namespace posthorn::sendmail {

namespace {

using Mode = Arguments::Mode;

// Letters that take a value, attached or in the next word. Of these "ACDeLpX" mean nothing here.
constexpr std::string_view with_value = "ABCDFLNOoRVXbefhpr";
// Letters without one. Only "it" mean anything.
constexpr std::string_view flags = "GIUacimntvx";
// Letters whose value can only be attached.
constexpr std::string_view attached_only = "dq";

class Parser {
 public:
  Parser(Arguments& into, const std::vector<std::string>& words) : into_(into), words_(words) {}

  Result<void, std::string> run() {
    while (at_ < words_.size()) {
      const std::string& word = words_[at_];
      if (word == "--") {
        ++at_;
        break;
      }
      if (word.size() < 2 || word.front() != '-') break;
      ++at_;
      const Result<void, std::string> taken = word[1] == '-' ? take_long(word) : take_cluster(word);
      if (!taken) return taken;
    }
    const bool options_ended = at_ > 0 && words_[at_ - 1] == "--";
    for (; at_ < words_.size(); ++at_) {
      if (!options_ended && words_[at_].size() > 1 && words_[at_].front() == '-')
        return fail(fmt::format("{} stands behind a recipient; options come first", words_[at_]));
      into_.recipients.push_back(words_[at_]);
    }
    return {};
  }

 private:
  Result<void, std::string> take_long(const std::string& word) {
    if (word == "--help") return set_mode(Mode::help);
    if (word == "--version") return set_mode(Mode::version);
    if (word == "--site") {
      if (at_ == words_.size()) return fail(std::string("--site needs a directory"));
      into_.site = words_[at_++];
      return {};
    }
    if (word.starts_with("--site=")) {
      into_.site = word.substr(7);
      return {};
    }
    return fail(fmt::format("unknown option {}", word));
  }

  // "-ti", "-fann", "-f ann"
  Result<void, std::string> take_cluster(const std::string& word) {
    for (std::size_t i = 1; i < word.size(); ++i) {
      const char letter = word[i];
      std::string rest = word.substr(i + 1);
      if (attached_only.find(letter) != std::string_view::npos) return take(letter, rest);
      if (with_value.find(letter) != std::string_view::npos) {
        if (rest.empty()) {
          if (at_ == words_.size()) return fail(fmt::format("-{} needs a value", letter));
          rest = words_[at_++];
        }
        return take(letter, rest);
      }
      if (flags.find(letter) == std::string_view::npos)
        return fail(fmt::format("unknown option -{}", letter));
      if (auto taken = take(letter, {}); !taken) return taken;
    }
    return {};
  }

  Result<void, std::string> take(char letter, const std::string& value) {
    switch (letter) {
      case 't':
        into_.recipients_from_header = true;
        return {};
      case 'i':
        into_.dot_is_text = true;
        return {};
      case 'I':
        return set_mode(Mode::aliases);
      case 'f':
      case 'r':
        into_.sender = value;
        return {};
      case 'F':
        into_.full_name = value;
        return {};
      case 'B':
        return take_body(value);
      case 'N':
        return take_notify(value);
      case 'R':
        return take_ret(value);
      case 'V':
        return take_envid(value);
      case 'b':
        return take_mode(value);
      case 'q':
        return take_queue(value);
      case 'o':
        return take_old(value);
      case 'O':
        return take_named(value);
      default:
        return {};
    }
  }

  Result<void, std::string> set_mode(Mode mode) {
    into_.mode = mode;
    return {};
  }

  Result<void, std::string> take_mode(const std::string& value) {
    if (value == "m") return set_mode(Mode::deliver);
    if (value == "s") return set_mode(Mode::smtp);
    if (value == "p") return set_mode(Mode::list);
    if (value == "i") return set_mode(Mode::aliases);
    if (value == "v") return set_mode(Mode::verify);
    if (value == "h" || value == "H") return set_mode(Mode::aliases);  // host status: we keep none
    if (value == "d" || value == "D" || value == "l")
      return fail(
          fmt::format("-b{}: sendmail is no daemon here; start the site with posthorn run", value));
    return fail(fmt::format("unknown mode -b{}", printable(value)));
  }

  Result<void, std::string> take_body(const std::string& value) {
    if (iequals(value, "7BIT")) into_.body = smtp::Body::seven_bit;
    if (iequals(value, "8BITMIME")) into_.body = smtp::Body::eight_bit_mime;
    if (!into_.body) return fail(fmt::format("-B {}: expected 7BIT or 8BITMIME", printable(value)));
    return {};
  }

  Result<void, std::string> take_notify(const std::string& value) {
    const auto notify = smtp::parse_notify(upper(value));
    if (!notify)
      return fail(fmt::format("-N {}: expected never, or success,failure,delay", printable(value)));
    into_.notify = *notify;
    return {};
  }

  Result<void, std::string> take_ret(const std::string& value) {
    if (!iequals(value, "full") && !iequals(value, "hdrs"))
      return fail(fmt::format("-R {}: expected full or hdrs", printable(value)));
    into_.ret = iequals(value, "full") ? smtp::Ret::full : smtp::Ret::headers;
    return {};
  }

  Result<void, std::string> take_envid(const std::string& value) {
    const auto decoded = smtp::decode_xtext_text(value);
    if (!decoded || value.empty() || value.size() > 100)
      return fail(fmt::format("-V {}: expected at most 100 characters of xtext", printable(value)));
    into_.envid = *decoded;
    return {};
  }

  // "-q" now; "-q30m" is the interval of a daemon, which queued does not need to be told.
  Result<void, std::string> take_queue(const std::string& value) {
    if (value.empty()) return set_mode(Mode::flush);
    const std::string_view kinds = "IRS";
    if (kinds.find(value.front()) == std::string_view::npos) return {};
    into_.flush_by = value.front();
    into_.flush_what = value.substr(1);
    if (into_.flush_what.empty()) {
      if (at_ == words_.size()) return fail(fmt::format("-q{} needs a value", value));
      into_.flush_what = words_[at_++];
    }
    return set_mode(Mode::flush);
  }

  // -oi, and a crowd of letters that meant something to sendmail 8.
  Result<void, std::string> take_old(const std::string& value) {
    if (value == "i") into_.dot_is_text = true;
    return {};
  }

  Result<void, std::string> take_named(const std::string& value) {
    const std::size_t equals = value.find('=');
    const std::string_view name = std::string_view(value).substr(0, equals);
    const std::string_view setting =
        equals == std::string::npos ? "" : std::string_view(value).substr(equals + 1);
    const bool ours = iequals(name, "requiretls") || iequals(name, "smtputf8");
    if (!ours) return {};
    const bool yes = iequals(setting, "yes") || iequals(setting, "true");
    if (!yes && !iequals(setting, "no") && !iequals(setting, "false"))
      return fail(fmt::format("-O {}: expected {}=yes or {}=no", printable(value), name, name));
    (iequals(name, "requiretls") ? into_.requiretls : into_.smtputf8) = yes;
    return {};
  }

  Arguments& into_;
  const std::vector<std::string>& words_;
  std::size_t at_ = 0;
};

}  // namespace

Result<Arguments, std::string> parse_arguments(const std::string& program,
                                               const std::vector<std::string>& words) {
  Arguments arguments;
  const std::string name = program.substr(program.rfind('/') + 1);
  if (name == "mailq") arguments.mode = Mode::list;
  if (name == "newaliases") arguments.mode = Mode::aliases;
  Parser parser(arguments, words);
  if (auto parsed = parser.run(); !parsed) return fail(parsed.error());
  return arguments;
}

std::string help_text() {
  return R"(sends a message, read from standard input
Usage: sendmail [OPTIONS] [--] [RECIPIENT...]

  -t                recipients from To, Cc and Bcc too
  -i, -oi           a line with a single dot does not end the message
  -f, -r ADDRESS    sender ("" or <> = none)
  -F NAME           full name of the sender
  -B TYPE           7BIT or 8BITMIME
  -N LIST           reports: never, or success,failure,delay
  -R full|hdrs      what a report returns
  -V ENVID          envelope id for reports
  -O NAME=yes|no    requiretls, smtputf8
  -bm -bs -bv       deliver (default), speak SMTP on standard input, look at recipients only
  -bp, mailq        show the queue
  -bi, newaliases   nothing to do: tables are read when they change
  -q, -qI ID        try all queued messages again now, or one of them
  --site DIR        the site's directory [$POSTHORN_SITE, else /etc/posthorn]
  --version         print the version
  --help            print this text

Accepted and ignored: -A -C -D -G -L -U -X -a -c -d -e -h -m -n -o* -p -v -x, -q with a time.
)";
}

}  // namespace posthorn::sendmail
