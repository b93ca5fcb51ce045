// A site for POP3 and IMAP transcripts: users, certificates, and a maildrop with three messages that is new for each transcript.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libmail/tls/tls.h"
#include "test/support/test_folder.h"
#include "test/transcripts/transcript.h"

namespace posthorn::test {

class Pop3Site {
 public:
  Pop3Site();
  ~Pop3Site();
  Pop3Site(const Pop3Site&) = delete;
  Pop3Site& operator=(const Pop3Site&) = delete;

  // ann gets her three messages back, bob his empty mailbox; sockets of the last run are removed.
  void renew() const;
  [[nodiscard]] std::string path(const std::string& name) const { return folder_.path(name); }
  [[nodiscard]] std::string socket(const std::string& name) const { return path("run/" + name); }
  [[nodiscard]] const std::shared_ptr<tls::ClientContext>& client_tls() const { return client_; }
  [[nodiscard]] const std::shared_ptr<tls::ServerContext>& server_tls() const { return server_; }
  // Which of ann's messages are there, as "1 2 3"; a message marked as seen is "2s".
  [[nodiscard]] std::string messages() const;
  // What another program does; "" or what went wrong. To ann's Maildir:
  //   deliver N      a new message 100N.M1P1.host comes
  //   remove N       its file goes
  //   flag N FS      it is renamed to have these flags
  //   mailboxes N    so many mailboxes Many0, Many1 ... are made
  // Or to any file of the site, PATH as "mail/ann/Maildir":
  //   write PATH words   a file of one line
  //   drop PATH          a file, or a directory with all that is in it, goes
  //   lock PATH          this process holds PATH.lock, until it drops it
  [[nodiscard]] std::string act(const std::string& words) const;

 private:
  posthorn::TestFolder folder_;
  std::shared_ptr<tls::ClientContext> client_;
  std::shared_ptr<tls::ServerContext> server_;
};

// What the transcript's config says, as options of pop3d or imapd.
[[nodiscard]] std::vector<std::string> agent_flags(const Transcript& transcript);

// In this process: authd's sessions and pop3d's or imapd's, joined by Unix sockets as in life. "" or "LINE: what went wrong".
[[nodiscard]] std::string play_pop3_in_process(const Transcript& transcript, const Pop3Site& site,
                                               bool octet_by_octet);
[[nodiscard]] std::string play_imap_in_process(const Transcript& transcript, const Pop3Site& site,
                                               bool octet_by_octet);
// The programs themselves: `agent` is pop3d or imapd.
[[nodiscard]] std::string play_with_agents(const Transcript& transcript, const Pop3Site& site,
                                           const std::string& agent, const std::string& authd);

}  // namespace posthorn::test
