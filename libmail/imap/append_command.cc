#include "libmail/imap/append_command.h"

namespace posthorn::imap {

namespace {

bool is_digit_char(char c) {
  return c >= '0' && c <= '9';
}

// A literal stands next in the line that isn't in its text: it is only announced.
bool literal_is_next(const Scanner& in) {
  const std::string_view rest = in.rest();
  return rest.substr(0, 1) == "{" || rest.substr(0, 2) == "~{";
}

}  // namespace

void AppendParser::fail(Scanner& in) {
  // All that was there fits: the line ends too early.
  if (in.ok()) in.fail_here("a literal");
  error_.tag = head_.tag.empty() ? "*" : head_.tag;
  error_.name = head_.replace ? "REPLACE" : "APPEND";
  error_.error = in.error();
  state_ = State::ended;
}

AppendParser::Announced AppendParser::announced(const Line& line) {
  if (state_ == State::ended) return Announced::wrong;
  Scanner in(line, dialect_.syntax);
  // The octets at hand end with the announcement; whether the grammar wants a message here decides.
  if (!has_head_) {
    // A mailbox name as a literal: the head can't be whole yet.
    Scanner ahead(line, dialect_.syntax);
    const Result<CommandHead, CommandError> head = parse_command_head(line.text);
    if (!head) {
      error_ = head.error();
      state_ = State::ended;
      return Announced::wrong;
    }
    ahead.skip_to(head->arguments);
    if (head->name != "APPEND" && !ahead.take('*')) (void)ahead.take_while(is_digit_char);
    if (head->name != "APPEND") (void)ahead.take(' ');
    if (literal_is_next(ahead) && ahead.rest().find("\r\n") == std::string_view::npos)
      return Announced::keep;
  }
  in.skip_to(at_);
  if (!advance(in, false)) {
    fail(in);
    return Announced::wrong;
  }
  return parts_.empty() || parts_.back().kind == AppendPart::Kind::url ? Announced::keep
                                                                       : Announced::message;
}

bool AppendParser::finish(const Line& line) {
  if (state_ == State::ended) return false;
  Scanner in(line, dialect_.syntax);
  in.skip_to(at_);
  if (!advance(in, true) || state_ != State::between) {
    in.fail_here("a message in a literal");
    fail(in);
    return false;
  }
  state_ = State::ended;
  return true;
}

// Reads on until the announcement (which it leaves in parts_, `at_` behind it) or the end of the line.
bool AppendParser::advance(Scanner& in, bool whole) {
  while (in.ok()) {
    switch (state_) {
      case State::head:
        scan_head(in);
        state_ = State::message;
        break;
      case State::message:
        in.space();
        scan_message(in);
        state_ = State::parts;
        if (!message_.catenate) {
          if (!literal_is_next(in)) in.fail_here("a message in a literal");
          if (!announce(in)) return false;
          return true;
        }
        break;
      case State::parts: {
        if (!message_.catenate) {
          if (message_.utf8) in.want(')');
          state_ = State::between;
          break;
        }
        if (!scan_part_of_message(in, whole)) return in.ok();
        break;
      }
      case State::between:
        at_ = in.position();
        if (in.at_end()) return whole;
        if (head_.replace) {
          in.fail_here("the end of the line");
          return false;
        }
        state_ = State::message;
        break;
      case State::ended:
        return false;
    }
  }
  return false;
}

void AppendParser::scan_head(Scanner& in) {
  head_.tag = in.tag();
  in.space();
  head_.uid = in.take_word("UID ");
  head_.replace = in.take_word("REPLACE");
  if (!head_.replace) in.want_word("APPEND");
  in.space();
  if (head_.replace) {
    head_.star = in.take('*');
    if (!head_.star) head_.replaced = in.nz_number();
    in.space();
  }
  head_.mailbox = scan_mailbox(in, dialect_.separator);
  has_head_ = in.ok();
}

void AppendParser::scan_message(Scanner& in) {
  message_ = AppendMessage();
  begins_ = true;
  if (in.peek() == '(') {
    message_.flags = scan_flag_list(in, FlagUse::writing);
    in.space();
  }
  if (in.peek() == '"') {
    message_.internal_date = scan_date_time(in);
    in.space();
  }
  if (in.take_word("CATENATE ")) {
    message_.catenate = true;
    in.want('(');
  } else if (in.take_word("UTF8 ")) {
    message_.utf8 = true;
    in.want('(');
  }
}

// The literal that was announced, or the one that was streamed past; true if it is the announced one.
bool AppendParser::announce(Scanner& in) {
  AppendPart part;
  const bool binary = in.take('~');
  in.want('{');
  part.size = in.number64();
  if (!in.take('+')) in.take('-');
  in.want('}');
  part.binary = binary;
  part.begins_message = begins_;
  begins_ = false;
  if (in.ok() && !in.at_end()) in.fail_here("the end of the line");
  if (!in.ok()) return false;
  parts_.push_back(std::move(part));
  at_ = in.position() + 2;  // CRLF, which is put into the line behind it
  return true;
}

// One part of CATENATE, or its ")". False: it was announced, or something is wrong.
bool AppendParser::scan_part_of_message(Scanner& in, bool whole) {
  if (in.take(')')) {
    if (begins_) in.fail_here("TEXT or URL");
    state_ = State::between;
    return in.ok();
  }
  if (!begins_) in.space();
  if (in.take_word("TEXT ")) {
    if (!literal_is_next(in) || whole) in.fail_here("a literal");
    if (in.ok()) (void)announce(in);
    return false;
  }
  const std::size_t before = in.position();
  in.want_word("URL ");
  if (!whole && literal_is_next(in) && in.rest().find("\r\n") == std::string_view::npos) {
    // Kept; read again once it is here.
    at_ = begins_ ? before : before - 1;
    return false;
  }
  AppendPart part;
  part.kind = AppendPart::Kind::url;
  part.url = in.astring();
  part.begins_message = begins_;
  begins_ = false;
  if (!in.ok()) return false;
  at_ = in.position();
  parts_.push_back(std::move(part));
  return true;
}

}  // namespace posthorn::imap
