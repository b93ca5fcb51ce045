#include "test/transcripts/pop3_world.h"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "libmail/base/text.h"
#include "libmail/sasl/passwd_edit.h"
#include "libmail/tls/certificate.h"

namespace posthorn::test {

namespace {

// Number, flags, text: the third has every line that a protocol of lines has trouble with.
constexpr const char* messages_of_ann[] = {
    "Subject: one\n\nfirst\n",
    "Subject: two\nX-Long: 1\n\n.\n..\n.dot\n\nlast line without end",
    "Subject: gr\xc3\xbc\xc3\x9f\x65\n\nline 1\nline 2\nline 3\n",
};

// Config keys that are options of pop3d or imapd, and those of them that are flags.
const std::set<std::string> options = {
    "max-errors",    "max-logins",   "max-line",      "plaintext-in-clear", "delete-after-retr",
    "mark-seen",     "refuse-utf8",  "idle-time",     "login-time",         "append-limit",
    "separator",     "prefix",       "quota",         "lock-time",          "public-location",
    "shared-prefix", "quota-admins", "mail-location", "message-limit",      "server-comment",
    "filters"};

void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace

Pop3Site::Pop3Site() {
  for (const char* folder : {"conf", "run", "mail", "tls"})
    std::filesystem::create_directory(path(folder));
  for (const char* user : {"ann", "bob"}) {
    sasl::PasswdEntry entry;
    entry.user = user;
    if (entry.user == "bob") entry.extra.emplace_back("userdb_acl_groups", "staff,board");
    check(sasl::add_user(path("conf/users"), entry, "secret").has_value(), "a user can be added");
  }
  const auto ca = tls::make_ca("transcripts");
  const auto issued = tls::issue(*ca, {"mx.example.org"});
  write(path("tls/ca.pem"), ca->certificate_pem);
  write(path("tls/cert.pem"), issued->certificate_pem);
  write(path("tls/key.pem"), issued->key_pem);
  tls::ServerContext::Options server;
  server.certificate_file = path("tls/cert.pem");
  server.key_file = path("tls/key.pem");
  server_ = *tls::ServerContext::load(server);
  tls::ClientContext::Options client;
  client.verify = tls::ClientContext::Verify::require;
  client.ca_file = path("tls/ca.pem");
  client_ = *tls::ClientContext::load(client);
}

Pop3Site::~Pop3Site() = default;

void Pop3Site::renew() const {
  // A worker that the dialogue before has left may still write its last.
  std::error_code failed;
  for (int i = 0; i < 1000 && (i == 0 || failed); ++i) {
    if (failed) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    failed.clear();
    std::filesystem::remove_all(path("mail"), failed);
  }
  check(!failed, "the mail of the dialogue before can be removed");
  std::filesystem::remove_all(path("run"));
  std::filesystem::create_directory(path("run"));
  for (const char* user : {"ann", "bob"}) {
    for (const char* folder : {"new", "cur", "tmp"})
      std::filesystem::create_directories(path("mail/" + std::string(user) + "/Maildir/" + folder));
  }
  int number = 0;
  for (const char* text : messages_of_ann) {
    const std::string name = std::to_string(1000 + ++number) + ".M1P1.host";
    write(path("mail/ann/Maildir/new/" + name), text);
  }
}

std::string Pop3Site::messages() const {
  std::set<std::string> found;
  for (const char* folder : {"new", "cur"}) {
    for (const auto& entry :
         std::filesystem::directory_iterator(path("mail/ann/Maildir/" + std::string(folder)))) {
      const std::string name = entry.path().filename().string();
      const bool seen = name.find(":2,") != std::string::npos &&
                        name.find('S', name.find(":2,")) != std::string::npos;
      found.insert(name.substr(3, 1) + (seen ? "s" : ""));
    }
  }
  std::string text;
  for (const std::string& number : found) text += (text.empty() ? "" : " ") + number;
  return text;
}

std::string Pop3Site::act(const std::string& words) const {
  namespace fs = std::filesystem;
  const auto word = posthorn::words(words);
  if (word.size() < 2) return "do: needs what and whose";
  const fs::path at = path(std::string(word[1]));
  if (word[0] == "write") {
    fs::create_directories(at.parent_path());
    std::string line;
    for (std::size_t i = 2; i < word.size(); ++i) line.append(i == 2 ? "" : " ").append(word[i]);
    std::ofstream(at) << line << "\n";
    return {};
  }
  if (word[0] == "drop") return fs::remove_all(at) > 0 ? "" : "there is no such file";
  if (word[0] == "mailboxes") {
    for (std::size_t i = 0; i < parse_size(word[1]).value_or(0); ++i) {
      for (const char* folder : {"new", "cur", "tmp"})
        fs::create_directories(path("mail/ann/Maildir/.Many" + std::to_string(i) + "/" + folder));
    }
    return {};
  }
  if (word[0] == "lock") {
    char host[256] = {};
    ::gethostname(host, sizeof host - 1);
    std::ofstream(at.string() + ".lock") << ::getpid() << ":" << host;
    return {};
  }
  const fs::path maildir = path("mail/ann/Maildir");
  const std::string base = "100" + std::string(word[1]) + ".M1P1.host";
  if (word[0] == "deliver") {
    std::ofstream(maildir / "tmp" / base) << "Subject: " << word[1] << "\n\nnew\n";
    fs::rename(maildir / "tmp" / base, maildir / "new" / base);
    return {};
  }
  for (const char* folder : {"new", "cur"}) {
    for (const auto& entry : fs::directory_iterator(maildir / folder)) {
      if (!entry.path().filename().string().starts_with(base)) continue;
      const fs::path& old = entry.path();
      if (word[0] == "remove") fs::remove(old);
      if (word[0] == "flag")
        fs::rename(
            old, maildir / "cur" / (base + ":2," + (word.size() > 2 ? std::string(word[2]) : "")));
      return {};
    }
  }
  return "there is no such message";
}

std::vector<std::string> agent_flags(const Transcript& transcript) {
  std::vector<std::string> flags;
  for (const auto& [key, value] : transcript.config) {
    if (!options.contains(key)) continue;
    if (value == "yes" || value == "no") {
      flags.push_back((value == "yes" ? "--" : "--no-") + key);
    } else {
      flags.push_back("--" + key + "=" + value);
    }
  }
  return flags;
}

}  // namespace posthorn::test
