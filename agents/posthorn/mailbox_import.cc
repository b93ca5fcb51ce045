// posthorn mailbox import: mail of another system into a user's mailboxes.
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "agents/posthorn/copy_report.h"
#include "agents/posthorn/mail_copy.h"
#include "agents/posthorn/mailbox_command.h"
#include "libmail/async/loop.h"
#include "libmail/base/read_file.h"
#include "libmail/base/text.h"

namespace posthorn::operate {

using service::OptionTable;
namespace exit_code = service::exit_code;

namespace {

ToolError usage(std::string text, std::string hint = {}) {
  return {exit_code::usage, "usage", std::move(text), std::move(hint)};
}

std::string first_line(std::string text) {
  text.resize(std::min(text.find('\n'), text.size()));
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

Result<std::string, ToolError> said_by(const std::string& command) {
  std::FILE* pipe = ::popen(command.c_str(), "re");
  std::string said;
  if (pipe != nullptr) {
    std::array<char, 4096> octets{};
    while (const std::size_t count = std::fread(octets.data(), 1, octets.size(), pipe))
      if (said.size() < 65536) said.append(octets.data(), count);
  }
  if (pipe == nullptr || ::pclose(pipe) != 0)
    return fail(ToolError(exit_code::config, "password", "the password command failed"));
  return first_line(std::move(said));
}

class MailboxImport final : public MailboxCommand {
 public:
  [[nodiscard]] std::string_view name() const override { return "mailbox import"; }
  [[nodiscard]] std::string_view words() const override { return "[USER] SOURCE"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "bring mail from an mbox, a Maildir or an IMAP server into a user's mailboxes";
  }
  void describe(OptionTable& table) override {
    MailboxCommand::describe(table);
    table.group("What goes where");
    table.add("into", rules_.into, "the mailbox below which everything goes").flag_only();
    table.add("folder", folders_, "FROM=TO: this folder of the source goes there; FROM=: nowhere")
        .flag_only();
    table.add("dry-run", rules_.dry_run, "say what would come, and change nothing").flag_only();
    table.group("IMAP server");
    table.add("login", login_, "the user there").flag_only();
    table.add("password-file", password_file_, "its first line is the password").flag_only();
    table
        .add("password-command", password_command_,
             "what this shell command prints is the password")
        .flag_only();
    table.add("tls", tls_, "TLS from the beginning (imaps), by STARTTLS, or never")
        .one_of({"auto", "implicit", "starttls", "never"})
        .flag_only();
    table.add("ca", ca_, "PEM file with the authorities of its certificate; empty = the system's")
        .flag_only();
  }

 protected:
  [[nodiscard]] bool makes_maildir() const override { return true; }

  Result<void, ToolError> prepare(const ToolCall& call) override {
    if (call.words.empty()) return {};
    auto made = source_of(call.words.back());
    if (!made) return fail(std::move(made.error()));
    source_ = std::move(*made);
    for (const std::string& text : folders_) {
      const std::size_t equals = text.rfind('=');
      if (equals == std::string::npos)
        return fail(usage("--folder " + text + ": FROM=TO is meant"));
      rules_.folders[text.substr(0, equals)] = text.substr(equals + 1);
    }
    return {};
  }

  Result<int, ToolError> run(const ToolCall& call, Account& account,
                             const std::vector<std::string>& words) override {
    if (words.size() != 1 || !source_)
      return fail(usage("one source has to be named",
                        "mbox:PATH, maildir:PATH, imap:HOST[:PORT] or imaps:HOST[:PORT]"));
    rules_.is_fresh = rules_.dry_run && ::access(account.path.c_str(), F_OK) != 0;
    rules_.progress = !call.json && ::isatty(STDERR_FILENO) != 0;
    const CopyResult result = async::run(copy_mail(*source_, *account.store, rules_));
    // Counted anew by whoever wants to know next (Maildir++).
    if (!rules_.dry_run) (void)::unlink((account.path + "/maildirsize").c_str());
    return report_copy(call, result, rules_.dry_run);
  }

 private:
  Result<std::unique_ptr<MailSource>, ToolError> source_of(const std::string& text) {
    const std::size_t colon = text.find(':');
    const std::string kind = text.substr(0, colon);
    const std::string rest = colon == std::string::npos ? "" : text.substr(colon + 1);
    if (rest.empty())
      return fail(usage("\"" + text + "\" is no source",
                        "mbox:PATH, maildir:PATH, imap:HOST[:PORT] or imaps:HOST[:PORT]"));
    if (kind == "mbox") return make_mbox_source(std::filesystem::absolute(rest));
    if (kind == "maildir") return make_maildir_source(std::filesystem::absolute(rest));
    if (kind == "imap" || kind == "imaps") return imap_source(rest, kind == "imaps");
    return fail(usage("\"" + kind + "\" is no kind of source", "mbox, maildir, imap or imaps"));
  }

  Result<std::string, ToolError> password() const {
    if (!password_command_.empty()) return said_by(password_command_);
    if (password_file_.empty())
      return fail(usage("there is no password", "--password-file FILE or --password-command TEXT"));
    auto text = read_file(password_file_, 65536);
    if (!text) return fail(ToolError(exit_code::config, "password", text.error().text()));
    return first_line(std::move(*text));
  }

  Result<std::unique_ptr<MailSource>, ToolError> imap_source(const std::string& host,
                                                             bool implicit) {
    if (tls_ != "auto") implicit = tls_ == "implicit";
    // A port only behind the last colon, unless that one is part of an address.
    const std::size_t colon = host.rfind(':');
    const bool has_port =
        colon != std::string::npos && (host.find(':') == colon || host[colon - 1] == ']');
    const std::string full = has_port ? host : host + (implicit ? ":993" : ":143");
    const bool is_path = host.starts_with('/');
    auto server = async::parse_endpoint(is_path ? "unix:" + host : "inet:" + full);
    if (!server) return fail(usage(server.error()));
    session::ImapClientOptions options;
    options.core.keep_bodies = std::size_t{1} << 20;
    options.clear_password = tls_ == "never";
    options.tls = is_path || tls_ == "never" ? session::ImapTls::never
                  : implicit                 ? session::ImapTls::implicit
                                             : session::ImapTls::starttls;
    options.tls_name = server->host;
    if (options.tls != session::ImapTls::never) {
      tls::ClientContext::Options trust;
      trust.verify = tls::ClientContext::Verify::require;
      if (!ca_.empty()) trust.ca_file = std::filesystem::absolute(ca_);
      auto context = tls::ClientContext::load(trust);
      if (!context) return fail(ToolError(exit_code::config, "tls", context.error().text));
      options.tls_context = std::move(*context);
    }
    if (!login_.empty()) {
      auto secret = password();
      if (!secret) return fail(std::move(secret.error()));
      options.login = session::ImapLogin(login_, std::move(*secret));
    }
    return make_imap_source(std::move(*server), std::move(options));
  }

  CopyRules rules_;
  std::vector<std::string> folders_;
  std::string login_;
  std::string password_file_;
  std::string password_command_;
  std::string tls_ = "auto";
  std::string ca_;
  std::unique_ptr<MailSource> source_;
};

}  // namespace

std::unique_ptr<Tool> make_mailbox_import() {
  return std::make_unique<MailboxImport>();
}

}  // namespace posthorn::operate
