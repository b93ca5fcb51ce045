#include "libmail/message/builder_fields.h"

#include <algorithm>
#include <array>

#include "libmail/base/text.h"
#include "libmail/message/address_format.h"

namespace posthorn::message {

namespace {

using Written = Result<std::string, BuildError>;

// What a draft has members for can't come as a field of its own; neither can what the parts say.
constexpr std::array<std::string_view, 13> owned = {
    "From", "Sender",     "Reply-To",   "To",          "Cc",           "Bcc",       "Subject",
    "Date", "Message-ID", "References", "In-Reply-To", "MIME-Version", "Resent-Bcc"};

bool is_message_id(std::string_view id) {
  constexpr std::size_t longest = 900;
  if (id.size() < 3 || id.size() > longest || id.front() != '<' || id.back() != '>') return false;
  return std::ranges::all_of(id.substr(1, id.size() - 2), [](char c) {
    return (is_graph(c) || is_8bit(c)) && c != '<' && c != '>';
  });
}

class FieldWriter {
 public:
  void text(std::string_view name, std::string_view value) {
    if (value.empty() || error_) return;
    const auto body = HeaderValue::from_text(value);
    if (!body) return refuse(name, body.error());
    add(write_field(name, body->text()));
  }

  void body(std::string_view name, std::string_view value) {
    if (!value.empty() && !error_) add(write_field(name, value));
  }

  void addresses(std::string_view name, const AddressList& list) {
    if (error_ || (list.mailboxes.empty() && list.groups.empty())) return;
    for (const Address& address : list.mailboxes) {
      if (const auto good = check_address(address); !good) return refuse(name, good.error());
    }
    add(write_field(name, format_address_list(list)));
  }

  void ids(std::string_view name, const std::vector<std::string>& list) {
    if (error_ || list.empty()) return;
    std::string joined;
    for (const std::string& id : list) {
      if (!is_message_id(id)) return refuse(name, "'" + printable(id, 80) + "' is no message id");
      if (!joined.empty()) joined += ' ';
      joined += id;
    }
    add(write_field(name, joined));
  }

  void field(const HeaderName& name, const HeaderValue& value) {
    if (error_) return;
    const auto same = [&name](std::string_view known) { return iequals(known, name.text()); };
    if (std::ranges::any_of(owned, same) || istarts_with(name.text(), "Content-"))
      return refuse(name.text(), "this field is made from the rest of the draft");
    out_ += fold_field(name, value);
  }

  void refuse(std::string_view name, std::string text) {
    if (!error_) error_ = BuildError{std::string(name), std::move(text)};
  }

  Written take() {
    if (error_) return fail(std::move(*error_));
    return std::move(out_);
  }

 private:
  void add(Written written) {
    if (written) {
      out_ += *written;
    } else if (!error_) {
      error_ = std::move(written.error());
    }
  }

  std::string out_;
  std::optional<BuildError> error_;
};

}  // namespace

Written write_field(std::string_view name, std::string_view body) {
  const auto checked_name = HeaderName::make(name);
  if (!checked_name) return fail(BuildError{std::string(name), checked_name.error()});
  const auto value = HeaderValue::make(body);
  if (!value) return fail(BuildError{std::string(name), value.error()});
  return fold_field(*checked_name, *value);
}

Written write_fields(const Draft& draft, const BuildOptions& options) {
  FieldWriter writer;
  if (draft.from.empty()) writer.refuse("From", "there is no author");
  if (draft.from.size() > 1 && !draft.sender)
    writer.refuse("Sender", "several authors need one that sends (RFC 5322 3.6.2)");
  writer.body("Date", draft.date);
  writer.addresses("From", {draft.from, {}});
  if (draft.sender) writer.addresses("Sender", {{*draft.sender}, {}});
  writer.addresses("Reply-To", {draft.reply_to, {}});
  writer.addresses("To", draft.to);
  writer.addresses("Cc", draft.cc);
  if (options.write_bcc) writer.addresses("Bcc", {draft.bcc, {}});
  writer.text("Subject", draft.subject);
  if (!draft.message_id.empty()) writer.ids("Message-ID", {draft.message_id});
  writer.ids("In-Reply-To", draft.in_reply_to);
  writer.ids("References", draft.references);
  for (const auto& [name, value] : draft.fields) writer.field(name, value);
  return writer.take();
}

}  // namespace posthorn::message
