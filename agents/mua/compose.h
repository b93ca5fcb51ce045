// From flags, standard input or an editor to a message and its envelope.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agents/mua/accounts.h"
#include "agents/mua/submission.h"
#include "libmail/message/builder.h"
#include "libmail/service/options.h"

namespace posthorn::mua {

// What send, reply, forward and drafts create have in common.
struct ComposeFlags {
  std::vector<std::string> to, cc, bcc;
  std::string from;
  std::string subject;
  std::string body;  // text, "-" = standard input
  std::string html;  // file
  bool markdown = false;
  std::vector<std::string> attach;
  std::vector<std::string> headers;
  std::string notify;
  std::string ret;
  bool draft = false;
  bool dry_run = false;
  bool edit = false;
  bool copy = true;

  void describe(service::OptionTable& table);
  // Something of the message is said by flags, so standard input is its text and not a whole message.
  [[nodiscard]] bool any() const;
  // The user has seen and changed in an editor what these flags say of the header: the draft's counts.
  void forget_header();
};

struct Composed {
  Letter letter;
  Octets for_draft;  // the same message with Bcc
  std::string subject;
};

// "" at the end.
using OctetSource = std::function<Result<std::string, service::ToolError>()>;
[[nodiscard]] OctetSource standard_input();
[[nodiscard]] OctetSource source_of(Octets octets);

// `draft` holds what is known already (of an answer: To, Subject, References); flags are added to it, a subject replaces
// its. `text`: the body, as people write it; `more`: parts that go behind it.
[[nodiscard]] Result<Composed, service::ToolError> compose(
    const Account& account, message::Draft draft, const ComposeFlags& flags, std::string text,
    std::vector<message::BuildPart> more = {});
// The addresses, subject and fields of the flags, and the account's From, put into `draft`.
[[nodiscard]] Result<void, service::ToolError> apply_addresses(const Account& account,
                                                               const ComposeFlags& flags,
                                                               message::Draft& draft);
// A whole message (RFC 5322) in pieces from `source`, as it stands: what RFC 6409 8 allows is added, Bcc taken away.
// Recipients are those of To, Cc and Bcc and of the flags. A flag that would change what stands in it is a usage error.
[[nodiscard]] Result<Composed, service::ToolError> compose_whole(const Account& account,
                                                                 const ComposeFlags& flags,
                                                                 const OctetSource& source);

// What an answer begins with, before its writer has said anything: To, Subject, References, and From with the address that
// the message was sent to.
struct Answering {
  message::Draft draft;
  std::string behind;                    // stands below what the writer says: the quoted text
  std::vector<message::BuildPart> more;  // the forwarded message, a draft's attachments
};
struct AnswerOptions {
  bool to_all = false;
  bool to_list = false;
  bool quote = true;
};
[[nodiscard]] Answering make_answer(const Account& account, std::string_view octets,
                                    const AnswerOptions& how);
[[nodiscard]] Answering make_forward(const Account& account, const std::string& octets,
                                     bool within_text);
// A draft taken up again: its addresses, subject, fields of its own, text and attachments. HTML beside the text is left
// behind: it would go on saying what the text no longer does.
[[nodiscard]] Answering make_resumed(const Account& account, const std::string& octets);

// The text of the message: --body, standard input if that is no terminal, else "" with `wants_editor`.
struct BodyText {
  std::string text;
  bool wants_editor = false;
};
[[nodiscard]] Result<BodyText, service::ToolError> find_body(const ComposeFlags& flags);
// Everything on standard input, 100 MiB at most.
[[nodiscard]] Result<std::string, service::ToolError> read_standard_input();

// Opens $VISUAL, $EDITOR or vi on the fields and the text, and reads both back: `draft` and `text` change. Nothing
// changed, an empty message, or an editor that ends with an error, gives up: exit code 1. Gives the file with what was
// typed: it stays until with_typed() knows that the message went somewhere.
[[nodiscard]] Result<std::string, service::ToolError> edit(message::Draft& draft,
                                                           std::string& text);
// The error, with a hint where the text still is; `path` "": there was no editor.
[[nodiscard]] service::ToolError with_typed(service::ToolError error, const std::string& path);
// The same for a whole verb: success deletes the file.
[[nodiscard]] Result<int, service::ToolError> with_typed(Result<int, service::ToolError> done,
                                                         const std::string& path);

// "image/png" by the name's extension; "application/octet-stream".
[[nodiscard]] std::string type_of_file(std::string_view name);

}  // namespace posthorn::mua
