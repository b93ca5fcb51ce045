#include "agents/deliverd/pipe_message.h"

#include "libmail/smtp/trace.h"
#include "libmail/store/mbox_format.h"

namespace posthorn::deliverd {

namespace {

constexpr std::string_view from = "From ";

}  // namespace

std::string pipe_head(const PipeRules& rules, const Letter& letter,
                      const smtp::Recipient* recipient) {
  const smtp::Envelope& envelope = letter.envelope;
  std::string head;
  if (rules.flags.from_line) {
    const std::string sender =
        envelope.reverse_path ? smtp::format_mailbox(*envelope.reverse_path) : rules.null_sender;
    head += store::mbox_from_line(sender, envelope.arrival);
  }
  if (rules.flags.return_path) head += to_lf(smtp::format_return_path(envelope.reverse_path));
  if (recipient == nullptr) return head;
  if (rules.flags.original_to) {
    std::string original =
        recipient->orcpt ? recipient->orcpt->address : smtp::format_mailbox(recipient->mailbox);
    head += "X-Original-To: " + original + "\n";
  }
  if (rules.flags.delivered_to) head += to_lf(smtp::format_delivered_to(recipient->mailbox));
  return head;
}

void PipeLines::append(std::string_view text, std::string& out) {
  const PipeFlags& flags = rules_.flags;
  while (!text.empty()) {
    if (at_start_) {
      if (flags.stuff_dots && beginning_.empty() && text.front() == '.') out.push_back('.');
      // Held back only while every octet so far is one of "From ".
      if (flags.escape_from && text.front() == from[beginning_.size()]) {
        beginning_.push_back(text.front());
        text.remove_prefix(1);
        if (beginning_.size() < from.size()) continue;
        out.append(">");
      }
      out += beginning_;
      beginning_.clear();
      at_start_ = false;
      continue;
    }
    const std::size_t lf = text.find('\n');
    out += text.substr(0, lf);
    if (lf == std::string_view::npos) return;
    out += rules_.eol;
    text.remove_prefix(lf + 1);
    at_start_ = true;
  }
}

void PipeLines::finish(std::string& out) {
  out += beginning_;
  beginning_.clear();
  if (rules_.flags.blank_line) out += rules_.eol;
  at_start_ = true;
}

}  // namespace posthorn::deliverd
