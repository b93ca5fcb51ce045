#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>

#include "agents/mua/command.h"
#include "agents/mua/compose.h"
#include "libmail/base/fd.h"
#include "libmail/base/read_file.h"
#include "libmail/base/text.h"
#include "libmail/message/address_format.h"
#include "libmail/message/header.h"

namespace posthorn::mua {

namespace exit_code = service::exit_code;
using message::Address;
using service::ToolError;

namespace {

// Names as people read them: the builder encodes them.
std::string plain(const std::vector<Address>& addresses) {
  std::string text;
  for (const Address& each : addresses) {
    text += text.empty() ? "" : ", ";
    const std::string& name = each.display_name;
    if (name.empty())
      text += each.addr_spec();
    else if (name.find_first_of("\"(),:;<>@[\\].") == std::string::npos)
      text += name + " <" + each.addr_spec() + ">";
    else
      text += fmt::format("\"{}\" <{}>", name, each.addr_spec());
  }
  return text;
}

std::string editor() {
  for (const char* name : {"VISUAL", "EDITOR"}) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): never set by us
    if (value != nullptr && *value != '\0') return value;
  }
  return "vi";
}

// What the fields say now.
Result<void, ToolError> take_fields(const message::Header& header, message::Draft& draft) {
  const auto addresses = [&](const char* name,
                             std::vector<Address>& into) -> Result<void, ToolError> {
    into.clear();
    for (const message::Field* field : header.find_all(name)) {
      auto list = message::parse_address_list(header.raw_value(*field));
      if (!list)
        return fail(
            ToolError(exit_code::data, "bad-data", fmt::format("{}: {}", name, list.error().text)));
      for (Address& each : list->mailboxes) into.push_back(std::move(each));
    }
    return {};
  };
  if (auto done = addresses("From", draft.from); !done) return done;
  if (auto done = addresses("To", draft.to.mailboxes); !done) return done;
  if (auto done = addresses("Cc", draft.cc.mailboxes); !done) return done;
  if (auto done = addresses("Bcc", draft.bcc); !done) return done;
  draft.to.groups.clear();
  draft.cc.groups.clear();
  const message::Field* subject = header.find("Subject");
  draft.subject = subject == nullptr ? "" : header.value(*subject);
  return {};
}

}  // namespace

Result<std::string, ToolError> edit(message::Draft& draft, std::string& text) {
  std::string path = (std::filesystem::temp_directory_path() / "mua-XXXXXX").string();
  const Fd file(::mkstemp(path.data()));
  if (!file) return fail(ToolError(exit_code::try_again, "io", io_error("mkstemp", path).text()));
  const std::string whole = fmt::format(
      "From: {}\nTo: {}\nCc: {}\nBcc: {}\nSubject: {}\n\n{}", plain(draft.from),
      plain(draft.to.mailboxes), plain(draft.cc.mailboxes), plain(draft.bcc), draft.subject, text);
  if (!write_all(file.get(), whole)) {
    ToolError error(exit_code::try_again, "io", io_error("write", path).text());
    ::unlink(path.c_str());
    return fail(std::move(error));
  }
  const auto code = run_on_terminal({"/bin/sh", "-c", editor() + " \"$1\"", "editor", path});
  const auto back = read_file(path, SIZE_MAX);
  if (!back && back.error().code != ENOENT)
    return fail(with_typed(ToolError(exit_code::try_again, "io", back.error().text()), path));
  const std::string now = back.value_or("");
  const bool left_with_error = !code || *code != 0;
  if (now == whole || now.empty()) {
    ::unlink(path.c_str());
    return fail(ToolError(exit_code::failed, "given-up",
                          left_with_error ? "the editor ended with an error; nothing was sent"
                                          : "nothing was written; nothing was sent"));
  }
  if (left_with_error)
    return fail(with_typed(ToolError(exit_code::failed, "given-up",
                                     "the editor ended with an error; nothing was sent"),
                           path));
  const message::Header header = message::Header::parse(now);
  text = now.substr(std::min(header.body(), now.size()));
  if (const auto done = take_fields(header, draft); !done)
    return fail(with_typed(done.error(), path));
  if (trim(text).empty() && trim(draft.subject).empty()) {
    ::unlink(path.c_str());
    return fail(ToolError(exit_code::failed, "given-up", "the message is empty; nothing was sent"));
  }
  return path;
}

ToolError with_typed(ToolError error, const std::string& path) {
  if (!path.empty())
    error.hint += fmt::format("{}what was typed is in {}", error.hint.empty() ? "" : "; ", path);
  return error;
}

Result<int, ToolError> with_typed(Result<int, ToolError> done, const std::string& path) {
  if (!done) return fail(with_typed(std::move(done.error()), path));
  if (!path.empty()) ::unlink(path.c_str());
  return done;
}

}  // namespace posthorn::mua
