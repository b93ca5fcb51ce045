#include <algorithm>
#include <chrono>

#include "libmail/base/text.h"
#include "words.h"

namespace posthorn::mail_client {

using async::Deadline;
using async::Task;
using session::Pop3Client;
using session::Pop3Result;

namespace {

struct ToString final : session::Pop3Sink {
  std::string text;
  void octets(std::string_view piece) override { text += piece; }
};

Deadline soon() {
  return Deadline::in(std::chrono::seconds(20));
}

Task<Pop3Result<void>> list(Pop3Client& client) {
  auto listed = co_await client.list(soon());
  if (!listed) co_return fail(std::move(listed.error()));
  for (const session::Pop3Listed& one : *listed)
    say(std::to_string(one.number) + ' ' + std::to_string(one.size) + ' ' + one.uidl);
  co_return Pop3Result<void>();
}

// All of them, pipelined, into files named by their numbers.
Task<Pop3Result<void>> retr_all(Pop3Client& client, std::uint32_t count, std::string directory) {
  std::vector<ToString> messages(count);
  std::vector<std::uint32_t> numbers;
  std::vector<session::Pop3Sink*> sinks;
  for (std::uint32_t i = 0; i < count; ++i) {
    numbers.push_back(i + 1);
    sinks.push_back(&messages[i]);
  }
  auto done = co_await client.retr_all(std::move(numbers), std::move(sinks), soon());
  for (std::uint32_t i = 0; i < count; ++i)
    write_file(directory + '/' + std::to_string(i + 1), messages[i].text);
  co_return done;
}

Task<Pop3Result<void>> obey(Pop3Client& client, const Words& words) {
  const std::string& verb = words[0];
  const std::uint32_t number =
      words.size() > 1 ? parse_number<std::uint32_t>(words[1]).value_or(0) : 0;
  if (verb == "list") {
    auto done = co_await list(client);
    co_return done;
  }
  if (verb == "retr") {
    auto done = co_await retr_all(client, number, words.at(2));
    co_return done;
  }
  if (verb == "top") {
    ToString message;
    auto done = co_await client.top(number, 0, message, soon());
    say(std::to_string(message.text.size()));
    co_return done;
  }
  if (verb == "dele") {
    std::vector<std::uint32_t> numbers(1, number);
    auto done = co_await client.dele(std::move(numbers), soon());
    co_return done;
  }
  if (verb == "quit") {
    auto done = co_await client.quit(soon());
    co_return done;
  }
  co_return fail(session::Pop3Error(session::Pop3Error::Kind::refused, "no such word: " + verb));
}

}  // namespace

Task<int> run_pop3(const Settings& settings, async::Endpoint server) {
  session::Pop3ClientOptions options;
  const std::string tls = setting(settings, "tls");
  options.tls = tls == "never"      ? session::MailTls::never
                : tls == "implicit" ? session::MailTls::implicit
                                    : session::MailTls::starttls;
  tls::ClientContext::Options context;
  context.verify = tls::ClientContext::Verify::require;
  context.ca_file = setting(settings, "ca");
  auto loaded = tls::ClientContext::load(context);
  if (loaded) options.tls_context = *loaded;
  options.tls_name = setting(settings, "name");
  options.clear_password = tls == "never";
  options.login = session::MailLogin(setting(settings, "user"), setting(settings, "password"));
  options.login.mechanism = setting(settings, "mechanism");
  Pop3Client client(std::move(server), std::move(options));
  auto opened = co_await client.open(soon());
  say(opened ? "ok" : "error " + opened.error().text);
  while (opened) {
    const Words words = co_await read_words();
    if (words.empty()) break;
    auto done = co_await obey(client, words);
    say(done ? "ok" : "error " + done.error().text);
  }
  co_return opened ? 0 : 1;
}

}  // namespace posthorn::mail_client
