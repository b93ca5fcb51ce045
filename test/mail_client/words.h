// The words of mail_client: one command a line, its parts split by tabs; the answer's lines, then "ok" or "error ...".
#pragma once

#include <map>
#include <string>
#include <vector>

#include "libmail/session/imap_client.h"
#include "libmail/session/pop3_client.h"

namespace posthorn::mail_client {

using Words = std::vector<std::string>;

// Of the command line: "--user ann" is {"user", "ann"}.
using Settings = std::map<std::string, std::string>;
[[nodiscard]] std::string setting(const Settings& settings, const std::string& name);

// A line of standard input, split; empty at its end.
async::Task<Words> read_words();
void say(const std::string& line);
[[nodiscard]] std::string file_text(const std::string& path);
void write_file(const std::string& path, std::string_view octets);

async::Task<int> run_imap(const Settings& settings, async::Endpoint server);
async::Task<int> run_pop3(const Settings& settings, async::Endpoint server);

}  // namespace posthorn::mail_client
