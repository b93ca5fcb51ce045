// mail_client imap|pop3 --server ENDPOINT --user U --password P [--tls never|starttls|implicit] [--ca FILE --name HOST]
//                       [--compress yes] [--enable QRESYNC]
#include <fstream>
#include <iostream>
#include <sstream>

#include "libmail/async/files.h"
#include "libmail/async/loop.h"
#include "libmail/base/text.h"
#include "words.h"

namespace posthorn::mail_client {

std::string setting(const Settings& settings, const std::string& name) {
  const auto found = settings.find(name);
  return found == settings.end() ? "" : found->second;
}

async::Task<Words> read_words() {
  std::string line;
  auto work = [&line] { return static_cast<bool>(std::getline(std::cin, line)); };
  const bool more = co_await async::blocking(std::move(work));
  Words parts;
  if (!more) co_return parts;
  for (const std::string_view part : split(line, '\t')) parts.emplace_back(part);
  co_return parts;
}

void say(const std::string& line) {
  std::cout << line << std::endl;
}

std::string file_text(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void write_file(const std::string& path, std::string_view octets) {
  std::ofstream(path, std::ios::binary)
      .write(octets.data(), static_cast<std::streamsize>(octets.size()));
}

}  // namespace posthorn::mail_client

int main(int argc, char** argv) {
  using namespace posthorn;
  using namespace posthorn::mail_client;
  Settings settings;
  for (int i = 2; i + 1 < argc; i += 2) settings[std::string(argv[i]).substr(2)] = argv[i + 1];
  const auto server = async::parse_endpoint(setting(settings, "server"));
  const std::string protocol = argc > 1 ? argv[1] : "";
  if (!server || (protocol != "imap" && protocol != "pop3")) {
    std::cerr << "mail_client: usage: mail_client imap|pop3 --server ENDPOINT --user USER "
                 "--password PASSWORD ...\n";
    return 64;
  }
  return async::run(protocol == "imap" ? run_imap(settings, *server) : run_pop3(settings, *server));
}
